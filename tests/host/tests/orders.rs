// SPDX-License-Identifier: GPL-2.0

//! The two ends of a transmit ring on two CPUs: every order of their loads and stores that the memory
//! model permits, by the model checker loom, for rings of up to eight slots and every fill level.
//!
//! `rust/net/ring.rs` is compiled as it is. This crate goes by the name of `core` in it, with
//! atomics of loom and with cells that tell loom when a slot is touched: a slot that both ends touch
//! without one having happened before the other fails the test, whether or not a value is wrong.

extern crate self as core;

// The receive ring has one end, so there is no order: rings.rs.
#[allow(dead_code)]
#[path = "../../../rust/net/ring.rs"]
mod ring;

pub(crate) mod ops {
    pub(crate) use std::ops::Deref;
}

pub(crate) mod sync {
    pub(crate) mod atomic {
        use std::sync::atomic::AtomicUsize;
        pub(crate) use std::sync::atomic::Ordering;

        /// The one of [`ACCESSES`] whose order is taken away; their number for none.
        pub(crate) static WEAKENED: AtomicUsize = AtomicUsize::new(ACCESSES);
        /// Load and store of each position.
        pub(crate) const ACCESSES: usize = 4;

        /// A position. The ring makes its head first, then its tail.
        pub(crate) struct AtomicU32 {
            value: loom::sync::atomic::AtomicU32,
            is_tail: bool,
        }

        impl AtomicU32 {
            pub(crate) fn new(value: u32) -> Self {
                let is_tail = MADE.with(|made| made.replace(!made.get()));
                Self {
                    value: loom::sync::atomic::AtomicU32::new(value),
                    is_tail,
                }
            }

            pub(crate) fn load(&self, order: Ordering) -> u32 {
                self.value.load(self.weaken(order, 0))
            }

            pub(crate) fn store(&self, value: u32, order: Ordering) {
                self.value.store(value, self.weaken(order, 1));
            }

            fn weaken(&self, order: Ordering, access: usize) -> Ordering {
                let this = 2 * usize::from(self.is_tail) + access;
                if WEAKENED.load(Ordering::Relaxed) == this {
                    return Ordering::Relaxed;
                }
                order
            }
        }

        thread_local! {
            /// A head was made whose tail was not.
            static MADE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
        }
    }
}

pub(crate) mod cell {
    /// A cell whose every use is one that nobody else may be in.
    pub(crate) struct UnsafeCell<T> {
        user: loom::cell::UnsafeCell<()>,
        value: std::cell::UnsafeCell<T>,
    }

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self {
                user: loom::cell::UnsafeCell::new(()),
                value: std::cell::UnsafeCell::new(value),
            }
        }

        pub(crate) fn get(&self) -> *mut T {
            self.user.with_mut(|_| ());
            self.value.get()
        }
    }
}

use cell::UnsafeCell;
use loom::{
    sync::Arc,
    thread, //
};
use ring::{
    Filler,
    Group,
    Positions,
    Reaper,
    Ring,
    Slot, //
};
use std::sync::{
    atomic::{
        AtomicUsize,
        Ordering, //
    },
    Mutex, //
};
use sync::atomic::{
    ACCESSES,
    WEAKENED, //
};

/// A ring whose slots keep the number of the packet that is in them; 0 for none.
struct Shared(Ring<Vec<UnsafeCell<Slot<u32>>>>);

// SAFETY: Whoever touches a slot tells loom, which finds two that do so at once.
unsafe impl Sync for Shared {}
// SAFETY: Nothing in it is bound to a thread.
unsafe impl Send for Shared {}

impl Shared {
    /// Puts a packet into a slot, or none. Returns what was there.
    fn replace(&self, position: u32, packet: u32) -> u32 {
        // SAFETY: The slot is there for as long as the ring. Whether it is ours is what loom is told
        // of, and finds out.
        unsafe { std::mem::replace(&mut (*self.0.slot(position)).held, packet) }
    }
}

