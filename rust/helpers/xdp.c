// SPDX-License-Identifier: GPL-2.0
/* XDP: programs run on received frames, and frames without an skb. */

#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/dma-mapping.h>
#include <linux/filter.h>
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

/* Runs @prog on @len bytes that a device wrote @headroom bytes into @page, and returns
 * its verdict. @xdp says where the frame is afterwards.
 *
 * @pool is that of the poll. Who fails to pass a frame on gives its page back as one who may use
 * the cache of the page's pool (xdp_return_frame_rx_napi()): @prog does not see a page of another.
 */
u32 nbh_xdp_run(const struct bpf_prog *prog, struct xdp_rxq_info *rxq,
		const struct page_pool *pool, struct page *page, u32 headroom, u32 len,
		struct xdp_buff *xdp)
{
	void *va = page_address(page);

	if (unlikely(pp_page_to_nmdesc(page)->pp != pool))
		return XDP_ABORTED;
	page_pool_dma_sync_for_cpu(pool, page, 0, len);
	net_prefetch(va + headroom);
	xdp_init_buff(xdp, PAGE_SIZE, rxq);
	xdp_prepare_buff(xdp, va, headroom, len, true);
	return bpf_prog_run_xdp(prog, xdp);
}

/* Makes an skb of the frame, metadata included. The page stays the caller's if this fails. */
struct sk_buff *nbh_xdp_build_skb(const struct xdp_buff *xdp)
{
	struct sk_buff *skb = napi_build_skb(xdp->data_hard_start, xdp->frame_sz);
	long metasize = xdp->data - xdp->data_meta;

	if (unlikely(!skb))
		return NULL;
	skb_mark_for_recycle(skb);
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, xdp->data_end - xdp->data);
	if (metasize > 0)
		skb_metadata_set(skb, metasize);
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
#endif

/* Gives a frame back to where it came from, unless interrupts are off. */
bool nbh_xdp_give_back(struct xdp_frame *frame)
{
	if (!may_give_back())
		return false;
	xdp_return_frame(frame);
	return true;
}

bool nbh_xdp_frame_has_frags(const struct xdp_frame *frame)
{
	return xdp_frame_has_frags(frame);
}

dma_addr_t nbh_xdp_frame_map(struct device *dev, const struct xdp_frame *frame)
{
	return nbh_checked(dev, dma_map_single(dev, frame->data, frame->len, DMA_TO_DEVICE));
}

/* Tells whoever watches that @prog or what it asked for failed. */
void nbh_trace_xdp_exception(const struct net_device *dev, const struct bpf_prog *prog, u32 act)
{
	trace_xdp_exception(dev, prog, act);
}

int nbh_xdp_rxq_info_reg(struct xdp_rxq_info *rxq, struct net_device *dev, u32 queue)
{
	return xdp_rxq_info_reg(rxq, dev, queue, 0);
}

unsigned int nbh_this_cpu(void)
{
	return raw_smp_processor_id();
}

/* Accounts a frame the stack does not know of to BQL and to the transmit watchdog. */
void nbh_tx_sent_frame(struct netdev_queue *txq, unsigned int bytes)
{
	txq_trans_cond_update(txq);
	netdev_tx_sent_queue(txq, bytes);
}
