// SPDX-License-Identifier: GPL-2.0

//! Hardware counters to 64-bit totals.

use crate::{
    function::VfIndex,
    layout::vf_queues,
    regs::{
        pvfgorc,
        pvfgorlbc,
        pvfgotc,
        pvfgotlbc,
        pvfgprc,
        pvfgprlbc,
        pvfgptc,
        pvfgptlbc,
        pvfmprc,
        rqdpc,
        Reg,
        Ro,
        GONE, //
    }, //
};

/// Total of a 32-bit counter that wraps and is not cleared by reading it.
///
/// It has to be read before it wraps twice: an octet counter does so in 34 s at 1 Gb/s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wrapping {
    last: u32,
    total: u64,
}

impl Wrapping {
    /// Takes a reading. All-ones is what a device that is gone returns, so it is skipped; should it
    /// be a count, the next reading makes up for it.
    pub fn update(&mut self, reading: u32) {
        if reading == GONE {
            return;
        }
        let delta = reading.wrapping_sub(self.last);
        self.last = reading;
        self.total = self.total.wrapping_add(u64::from(delta));
    }

    /// Notes that the device was reset and the counter starts from zero. To lose nothing, take a
    /// reading right before the reset.
    pub fn rebase(&mut self) {
        self.last = 0;
    }

    /// The total.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }
}

/// Total of a counter that reading clears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadClear(u64);

impl ReadClear {
    /// Takes a reading of a 32-bit counter. A device that is gone must not be read: all-ones is also
    /// where such a counter stops.
    pub fn add(&mut self, reading: u32) {
        self.0 = self.0.wrapping_add(u64::from(reading));
    }

    /// Takes a reading of [`rqdpc`], which has 12 bits and stays at the largest: more than 4095
    /// drops between two readings are counted as so many. All-ones is what a device that is gone
    /// returns, and is skipped.
    pub fn add_drops(&mut self, reading: u32) {
        self.add(drops(reading));
    }

    /// Takes a reading of an octet counter: the low word, then the high word, which has 4 bits (36 in
    /// all) and whose reading clears both.
    pub fn add_octets(&mut self, low: u32, high: u32) {
        let octets = (u64::from(high & 0xf) << 32) | u64::from(low);
        self.0 = self.0.wrapping_add(octets);
    }

    /// The total.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.0
    }
}

/// Packets that a reading of [`rqdpc`] stands for.
#[must_use]
pub const fn drops(reading: u32) -> u32 {
    if reading == GONE {
        0
    } else {
        reading & 0xfff
    }
}

/// A counter of a pool: reading does not clear it.
type PoolCounter = fn(usize) -> Reg<u32, Ro>;

/// Traffic of one VF. Survives resets; starts anew when VFs are enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfTraffic {
    /// Packets received.
    pub rx_packets: Wrapping,
    /// Octets received, FCS included.
    pub rx_bytes: Wrapping,
    /// Multicast packets received.
    pub rx_multicast: Wrapping,
    /// Packets sent.
    pub tx_packets: Wrapping,
    /// Octets sent, FCS included.
    pub tx_bytes: Wrapping,
    /// Packets received from other pools.
    pub rx_loopback_packets: Wrapping,
    /// Octets received from other pools.
    pub rx_loopback_bytes: Wrapping,
    /// Packets sent to other pools.
    pub tx_loopback_packets: Wrapping,
    /// Octets sent to other pools.
    pub tx_loopback_bytes: Wrapping,
    /// Packets dropped because the VF's queues had no descriptor for them.
    pub rx_dropped: ReadClear,
}

impl VfTraffic {
    /// Takes a reading of all counters of `vf`, by `read`, which is given the offset of a register.
    pub fn update(&mut self, vf: VfIndex, mut read: impl FnMut(u32) -> u32) {
        for (counter, register) in self.counters() {
            counter.update(read(register(vf.index()).offset()));
        }
        for queue in vf_queues(vf) {
            self.rx_dropped.add_drops(read(rqdpc(queue).offset()));
        }
    }

