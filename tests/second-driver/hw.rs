// SPDX-License-Identifier: GPL-2.0

//! The controller: resets, which frames it receives, the link, counters.

use crate::regs::{
    self,
    cause,
    ctrl,
    ctrl_ext,
    eecd,
    ivar,
    rah_bits,
    rctl,
    rfctl,
    rxcsum,
    stats,
    status,
    tctl,
    txdctl, //
};
use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
};
use net::{
    device::{
        AddrList,
        Device,
        Driver, //
    },
    mmio::{
        Reader,
        Registers, //
    },
    queue::Counter, //
};

/// The registers. STATUS has bits that are always set, and is never all ones.
pub(crate) type Io = Registers<{ regs::BAR_SIZE }, { regs::STATUS }>;

/// The same for who only reads.
type ReadOnly = Reader<{ regs::BAR_SIZE }, { regs::STATUS }>;

/// Vector of the pair of queues.
pub(crate) const PAIR_VECTOR: u32 = 0;
/// Vector of everything else.
pub(crate) const OTHER_VECTOR: u32 = 1;
/// Vectors there have to be.
pub(crate) const VECTORS: u32 = 2;

/// The causes of the pair.
pub(crate) const PAIR: u32 = cause::RXQ0 | cause::TXQ0;
/// The causes of the other vector.
pub(crate) const OTHER: u32 = cause::OTHER | cause::LSC;

/// How long a reset, or what is to be over before one, may take.
const PATIENCE: Delta = Delta::from_millis(100);

fn wait(io: &Io, offset: u32, done: impl Fn(u32) -> bool) -> Result {
    io.wait_at(offset, Delta::from_millis(1), PATIENCE, done)
        .map(|_| ())
}

/// Resets the controller: interrupts are masked, nothing is received or sent, and
/// memory is left alone. Sleeps for some 40 ms.
///
/// # Errors
///
/// `ENODEV` if it does not answer, `ETIMEDOUT` if it does not get over it.
pub(crate) fn reset(io: &Io) -> Result {
    io.write_at(regs::IMC, !0);
    io.write_at(regs::RCTL, 0);
    io.write_at(regs::TCTL, tctl::PSP);
    // Frames under way come to their end.
    fsleep(Delta::from_millis(10));
    io.update_at(regs::CTRL, |value| value | ctrl::GIO_MASTER_DISABLE);
    // One that has not got there by then is reset all the same.
    let _ = wait(io, regs::STATUS, |value| {
        value & status::GIO_MASTER_ENABLE == 0
    });
    io.update_at(regs::CTRL, |value| value | ctrl::RST);
    fsleep(Delta::from_millis(1));
    wait(io, regs::EECD, |value| value & eecd::AUTO_RD != 0)?;
    // The PHY is set up from the NVM after that.
    fsleep(Delta::from_millis(25));
    io.write_at(regs::IMC, !0);
    let _ = io.read_at(regs::ICR);
    io.probe_presence()
}

/// Sets up what does not depend on the queues, after a reset. Both units are still off.
pub(crate) fn set_up(io: &Io) {
    io.update_at(regs::CTRL, |value| {
        (value | ctrl::SLU) & !(ctrl::FRCSPD | ctrl::FRCDPX | ctrl::GIO_MASTER_DISABLE)
    });
    io.write_at(
        regs::IVAR,
        ivar::rxq0(PAIR_VECTOR) | ivar::txq0(PAIR_VECTOR) | ivar::other(OTHER_VECTOR),
    );
    // A message of the pair clears its cause and masks it.
    io.write_at(regs::EIAC, PAIR);
    io.write_at(regs::IAM, PAIR);
    io.update_at(regs::CTRL_EXT, |value| {
        value | ctrl_ext::PBA_CLR | ctrl_ext::EIAME | ctrl_ext::DRV_LOAD
    });
    io.write_at(regs::RFCTL, rfctl::EXTEN | rfctl::ACK_DIS);
    io.update_at(regs::RXCSUM, |value| value | rxcsum::TUOFL);
    // The gaps between frames that IEEE 802.3 asks for.
    io.write_at(regs::TIPG, 8 | 8 << 10 | 6 << 20);
    io.write_at(regs::TXDCTL, txdctl::EACH | txdctl::RESERVED);
}

/// Lets the controller send. (It receives with [`Filter::apply`].)
pub(crate) fn start_sending(io: &Io) {
    io.write_at(
        regs::TCTL,
        tctl::EN | tctl::PSP | tctl::RTLC | tctl::collisions(15, 63),
    );
}

/// Tells the controller where a ring of `descs` descriptors is.
pub(crate) fn write_ring(io: &Io, ring: &regs::Ring, address: u64, descs: u32) {
    // CAST: the two halves of the address.
    io.write_at(ring.bal, address as u32);
    io.write_at(ring.bah, (address >> 32) as u32);
    // CAST: 16.
    io.write_at(
        ring.len,
        descs.wrapping_mul(size_of::<regs::Words>() as u32),
    );
    io.write_at(ring.head, 0);
    io.write_at(ring.tail, 0);
}

