// SPDX-License-Identifier: GPL-2.0
/*
 * The data path: each function is one step of a packet, so that the step costs
 * one call and its inlines are compiled together.
 */

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/instrumented.h>
#include <linux/iommu-dma.h>
#include <linux/irq_work.h>
#include <linux/netdevice.h>
#include <linux/sctp.h>
#include <linux/skbuff.h>
#include <net/gro.h>
#include <net/gso.h>
#include <net/ip6_checksum.h>
#include <net/netdev_lock.h>
#include <net/netdev_queues.h>
#include <net/page_pool/helpers.h>
#include <net/sctp/checksum.h>

#include "datapath.h"

/* Net device and its queues */

void nbh_set_netdev_dev(struct net_device *dev, struct device *parent)
{
	SET_NETDEV_DEV(dev, parent);
}

void nbh_eth_hw_addr_set(struct net_device *dev, const u8 *addr)
{
	eth_hw_addr_set(dev, addr);
}

bool nbh_netif_running(const struct net_device *dev)
{
	return netif_running(dev);
}

bool nbh_netif_carrier_ok(const struct net_device *dev)
{
	return netif_carrier_ok(dev);
}

/* What is not registered has no carrier to speak of. Unregistering waits for RCU. */
void nbh_netif_set_carrier(struct net_device *dev, bool on)
{
	rcu_read_lock();
	if (READ_ONCE(dev->reg_state) == NETREG_REGISTERED) {
		if (on)
			netif_carrier_on(dev);
		else
			netif_carrier_off(dev);
	}
	rcu_read_unlock();
}

bool nbh_netif_device_present(const struct net_device *dev)
{
	return netif_device_present(dev);
}

void nbh_netif_tx_wake_all_queues(struct net_device *dev)
{
	netif_tx_wake_all_queues(dev);
}

void nbh_netif_tx_disable(struct net_device *dev)
{
	netif_tx_disable(dev);
}

/* Counts a packet that is not sent as one its device dropped. */
void nbh_count_dropped(const struct sk_buff *skb)
{
	dev_core_stats_tx_dropped_inc(skb->dev);
}

void nbh_netif_trans_update(struct net_device *dev)
{
	netif_trans_update(dev);
}

void nbh_tx_lock_bh(struct netdev_queue *txq)
{
	__netif_tx_lock_bh(txq);
}

void nbh_tx_unlock_bh(struct netdev_queue *txq)
{
	__netif_tx_unlock_bh(txq);
}

/* Has the stack leave a queue alone until it is woken, which is soon: the watchdog's time begins
 * anew.
 */
void nbh_tx_hold_queue(struct netdev_queue *txq)
{
	__netif_tx_lock_bh(txq);
	netif_tx_stop_queue(txq);
	txq_trans_cond_update(txq);
	__netif_tx_unlock_bh(txq);
}

void nbh_tx_reset_queue(struct netdev_queue *txq)
{
	netdev_tx_reset_queue(txq);
}

/* Accounts @bytes to BQL. Says whether the doorbell is due. */
bool nbh_tx_sent(struct netdev_queue *txq, unsigned int bytes)
{
	return __netdev_tx_sent_queue(txq, bytes, netdev_xmit_more());
}

bool nbh_xmit_more(void)
{
	return netdev_xmit_more();
}

void nbh_tx_stop_queue(struct netdev_queue *txq)
{
	netif_tx_stop_queue(txq);
	/* The stop bit before the caller looks for room again; pairs with
	 * the barrier of netdev_txq_completed_mb(), or of who calls it.
	 */
	smp_mb__after_atomic();
}

void nbh_tx_start_queue(struct netdev_queue *txq)
{
	netif_tx_start_queue(txq);
}

/* Accounts completions to BQL. If there are @bytes, a barrier orders them before the caller reads
 * whether the queue is stopped; else the caller needs one.
 */
void nbh_txq_completed_mb(struct netdev_queue *txq, unsigned int pkts, unsigned int bytes)
{
	netdev_txq_completed_mb(txq, pkts, bytes);
}

/* NAPI */

void nbh_netdev_lock(struct net_device *dev)
{
	netdev_lock(dev);
}

