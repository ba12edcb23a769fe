// SPDX-License-Identifier: GPL-2.0

//! What one tenant of a VF leaves to the next: nothing.
//!
//! The registers a VF can reach are listed in numbers, from the datasheet (the VF's address space, and
//! where the PF finds each of its registers), on purpose: a register that the driver forgot fails here.

use std::{
    cell::RefCell,
    collections::BTreeMap, //
};

use igb_core::{
    function::VfIndex,
    regs::{
        Access,
        Registers, //
    },
    switch::Event,
    tenant, //
};

use crate::model::{
    client::{
        ready,
        words, //
    },
    ops::Op,
    world::vf_index, //
};

const ENABLE: u32 = 1 << 25;

/// Registers of VF `v` that its tenant can write, and what they are after power-on. Counters of its
/// traffic, which nobody can write, and the mailbox are not among them.
fn window(v: u32) -> Vec<(u32, u32)> {
    let mut registers = Vec::new();
    for queue in [v, v + 8] {
        // RDBAL, RDBAH, RDLEN, SRRCTL, RDH, RDT; RXCTL; RXDCTL.
        for offset in [0x00, 0x04, 0x08, 0x0c, 0x10, 0x18] {
            registers.push((0xc000 + 0x40 * queue + offset, 0));
        }
        registers.push((0xc014 + 0x40 * queue, 0xa200));
        registers.push((0xc028 + 0x40 * queue, 0x1_0000));
        // TDBAL, TDBAH, TDLEN, TDH, TDT, TXDCTL, TDWBAL, TDWBAH; TXCTL.
        for offset in [0x00, 0x04, 0x08, 0x10, 0x18, 0x28, 0x38, 0x3c] {
            registers.push((0xe000 + 0x40 * queue + offset, 0));
        }
        registers.push((0xe014 + 0x40 * queue, 0x2a00));
    }
    // VTEIMS, VTEIAC, VTEIAM, VTEICR; VTIVAR, VTIVAR_MISC, and what QEMU makes of them; PSRTYPE.
    for offset in [0x24, 0x2c, 0x30, 0x80] {
        registers.push((0x1_0000 + 0x100 * v + offset, 0));
    }
    for base in [0x1_1700, 0x1_1720, 0x1700, 0x5480] {
        registers.push((base + 4 * v, 0));
    }
    // VTEITR.
    for vector in 0..3 {
        registers.push((0x1680 + 4 * (22 - 3 * v + vector), 0));
    }
    registers
}

/// The registers of all VFs. Queues that are disabled run on for some looks.
struct Device {
    registers: RefCell<BTreeMap<u32, u32>>,
    runs_on: RefCell<BTreeMap<u32, u32>>,
    accesses: RefCell<usize>,
}

impl Device {
    fn new() -> Self {
        Self {
            registers: RefCell::new((0..7).flat_map(window).collect()),
            runs_on: RefCell::default(),
            accesses: RefCell::new(0),
        }
    }

    /// A tenant writes into everything it has.
    fn used_by(&self, v: u32) {
        for (offset, _) in window(v) {
            let value = if offset & 0xd03f == 0xc028 {
                ENABLE | 0x1f_1f1f
            } else {
                !offset
            };
            self.registers.borrow_mut().insert(offset, value);
        }
    }

    fn read(&self, offset: u32) -> u32 {
        *self.accesses.borrow_mut() += 1;
        let mut value = self.registers.borrow().get(&offset).copied().unwrap_or(0);
        if let Some(looks) = self.runs_on.borrow_mut().get_mut(&offset) {
            if *looks > 0 {
                *looks -= 1;
                value |= ENABLE;
            }
        }
        let is_vteicr = (0x1_0000..0x1_0700).contains(&offset) && offset & 0xff == 0x80;
        if is_vteicr {
            self.registers.borrow_mut().insert(offset, 0);
        }
        value
    }

    fn write(&self, offset: u32, value: u32) {
        *self.accesses.borrow_mut() += 1;
        // VTEIMC only masks.
        if offset & 0x1_f8ff == 0x1_0028 {
            return;
        }
        let known = self.registers.borrow().contains_key(&offset);
        assert!(known, "{offset:#x} is no register of a VF");
        let running = |queue: u32| {
            [queue + 0x28].into_iter().any(|control| {
                self.registers.borrow()[&control] & ENABLE != 0
                    || self.runs_on.borrow().get(&control).is_some_and(|n| *n > 0)
            })
        };
        if offset & 0xd000 == 0xc000 && offset & 0x3f != 0x28 && offset < 0x1_0000 {
            assert!(!running(offset & !0x3f), "{offset:#x} of a queue that runs");
        }
        self.registers.borrow_mut().insert(offset, value);
    }