/// What the filler does: packets by their number of descriptors, each with whether it ends a group.
type Plan = &'static [(u32, bool)];

/// Puts packets in as far as there is room. Returns how many went in.
fn fill(shared: &Shared, filler: &mut Filler, plan: Plan, first: u32) -> u32 {
    let mut number = first;
    for &(descs, report) in plan {
        if filler.free(&shared.0) < descs {
            break;
        }
        number += 1;
        let next = filler.head.wrapping_add(descs);
        for position in Positions::new(filler.head, next) {
            let held = shared.replace(position, number);
            assert_eq!(held, 0, "the slot at {position} is not free");
        }
        // SAFETY: There was room for so many, and they hold the packet.
        unsafe { filler.advance(&shared.0, next, descs, report) };
    }
    filler.report(&shared.0);
    number - first
}

/// Takes out what is there. Returns how many packets that were.
fn reap(shared: &Shared, reaper: &mut Reaper, first: u32) -> u32 {
    let mut number = first;
    let give_back = |_: Group, positions: Positions| {
        for position in positions {
            let held = shared.replace(position, 0);
            // In order; a packet has one descriptor or more.
            assert!(
                held == number || held == number + 1,
                "{held} after {number}"
            );
            number = held;
        }
        true
    };
    let reaped = reaper.reap(&shared.0, u32::MAX, |_| true, give_back);
    assert_eq!(reaped.skbs, number - first);
    reaped.skbs
}

/// Two turns of the filler against two of the reaper, on a ring that has been filled up to `level`.
fn run(size: u32, level: u32, plan: Plan) {
    let slots = (0..size).map(|_| UnsafeCell::new(Slot::new(0))).collect();
    // Positions wrap on the way.
    let (ring, mut filler, mut reaper) = Ring::from(slots, 1, 0u32.wrapping_sub(1)).unwrap();
    let shared = Arc::new(Shared(ring));
    let mut before = 0;
    while before < level {
        before += fill(&shared, &mut filler, &[(1, true)], before);
    }
    let other = {
        let shared = shared.clone();
        thread::spawn(move || {
            let taken = reap(&shared, &mut reaper, 0);
            let taken = taken + reap(&shared, &mut reaper, taken);
            (reaper, taken)
        })
    };
    let mut put = level;
    for _ in 0..2 {
        put += fill(&shared, &mut filler, plan, put);
    }
    let (mut reaper, taken) = other.join().unwrap();
    assert_eq!(taken + reap(&shared, &mut reaper, taken), put);
    assert_eq!(filler.free(&shared.0), size);
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Packets of one descriptor that are reported one by one, of one that are reported together, and
/// of several.
const PLANS: [Plan; 3] = [
    &[(1, true)],
    &[(1, false), (1, true)],
    &[(2, true), (1, true)], //
];

/// Returns the number of executions.
fn every_order(size: u32) -> usize {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    RUNS.store(0, Ordering::Relaxed);
    for level in 0..=size {
        for plan in PLANS {
            loom::model(move || {
                RUNS.fetch_add(1, Ordering::Relaxed);
                run(size, level, plan);
            });
        }
    }
    RUNS.load(Ordering::Relaxed)
}

#[test]
fn no_slot_is_touched_by_both_ends_in_any_order() {
    let _guard = ONE_AT_A_TIME.lock();
    for size in [1, 2, 4, 8] {
        let runs = every_order(size);
        println!("{size} slots: {runs} executions");
        assert!(runs > 10);
    }
}

#[test]
fn each_order_that_is_given_is_needed() {
    let _guard = ONE_AT_A_TIME.lock();
    for access in 0..ACCESSES {
        WEAKENED.store(access, Ordering::Relaxed);
        // A thread of its own: what a model that failed leaves behind ends with it.
        let found = std::thread::spawn(|| every_order(2)).join();
        WEAKENED.store(ACCESSES, Ordering::Relaxed);
        let said = found.expect_err("no order is needed");
        let said = said.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(said.contains("Causality violation"), "{access}: {said}");
    }
}
