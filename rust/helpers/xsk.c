// SPDX-License-Identifier: GPL-2.0
/* AF_XDP sockets whose buffers a device reads and writes itself (zero copy). */

#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/prefetch.h>
#include <net/xdp_sock_drv.h>

/* What is not written is not copied, and the order of writes is the sockets' own affair. */
#define NBH_XSK_DMA_ATTRS	(DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_WEAK_ORDERING)

int nbh_xsk_pool_map(struct xsk_buff_pool *pool, struct device *dev)
{
	return xsk_pool_dma_map(pool, dev, NBH_XSK_DMA_ATTRS);
}

void nbh_xsk_pool_unmap(struct xsk_buff_pool *pool)
{
	xsk_pool_dma_unmap(pool, NBH_XSK_DMA_ATTRS);
}

/* Bytes a device may write into a buffer. */
u32 nbh_xsk_frame_size(struct xsk_buff_pool *pool)
{
	return xsk_pool_get_rx_frame_size(pool);
}

/* Takes up to @count buffers. */
u32 nbh_xsk_fill(struct xsk_buff_pool *pool, struct xdp_buff **buffs, u32 count)
{
	return xsk_buff_alloc_batch(pool, buffs, count);
}

void nbh_xsk_free(struct xdp_buff *xdp)
{
	xsk_buff_free(xdp);
}

/* Runs @prog on the @len bytes the device wrote into a buffer, which has hints behind it.
 * Passes it on where @prog wants that. Returns its verdict, or NBH_XDP_* if more is known.
 */
u32 nbh_xsk_run(struct bpf_prog *prog, struct net_device *dev, struct nbh_xdp_buff *buff, u32 len)
{
	struct xdp_buff *xdp = &buff->xdp;
	u32 act;
	int err;

	XSK_CHECK_PRIV_TYPE(struct nbh_xdp_buff);
	xsk_buff_set_size(xdp, len);
	xsk_buff_dma_sync_for_cpu(xdp);
	net_prefetch(xdp->data);
	act = bpf_prog_run_xdp(prog, xdp);
	if (unlikely(act != XDP_REDIRECT))
		return act;
	err = xdp_do_redirect(dev, xdp, prog);
	if (likely(!err))
		return NBH_XDP_REDIRECTED;
	return err == -ENOBUFS ? NBH_XDP_FULL : act;
}

/* The same for the oldest frames of a ring, whose buffers are those from @buff on: as long as @prog
 * passes them on, or drops them, of which it is said how many. Returns NBH_XDP_WALKED, or what
 * nbh_xsk_run() would of the frame that was taken last, whose buffer is still the caller's.
 *
 * As in nbh_xdp_walk(), what is needed is read where it is.
 */
static __always_inline u32 xsk_walk(struct bpf_prog *prog, struct net_device *dev,
				    struct xdp_buff *const *buff, struct nbh_rx_ring *ring,
				    u32 *dropped, bool sync)
{
	const __le64 (*desc)[2] = ring->desc;
	u32 act;

	for (; desc != ring->end; desc++, buff++) {
		__le64 word = READ_ONCE((*desc)[1]);
		u32 len = rx_whole_frame(ring, desc, word);
		struct nbh_xdp_hints *hints;
		struct xdp_buff *xdp;
		int err;

		if (!len)
			break;
		xdp = *buff;
		xsk_buff_set_size(xdp, len);
		hints = &((struct nbh_xdp_buff *)xdp)->hints;
		hints->words[0] = (__force u64)READ_ONCE((*desc)[0]);
		hints->words[1] = (__force u64)word;
		hints->stamp = S64_MIN;
		if (sync)
			xsk_buff_dma_sync_for_cpu(xdp);
		prefetch(xdp->data);
		act = bpf_prog_run_xdp(prog, xdp);
		if (likely(act == XDP_REDIRECT)) {
			err = xdp_do_redirect(dev, xdp, prog);
			if (unlikely(err)) {
				ring->desc = desc + 1;
				return err == -ENOBUFS ? NBH_XDP_FULL : act;
			}
		} else if (act == XDP_DROP) {
			xsk_buff_free(xdp);
			++*dropped;
		} else {
			ring->desc = desc + 1;
			return act;
		}
		ring->bytes += len;
	}
	ring->desc = desc;
	return NBH_XDP_WALKED;
}

u32 nbh_xsk_walk(struct bpf_prog *prog, struct net_device *dev, const struct xsk_buff_pool *pool,
		 struct xdp_buff *const *buffs, struct nbh_rx_ring *ring, u32 *dropped)
{
	if (unlikely(dma_dev_need_sync(pool->dev)))
		return xsk_walk(prog, dev, buffs, ring, dropped, true);
	return xsk_walk(prog, dev, buffs, ring, dropped, false);
}

/* Copies @len bytes from @offset on of what the device wrote into a buffer. Who owns the socket may
 * change them meanwhile.
 */
void nbh_xsk_copy(struct xdp_buff *xdp, u32 offset, u32 len, void *out)
{
	xsk_buff_dma_sync_for_cpu(xdp);
	memcpy(out, xdp->data_hard_start + XDP_PACKET_HEADROOM + offset, len);
}

/* Copies what was received into an skb, with the metadata of the program. */
struct sk_buff *nbh_xsk_copy_skb(struct napi_struct *napi, const struct xdp_buff *xdp)
{
	u32 total = xdp->data_end - xdp->data_meta;
	u32 meta = xdp->data - xdp->data_meta;
	struct sk_buff *skb = napi_alloc_skb(napi, total);

	if (unlikely(!skb))
		return NULL;
	skb_put_data(skb, xdp->data_meta, total);
	if (meta) {
		skb_metadata_set(skb, meta);
		__skb_pull(skb, meta);
	}
	return skb;
}

