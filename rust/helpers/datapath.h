/* SPDX-License-Identifier: GPL-2.0 */
/* Types the data path helpers share with Rust. */
#ifndef NBH_DATAPATH_H
#define NBH_DATAPATH_H

#include <linux/types.h>
#include <net/xdp.h>

/* What decides on which offloads a device can apply to a packet. */
struct nbh_tx_shape {
	u32 mac_len;
	u32 network_len;
	/* of the tag beside the packet, if there is one */
	u16 vid;
	bool tagged;
	/* TCP that is to be segmented, with FIN */
	bool ends_stream;
	bool encapsulated;
};

/* A page offered to the device: where the device sees its buffer. */
struct nbh_rx_place {
	struct page *page;
	dma_addr_t dma;
};

/* What the device said of a received frame. */
struct nbh_rx_meta {
	/* NBH_RX_* */
	u32 flags;
	u32 hash;
	u16 vlan_tci;
	u16 queue;
};

/* A received frame that is one buffer. */
struct nbh_rx_frame {
	struct page *page;
	u32 len;
	struct nbh_rx_meta meta;
};

/* What became of frames that were to be handed to the stack: for how many there was no memory, and
 * how many others are multicast.
 */
struct nbh_rx_outcome {
	u32 lost;
	u32 multicast;
};

/* What a driver knows of a frame it shows to a program: words of its device, and the time at which
 * that has received it, in nanoseconds; S64_MIN if it is not known.
 */
struct nbh_xdp_hints {
	u64 words[2];
	s64 stamp;
};

/* A frame as programs are shown it. */
struct nbh_xdp_buff {
	struct xdp_buff xdp;
	struct nbh_xdp_hints hints;
};

#define NBH_RX_BATCH	16
#define NBH_SHORT_BATCH	16

/* A ring of descriptors of two little-endian words each. A device has written a whole frame into a
 * buffer when those bits of the second word that are in @bits are as in @whole; its length is the
 * 16 bits of the descriptor with the number @len_at.
 */
struct nbh_rx_ring {
	/* that of the oldest buffer, and up to which there are some: not beyond the end of the ring */
	const __le64 (*desc)[2];
	const __le64 (*end)[2];
	u64 bits;
	u64 whole;
	u32 len_at;
	/* bytes of a buffer */
	u32 room;
	/* of the frames that were dealt with */
	u32 bytes;
	/* of the frame that was taken last */
	u32 len;
};

/* A frame that is to be sent back, and is copied for that, with its page. */
struct nbh_xdp_short {
	struct nbh_rx_place place;
	const void *data;
	u32 len;
};

/* What nbh_xdp_walk() has to do with the pages of such a ring. */
struct nbh_rx_walk {
	struct nbh_rx_ring ring;
	/* all of them, what makes an index of a position, and that of the oldest page */
	struct nbh_rx_place *places;
	u32 mask;
	u32 oldest;
	/* the position where the next page is put that a device may write again */
	u32 free;
	/* frames for the stack, as far as they are known here, and the words of their descriptors */
	u32 passed;
	struct nbh_rx_frame *frames;
	u64 (*words)[2];
	/* frames to be sent back */
	u32 nr_short;
	struct nbh_xdp_short *shorts;
};

/* What nbh_xdp_show() returns in the place of verdicts of programs: the frame is as it was
 * received; nothing is wanted of it, and the device may write the page again as it is; another
 * has it now; the same as the second when it was copied, which it is short enough for, and sent.
 */
#define NBH_XDP_UNCHANGED	16
#define NBH_XDP_UNWANTED	17
#define NBH_XDP_REDIRECTED	18
#define NBH_XDP_SHORT		19
/* The socket has no room for it. */
#define NBH_XDP_FULL		20
/* All frames that were taken have been dealt with. */
#define NBH_XDP_WALKED		21

/* Longest of these: short packets of the stack are copied as well. */
#define NBH_XDP_SHORT_MAX	256

#endif
