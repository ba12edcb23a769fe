// SPDX-License-Identifier: GPL-2.0

//! What the tenant of a VF can leave in registers, and how they become what they are after power-on.
//!
//! A reset of a VF disables its queues and takes its pool's enables, and that is all: where its rings
//! are, how frames are written, the address the head of a transmit ring is written back to, how its
//! interrupts are routed and moderated, and its mailbox stay as they were. With a head write-back that
//! is left, the controller writes into the memory of the next tenant where the one before chose (82576
//! specification update, software clarification 3).
//!
//! The registers of a queue may be changed only when it has come to rest: [`stop`] first, and
//! [`clear`] when that says so. A VF owns the queues `v` and `v + 8` and three vectors.

use crate::{
    function::VfIndex,
    layout::vf_queues,
    regs::{
        self,
        eitr::Eitr,
        ivar::Ivar,
        rxctl,
        srrctl::Srrctl,
        txctl,
        vteicr::{
            self,
            Vteicr, //
        },
        xdctl,
        Registers, //
    }, //
};

/// Register accesses of [`stop`] and [`clear`] together.
pub const ACCESSES: usize = 50;

/// Disables the queues of `vf`. Returns whether they have come to rest: if not, they are to be looked
/// at again soon, and nothing may be changed before.
pub fn stop(vf: VfIndex, device: &impl Registers) -> bool {
    for queue in vf_queues(vf) {
        device.write(regs::rxdctl(queue), xdctl::RX_DEFAULT);
        device.write(regs::txdctl(queue), xdctl::TX_DEFAULT);
    }
    // Each is read, also after one that still runs: reading makes sure that the write has arrived.
    vf_queues(vf)
        .into_iter()
        .flat_map(|queue| [regs::rxdctl(queue), regs::txdctl(queue)])
        .fold(true, |stopped, register| {
            device.read(register) & xdctl::ENABLE == 0 && stopped
        })
}

/// Has all registers of `vf` whose queues have come to rest hold what they do after power-on, but for
/// counters of its traffic and its mailbox.
pub fn clear(vf: VfIndex, device: &impl Registers) {
    for queue in vf_queues(vf) {
        clear_queue(device, queue);
    }
    let n = vf.index();
    // Masked before it is forgotten what is pending.
    device.write(regs::pvteimc(n), vteicr::ALL);
    // Emulations have the masks read as they were written, and keep what the vector allocation was in
    // `IVAR0`.
    device.write(regs::pvteims(n), Vteicr::ZERO);
    device.write(regs::pvteiac(n), Vteicr::ZERO);
    device.write(regs::pvteiam(n), Vteicr::ZERO);
    device.write(regs::vtivar(n), 0);
    device.write(regs::vtivar_misc(n), 0);
    device.write(regs::ivar0(n), Ivar::ZERO);
    device.write(regs::psrtype(n), 0);
    let _ = device.read(regs::pvteicr(n));
    for vector in 0..regs::VF_VECTORS {
        device.write(regs::vf_eitr(n, vector), Eitr::ZERO);
    }
}

/// The head write-back goes first: it is what would have the controller write to memory.
fn clear_queue(device: &impl Registers, queue: usize) {
    device.write(regs::tdwbal(queue), 0);
    device.write(regs::tdwbah(queue), 0);
    device.write(regs::rdbal(queue), 0);
    device.write(regs::rdbah(queue), 0);
    device.write(regs::rdlen(queue), 0);
    device.write(regs::srrctl(queue), Srrctl::ZERO);
    device.write(regs::rdh(queue), 0);
    device.write(regs::rdt(queue), 0);
    device.write(regs::tdbal(queue), 0);
    device.write(regs::tdbah(queue), 0);
    device.write(regs::tdlen(queue), 0);
    device.write(regs::tdh(queue), 0);
    device.write(regs::tdt(queue), 0);
    device.write(regs::rxctl(queue), rxctl::DEFAULT);
    device.write(regs::txctl(queue), txctl::DEFAULT);
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_tenant))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;
    use crate::regs::{
        Access,
        Kind,
        Reset, //
    };
    use core::cell::Cell;

    fn vf(n: u8) -> VfIndex {
        VfIndex::new(n).unwrap()
    }

    #[test]
    fn a_queue_that_runs_on_is_noticed() {
        for stuck in [0xc0a8, 0xe0a8, 0xc2a8, 0xe2a8] {
            let read = |offset| {
                if offset == stuck {
                    xdctl::ENABLE.bits()
                } else {
                    0
                }
            };
            assert!(!stop(vf(2), &Access(read, |_, _| {})));
        }
        assert!(stop(vf(2), &Access(|_| (!xdctl::ENABLE).bits(), |_, _| {})));
    }

    #[test]
    fn bounded() {
        for n in VfIndex::all() {
            let count = Cell::new(0);
            let read = |_| {
                count.set(count.get() + 1);
                0
            };
            let write = |_, _| count.set(count.get() + 1);
            let device = Access(read, write);
            stop(n, &device);
            clear(n, &device);
            assert_eq!(count.get(), ACCESSES);
        }
    }

    #[test]
    fn what_is_written_is_what_a_reset_leaves() {
        for n in VfIndex::all() {
            let write = |offset, value| {
                let at = |info: &&regs::Info| info.registers().any(|(_, o)| o == offset);
                let info = regs::all().find(at).unwrap();
                assert!(info.kind == Kind::Wo || info.reset == Reset::Word(value));
            };
            let device = Access(|_| 0, write);
            stop(n, &device);
            clear(n, &device);
        }
    }

    #[test]
    fn nobody_elses_registers_are_touched() {
        for n in VfIndex::all() {
            let v = u32::from(n.get());
            let own = |offset: u32| match offset {
                0xc000..=0xc3ff | 0xe000..=0xe3ff => offset >> 6 & 7 == v,
                0x1_0000..=0x1_07ff => offset >> 8 & 7 == v,
                0x1700..=0x171f | 0x1_1700..=0x1_173f | 0x5480..=0x549f => offset >> 2 & 7 == v,
                0x1680..=0x16e3 => (22 - 3 * v..=24 - 3 * v).contains(&((offset - 0x1680) / 4)),
                _ => false,
            };
            let write = |offset, _| assert!(own(offset));
            let device = Access(|_| 0, write);
            stop(n, &device);
            clear(n, &device);
        }
    }
}
