/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The headers the netbind crate is generated from, and constants that bindgen cannot
 * evaluate by itself (casts, BIT()): `NETBIND_CONST_X` becomes `X`.
 */

/* First: avoids forward references to enum types, which bindgen gets wrong. */
#include <linux/hrtimer_types.h>

#include <linux/aer.h>
#include <linux/bpf_trace.h>
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/mii.h>
#include <linux/sockios.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/filter.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_vlan.h>
#include <linux/interrupt.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/pm_wakeup.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/timecounter.h>
#include <linux/udp.h>
#include <linux/workqueue.h>
#include <net/devlink.h>
#include <net/gro.h>
#include <net/gso.h>
#include <net/ip6_checksum.h>
#include <net/net_shaper.h>
#include <net/netdev_lock.h>
#include <net/netdev_queues.h>
#include <net/netdev_rx_queue.h>
#include <net/page_pool/helpers.h>
#include <net/page_pool/types.h>
#include <net/pkt_cls.h>
#include <net/pkt_sched.h>
#include <net/rtnetlink.h>
#include <net/switchdev.h>
#include <net/tcp.h>
#include <net/udp.h>
#include <net/xdp.h>
#include <net/xdp_sock_drv.h>

#include "../helpers/datapath.h"

const netdev_features_t NETBIND_CONST_NETIF_F_SG = NETIF_F_SG;
const netdev_features_t NETBIND_CONST_NETIF_F_IP_CSUM = NETIF_F_IP_CSUM;
const netdev_features_t NETBIND_CONST_NETIF_F_IPV6_CSUM = NETIF_F_IPV6_CSUM;
const netdev_features_t NETBIND_CONST_NETIF_F_HW_CSUM = NETIF_F_HW_CSUM;
const netdev_features_t NETBIND_CONST_NETIF_F_SCTP_CRC = NETIF_F_SCTP_CRC;
const netdev_features_t NETBIND_CONST_NETIF_F_RXCSUM = NETIF_F_RXCSUM;
const netdev_features_t NETBIND_CONST_NETIF_F_RXHASH = NETIF_F_RXHASH;
const netdev_features_t NETBIND_CONST_NETIF_F_RXALL = NETIF_F_RXALL;
const netdev_features_t NETBIND_CONST_NETIF_F_RXFCS = NETIF_F_RXFCS;
const netdev_features_t NETBIND_CONST_NETIF_F_TSO = NETIF_F_TSO;
const netdev_features_t NETBIND_CONST_NETIF_F_TSO6 = NETIF_F_TSO6;
const netdev_features_t NETBIND_CONST_NETIF_F_TSO_MANGLEID = NETIF_F_TSO_MANGLEID;
const netdev_features_t NETBIND_CONST_NETIF_F_GSO_PARTIAL = NETIF_F_GSO_PARTIAL;
const netdev_features_t NETBIND_CONST_NETIF_F_GSO_GRE = NETIF_F_GSO_GRE;
const netdev_features_t NETBIND_CONST_NETIF_F_GSO_GRE_CSUM = NETIF_F_GSO_GRE_CSUM;
const netdev_features_t NETBIND_CONST_NETIF_F_GSO_IPXIP4 = NETIF_F_GSO_IPXIP4;
const netdev_features_t NETBIND_CONST_NETIF_F_GSO_IPXIP6 = NETIF_F_GSO_IPXIP6;
const netdev_features_t NETBIND_CONST_NETIF_F_GSO_UDP_TUNNEL = NETIF_F_GSO_UDP_TUNNEL;
const netdev_features_t NETBIND_CONST_NETIF_F_GSO_UDP_TUNNEL_CSUM = NETIF_F_GSO_UDP_TUNNEL_CSUM;
const netdev_features_t NETBIND_CONST_NETIF_F_GSO_UDP_L4 = NETIF_F_GSO_UDP_L4;
const netdev_features_t NETBIND_CONST_NETIF_F_HIGHDMA = NETIF_F_HIGHDMA;
const netdev_features_t NETBIND_CONST_NETIF_F_GRO = NETIF_F_GRO;
const netdev_features_t NETBIND_CONST_NETIF_F_NTUPLE = NETIF_F_NTUPLE;
const netdev_features_t NETBIND_CONST_NETIF_F_HW_TC = NETIF_F_HW_TC;
const netdev_features_t NETBIND_CONST_NETIF_F_LOOPBACK = NETIF_F_LOOPBACK;
const netdev_features_t NETBIND_CONST_NETIF_F_HW_VLAN_CTAG_TX = NETIF_F_HW_VLAN_CTAG_TX;
const netdev_features_t NETBIND_CONST_NETIF_F_HW_VLAN_CTAG_RX = NETIF_F_HW_VLAN_CTAG_RX;
const netdev_features_t NETBIND_CONST_NETIF_F_HW_VLAN_CTAG_FILTER = NETIF_F_HW_VLAN_CTAG_FILTER;

