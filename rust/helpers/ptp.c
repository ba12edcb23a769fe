// SPDX-License-Identifier: GPL-2.0

#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/skbuff.h>

/* NULL from a kernel without such clocks. */
struct ptp_clock *nbh_phc_register(struct ptp_clock_info *info, struct device *parent)
{
	info->owner = THIS_MODULE;
	return ptp_clock_register(info, parent);
}

void nbh_phc_unregister(struct ptp_clock *clock)
{
	ptp_clock_unregister(clock);
}

int nbh_phc_index(struct ptp_clock *clock)
{
	return ptp_clock_index(clock);
}

void nbh_ptp_read_system_prets(struct ptp_system_timestamp *sts)
{
	ptp_read_system_prets(sts);
}

void nbh_ptp_read_system_postts(struct ptp_system_timestamp *sts)
{
	ptp_read_system_postts(sts);
}

/* A timer whose function runs in a softirq of the CPU that has started it. */
void nbh_soft_timer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *))
{
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_SOFT);
}

void nbh_soft_timer_start(struct hrtimer *timer, u64 ns)
{
	hrtimer_start(timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_SOFT);
}

/* The stack is told that a stamp of the device follows. The packet is kept for that. */
void nbh_tx_stamp_begin(struct sk_buff *skb)
{
	skb_shinfo(skb)->tx_flags |= SKBTX_IN_PROGRESS;
	skb_get(skb);
}

/* The packet waits for its stamp, and so has an owner besides the caller. */
bool nbh_tx_awaits_stamp(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->tx_flags & SKBTX_IN_PROGRESS && skb_shared(skb);
}

/* Takes a reference to the device of a queue, which is valid: what is returned. NULL is no device. */
struct net_device *nbh_netdev_hold_of(const struct netdev_queue *txq, netdevice_tracker *tracker)
{
	netdev_hold(txq->dev, tracker, GFP_ATOMIC);
	return txq->dev;
}

void nbh_netdev_put(struct net_device *dev, netdevice_tracker *tracker)
{
	netdev_put(dev, tracker);
}

/* There it is. Gives the packet up. */
void nbh_tx_stamp_deliver(struct sk_buff *skb, s64 ns)
{
	struct skb_shared_hwtstamps stamps = { .hwtstamp = ns_to_ktime(ns) };

	skb_tstamp_tx(skb, &stamps);
	dev_consume_skb_any(skb);
}

void nbh_rx_stamp(struct sk_buff *skb, s64 ns)
{
	*skb_hwtstamps(skb) = (struct skb_shared_hwtstamps){ .hwtstamp = ns_to_ktime(ns) };
}

#if IS_ENABLED(CONFIG_KUNIT)
/* Has a packet ask for a stamp of the device. */
void nbh_kunit_want_stamp(struct sk_buff *skb)
{
	skb_shinfo(skb)->tx_flags |= SKBTX_HW_TSTAMP;
}

bool nbh_kunit_awaits_stamp(struct sk_buff *skb)
{
	return skb_shinfo(skb)->tx_flags & SKBTX_IN_PROGRESS;
}

void nbh_kunit_set_dev(struct sk_buff *skb, struct net_device *dev)
{
	skb->dev = dev;
}

int nbh_kunit_dev_refs(const struct net_device *dev)
{
	return netdev_refcnt_read(dev);
}

s64 nbh_kunit_stamp(struct sk_buff *skb)
{
	return ktime_to_ns(skb_hwtstamps(skb)->hwtstamp);
}
#endif