void nbh_netdev_unlock(struct net_device *dev)
{
	netdev_unlock(dev);
}

void nbh_netif_napi_add_config_locked(struct net_device *dev, struct napi_struct *napi,
				      int (*poll)(struct napi_struct *, int), int index)
{
	netif_napi_add_config_locked(dev, napi, poll, index);
}

void nbh_napi_schedule(struct napi_struct *napi)
{
	napi_schedule(napi);
}

void nbh_napi_schedule_irqoff(struct napi_struct *napi)
{
	napi_schedule_irqoff(napi);
}

/* Has the instance at @place polled, if there is one: on this CPU, at once unless it is polled
 * elsewhere.
 */
bool nbh_napi_wake(struct napi_struct **place)
{
	struct napi_struct *napi;

	rcu_read_lock();
	/* The instance was complete before it was put there. */
	napi = smp_load_acquire(place);
	if (napi) {
		local_bh_disable();
		napi_schedule(napi);
		local_bh_enable();
	}
	rcu_read_unlock();
	return napi;
}

/* page_pool */

struct page_pool *nbh_page_pool_create_for(struct device *dev, struct napi_struct *napi, u32 pages,
				       u32 offset, u32 max_len, u32 queue)
{
	struct page_pool_params params = {
		.order = 0,
		.pool_size = pages,
		.nid = NUMA_NO_NODE,
		.dev = dev,
		.napi = napi,
		.dma_dir = DMA_FROM_DEVICE,
		.max_len = max_len,
		.offset = offset,
		.netdev = napi->dev,
		.queue_idx = queue,
		.flags = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV,
	};

	return page_pool_create(&params);
}

/* A page and where the device sees it; NULL when there is none to be had. */
struct page *nbh_page_pool_alloc(struct page_pool *pool, dma_addr_t *dma)
{
	struct page *page = page_pool_dev_alloc_pages(pool);

	if (likely(page))
		*dma = page_pool_get_dma_addr(page);
	return page;
}

/* Puts a page into each of @count places; returns how many there were. */
u32 nbh_page_pool_fill(struct page_pool *pool, struct nbh_rx_place *places, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		netmem_ref netmem = page_pool_dev_alloc_netmems(pool);
		struct page *page;

		if (unlikely(!netmem))
			break;
		page = netmem_to_page(netmem);
		places[i].page = page;
		places[i].dma = page_pool_get_dma_addr(page) + pool->p.offset;
	}
	return i;
}

/* Whether memory may be given back to a pool: its locks keep only softirqs out. */
static __always_inline bool may_give_back(void)
{
	return likely(!in_hardirq() && !irqs_disabled());
}

/* Gives a page back to its pool, unless interrupts are off. */
bool nbh_page_pool_put(struct page *page)
{
	if (!may_give_back())
		return false;
	page_pool_put_full_page(pp_page_to_nmdesc(page)->pp, page, false);
	return true;
}

void *nbh_page_memory(const struct page *page)
{
	return page_address(page);
}

/* Receive */

/* Has the CPU see @len bytes that a device wrote into @page. A pool that has been destroyed has
 * unmapped its pages, and its device may have lost its driver: that is read as page_pool_scrub()
 * expects it.
 */
static noinline void rx_sync_if_mapped(const struct page_pool *pool, struct page *page, u32 len)
{
	rcu_read_lock();
	if (pool->dma_sync)
		page_pool_dma_sync_for_cpu(pool, page, 0, len);
	rcu_read_unlock();
}

static __always_inline void rx_sync(struct page *page, u32 len)
{
	const struct page_pool *pool = pp_page_to_nmdesc(page)->pp;

	if (dma_dev_need_sync(pool->p.dev))
		rx_sync_if_mapped(pool, page, len);
}

static __always_inline void rx_frame(struct sk_buff *skb, u32 headroom, u32 len)
{
	skb_mark_for_recycle(skb);
	skb_reserve(skb, headroom);
	__skb_put(skb, len);
}

/* Turns the first buffer of a frame into an skb: @headroom bytes, then @len
 * bytes of data, in a page. The page stays the caller's if this fails.
 */