/* Where the device finds what is at @addr of the memory of a pool. */
dma_addr_t nbh_xsk_tx_addr(struct xsk_buff_pool *pool, u64 addr)
{
	return xsk_buff_raw_get_dma(pool, addr);
}

/* Has the device see frames that are to be sent. */
void nbh_xsk_tx_sync(struct xsk_buff_pool *pool, const struct xdp_desc *descs, u32 count)
{
	u32 i;

	if (likely(!dma_dev_need_sync(pool->dev)))
		return;
	for (i = 0; i < count; i++)
		xsk_buff_raw_dma_sync_for_device(pool, xsk_buff_raw_get_dma(pool, descs[i].addr),
						 descs[i].len);
}

/* Copies @len bytes from @offset on of a frame to be sent. Who owns the socket may change them
 * meanwhile.
 */
void nbh_xsk_tx_copy(struct xsk_buff_pool *pool, u64 addr, u32 offset, u32 len, void *out)
{
	memcpy(out, xsk_buff_raw_get_data(pool, addr) + offset, len);
}

/* Has sockets wake the driver when they have put buffers into the fill ring. What they put there
 * before they see it, the caller sees from here on.
 */
void nbh_xsk_ask_rx(struct xsk_buff_pool *pool)
{
	xsk_set_rx_need_wakeup(pool);
	/* Before the caller looks at the ring once more. */
	smp_mb();
}

/* The same for frames to be sent. */
void nbh_xsk_ask_tx(struct xsk_buff_pool *pool)
{
	xsk_set_tx_need_wakeup(pool);
	/* Before the caller looks at the ring once more. */
	smp_mb();
}

#if IS_ENABLED(CONFIG_KUNIT)
#include <net/xdp_sock.h>

/* A pool of two buffers of 4 KiB, as if a socket had been bound with them, and two frames to be
 * sent. What the kernel keeps to itself of its queues has the layout of net/xdp/xsk_queue.h.
 */
struct kunit_xsk_queue {
	u32 ring_mask;
	u32 nentries;
	u32 cached_prod;
	u32 cached_cons;
	void *ring;
	u8 rest[96];
};

#define KUNIT_XSK_BUFFS		2

struct kunit_xsk {
	struct xdp_umem umem;
	struct kunit_xsk_queue fill;
	struct kunit_xsk_queue completed;
	/* The number of what was produced is at the start of a ring. */
	u8 fill_ring[1024] __aligned(64);
	u8 completed_ring[1024] __aligned(64);
	struct page *pages[KUNIT_XSK_BUFFS];
	struct xdp_buff_xsk heads[KUNIT_XSK_BUFFS];
	struct xdp_desc descs[KUNIT_XSK_BUFFS];
	struct xsk_buff_pool pool;
};

struct xsk_buff_pool *nbh_kunit_xsk_pool(struct net_device *dev, u16 queue)
{
	struct kunit_xsk *xsk = kzalloc(sizeof(*xsk), GFP_KERNEL);
	u32 i;

	if (!xsk)
		return NULL;
	xsk->umem.chunk_size = PAGE_SIZE;
	xsk->umem.chunks = KUNIT_XSK_BUFFS;
	xsk->umem.pgs = xsk->pages;
	xsk->umem.npgs = KUNIT_XSK_BUFFS;
	INIT_LIST_HEAD(&xsk->umem.xsk_dma_list);
	xsk->pool.umem = &xsk->umem;
	xsk->pool.netdev = dev;
	xsk->pool.queue_id = queue;
	xsk->pool.chunk_size = PAGE_SIZE;
	xsk->pool.frame_len = PAGE_SIZE - XDP_PACKET_HEADROOM;
	xsk->pool.heads_cnt = KUNIT_XSK_BUFFS;
	xsk->pool.heads = xsk->heads;
	xsk->pool.tx_descs = xsk->descs;
	xsk->pool.uses_need_wakeup = true;
	xsk->fill.ring = xsk->fill_ring;
	xsk->completed.ring = xsk->completed_ring;
	xsk->pool.fq = (struct xsk_queue *)&xsk->fill;
	xsk->pool.cq = (struct xsk_queue *)&xsk->completed;
	INIT_LIST_HEAD(&xsk->pool.free_list);
	INIT_LIST_HEAD(&xsk->pool.xskb_list);
	INIT_LIST_HEAD(&xsk->pool.xsk_tx_list);
	/* Neighbours, as in the memory of a socket. */
	xsk->pages[0] = alloc_pages(GFP_KERNEL, 1);
	if (!xsk->pages[0]) {
		kfree(xsk);
		return NULL;
	}
	xsk->pool.addrs = page_address(xsk->pages[0]);
	for (i = 0; i < KUNIT_XSK_BUFFS; i++) {
		xsk->pages[i] = xsk->pages[0] + i;
		xsk->heads[i].pool = &xsk->pool;
		xsk->heads[i].xdp.frame_sz = PAGE_SIZE;
		xsk->heads[i].xdp.data_hard_start = page_address(xsk->pages[i]);
		list_add_tail(&xsk->heads[i].list_node, &xsk->pool.free_list);
		xsk->pool.free_list_cnt++;
	}
	return &xsk->pool;
}

u32 nbh_kunit_xsk_completed(const struct xsk_buff_pool *pool)
{
	const struct kunit_xsk *xsk = container_of(pool, struct kunit_xsk, pool);

	return *(const u32 *)xsk->completed_ring;
}

void nbh_kunit_xsk_free(struct xsk_buff_pool *pool)
{
	struct kunit_xsk *xsk = container_of(pool, struct kunit_xsk, pool);

	__free_pages(xsk->pages[0], 1);
	kfree(xsk);
}
#endif