    fn registers(&self) -> impl Registers + '_ {
        Access(
            |offset| self.read(offset),
            |offset, value| self.write(offset, value),
        )
    }

    fn stop(&self, vf: VfIndex) -> bool {
        tenant::stop(vf, &self.registers())
    }

    fn clear(&self, vf: VfIndex) {
        tenant::clear(vf, &self.registers());
    }

    fn differences(&self) -> Vec<(u32, u32, u32)> {
        let registers = self.registers.borrow();
        let fresh = (0..7).flat_map(window);
        fresh
            .map(|(offset, value)| (offset, value, registers[&offset]))
            .filter(|(_, fresh, now)| fresh != now)
            .collect()
    }
}

#[test]
fn nothing_is_left() {
    for v in 0..7 {
        let device = Device::new();
        device.used_by(v);
        assert!(device.differences().len() >= 38);
        assert!(device.stop(vf_index(v as u8)));
        device.clear(vf_index(v as u8));
        assert_eq!(device.differences(), []);
        // With the mailbox, four to get and give it back, the counters and the acknowledgement.
        let mailbox_and_counters = 16 + 4 + 9 + 1;
        assert!(*device.accesses.borrow() <= 80 - mailbox_and_counters);
    }
}

#[test]
fn neighbours_keep_what_they_have() {
    let device = Device::new();
    (0..7).for_each(|v| device.used_by(v));
    let before = device.registers.borrow().clone();
    assert!(device.stop(vf_index(4)));
    device.clear(vf_index(4));
    let own: Vec<_> = window(4).into_iter().map(|(offset, _)| offset).collect();
    for (offset, value) in before {
        if !own.contains(&offset) {
            assert_eq!(device.registers.borrow()[&offset], value, "{offset:#x}");
        }
    }
}

#[test]
fn a_queue_that_runs_on_is_waited_for() {
    for control in [0xc068, 0xe068, 0xc268, 0xe268] {
        let device = Device::new();
        device.used_by(1);
        device.runs_on.borrow_mut().insert(control, 2);
        assert!(!device.stop(vf_index(1)));
        assert!(!device.stop(vf_index(1)));
        assert!(device.stop(vf_index(1)));
        device.clear(vf_index(1));
        assert_eq!(device.differences(), []);
    }
}

/// Bits of VFRE and VFTE.
fn enables(world: &crate::model::world::World) -> (u32, u32) {
    (world.regs.read(0x0c8c), world.regs.read(0x0c90))
}

#[test]
fn a_vf_whose_queue_runs_on_is_closed_and_its_handshake_waits() {
    let mut world = ready(3);
    assert_eq!(enables(&world), (0xf, 0xf));
    let vf = vf_index(1);
    world.switch.on_stopped(vf, false);
    world.sync();
    assert_eq!(enables(&world), (0xd, 0xd));
    let asked = world.switch.on_message(vf, &words(&[1]), world.now);
    // No refusal either: igbvf takes one for a success without an address.
    assert!(asked.hold && asked.reply.is_none());
    world.sync();
    assert_eq!(enables(&world), (0xd, 0xd));
    assert_eq!(world.switch.on_stuck(vf), Event::QueueStuck);
    assert_eq!(world.switch.counters(vf).queue_stuck, 1);
    // A reset of the VF does not make the queue stop.
    world.apply(&Op::Flr(1));
    assert!(world.switch.on_message(vf, &words(&[1]), world.now).hold);
    world.switch.on_stopped(vf, true);
    let asked = world.switch.on_message(vf, &words(&[1]), world.now);
    assert!(!asked.hold && asked.scrub && asked.reply.is_some());
    world.sync();
    assert_eq!(enables(&world), (0xf, 0xf));
}

#[test]
fn a_reset_of_the_pf_stops_every_queue() {
    let mut world = ready(2);
    world.switch.on_stopped(vf_index(0), false);
    world.apply(&Op::PfReset);
    assert!(
        !world
            .switch
            .on_message(vf_index(0), &words(&[1]), world.now)
            .hold
    );
}