struct sk_buff *nbh_rx_build(struct page *page, u32 headroom, u32 len)
{
	void *va = page_address(page);
	struct sk_buff *skb;

	rx_sync(page, len);
	net_prefetch(va + headroom);
	skb = napi_build_skb(va, PAGE_SIZE);
	if (likely(skb))
		rx_frame(skb, headroom, len);
	return skb;
}

/* The length of the frame in the buffer of descriptor @desc, whose second word is @word, if the
 * device has written a whole one there that fits into it; else 0. What else the descriptor says is
 * read afterwards.
 */
static __always_inline u32 rx_whole_frame(const struct nbh_rx_ring *ring,
					  const __le64 (*desc)[2], __le64 word)
{
	u32 len;

	if ((le64_to_cpu(word) & ring->bits) != ring->whole)
		return 0;
	dma_rmb();
	len = le16_to_cpu(READ_ONCE(*(const __le16 *)((const void *)desc + ring->len_at)));
	return likely(len - 1 < ring->room) ? len : 0;
}

/* Appends a further buffer of a frame. */
void nbh_rx_add_frag(struct sk_buff *skb, struct page *page, u32 headroom, u32 len,
		     u32 truesize)
{
	rx_sync(page, len);
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, headroom, len, truesize);
}

/* Copies @len bytes from @offset on of what the device wrote @headroom bytes into @page. */
void nbh_rx_copy(const struct page *page, u32 headroom, u32 offset, u32 len, void *out)
{
	const struct page_pool *pool = pp_page_to_nmdesc(page)->pp;

	/* As in rx_sync_if_mapped(). */
	rcu_read_lock();
	if (pool->dma_sync)
		page_pool_dma_sync_for_cpu(pool, page, offset, len);
	rcu_read_unlock();
	memcpy(out, page_address(page) + headroom + offset, len);
}

#define NBH_RX_CSUM_GOOD	BIT(0)
#define NBH_RX_HASH_L3		BIT(1)
#define NBH_RX_HASH_L4		BIT(2)
#define NBH_RX_VLAN		BIT(3)

/* Apart, so that frames to this host take one test. */
static noinline bool rx_is_multicast(const struct sk_buff *skb)
{
	return skb->pkt_type == PACKET_MULTICAST;
}

/* Completes the metadata of a received frame and hands it to GRO. Counts it if it is multicast. */
static __always_inline void rx_deliver(struct napi_struct *napi, struct sk_buff *skb,
				       struct nbh_rx_meta meta, u32 *multicast)
{
	if (meta.flags & NBH_RX_CSUM_GOOD)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (meta.flags & (NBH_RX_HASH_L3 | NBH_RX_HASH_L4))
		skb_set_hash(skb, meta.hash, meta.flags & NBH_RX_HASH_L4 ? PKT_HASH_TYPE_L4 :
									   PKT_HASH_TYPE_L3);
	if (meta.flags & NBH_RX_VLAN)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), meta.vlan_tci);
	skb_record_rx_queue(skb, meta.queue);
	skb->protocol = eth_type_trans(skb, napi->dev);
	if (unlikely(skb->pkt_type != PACKET_HOST))
		*multicast += rx_is_multicast(skb);
	napi_gro_receive(napi, skb);
}

/* Returns whether it is multicast. */
bool nbh_rx_deliver(struct napi_struct *napi, struct sk_buff *skb, struct nbh_rx_meta meta)
{
	u32 multicast = 0;

	rx_deliver(napi, skb, meta, &multicast);
	return multicast;
}

/* Both for up to NBH_RX_BATCH frames of one buffer each, in order. It is the latest that are
 * lost if there is no memory: their pages are back in their pool. What the device of @pool does
 * not need is not done; what is done to a page is done for the device it is mapped for.
 */
