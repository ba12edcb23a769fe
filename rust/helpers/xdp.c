// SPDX-License-Identifier: GPL-2.0
/* XDP: programs run on received frames, and frames without an skb. */

#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/dma-mapping.h>
#include <linux/filter.h>
#include <linux/prefetch.h>
#include <linux/smp.h>
#include <net/page_pool/helpers.h>
#include <net/xdp.h>

#ifndef CONFIG_BPF_SYSCALL
void nbh_bpf_prog_inc(struct bpf_prog *prog)
{
	bpf_prog_inc(prog);
}

void nbh_bpf_prog_put(struct bpf_prog *prog)
{
	bpf_prog_put(prog);
}
#endif

/* Where the kernel has what it knows of the pages behind @first. */
static __always_inline struct skb_shared_info *xdp_shinfo(struct page *first)
{
	return page_address(first) + PAGE_SIZE - SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
}

/* @xdp is a frame of which a device wrote @len bytes @headroom bytes into @page. @flags say
 * whether there are further pages, as nbh_xdp_add_page() does.
 */
static __always_inline void xdp_prepare(struct xdp_buff *xdp, struct xdp_rxq_info *rxq,
					struct page *page, u32 headroom, u32 len, u32 flags)
{
	xdp_init_buff(xdp, PAGE_SIZE, rxq);
	xdp->flags = flags;
	xdp->txq = NULL;
	xdp_prepare_buff(xdp, page_address(page), headroom, len, true);
}

/* Runs @prog on @len bytes that a device wrote into @page, and on the pages that belong to it, and
 * returns its verdict. @buff has hints, and says where the frame is afterwards.
 *
 * @pool is that of the poll. Who fails to pass a frame on gives its pages back as one who may use
 * the cache of their pool (xdp_return_frame_rx_napi()): @prog does not see those of another.
 */
u32 nbh_xdp_run(const struct bpf_prog *prog, struct xdp_rxq_info *rxq,
		const struct page_pool *pool, struct page *page, u32 len, u32 flags,
		struct nbh_xdp_buff *buff)
{
	struct xdp_buff *xdp = &buff->xdp;

	xdp_prepare(xdp, rxq, page, pool->p.offset, len, flags);
	if (unlikely(pp_page_to_nmdesc(page)->pp != pool))
		return XDP_ABORTED;
	page_pool_dma_sync_for_cpu(pool, page, 0, len);
	net_prefetch(xdp->data);
	return bpf_prog_run_xdp(prog, xdp);
}

/* Whether a device may write @page again as it is, and the CPU read what it has written: it is
 * of the pool that is polled, and in the hands of who polls it alone.
 */
static __always_inline bool is_plain(const struct page_pool *pool, const struct page *page)
{
	return likely(!dma_dev_need_sync(pool->p.dev) && !page_is_pfmemalloc(page));
}

/* @xdp, of nbh_xdp_init(), is a frame of which a device wrote @len bytes into the page at @start. */
static __always_inline void xdp_begin(struct xdp_buff *xdp, void *start, u32 len)
{
	void *data = start + XDP_PACKET_HEADROOM;

	xdp->data_hard_start = start;
	xdp->data = data;
	xdp->data_meta = data;
	xdp->data_end = data + len;
	xdp->flags = 0;
}

/* Whether it still is that. */
static __always_inline bool xdp_is_unchanged(const struct xdp_buff *xdp, u32 len)
{
	const void *data = xdp->data_hard_start + XDP_PACKET_HEADROOM;

	return likely(xdp->data == data && xdp->data_meta == data && xdp->data_end == data + len);
}

/* What is the same for all frames of one page that @rxq has received. */
void nbh_xdp_init(struct xdp_buff *xdp, struct xdp_rxq_info *rxq)
{
	xdp_init_buff(xdp, PAGE_SIZE, rxq);
	xdp->txq = NULL;
}

/* The same as nbh_xdp_run() for a frame that is one page, with @buff of
 * nbh_xdp_init(). Passes it on where @prog wants that. Returns its verdict, or NBH_XDP_* if
 * more is known.
 */
