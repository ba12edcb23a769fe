// SPDX-License-Identifier: GPL-2.0
/* Programs that do one thing to each frame, in as few instructions as it takes. What they do is not
 * counted: ../plugin/cost.c knows them by the beginning of their names (symbols.py).
 */

#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

#include "frames.bpf.h"

/* Where bench_redirect sends frames, and bench_inject and bench_turn. */
enum port {
	OUT,
	IN,
	PORTS,
};

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, PORTS);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

SEC("xdp")
int bench_drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int bench_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int bench_bounce(struct xdp_md *ctx)
{
	return send_back(ctx);
}

SEC("xdp")
int bench_turn(struct xdp_md *ctx)
{
	return send_back(ctx) == XDP_TX ? bpf_redirect_map(&ports, IN, 0) : XDP_ABORTED;
}

SEC("xdp")
int bench_redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&ports, OUT, 0);
}

SEC("xdp")
int bench_inject(struct xdp_md *ctx)
{
	return bpf_redirect_map(&ports, IN, 0);
}

SEC("xdp")
int bench_socket(struct xdp_md *ctx)
{
	return bpf_redirect_map(&sockets, 0, 0);
}

char _license[] SEC("license") = "GPL";
