// SPDX-License-Identifier: GPL-2.0

//! The self-test of the data path: frames are sent, looped back by the PHY, and compared.
//!
//! The test has rings of its own in coherent memory, and polls them. The port's queues are closed
//! meanwhile, and so is everything else.

use crate::{
    hw::{
        self,
        reset, //
    },
    io::Io,
    port::Port, //
};
use igb_core::{
    desc::{
        rx::{
            self,
            RxStatus, //
        },
        tx::{
            DataDesc, //
            End,
        },
        DescWords,
        DESC_SIZE, //
    },
    link_config::ctrl_negotiated,
    phy::{
        Path,
        Phy, //
    },
    regs::{
        self,
        ctrl,
        rctl,
        srrctl,
        status,
        tctl,
        xdctl::{
            self,
            Xdctl, //
        },
        Reg, //
    },
};
use kernel::{
    device::{
        self,
        Bound, //
    },
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
};
use net::{
    compat::ENOLINK,
    device::Locked,
    dma::{
        self,
        Coherent, //
    },
};

/// Lengths of the frames sent, in bytes without FCS: whole words.
const LENGTHS: [u32; 8] = [64, 72, 128, 248, 512, 1024, 1496, 1512];
/// Descriptors of either ring. More are received than sent: on an emulated wire frames of others
/// come in between.
const DESCS: usize = 64;
/// Bytes of a buffer.
const BUFFER: usize = 2048;
/// The queue that is used.
const QUEUE: usize = 0;
/// EtherType for experiments (IEEE 802, local experimental 1), as it stands in a frame.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];

/// How long the PHY takes to have a link with itself.
const SETTLE: Delta = Delta::from_millis(500);
/// How long frames may take.
const FRAMES: Delta = Delta::from_millis(2);
const ATTEMPTS: u32 = 100;

type Buffer = [u64; BUFFER / 8];

/// The rings, and a buffer for each descriptor.
struct Rings {
    tx: Coherent<DescWords>,
    tx_buffers: Coherent<Buffer>,
    rx: Coherent<DescWords>,
    rx_buffers: Coherent<Buffer>,
}

/// Tests the data path of a quiesced controller, and resets the controller.
///
/// # Errors
///
/// `ENOLINK` if the PHY has no link with itself, `EIO` if a frame is lost or changed.
pub(super) fn test(io: &Io, dev: &Locked<Port>) -> Result {
    let rings = Rings::new(dev.parent())?;
    let result = loop_back(io).and_then(|()| rings.exchange(io, dev.mac_address()));
    // The controller lets go of the rings before they are freed. One that cannot be reset is gone.
    let reset = reset::reset(io);
    result.and(reset)
}

/// Has the PHY send back what is transmitted.
fn loop_back(io: &Io) -> Result {
    {
        let phy = Phy::take(io, Path::Internal).map_err(hw::errno)?;
        // An emulation has a link only some time after a negotiation was begun.
        phy.negotiate(&igb_core::link::Advertise::ALL)
            .and_then(|()| phy.loop_back())
            .map_err(hw::errno)?;
    }
    io.update(regs::CTRL, |value| {
        ctrl_negotiated(value) | ctrl::FRCSPD | ctrl::FRCDPX | ctrl::SPD_1000 | ctrl::FD | ctrl::SLU
    });
    fsleep(SETTLE);
    io.wait(regs::STATUS, Delta::from_millis(10), SETTLE, |value| {
        value & status::LU != 0
    })
    .map_err(|_| ENOLINK)?;
    Ok(())
}

impl Rings {
    fn new(dev: &device::Device<Bound>) -> Result<Self> {
        Ok(Self {
            tx: Coherent::zeroed(dev, DESCS)?,
            tx_buffers: Coherent::zeroed(dev, LENGTHS.len())?,
            rx: Coherent::zeroed(dev, DESCS)?,
            rx_buffers: Coherent::zeroed(dev, DESCS)?,
        })
    }

    /// Sends the frames, and waits for them.
    fn exchange(&self, io: &Io, mac: [u8; 6]) -> Result {
        self.fill(mac);
        self.start(io)?;
        let expected = LENGTHS.len();
        for _ in 0..ATTEMPTS {
            if self.received(mac) == expected {
                return Ok(());
            }
            fsleep(FRAMES);
        }
        Err(EIO)
    }