const u32 NETBIND_CONST_PP_FLAG_DMA_MAP = PP_FLAG_DMA_MAP;
const u32 NETBIND_CONST_PP_FLAG_DMA_SYNC_DEV = PP_FLAG_DMA_SYNC_DEV;
const u32 NETBIND_CONST_PP_FLAG_SYSTEM_POOL = PP_FLAG_SYSTEM_POOL;
const u32 NETBIND_CONST_PP_FLAG_ALLOW_UNREADABLE_NETMEM = PP_FLAG_ALLOW_UNREADABLE_NETMEM;

const u32 NETBIND_CONST_ETHTOOL_COALESCE_RX_USECS = ETHTOOL_COALESCE_RX_USECS;
const u32 NETBIND_CONST_ETHTOOL_COALESCE_RX_MAX_FRAMES = ETHTOOL_COALESCE_RX_MAX_FRAMES;
const u32 NETBIND_CONST_ETHTOOL_COALESCE_TX_USECS = ETHTOOL_COALESCE_TX_USECS;
const u32 NETBIND_CONST_ETHTOOL_COALESCE_TX_MAX_FRAMES = ETHTOOL_COALESCE_TX_MAX_FRAMES;
const u32 NETBIND_CONST_ETHTOOL_COALESCE_USE_ADAPTIVE_RX = ETHTOOL_COALESCE_USE_ADAPTIVE_RX;
const u32 NETBIND_CONST_ETHTOOL_COALESCE_USE_ADAPTIVE_TX = ETHTOOL_COALESCE_USE_ADAPTIVE_TX;

const u32 NETBIND_CONST_NETDEV_XDP_ACT_BASIC = NETDEV_XDP_ACT_BASIC;
const u32 NETBIND_CONST_NETDEV_XDP_ACT_REDIRECT = NETDEV_XDP_ACT_REDIRECT;
const u32 NETBIND_CONST_NETDEV_XDP_ACT_NDO_XMIT = NETDEV_XDP_ACT_NDO_XMIT;
const u32 NETBIND_CONST_NETDEV_XDP_ACT_RX_SG = NETDEV_XDP_ACT_RX_SG;
const u32 NETBIND_CONST_NETDEV_XDP_ACT_NDO_XMIT_SG = NETDEV_XDP_ACT_NDO_XMIT_SG;
const u32 NETBIND_CONST_NETDEV_XDP_ACT_XSK_ZEROCOPY = NETDEV_XDP_ACT_XSK_ZEROCOPY;

/* How bindgen names these is up to the kernel's parameters of it: see net/compat.rs. */
const unsigned int NETBIND_CONST_IRQ_NONE = IRQ_NONE;
const unsigned int NETBIND_CONST_IRQ_HANDLED = IRQ_HANDLED;
const unsigned int NETBIND_CONST_DMA_TO_DEVICE = DMA_TO_DEVICE;
const unsigned int NETBIND_CONST_HRTIMER_NORESTART = HRTIMER_NORESTART;

const int NETBIND_CONST_WORK_CPU_UNBOUND = WORK_CPU_UNBOUND;

const u64 NETBIND_CONST_XSK_NEXT_PG_CONTIG_MASK = XSK_NEXT_PG_CONTIG_MASK;

const dma_addr_t NETBIND_CONST_DMA_MAPPING_ERROR = DMA_MAPPING_ERROR;
