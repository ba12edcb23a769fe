/* SPDX-License-Identifier: GPL-2.0 */
/* Types the data path helpers share with Rust. */
#ifndef NBH_DATAPATH_H
#define NBH_DATAPATH_H

#include <linux/types.h>

struct nbh_tx_offload {
	u16 mac_len;
	u16 ip_len;
	u16 gso_size;
	u16 gso_segs;
	u8 l4_len;
	/* IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP; 0: nothing to do */
	u8 l4_proto;
	bool ipv4;
};

#endif