/// The address the NVM has, which a reset loads into the first receive address.
pub(crate) fn read_mac(io: &Io) -> [u8; 6] {
    let [a, b, c, d] = io.read_at(regs::ral(0)).to_le_bytes();
    let [e, f, ..] = io.read_at(regs::rah(0)).to_le_bytes();
    [a, b, c, d, e, f]
}

/// Addresses the controller compares with; the first is the device's own.
const ADDRESSES: usize = 16;
/// Registers of the hash table of multicast addresses.
const HASHES: usize = 128;

/// Which frames are wanted. Registers follow it, also after a reset.
pub(crate) struct Filter {
    addresses: [[u8; 6]; ADDRESSES],
    count: usize,
    hashes: [u32; HASHES],
    all_unicast: bool,
    all_multicast: bool,
}

impl Filter {
    /// Frames to `mac`, and broadcasts.
    pub(crate) fn new(mac: [u8; 6]) -> Self {
        let mut addresses = [[0; 6]; ADDRESSES];
        addresses[0] = mac;
        Self {
            addresses,
            count: 1,
            hashes: [0; HASHES],
            all_unicast: false,
            all_multicast: false,
        }
    }

    /// Another address of the device's own.
    pub(crate) fn set_mac(&mut self, mac: [u8; 6]) {
        self.addresses[0] = mac;
    }

    /// What the stack wants besides.
    pub(crate) fn set_lists<D: Driver>(
        &mut self,
        dev: &Device<D>,
        unicast: AddrList<'_>,
        multicast: AddrList<'_>,
    ) {
        self.count = 1;
        for address in unicast.iter().take(ADDRESSES - 1) {
            if let Some(place) = self.addresses.get_mut(self.count) {
                *place = address;
                self.count = self.count.wrapping_add(1);
            }
        }
        self.hashes = [0; HASHES];
        for [.., e, f] in multicast.iter() {
            // Bits 47:36 of the address (RCTL.MO is 0).
            let hash = usize::from(e >> 4) | usize::from(f) << 4;
            if let Some(word) = self.hashes.get_mut(hash >> 5) {
                *word |= 1 << (hash & 31);
            }
        }
        self.all_unicast = dev.is_promiscuous() || unicast.len() >= ADDRESSES;
        self.all_multicast = dev.is_promiscuous() || dev.is_allmulti();
    }

    /// Has the controller receive these frames, from now on.
    pub(crate) fn apply(&self, io: &Io) {
        for (n, address) in (0..).zip(&self.addresses) {
            // CAST: at most ADDRESSES.
            let is_used = n < self.count as u32;
            let [a, b, c, d, e, f] = *address;
            let valid = if is_used { rah_bits::AV } else { 0 };
            io.write_at(regs::ral(n), u32::from_le_bytes([a, b, c, d]));
            io.write_at(regs::rah(n), u32::from_le_bytes([e, f, 0, 0]) | valid);
        }
        for (n, word) in (0..).zip(self.hashes) {
            io.write_at(regs::mta(n), word);
        }
        let mut value = rctl::EN | rctl::BAM | rctl::SECRC;
        for (bit, set) in [
            (rctl::UPE, self.all_unicast),
            (rctl::MPE, self.all_multicast),
        ] {
            if set {
                value |= bit;
            }
        }
        io.write_at(regs::RCTL, value);
    }
}

/// A link that is up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// In Mb/s.
    pub(crate) speed: u32,
    pub(crate) full_duplex: bool,
}

impl Link {
    /// The link as it is; `None` while it is down, or the controller is gone.
    pub(crate) fn read(io: &ReadOnly) -> Option<Self> {
        let value = io.read_at(regs::STATUS);
        (value & status::LU != 0).then_some(Self {
            speed: status::speed(value),
            full_duplex: value & status::FD != 0,
        })
    }
}

/// What the controller has counted since it was probed. Octets are those of whole frames, with FCS.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) rx_frames: Counter,
    pub(crate) rx_octets: Counter,
    pub(crate) rx_broadcast: Counter,
    pub(crate) rx_multicast: Counter,
    pub(crate) rx_missed: Counter,
    pub(crate) rx_crc_errors: Counter,
    pub(crate) tx_frames: Counter,
    pub(crate) tx_octets: Counter,
}

impl Counters {
    /// Adds what was counted since the last time, which reading clears. By one at a time.
    ///
    /// A controller that is gone has counted nothing.
    pub(crate) fn fold(&self, io: &ReadOnly) {
        for (counter, offset) in [
            (&self.rx_frames, stats::GPRC),
            (&self.rx_broadcast, stats::BPRC),
            (&self.rx_multicast, stats::MPRC),
            (&self.rx_missed, stats::MPC),
            (&self.rx_crc_errors, stats::CRCERRS),
            (&self.tx_frames, stats::GPTC),
        ] {
            counter.add(io.read_at(offset).into());
        }
        for (counter, low, high) in [
            (&self.rx_octets, stats::GORCL, stats::GORCH),
            (&self.tx_octets, stats::GOTCL, stats::GOTCH),
        ] {
            let low = io.read_at(low);
            counter.add(u64::from(io.read_at(high)) << 32 | u64::from(low));
        }
    }
}
