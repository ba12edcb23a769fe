// SPDX-License-Identifier: GPL-2.0

//! The transmit half of a queue pair: [`TxRing`] fills it, [`TxDone`] empties it.

use crate::{
    io::Io,
    returned::Returned,
    stats::PairStats, //
};
use igb_core::{
    desc::{
        tx::{
            self,
            ContextDesc,
            DataDesc,
            End,
            Offload,
            Segment,
            L4, //
        },
        DescWords, //
    },
    itr::Load,
    regs,
    ring, //
};
use kernel::{
    device::{
        self,
        Bound, //
    },
    prelude::*,
    sync::Arc, //
};
use net::{
    dma::Coherent,
    napi,
    ptp::TxStamps,
    queue::TxQueue,
    skb::{
        L4Proto,
        SkBuff,
        TxMeta,
        TxOffload, //
    },
    tx::{
        Buffer,
        Consumer,
        Layout,
        Room,
        Sender,
        Wire, //
    },
};

mod xdp;
mod xsk;

/// The controller can pad frames, but not all of them as the standard demands; and what it pads
/// with is not specified.
const MIN_FRAME: u32 = 60;

/// A frame takes one context descriptor, and has at most 64 KiB: the stack wants no more segmented.
const ROOM: Room = Room::new(1, tx::MAX_DATA_PER_DESC, 1 << 16);

// Or the smallest ring would never be woken.
const _: () = assert!(ring::MIN_DESCS > ROOM.wake());

/// What a transmit ring is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// Queue of the controller.
    pub(crate) queue: usize,
    /// Descriptors; a power of two.
    pub(crate) descs: u32,
}

/// The end of a ring that takes frames from the stack. Used under the queue's lock.
pub(crate) struct TxRing {
    desc: Arc<Coherent<DescWords>>,
    sender: Sender,
    /// Bytes of frames without an skb that the byte limit does not know of yet.
    unaccounted: u32,
    /// The context the controller holds for this queue.
    context: ContextDesc,
    /// Where the controller gives back what the PF sends.
    returned: Option<Arc<Returned>>,
    /// The frame that waits for its stamp, of all rings of the port.
    stamps: Arc<TxStamps>,
    stats: Arc<PairStats>,
}

/// The end of a ring that gives frames back. Used by the poll.
pub(crate) struct TxDone {
    config: Config,
    desc: Arc<Coherent<DescWords>>,
    frames: Consumer,
    stats: Arc<PairStats>,
}

/// Allocates a ring. Process context.
pub(crate) fn new(
    dev: &device::Device<Bound>,
    io: &Io,
    config: Config,
    stats: Arc<PairStats>,
    returned: Option<Arc<Returned>>,
    stamps: Arc<TxStamps>,
) -> Result<(TxRing, TxDone)> {
    let desc = Arc::new(Coherent::zeroed(dev, config.descs as usize)?, GFP_KERNEL)?;
    let (producer, consumer) = net::tx::table(dev, config.descs)?;
    let ring = TxRing {
        desc: desc.clone(),
        sender: Sender::new(producer, io.doorbell(regs::tdt(config.queue))?.into()),
        unaccounted: 0,
        context: ContextDesc::UNKNOWN,
        returned,
        stamps,
        stats: stats.clone(),
    };
    let done = TxDone {
        config,
        desc,
        frames: consumer,
        stats,
    };
    Ok((ring, done))
}

impl net::device::Transmit for TxRing {
    #[inline]
    fn xmit(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Result<(), SkBuff> {
        net::tx::xmit(self, skb, queue)
    }

    fn xmit_frame(
        &mut self,
        frame: net::xdp::Frame,
        queue: TxQueue<'_>,
    ) -> Result<Option<net::xdp::Frame>, net::xdp::Frame> {
        self.send_frame(frame, queue)
    }

    fn flush_frames(&mut self, queue: TxQueue<'_>) {
        self.finish_frames(queue);
    }
}

/// Writes the descriptor of a buffer of `frame`: word by word, so that they need not be in memory before.
#[inline(always)]
fn write(desc: &Coherent<DescWords>, frame: DataDesc, buffer: Buffer) {
    if let Some(words) = desc.words(buffer.index as usize) {
        let end = End::of(buffer.last, buffer.report);
        words.write(frame.data(buffer.addr, buffer.len, end));
    }
}

/// Writes the data descriptors of a frame.
struct Describe<'a> {
    desc: &'a Coherent<DescWords>,
    frame: DataDesc,
}

