// SPDX-License-Identifier: GPL-2.0
/* Notes what the device says of a received frame, for each kind of frames that of the last one. */

#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_TEST 0x88b5 /* IEEE 802: local experiments */

enum xdp_rss_hash_type {
	XDP_RSS_NONE,
};

extern int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *ctx, __u64 *timestamp) __ksym;
extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, __u32 *hash,
				    enum xdp_rss_hash_type *rss_type) __ksym;
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *vlan_proto,
					__u16 *vlan_tci) __ksym;

enum kind {
	TEST,
	TCP,
	PTP,
	KINDS,
};

struct hints {
	__s32 hash_error;
	__u32 hash;
	__u32 hashed;
	__s32 vlan_error;
	__u32 protocol;
	__u32 tci;
	__s64 stamp_error;
	__u64 stamp;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KINDS);
	__type(key, __u32);
	__type(value, struct hints);
} seen SEC(".maps");

static __always_inline int kind_of(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(eth + 1) > end)
		return -1;
	if (eth->h_proto == bpf_htons(ETH_P_TEST))
		return TEST;
	if (eth->h_proto == bpf_htons(ETH_P_1588))
		return PTP;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || (void *)(ip + 1) > end)
		return -1;
	return ip->protocol == IPPROTO_TCP ? TCP : -1;
}

SEC("xdp")
int note_hints(struct xdp_md *ctx)
{
	enum xdp_rss_hash_type hashed = XDP_RSS_NONE;
	struct hints hints = {};
	__be16 protocol = 0;
	__u16 tci = 0;
	int kind = kind_of(ctx);
	__u32 key = kind;

	if (kind < 0)
		return XDP_PASS;
	hints.hash_error = bpf_xdp_metadata_rx_hash(ctx, &hints.hash, &hashed);
	hints.hashed = hashed;
	hints.vlan_error = bpf_xdp_metadata_rx_vlan_tag(ctx, &protocol, &tci);
	hints.protocol = bpf_ntohs(protocol);
	hints.tci = tci;
	hints.stamp_error = bpf_xdp_metadata_rx_timestamp(ctx, &hints.stamp);
	bpf_map_update_elem(&seen, &key, &hints, BPF_ANY);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