u32 nbh_xdp_show(struct bpf_prog *prog, const struct page_pool *pool, struct page *page,
		 u32 len, struct nbh_xdp_buff *buff)
{
	struct xdp_buff *xdp = &buff->xdp;
	bool plain = is_plain(pool, page);
	u32 act;

	xdp_begin(xdp, page_address(page), len);
	if (unlikely(pp_page_to_nmdesc(page)->pp != pool))
		return XDP_ABORTED;
	if (unlikely(!plain))
		page_pool_dma_sync_for_cpu(pool, page, 0, len);
	net_prefetch(xdp->data);
	act = bpf_prog_run_xdp(prog, xdp);
	if (act == XDP_REDIRECT)
		return likely(!xdp_do_redirect(xdp->rxq->dev, xdp, prog)) ?
		       NBH_XDP_REDIRECTED : act;
	if (unlikely(!plain))
		return act;
	if (act == XDP_DROP)
		return NBH_XDP_UNWANTED;
	if (act == XDP_PASS && xdp_is_unchanged(xdp, len))
		return NBH_XDP_UNCHANGED;
	if (act == XDP_TX && xdp->data_end - xdp->data <= NBH_XDP_SHORT_MAX)
		return NBH_XDP_SHORT;
	return act;
}

/* The same for the oldest frame of a ring whatever its page is like, by nbh_xdp_show(). */
static noinline u32 xdp_walk_one(struct bpf_prog *prog, const struct page_pool *pool,
				 struct nbh_xdp_buff *buff, struct nbh_rx_walk *walk)
{
	struct nbh_rx_ring *ring = &walk->ring;
	const __le64 (*desc)[2] = ring->desc;
	__le64 word = READ_ONCE((*desc)[1]);
	u32 len = rx_whole_frame(ring, desc, word);
	u32 act;

	if (!len)
		return NBH_XDP_WALKED;
	ring->desc++;
	ring->len = len;
	buff->hints.words[0] = (__force u64)READ_ONCE((*desc)[0]);
	buff->hints.words[1] = (__force u64)word;
	act = nbh_xdp_show(prog, pool, walk->places[walk->oldest].page, len, buff);
	if (act != NBH_XDP_REDIRECTED)
		return act;
	ring->bytes += len;
	return NBH_XDP_WALKED;
}

/* The same as nbh_xdp_show() for the oldest frames of a ring, as far as each is a page. The
 * page of a frame that @prog does not want is put where it is offered again; one that the stack
 * is to have as it is, among the frames for that, and one that is to be sent back and is short,
 * among those.
 * Returns NBH_XDP_WALKED, or what nbh_xdp_show() would of the frame that was taken last, of which
 * nothing else was done.
 *
 * Each frame but that leaves a place behind in which there is room for one, so there is always one
 * to put a page.
 *
 * What is needed for each frame is read where it is: there are too few registers for it.
 */
u32 nbh_xdp_walk(struct bpf_prog *prog, const struct page_pool *pool, struct nbh_xdp_buff *buff,
		 struct nbh_rx_walk *walk)
{
	struct nbh_rx_ring *ring = &walk->ring;
	struct nbh_rx_place *place = walk->places + walk->oldest;
	const __le64 (*desc)[2] = ring->desc;
	struct xdp_buff *xdp = &buff->xdp;
	u32 act, len = 0;