struct nbh_rx_outcome nbh_rx_receive(struct napi_struct *napi, const struct page_pool *pool,
				     const struct nbh_rx_frame *frames, u32 count, u32 headroom)
{
	struct nbh_rx_outcome outcome = {};
	void *skbs[NBH_RX_BATCH];
	u32 have = napi_skb_cache_get_bulk(skbs, count);
	bool sync = dma_dev_need_sync(pool->p.dev);
	u32 i;

	for (i = 0; i < have; i++) {
		void *va = page_address(frames[i].page);
		struct sk_buff *skb;

		if (sync)
			rx_sync_if_mapped(pp_page_to_nmdesc(frames[i].page)->pp, frames[i].page,
					  frames[i].len);
		net_prefetch(va + headroom);
		skb = build_skb_around(skbs[i], va, PAGE_SIZE);
		rx_frame(skb, headroom, frames[i].len);
		rx_deliver(napi, skb, frames[i].meta, &outcome.multicast);
	}
	for (; unlikely(i < count); i++)
		page_pool_put_full_page(pp_page_to_nmdesc(frames[i].page)->pp, frames[i].page,
					false);
	outcome.lost = count - have;
	return outcome;
}

/* Transmit */

void nbh_kfree_skb_any(struct sk_buff *skb)
{
	dev_kfree_skb_any(skb);
}

/* Frees an skb in ndo_start_xmit. Bottom halves are off there, as the NAPI cache
 * wants it, but netpoll may have turned off interrupts as well, or be in one.
 */
void nbh_tx_consume(struct sk_buff *skb)
{
	napi_consume_skb(skb, in_hardirq() || irqs_disabled() ? 0 : 1);
}

#define NBH_TX_OFFLOAD		BIT(0)
#define NBH_TX_VLAN		BIT(1)
#define NBH_TX_STAMP		BIT(2)
#define NBH_TX_NO_FCS		BIT(3)

/* What a frame asks the device for: NBH_TX_* bits, and the VLAN tag in bits 31:16. */
static __always_inline u32 tx_meta(const struct sk_buff *skb)
{
	u32 meta = 0;

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		meta |= NBH_TX_OFFLOAD;
	if (unlikely(skb->no_fcs))
		meta |= NBH_TX_NO_FCS;
	if (skb_vlan_tag_present(skb))
		meta |= NBH_TX_VLAN | (u32)skb_vlan_tag_get(skb) << 16;
	return meta;
}

/* Whether a frame is one of the device that @txq is of: of which it is otherwise may be gone. */
bool nbh_tx_is_of(const struct sk_buff *skb, const struct netdev_queue *txq)
{
	return skb->dev == txq->dev;
}

/* Takes the software timestamp of a frame that is being sent through @txq. What
 * skb_tx_timestamp() does besides is for devices whose PHY has a driver of its own, which those
 * of this crate have not.
 */
static __always_inline void tx_stamp(struct sk_buff *skb, const struct netdev_queue *txq)
{
	if (nbh_tx_is_of(skb, txq))
		skb_tstamp_tx(skb, NULL);
}

/* A frame is about to be given to the device: takes the software timestamp, and says
 * what the frame asks for.
 */
u32 nbh_tx_begin(struct sk_buff *skb, const struct netdev_queue *txq)
{
	if (unlikely(skb_shinfo(skb)->tx_flags & (SKBTX_SW_TSTAMP | SKBTX_BPF)))
		tx_stamp(skb, txq);
	return tx_meta(skb);
}

/* The same for a device that takes timestamps itself. If the frame asks for one, that is all it
 * says: the caller decides about it, then takes the software timestamp with nbh_tx_begin_late(),
 * and asks nbh_tx_meta() for the rest.
 */
u32 nbh_tx_begin_stamping(struct sk_buff *skb, const struct netdev_queue *txq)
{
	u8 flags = skb_shinfo(skb)->tx_flags;

	if (unlikely(flags & (SKBTX_SW_TSTAMP | SKBTX_HW_TSTAMP))) {
		if (flags & SKBTX_HW_TSTAMP)
			return NBH_TX_STAMP;
		tx_stamp(skb, txq);
	}
	return tx_meta(skb);
}

u32 nbh_tx_meta(const struct sk_buff *skb)
{
	return tx_meta(skb);
}