impl net::tx::Describe for Describe<'_> {
    #[inline(always)]
    fn describe(&mut self, buffer: Buffer) {
        write(self.desc, self.frame, buffer);
    }
}

impl net::tx::Descriptors for TxRing {
    const ROOM: Room = ROOM;

    #[inline(always)]
    fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    #[inline(always)]
    fn send(&mut self, skb: SkBuff, queue: TxQueue<'_>) -> Option<Wire> {
        let mut skb = skb.pad_to(MIN_FRAME).ok()?;
        let meta = skb.begin_tx_stamping(queue);
        let Prepared { frame, wire, lead } = if meta == TxMeta::PLAIN {
            Prepared::plain(skb.len())
        } else if meta.asks_for_stamp() {
            // By value: what a function out of line may change is in memory, for all frames.
            let (same, prepared) = self.prepare_stamped(skb, queue)?;
            skb = same;
            prepared
        } else {
            self.prepare(&mut skb, meta)?
        };
        if let Some(returned) = &self.returned {
            let meta = if meta.asks_for_stamp() {
                skb.tx_meta()
            } else {
                meta
            };
            returned.sending(&skb, meta.vlan_tci());
        }
        let layout = Layout {
            lead,
            max_len: tx::MAX_DATA_PER_DESC,
            bytes: wire.bytes,
        };
        let desc = &self.desc;
        let packets = self.sender.packets();
        let pushed = packets.push_by(queue, skb, layout, Describe { desc, frame });
        match pushed {
            Ok(tail) => Some(Wire { tail, ..wire }),
            Err(_dropped) => {
                // The context was written but will be overwritten.
                self.context = ContextDesc::UNKNOWN;
                if frame.is_stamped() {
                    self.stamps.give_up();
                }
                None
            }
        }
    }

    fn report(&mut self, index: u32) {
        let [address, command] = self.desc.read(index as usize);
        self.desc
            .write(index as usize, [address, tx::report(command)]);
    }

    #[inline(always)]
    fn sent(&mut self, wire: Wire, stopped: bool) {
        if stopped {
            self.stats.tx_stop.add(1);
        }
        self.stats.tx_packets.add(wire.packets.into());
        self.stats.tx_bytes.add(wire.bytes.into());
    }

    fn dropped(&mut self) {
        self.stats.tx_dropped.add(1);
    }
}

impl TxRing {
    /// Works out the offloads of a frame, and programs them if the last frame had others.
    #[inline(always)]
    fn prepare(&mut self, skb: &mut SkBuff, meta: TxMeta) -> Option<Prepared> {
        let offload = if meta.wants_offload() {
            skb.prepare_offload().ok()?
        } else {
            None
        };
        let vlan = meta.vlan_tci();
        let mut payload = skb.len();
        let Prepared {
            mut wire, mut lead, ..
        } = Prepared::plain(payload);
        if let Some(o) = &offload {
            if let Some(gso) = o.gso {
                let headers = u32::from(o.mac_len)
                    .wrapping_add(u32::from(o.ip_len))
                    .wrapping_add(u32::from(gso.l4_len));
                payload = skb.len().checked_sub(headers)?;
                let more = u32::from(gso.segs).saturating_sub(1);
                wire.bytes = skb.len().wrapping_add(more.wrapping_mul(headers));
                wire.packets = gso.segs.into();
                self.stats.tx_gso.add(1);
            }
            self.stats.tx_csum.add(wire.packets.into());
        }
        let offload = offload.map(translate);
        if offload.is_some() || vlan.is_some() {
            let context = ContextDesc::new(offload.as_ref(), vlan);
            if context != self.context {
                self.context = context;
                self.desc
                    .write(self.sender.packets().index() as usize, context.words());
                lead = 1;
            }
        }
        let frame = DataDesc::new(payload, offload.as_ref(), vlan.is_some());
        let frame = if meta.has_fcs() {
            frame.with_own_fcs()
        } else {
            frame
        };
        Some(Prepared { frame, wire, lead })
    }