	buff->hints.stamp = S64_MIN;
	if (unlikely(desc == ring->end))
		return NBH_XDP_WALKED;
	if (unlikely(dma_dev_need_sync(pool->p.dev)))
		return xdp_walk_one(prog, pool, buff, walk);
	for (; desc != ring->end; desc++, place++) {
		__le64 word = READ_ONCE((*desc)[1]);
		struct page *page;

		len = rx_whole_frame(ring, desc, word);
		if (!len)
			break;
		page = place->page;
		if (unlikely(page_is_pfmemalloc(page) || pp_page_to_nmdesc(page)->pp != pool)) {
			if (desc == ring->desc)
				return xdp_walk_one(prog, pool, buff, walk);
			break;
		}
		xdp_begin(xdp, page_address(page), len);
		buff->hints.words[0] = (__force u64)READ_ONCE((*desc)[0]);
		buff->hints.words[1] = (__force u64)word;
		prefetch(xdp->data);
		act = bpf_prog_run_xdp(prog, xdp);
		if (act == XDP_DROP) {
			walk->places[walk->free++ & walk->mask] = *place;
		} else if (act == XDP_REDIRECT) {
			if (unlikely(xdp_do_redirect(xdp->rxq->dev, xdp, prog)))
				goto last;
		} else if (act == XDP_PASS) {
			u32 n = walk->passed;

			if (!xdp_is_unchanged(xdp, len))
				goto last;
			walk->frames[n].page = place->page;
			walk->frames[n].len = len;
			walk->words[n][0] = buff->hints.words[0];
			walk->words[n][1] = buff->hints.words[1];
			walk->passed = ++n;
			if (n == NBH_RX_BATCH) {
				desc++;
				ring->bytes += len;
				break;
			}
		} else {
			u32 n = walk->nr_short;
			long size = xdp->data_end - xdp->data;

			if (act != XDP_TX || size > NBH_XDP_SHORT_MAX)
				goto last;
			walk->shorts[n].place = *place;
			walk->shorts[n].data = xdp->data;
			walk->shorts[n].len = size;
			walk->nr_short = ++n;
			if (n == NBH_SHORT_BATCH) {
				desc++;
				ring->bytes += len;
				break;
			}
		}
		ring->bytes += len;
	}
	act = NBH_XDP_WALKED;
	goto out;
last:
	desc++;
	ring->len = len;
out:
	ring->desc = desc;
	return act;
}

/* The same without a program: the frame is as the device wrote it. */
void nbh_xdp_prepare(struct page *page, u32 headroom, u32 len, u32 flags, struct xdp_buff *xdp)
{
	rx_sync(page, len);
	xdp_prepare(xdp, NULL, page, headroom, len, flags);
}

/* Adds a page, with @len bytes that a device wrote @headroom bytes into it, to the frame that
 * begins in @first and has @flags so far. Returns its flags from now on. 0: it has as many as it can have,
 * or the page is of another pool; it stays the caller's.
 */
u32 nbh_xdp_add_page(struct page *first, u32 flags, struct page *page, u32 headroom, u32 len)
{
	struct xdp_buff xdp = {
		.data_hard_start = page_address(first),
		.frame_sz = PAGE_SIZE,
		.flags = flags,
	};

	if (pp_page_to_nmdesc(page)->pp != pp_page_to_nmdesc(first)->pp)
		return 0;
	if (!xdp_buff_add_frag(&xdp, page_to_netmem(page), headroom, len, PAGE_SIZE))
		return 0;
	rx_sync(page, len);
	return xdp.flags;
}

/* Takes the last of the pages behind @first, if @flags say that there are any. */
struct page *nbh_xdp_take_page(struct page *first, u32 *flags)
{
	struct skb_shared_info *sinfo = xdp_shinfo(first);
	struct page *page;

	if (!(*flags & XDP_FLAGS_HAS_FRAGS))
		return NULL;
	page = skb_frag_page(&sinfo->frags[--sinfo->nr_frags]);
	if (!sinfo->nr_frags)
		*flags = 0;
	return page;
}

/* Copies from a frame as a device wrote it: see nbh_xdp_add_page(). */
bool nbh_xdp_copy(struct page *first, u32 headroom, u32 size, u32 flags, u32 offset, void *to,
		  u32 len)
{
	rx_sync(first, size);
	return copy_pieces(page_address(first) + headroom, size,
			   flags & XDP_FLAGS_HAS_FRAGS ? xdp_shinfo(first) : NULL, offset, to, len);
}