/* If the device takes a timestamp, that is for sockets that want both. */
void nbh_tx_begin_late(struct sk_buff *skb, const struct netdev_queue *txq)
{
	if (unlikely(skb_shinfo(skb)->tx_flags & (SKBTX_SW_TSTAMP | SKBTX_BPF)))
		tx_stamp(skb, txq);
}

/* What the device fills in of a packet that has been prepared for it: offset and, in bits 31:16,
 * number of bytes of a checksum. U32_MAX if it makes several packets of it.
 */
u32 nbh_tx_filled(const struct sk_buff *skb)
{
	u32 len = skb_csum_is_sctp((struct sk_buff *)skb) ? sizeof(__le32) : sizeof(__sum16);

	if (skb_is_gso(skb))
		return U32_MAX;
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return 0;
	return (u32)(u16)(skb_checksum_start_offset(skb) + skb->csum_offset) | len << 16;
}

bool nbh_skb_cloned(const struct sk_buff *skb)
{
	return skb_cloned(skb);
}

/*
 * A mapping has to be checked by dma_mapping_error(), even by those who know what a bad one looks
 * like: debugging kernels keep account of it.
 */
static dma_addr_t nbh_checked(struct device *dev, dma_addr_t addr)
{
	return dma_mapping_error(dev, addr) ? DMA_MAPPING_ERROR : addr;
}

/* Whether an IOMMU translates what @dev reads and writes: each mapping is work then. */
bool nbh_dma_is_translated(struct device *dev)
{
	return use_dma_iommu(dev);
}

/* Eight bytes an iteration are as good as memcpy() for processors, which copy whole cache lines in
 * either case, and eight times as fast where iterations are emulated one by one.
 */
static void copy_words(void *to, const void *from, size_t len)
{
#ifdef CONFIG_X86_64
	size_t words = len / sizeof(u64);

	len %= sizeof(u64);
	/* What detectors cannot see of the instruction. */
	instrument_read(from, words * sizeof(u64));
	instrument_write(to, words * sizeof(u64));
	asm volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (words) : : "memory");
#endif
	memcpy(to, from, len);
}

/* Copies @len bytes from @offset on of what begins at @from with @size bytes in one piece.
 * @sinfo has the other pieces, or is NULL. False if it is shorter.
 */
static __always_inline bool copy_pieces(const void *from, u32 size,
					const struct skb_shared_info *sinfo, u32 offset, void *to,
					u32 len)
{
	u32 part, i = 0;

	for (;;) {
		if (offset < size) {
			part = min(len, size - offset);
			copy_words(to, from + offset, part);
			to += part;
			len -= part;
			offset = 0;
		} else {
			offset -= size;
		}
		if (!len)
			return true;
		if (!sinfo || i == sinfo->nr_frags)
			return false;
		from = skb_frag_address(&sinfo->frags[i]);
		size = skb_frag_size(&sinfo->frags[i++]);
	}
}

/* Copies @len bytes of a packet from @offset on. False if they are not in its linear part and its
 * fragments, or cannot be read.
 */
bool nbh_tx_copy(const struct sk_buff *skb, u32 offset, void *to, u32 len)
{
	if (IS_ENABLED(CONFIG_HIGHMEM) || !skb_frags_readable(skb))
		return !skb_copy_bits(skb, offset, to, len);
	return copy_pieces(skb->data, skb_headlen(skb), skb_shinfo(skb), offset, to, len);
}

/* Maps the linear part of a packet; DMA_MAPPING_ERROR when that is not possible. */
dma_addr_t nbh_skb_map_head(struct device *dev, struct sk_buff *skb)
{
	return nbh_checked(dev, dma_map_single(dev, skb->data, skb_headlen(skb),
					       DMA_TO_DEVICE));
}

/* The same for fragment @i; @len is its length. */
dma_addr_t nbh_skb_map_frag(struct device *dev, struct sk_buff *skb, unsigned int i, u32 *len)
{
	const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

	*len = skb_frag_size(frag);
	return nbh_checked(dev, skb_frag_dma_map(dev, frag, 0, *len, DMA_TO_DEVICE));
}

#define NBH_TX_GSO		BIT_ULL(52)
#define NBH_TX_GSO_UDP		BIT_ULL(53)
#define NBH_TX_SCTP		BIT_ULL(54)