    /// Writes the frames, and the descriptors of both rings.
    fn fill(&self, mac: [u8; 6]) {
        for (n, len) in LENGTHS.into_iter().enumerate() {
            for (w, word) in frame(mac, n, len).enumerate() {
                self.tx_buffers.write_word(n, w, word);
            }
            let address = buffer_address(&self.tx_buffers, n);
            self.tx.write(
                n,
                DataDesc::new(len, None, false).data(address, len, End::Reported),
            );
        }
        for n in 0..DESCS {
            let address = buffer_address(&self.rx_buffers, n);
            self.rx.write(n, rx::offer(address));
        }
        // In memory before the controller looks.
        dma::wmb();
    }

    /// Lets the controller have the rings, and both units run.
    fn start(&self, io: &Io) -> Result {
        self.program(io);
        enable(io, regs::rxdctl(QUEUE))?;
        enable(io, regs::txdctl(QUEUE))?;
        // Everything to the first queue; of what comes in, only unicast to the port.
        io.clear(regs::MRQC);
        io.write(regs::RCTL, rctl::EN | rctl::SECRC);
        // CAST: small constants, here and below.
        io.write(regs::rdt(QUEUE), DESCS as u32 - 1);
        io.write(
            regs::TCTL,
            tctl::EN | tctl::PSP | tctl::RTLC | tctl::collision_threshold(15),
        );
        io.write(regs::tdt(QUEUE), LENGTHS.len() as u32);
        Ok(())
    }

    /// Tells the controller where the rings are.
    fn program(&self, io: &Io) {
        let bytes = (DESCS * DESC_SIZE) as u32;
        let (rx, tx) = (self.rx.dma_handle(), self.tx.dma_handle());
        write_base(io, regs::rdbal(QUEUE), regs::rdbah(QUEUE), rx);
        io.write(regs::rdlen(QUEUE), bytes);
        io.write(regs::rdh(QUEUE), 0);
        io.write(regs::rdt(QUEUE), 0);
        io.write(
            regs::srrctl(QUEUE),
            srrctl::packet_buffer(BUFFER as u32) | srrctl::DESCTYPE_ADV_ONEBUF,
        );
        write_base(io, regs::tdbal(QUEUE), regs::tdbah(QUEUE), tx);
        io.write(regs::tdlen(QUEUE), bytes);
        io.write(regs::tdh(QUEUE), 0);
        io.write(regs::tdt(QUEUE), 0);
    }

    /// How many of the frames have come back, in order and unchanged. Frames of others are passed
    /// over.
    fn received(&self, mac: [u8; 6]) -> usize {
        let mut found = 0;
        for n in 0..DESCS {
            let status = RxStatus::from_le(self.rx.read_word(n, 1));
            if !status.is_done() {
                break;
            }
            dma::rmb();
            let Some(len) = LENGTHS.get(found) else {
                break;
            };
            let whole = status.is_end_of_packet() && !status.has_frame_error();
            let same = whole
                && status.len() == *len
                && frame(mac, found, *len)
                    .enumerate()
                    .all(|(w, word)| self.rx_buffers.read_word(n, w) == word);
            if same {
                found = found.wrapping_add(1);
            }
        }
        found
    }
}

fn buffer_address(buffers: &Coherent<Buffer>, n: usize) -> u64 {
    // CAST: Widening.
    buffers.dma_handle().wrapping_add((n * BUFFER) as u64)
}

fn write_base(io: &Io, low: Reg<u32>, high: Reg<u32>, address: u64) {
    // CAST: the two halves of the address.
    io.write(low, address as u32);
    io.write(high, (address >> 32) as u32);
}

fn enable(io: &Io, control: Reg<Xdctl>) -> Result {
    io.write(control, xdctl::ENABLE);
    io.wait(
        control,
        Delta::from_micros(100),
        Delta::from_millis(10),
        |value| value & xdctl::ENABLE != 0,
    )?;
    Ok(())
}

/// The words of frame number `n`, of `len` bytes: from the port to itself, with contents that differ
/// from word to word and from frame to frame.
fn frame(mac: [u8; 6], n: usize, len: u32) -> impl Iterator<Item = u64> {
    let [a, b, c, d, e, f] = mac;
    let [type_high, type_low] = ETHERTYPE;
    // CAST: a small number.
    let seed = n as u8;
    (0..len / 8).map(move |w| {
        let [count, ..] = w.to_le_bytes();
        let (x, y) = (count ^ seed, count.wrapping_mul(0x3b) ^ seed);
        u64::from_ne_bytes(match w {
            0 => [a, b, c, d, e, f, a, b],
            1 => [c, d, e, f, type_high, type_low, x, y],
            _ => [x, y, !x, !y, y, x, !y, !x],
        })
    })
}