/* Makes an skb of the frame, metadata and further pages included. The pages stay the caller's if
 * this fails.
 */
struct sk_buff *nbh_xdp_build_skb(const struct xdp_buff *xdp)
{
	const struct skb_shared_info *sinfo = xdp_get_shared_info_from_buff(xdp);
	/* In front of what is cleared below. */
	u32 frags = unlikely(xdp_buff_has_frags(xdp)) ? sinfo->nr_frags : 0;
	struct sk_buff *skb = napi_build_skb(xdp->data_hard_start, xdp->frame_sz);
	long metasize = xdp->data - xdp->data_meta;

	if (unlikely(!skb))
		return NULL;
	skb_mark_for_recycle(skb);
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, xdp->data_end - xdp->data);
	if (metasize > 0)
		skb_metadata_set(skb, metasize);
	if (unlikely(frags))
		xdp_update_skb_frags_info(skb, frags, sinfo->xdp_frags_size, frags * PAGE_SIZE,
					  xdp_buff_get_skb_flags(xdp));
	return skb;
}

struct xdp_frame *nbh_xdp_convert_buff_to_frame(struct xdp_buff *xdp)
{
	return xdp_convert_buff_to_frame(xdp);
}

#ifdef CONFIG_KUNIT
/* Makes a frame of @len bytes in @page, which becomes the frame's: a plain one, or one of a @pool. */
struct xdp_frame *nbh_xdp_frame_of_page(struct page *page, u32 len, bool pool)
{
	struct xdp_rxq_info rxq = {
		.mem.type = pool ? MEM_TYPE_PAGE_POOL : MEM_TYPE_PAGE_SHARED,
	};
	struct xdp_buff xdp;

	xdp_init_buff(&xdp, PAGE_SIZE, &rxq);
	xdp_prepare_buff(&xdp, page_address(page), XDP_PACKET_HEADROOM, len, false);
	return xdp_convert_buff_to_frame(&xdp);
}

/* Takes a reference to the page of a frame. */
struct page *nbh_kunit_xdp_hold(const struct xdp_frame *frame)
{
	struct page *page = virt_to_page(frame->data);

	get_page(page);
	return page;
}

/* Gives it up, and says how many there were. */
int nbh_kunit_page_release(struct page *page)
{
	int count = page_count(page);

	put_page(page);
	return count;
}

/* Adds @page, which becomes the frame's, as a buffer of @len bytes. Without one, the frame says
 * that it has so many bytes more than it has.
 */
void nbh_kunit_xdp_add_frag(struct xdp_frame *frame, struct page *page, u32 len)
{
	struct skb_shared_info *sinfo = xdp_get_shared_info_from_frame(frame);

	if (!xdp_frame_has_frags(frame)) {
		frame->flags |= XDP_FLAGS_HAS_FRAGS;
		sinfo->nr_frags = 0;
		sinfo->xdp_frags_size = 0;
	}
	if (page)
		skb_frag_fill_page_desc(&sinfo->frags[sinfo->nr_frags++], page, 0, len);
	sinfo->xdp_frags_size += len;
}
#endif

/* Gives frames back to where they came from, unless interrupts are off: not for long, and with
 * softirqs off.
 */
bool nbh_xdp_give_back_all(struct xdp_frame *const *frames, size_t count)
{
	struct xdp_frame_bulk bulk;
	size_t i;

	if (!may_give_back())
		return false;
	xdp_frame_bulk_init(&bulk);
	rcu_read_lock();
	for (i = 0; i < count; i++)
		xdp_return_frame_bulk(frames[i], &bulk);
	xdp_flush_frame_bulk(&bulk);
	rcu_read_unlock();
	return true;
}

/* Gives a frame back to where it came from, unless interrupts are off. */
bool nbh_xdp_give_back(struct xdp_frame *frame)
{
	if (!may_give_back())
		return false;
	xdp_return_frame(frame);
	return true;
}

/* Bytes of all its buffers. */
u32 nbh_xdp_frame_len(const struct xdp_frame *frame)
{
	return xdp_get_frame_len(frame);
}