/* What the stack has said of a packet of which it leaves something to the device: how far the
 * network header is from its start, in bits 15:0, and where the checksum begins, in bits 31:16;
 * how far from there it is filled in, in bits 47:32; the version of IP, in bits 51:48; NBH_TX_*.
 * Nothing but NBH_TX_GSO of a packet without a checksum to fill in: it has other things where
 * another says where that is.
 */
u64 nbh_tx_asked(const struct sk_buff *skb)
{
	u64 asked;

	if (unlikely(skb->ip_summed != CHECKSUM_PARTIAL))
		return skb_is_gso(skb) ? NBH_TX_GSO : 0;
	asked = (u64)ip_hdr(skb)->version << 48 | (u64)skb->csum_offset << 32 |
		(u32)skb_checksum_start_offset(skb) << 16 | (u16)skb_network_offset(skb);
	if (skb_is_gso(skb)) {
		asked |= NBH_TX_GSO;
		if (skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4)
			asked |= NBH_TX_GSO_UDP;
	}
	if (skb_csum_is_sctp((struct sk_buff *)skb))
		asked |= NBH_TX_SCTP;
	return asked;
}

/* Computes a checksum that was left to the device, if one was. Nothing is changed of a packet that
 * has other owners: they may send it again, and replacing its memory is a BUG().
 */
int nbh_tx_checksum(struct sk_buff *skb)
{
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return 0;
	return skb_shared(skb) ? -EBUSY : skb_checksum_help(skb);
}

/* Makes the headers of a packet its own, unless it has other owners. */
int nbh_tx_own_headers(struct sk_buff *skb)
{
	return unlikely(skb_shared(skb)) ? -EBUSY : skb_cow_head(skb, 0);
}

#if IS_ENABLED(CONFIG_KUNIT)
struct kunit_irq {
	struct irq_work work;
	void (*run)(void *arg);
	void *arg;
};

static void kunit_irq(struct irq_work *work)
{
	struct kunit_irq *irq = container_of(work, struct kunit_irq, work);

	irq->run(irq->arg);
}

/* Has @run run in a hard interrupt of this CPU. */
void nbh_kunit_in_irq(void (*run)(void *arg), void *arg)
{
	struct kunit_irq irq = {
		.work = IRQ_WORK_INIT_HARD(kunit_irq),
		.run = run,
		.arg = arg,
	};

	irq_work_queue(&irq.work);
	while (irq_work_is_busy(&irq.work))
		cpu_relax();
}

void nbh_kunit_skb_get(struct sk_buff *skb)
{
	skb_get(skb);
}

/* Makes UDP over IPv4 of a packet that is to be segmented, with the checksum @check as the stack
 * would have left it.
 */
void nbh_kunit_udp_gso(struct sk_buff *skb, u16 gso_size, u16 check)
{
	skb_set_network_header(skb, ETH_HLEN);
	skb_set_transport_header(skb, ETH_HLEN + sizeof(struct iphdr));
	*ip_hdr(skb) = (struct iphdr) { .version = 4, .ihl = 5, .protocol = IPPROTO_UDP };
	udp_hdr(skb)->check = (__force __sum16)check;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
	skb_shinfo(skb)->gso_size = gso_size;
	skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
}

/* Leaves a checksum to the device: of what is behind the IP header, filled in @offset bytes from
 * there. Says whether it is SCTP's, of which a kernel without SCTP knows nothing.
 */
bool nbh_kunit_leave_checksum(struct sk_buff *skb, u16 offset, bool is_sctp)
{
	nbh_kunit_udp_gso(skb, 0, 0);
	skb_shinfo(skb)->gso_type = 0;
	skb->csum_offset = offset;
#if IS_ENABLED(CONFIG_IP_SCTP)
	skb->csum_not_inet = is_sctp;
#endif
	return skb_csum_is_sctp(skb);
}

/* Has the checksum of a packet begin @start bytes behind its start, wherever that is. */
void nbh_kunit_checksum_start(struct sk_buff *skb, u16 start)
{
	skb->csum_start = skb->data + start - skb->head;
}

