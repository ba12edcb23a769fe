// SPDX-License-Identifier: GPL-2.0
/* Programs that do one thing to the tests' frames, and let all others pass. */

#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "frames.bpf.h"

#define ETH_P_TEST 0x88b5 /* IEEE 802: local experiments */
#define VID 5
#define MAGIC 0x6d657461
#define SHORT 40
#define BREATH 200

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct tag {
	__be16 tci;
	__be16 proto;
};

static __always_inline struct ethhdr *test_frame(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_TEST))
		return NULL;
	return eth;
}

/* Inserts a VLAN tag: the frame grows at its head. */
static __always_inline int push_tag(struct xdp_md *ctx)
{
	struct ethhdr *eth;
	struct tag *tag;
	struct ethhdr old;

	eth = test_frame(ctx);
	if (!eth)
		return -1;
	old = *eth;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*tag)))
		return -1;
	eth = (void *)(long)ctx->data;
	tag = (void *)(eth + 1);
	if ((void *)(tag + 1) > (void *)(long)ctx->data_end)
		return -1;
	*eth = old;
	eth->h_proto = bpf_htons(ETH_P_8021Q);
	tag->tci = bpf_htons(VID);
	tag->proto = old.h_proto;
	return 0;
}

SEC("xdp/pass")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp/drop")
int drop(struct xdp_md *ctx)
{
	return test_frame(ctx) ? XDP_DROP : XDP_PASS;
}

SEC("xdp/abort")
int give_up(struct xdp_md *ctx)
{
	return test_frame(ctx) ? XDP_ABORTED : XDP_PASS;
}

SEC("xdp/unknown")
int unknown(struct xdp_md *ctx)
{
	return test_frame(ctx) ? 42 : XDP_PASS;
}

SEC("xdp/bounce")
int bounce(struct xdp_md *ctx)
{
	return test_frame(ctx) ? send_back(ctx) : XDP_PASS;
}

/* Cuts the frame to less than Ethernet allows, behind bytes nobody is to see. */
SEC("xdp/bounce_short")
int bounce_short(struct xdp_md *ctx)
{
	unsigned char *byte = (void *)(long)ctx->data;
	int len = ctx->data_end - ctx->data;

	if (!test_frame(ctx))
		return XDP_PASS;
	if (byte + 60 > (unsigned char *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = SHORT; i < 60; i++)
		byte[i] = 0xff;
	if (bpf_xdp_adjust_tail(ctx, SHORT - len))
		return XDP_ABORTED;
	return send_back(ctx);
}

SEC("xdp/bounce_tagged")
int bounce_tagged(struct xdp_md *ctx)
{
	return push_tag(ctx) ? XDP_PASS : send_back(ctx);
}

SEC("xdp/pass_tagged")
int pass_tagged(struct xdp_md *ctx)
{
	push_tag(ctx);
	return XDP_PASS;
}

/* Leaves metadata for keep_marked. */
SEC("xdp/mark")
int mark(struct xdp_md *ctx)
{
	__u32 *meta;

	if (!test_frame(ctx))
		return XDP_PASS;
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = MAGIC;
	return XDP_PASS;
}

SEC("xdp/redirect")
int redirect(struct xdp_md *ctx)
{
	__u32 key = 0, *index = bpf_map_lookup_elem(&target, &key);

	if (!index || !test_frame(ctx))
		return XDP_PASS;
	return bpf_redirect(*index, 0);
}

/* To the socket of the queue, if there is one. */
SEC("xdp/socket")
int to_socket(struct xdp_md *ctx)
{
	if (!test_frame(ctx))
		return XDP_PASS;
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
}

/* The same for frames of several buffers. */

SEC("xdp.frags")
int pass_frags(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp.frags")
int drop_frags(struct xdp_md *ctx)
{
	return drop(ctx);
}

SEC("xdp.frags")
int bounce_frags(struct xdp_md *ctx)
{
	return bounce(ctx);
}

SEC("xdp.frags")
int bounce_tagged_frags(struct xdp_md *ctx)
{
	return bounce_tagged(ctx);
}

SEC("xdp.frags")
int redirect_frags(struct xdp_md *ctx)
{
	return redirect(ctx);
}

/* Back to its sender, by another device. */
SEC("xdp.frags")
int turn_frags(struct xdp_md *ctx)
{
	__u32 key = 0, *index = bpf_map_lookup_elem(&target, &key);

	if (!index || !test_frame(ctx))
		return XDP_PASS;
	return send_back(ctx) == XDP_TX ? bpf_redirect(*index, 0) : XDP_ABORTED;
}

/* Takes bytes from the end of the frame, has it grow by as many, which have to be zero, and puts them
 * back: what becomes of it is as it was.
 */
static __always_inline int breathe(struct xdp_md *ctx)
{
	unsigned char tail[BREATH], grown[BREATH];
	__u64 end = bpf_xdp_get_buff_len(ctx) - BREATH;

	if (bpf_xdp_get_buff_len(ctx) < 2 * BREATH)
		return 0;
	if (bpf_xdp_load_bytes(ctx, end, tail, BREATH))
		return -1;
	if (bpf_xdp_adjust_tail(ctx, -BREATH) || bpf_xdp_adjust_tail(ctx, BREATH))
		return -1;
	if (bpf_xdp_load_bytes(ctx, end, grown, BREATH))
		return -1;
	for (int i = 0; i < BREATH; i++)
		if (grown[i])
			return -1;
	return bpf_xdp_store_bytes(ctx, end, tail, BREATH);
}

SEC("xdp.frags")
int pass_breathed_frags(struct xdp_md *ctx)
{
	return test_frame(ctx) && breathe(ctx) ? XDP_ABORTED : XDP_PASS;
}

SEC("xdp.frags")
int bounce_breathed_frags(struct xdp_md *ctx)
{
	if (!test_frame(ctx))
		return XDP_PASS;
	return breathe(ctx) ? XDP_ABORTED : send_back(ctx);
}

/* For tc: drops the tests' frames unless they carry the metadata. */
SEC("tc/keep_marked")
int keep_marked(struct __sk_buff *skb)
{
	__u32 *meta = (void *)(long)skb->data_meta;

	if (skb->protocol != bpf_htons(ETH_P_TEST))
		return TC_ACT_OK;
	if ((void *)(meta + 1) > (void *)(long)skb->data || *meta != MAGIC)
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