    /// The same for a frame that asks for a stamp, which it gives back.
    #[cold]
    #[inline(never)]
    fn prepare_stamped(
        &mut self,
        mut skb: SkBuff,
        queue: TxQueue<'_>,
    ) -> Option<(SkBuff, Prepared)> {
        let meta = skb.tx_meta();
        let mut prepared = if meta == TxMeta::PLAIN {
            Prepared::plain(skb.len())
        } else {
            self.prepare(&mut skb, meta)?
        };
        // From here on nothing fails but giving it to the ring.
        if self.stamps.claim(&skb, queue) {
            prepared.frame = prepared.frame.stamped();
        }
        skb.stamp_in_software(queue);
        Some((skb, prepared))
    }
}

/// What a frame is to the controller and to the counters.
struct Prepared {
    frame: DataDesc,
    /// The tail is not known yet.
    wire: Wire,
    /// Context descriptors in front of it.
    lead: u32,
}

impl Prepared {
    /// Of a frame of `len` bytes that asks for nothing.
    #[inline(always)]
    fn plain(len: u32) -> Self {
        Self {
            frame: DataDesc::new(len, None, false),
            wire: Wire {
                tail: 0,
                packets: 1,
                bytes: len,
            },
            lead: 0,
        }
    }
}

fn translate(offload: TxOffload) -> Offload {
    Offload {
        mac_len: offload.mac_len,
        ip_len: offload.ip_len,
        ipv4: offload.ipv4,
        l4: match offload.l4 {
            L4Proto::Tcp => L4::Tcp,
            L4Proto::Udp => L4::Udp,
            L4Proto::Sctp => L4::Sctp,
        },
        segment: offload.gso.map(|gso| Segment {
            l4_len: gso.l4_len,
            mss: gso.size,
        }),
    }
}

/// What [`TxDone::poll`] has found.
pub(crate) struct Done {
    /// It got to the end.
    pub(crate) all: bool,
    /// Frames of sockets among those that were sent.
    pub(crate) sockets: u32,
}

impl TxDone {
    /// Where the controller finds the ring.
    pub(crate) fn dma_handle(&self) -> u64 {
        self.desc.dma_handle()
    }

    /// Ring parameters.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The same as [`TxDone::poll`], where a call more does not matter: what is inlined in several places
    /// is not in the end.
    #[inline(never)]
    pub(crate) fn poll_apart(&mut self, cx: &mut napi::TxContext<'_>, load: &mut Load) -> Done {
        self.poll(cx, load)
    }

    /// Gives back the frames the controller has sent, and wakes the queue if that makes room.
    #[inline(always)]
    pub(crate) fn poll(&mut self, cx: &mut napi::TxContext<'_>, load: &mut Load) -> Done {
        // A whole ring at most: that bounds the time of one poll.
        let limit = self.config.descs;
        let desc = &self.desc;
        let reaped = self.frames.reap(cx, limit, |last| {
            tx::is_done(desc.read_word(last as usize, 1))
        });
        if reaped.skbs == 0 {
            return Done {
                all: true,
                sockets: 0,
            };
        }
        load.tx_packets = reaped.skbs;
        load.tx_bytes = reaped.bytes;
        load.bytes = load.bytes.wrapping_add(reaped.bytes);
        let woken = cx
            .queue()
            .completed(reaped.skbs, reaped.bytes, ROOM.wake(), true, || {
                self.frames.free()
            });
        if woken {
            self.stats.tx_wake.add(1);
        }
        Done {
            all: reaped.skbs < limit,
            sockets: reaped.sockets,
        }
    }
}