/* Gives a packet a checksum of all of it, where another says where its own begins. */
void nbh_kunit_checksum_complete(struct sk_buff *skb)
{
	skb->ip_summed = CHECKSUM_COMPLETE;
	skb->csum = (__force __wsum)~0;
}

/* Fills fragment @i of a packet, which is a page of its own, with @byte. */
void nbh_kunit_fill_frag(const struct sk_buff *skb, unsigned int i, u8 byte)
{
	const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

	memset(skb_frag_address(frag), byte, skb_frag_size(frag));
}

/* Makes TCP in IPv4 in GRE over IPv4 of a packet that is to be segmented, as the stack leaves it to
 * a device that steps over headers. Of the GRE header nothing but bytes of the packet is needed.
 */
void nbh_kunit_gre_gso(struct sk_buff *skb, u16 gso_size)
{
	const int gre = ETH_HLEN + sizeof(struct iphdr), inner = gre + 4;
	const int tcp = inner + sizeof(struct iphdr);
	const struct iphdr ip = { .version = 4, .ihl = 5, .protocol = IPPROTO_GRE, .ttl = 64 };

	skb_set_network_header(skb, ETH_HLEN);
	skb_set_transport_header(skb, gre);
	skb_set_inner_network_header(skb, inner);
	skb_set_inner_transport_header(skb, tcp);
	skb->encapsulation = 1;
	*ip_hdr(skb) = ip;
	*inner_ip_hdr(skb) = ip;
	inner_tcp_hdr(skb)->doff = sizeof(struct tcphdr) / 4;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb->data + tcp - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb_shinfo(skb)->gso_size = gso_size;
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4 | SKB_GSO_GRE | SKB_GSO_PARTIAL;
}

/* Whether the outer IP header is right when a device has written the length @len to it, and the
 * checksum of all that is in front of the transport header.
 */
bool nbh_kunit_outer_ip_is_right(struct sk_buff *skb, u16 len)
{
	struct iphdr *ip = ip_hdr(skb);

	ip->tot_len = htons(len);
	ip->check = csum_fold(csum_partial(ip, skb_checksum_start(skb) - (unsigned char *)ip, 0));
	return !ip_fast_csum(ip, ip->ihl);
}

u16 nbh_kunit_udp_check(const struct sk_buff *skb)
{
	return (__force u16)udp_hdr(skb)->check;
}
#endif

/* Whether one of the segments a device would make of the packet is to have FIN. */
static bool nbh_gso_ends_stream(const struct sk_buff *skb)
{
	struct tcphdr copy;
	const struct tcphdr *header;
	int offset;

	if (!skb_is_gso(skb) || !skb_is_gso_tcp(skb))
		return false;
	offset = skb->encapsulation ? skb_inner_transport_offset(skb) : skb_transport_offset(skb);
	header = skb_header_pointer(skb, offset, sizeof(copy), &copy);
	return header && header->fin;
}

/* How long the headers are a device would have to step over, and what else decides on offloads. */
void nbh_tx_shape(const struct sk_buff *skb, struct nbh_tx_shape *shape)
{
	shape->mac_len = skb_network_offset(skb);
	shape->network_len = skb->ip_summed == CHECKSUM_PARTIAL ?
			     skb_checksum_start_offset(skb) - skb_network_offset(skb) : 0;
	shape->tagged = skb_vlan_tag_present(skb);
	shape->vid = shape->tagged ? skb_vlan_tag_get_id(skb) : 0;
	shape->ends_stream = nbh_gso_ends_stream(skb);
	shape->encapsulated = skb->encapsulation;
}

netdev_features_t nbh_vlan_features_check(struct sk_buff *skb, netdev_features_t features)
{
	return vlan_features_check(skb, features);
}

/* Packet sockets may send frames with a check sequence of their own. */
void nbh_set_no_fcs(struct net_device *dev)
{
	dev->priv_flags |= IFF_SUPP_NOFCS;
}

void nbh_set_unicast_filtering(struct net_device *dev)
{
	dev->priv_flags |= IFF_UNICAST_FLT;
}