static const struct skb_shared_info *frame_shinfo(const struct xdp_frame *frame)
{
	return xdp_frame_has_frags(frame) ? xdp_get_shared_info_from_frame(frame) : NULL;
}

/* Its buffers behind the first, up to the last one that has bytes. */
u32 nbh_xdp_frame_frags(const struct xdp_frame *frame)
{
	const struct skb_shared_info *sinfo = frame_shinfo(frame);
	u32 frags = sinfo ? sinfo->nr_frags : 0;

	while (frags && !skb_frag_size(&sinfo->frags[frags - 1]))
		frags--;
	return frags;
}

/* Copies @len bytes of a frame from @offset on. False if it is shorter. */
bool nbh_xdp_frame_copy(const struct xdp_frame *frame, u32 offset, void *to, u32 len)
{
	return copy_pieces(frame->data, frame->len, frame_shinfo(frame), offset, to, len);
}

/* Maps buffer @i behind the first, which there is, unless its length @len is 0: nothing may be
 * mapped of none.
 */
dma_addr_t nbh_xdp_frame_map_frag(struct device *dev, const struct xdp_frame *frame, u32 i,
				  u32 *len)
{
	const skb_frag_t *frag = &frame_shinfo(frame)->frags[i];

	*len = skb_frag_size(frag);
	if (unlikely(!*len))
		return DMA_MAPPING_ERROR;
	return nbh_checked(dev, skb_frag_dma_map(dev, frag, 0, *len, DMA_TO_DEVICE));
}

/* The same for the first buffer, whose length is known, and is not 0. */
dma_addr_t nbh_xdp_frame_map(struct device *dev, const struct xdp_frame *frame)
{
	return nbh_checked(dev, dma_map_single(dev, frame->data, frame->len, DMA_TO_DEVICE));
}

/* Tells whoever watches that @prog or what it asked for failed. */
void nbh_trace_xdp_exception(const struct net_device *dev, const struct bpf_prog *prog, u32 act)
{
	trace_xdp_exception(dev, prog, act);
}

/* @frag_size: bytes of the memory each further buffer of a frame is alone in; 0: programs do not
 * let the last one grow.
 */
int nbh_xdp_rxq_info_reg(struct xdp_rxq_info *rxq, struct net_device *dev, u32 queue,
			 u32 frag_size)
{
	return __xdp_rxq_info_reg(rxq, dev, queue, 0, frag_size);
}

/* Whether a program can be shown frames of several buffers. */
bool nbh_xdp_takes_frags(const struct bpf_prog *prog)
{
	return prog->aux->xdp_has_frags;
}

/* Gives a frame back, with what else is in @bulk or when that is flushed, unless interrupts are
 * off: not for long, and with softirqs off.
 */
bool nbh_xdp_return_bulk(struct xdp_frame *frame, struct xdp_frame_bulk *bulk)
{
	if (!may_give_back())
		return false;
	rcu_read_lock();
	xdp_return_frame_bulk(frame, bulk);
	rcu_read_unlock();
	return true;
}

/* Gives back what is in @bulk. False, and it stays there, if there is something and interrupts are
 * off.
 */
bool nbh_xdp_flush_bulk(struct xdp_frame_bulk *bulk)
{
	if (!bulk->count)
		return true;
	if (!may_give_back())
		return false;
	rcu_read_lock();
	xdp_flush_frame_bulk(bulk);
	rcu_read_unlock();
	return true;
}

unsigned int nbh_this_cpu(void)
{
	return raw_smp_processor_id();
}

/* Accounts frames the stack does not know of to BQL and to the transmit watchdog. Says whether
 * the stack sends nothing more until it has heard of completions.
 */
bool nbh_tx_sent_frames(struct netdev_queue *txq, unsigned int bytes)
{
	txq_trans_cond_update(txq);
	netdev_tx_sent_queue(txq, bytes);
	return netif_xmit_stopped(txq);
}