    /// The totals of a VF that begin now, whatever its counters have counted for the one before.
    #[must_use]
    pub fn beginning(vf: VfIndex, read: impl FnMut(u32) -> u32) -> Self {
        let mut traffic = Self::default();
        traffic.update(vf, read);
        for (counter, _) in traffic.counters() {
            counter.total = 0;
        }
        // Reading has cleared it.
        traffic.rx_dropped = ReadClear::default();
        traffic
    }

    /// Notes that the device was reset.
    pub fn rebase(&mut self) {
        for (counter, _) in self.counters() {
            counter.rebase();
        }
    }

    fn counters(&mut self) -> [(&mut Wrapping, PoolCounter); 9] {
        [
            (&mut self.rx_packets, pvfgprc),
            (&mut self.rx_bytes, pvfgorc),
            (&mut self.rx_multicast, pvfmprc),
            (&mut self.tx_packets, pvfgptc),
            (&mut self.tx_bytes, pvfgotc),
            (&mut self.rx_loopback_packets, pvfgprlbc),
            (&mut self.rx_loopback_bytes, pvfgorlbc),
            (&mut self.tx_loopback_packets, pvfgptlbc),
            (&mut self.tx_loopback_bytes, pvfgotlbc),
        ]
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_stats))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    #[test]
    fn a_vf_does_not_get_what_the_one_before_was_counted() {
        let vf = VfIndex::new(1).unwrap();
        let mut traffic = VfTraffic::beginning(vf, |_| 1000);
        assert_eq!(traffic.rx_packets.total(), 0);
        assert_eq!(traffic.rx_dropped.total(), 0);
        traffic.update(vf, |_| 1003);
        assert_eq!(traffic.rx_packets.total(), 3);
        assert_eq!(traffic.tx_loopback_bytes.total(), 3);
    }

    #[test]
    fn wraps() {
        let mut c = Wrapping::default();
        c.update(0xffff_fff0);
        c.update(0x10);
        assert_eq!(c.total(), 0x1_0000_0010);
    }

    #[test]
    fn reset_loses_nothing_that_was_read() {
        let mut c = Wrapping::default();
        c.update(100);
        c.rebase();
        c.update(7);
        assert_eq!(c.total(), 107);
    }

    #[test]
    fn gone_is_not_a_count() {
        let mut c = Wrapping::default();
        c.update(100);
        c.update(GONE);
        assert_eq!(c.total(), 100);
        c.update(0);
        assert_eq!(c.total(), 0x1_0000_0000);
    }

    #[test]
    fn octet_pairs_have_36_bits() {
        let mut c = ReadClear::default();
        c.add_octets(5, 0xffff_fff1);
        assert_eq!(c.total(), 0x1_0000_0005);
        c.add(u32::MAX);
        assert_eq!(c.total(), 0x2_0000_0004);
    }

    #[test]
    fn each_counter_reads_its_own_register() {
        let mut s = VfTraffic::default();
        s.update(VfIndex::new(6).unwrap(), |offset| offset);
        assert_eq!(s.rx_packets.total(), 0x10610);
        assert_eq!(s.tx_bytes.total(), 0x10634);
        assert_eq!(s.tx_loopback_bytes.total(), 0x10650);
        // Queues 6 and 14: twelve bits of 0xc1b0 and 0xc3b0.
        assert_eq!(s.rx_dropped.total(), 0x1b0 + 0x3b0);
        s.rebase();
        s.update(VfIndex::new(6).unwrap(), |_| 1);
        assert_eq!(s.rx_packets.total(), 0x10611);
        // Reading has cleared those.
        assert_eq!(s.rx_dropped.total(), 0x1b0 + 0x3b0 + 2);
    }

    #[test]
    fn drops_have_twelve_bits() {
        let mut c = ReadClear::default();
        c.add_drops(0xfff);
        c.add_drops(0xffff_f001);
        assert_eq!(c.total(), 0x1000);
        c.add_drops(GONE);
        assert_eq!(c.total(), 0x1000);
    }
}
