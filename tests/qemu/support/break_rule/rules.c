// SPDX-License-Identifier: GPL-2.0
/*
 * Breaks one rule of the kernel while it is loaded, and then refuses to stay. For the rules the
 * kernel's own test modules do not break in a way its detectors can see.
 */

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <net/net_namespace.h>
#include <net/page_pool/helpers.h>

static char *rule = "";
module_param(rule, charp, 0);

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static void sleep_in_atomic_context(void)
{
	preempt_disable();
	might_sleep();
	preempt_enable();
}

/* No deadlock: there is one thread. */
static void take_locks_in_opposite_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static int unmap_what_was_never_mapped(void)
{
	struct platform_device *device =
		platform_device_register_simple("break_rule", PLATFORM_DEVID_NONE, NULL, 0);

	if (IS_ERR(device))
		return PTR_ERR(device);
	dma_unmap_single(&device->dev, 0x100000, 64, DMA_TO_DEVICE);
	platform_device_unregister(device);
	return -ECANCELED;
}

static unsigned long counted_by_two;

static int count(void *unused)
{
	while (!kthread_should_stop()) {
		counted_by_two++;
		cond_resched();
	}
	return 0;
}

/* race.rs */
unsigned long count_in_rust(void);

static int count_with_rust(void *unused)
{
	while (!kthread_should_stop()) {
		count_in_rust();
		cond_resched();
	}
	return 0;
}

static int run_in_two_threads(int (*body)(void *))
{
	struct task_struct *other, *one = kthread_run(body, NULL, "one");

	if (IS_ERR(one))
		return PTR_ERR(one);
	other = kthread_run(body, NULL, "other");
	if (!IS_ERR(other)) {
		ssleep(3);
		kthread_stop(other);
	}
	kthread_stop(one);
	return IS_ERR(other) ? PTR_ERR(other) : -ECANCELED;
}

#define KEPT_SECONDS 10

static int keep_a_page_of_a_pool_that_is_gone(void)
{
	struct page_pool_params params = {
		.pool_size = 16,
		.nid = NUMA_NO_NODE,
		.netdev = init_net.loopback_dev,
	};
	struct page_pool *pool = page_pool_create(&params);
	struct page *page;

	if (IS_ERR(pool))
		return PTR_ERR(pool);
	page = page_pool_dev_alloc_pages(pool);
	page_pool_destroy(pool);
	if (!page)
		return -ENOMEM;
	ssleep(KEPT_SECONDS);
	page_pool_put_full_page(pool, page, false);
	return -ECANCELED;
}

static void expire(struct timer_list *unused)
{
}

/* What watches it stops the timer. */
static int free_a_timer_that_runs(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return -ENOMEM;
	timer_setup(timer, expire, 0);
	mod_timer(timer, jiffies + 60 * HZ);
	kfree(timer);
	return -ECANCELED;
}

/* As a device writes: unseen by KASAN. */
static noinline __no_sanitize_address void write_unseen(u8 *to)
{
	WRITE_ONCE(*to, 0x55);
}

static int write_to_a_page_given_back(void)
{
	struct page *again, *page = alloc_page(GFP_KERNEL);
	u8 *memory;

	if (!page)
		return -ENOMEM;
	memory = page_address(page);
	/* The page a processor gave back last is the one it gets next. */
	preempt_disable();
	__free_page(page);
	write_unseen(memory);
	again = alloc_page(GFP_ATOMIC);
	preempt_enable();
	if (!again)
		return -ENOMEM;
	__free_page(again);
	return again == page ? -ECANCELED : -EAGAIN;
}

/*
 * What this module gave back is used by the kernel proper, one part of it after the other: detectors
 * have to be at work in these as well. All zeroes, so that nothing else comes of it.
 */

static int have_the_network_use_memory_given_back(void)
{
	struct sk_buff *skb = kzalloc(sizeof(*skb), GFP_KERNEL);

	if (!skb)
		return -ENOMEM;
	kfree(skb);
	skb_push(skb, 0);
	return -ECANCELED;
}

static int have_pci_use_memory_given_back(void)
{
	struct pci_dev *device = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, NULL);
	struct pci_device_id *ids;

	if (!device)
		return -ENODEV;
	/* The first may be overwritten when it is given back, another ends the table. */
	ids = kcalloc(4, sizeof(*ids), GFP_KERNEL);
	if (ids) {
		kfree(ids);
		pci_match_id(ids, device);
	}
	pci_dev_put(device);
	return ids ? -ECANCELED : -ENOMEM;
}

static int have_dma_use_memory_given_back(void)
{
	struct device *device = kzalloc(sizeof(*device), GFP_KERNEL);

	if (!device)
		return -ENOMEM;
	kfree(device);
	return dma_set_mask(device, DMA_BIT_MASK(32)) == -EIO ? -ECANCELED : -EINVAL;
}

static int __init break_rule_init(void)
{
	if (!strcmp(rule, "sleep"))
		sleep_in_atomic_context();
	else if (!strcmp(rule, "locks"))
		take_locks_in_opposite_order();
	else if (!strcmp(rule, "dma"))
		return unmap_what_was_never_mapped();
	else if (!strcmp(rule, "pages"))
		return keep_a_page_of_a_pool_that_is_gone();
	else if (!strcmp(rule, "object"))
		return free_a_timer_that_runs();
	else if (!strcmp(rule, "page_given_back"))
		return write_to_a_page_given_back();
	else if (!strcmp(rule, "network_after_free"))
		return have_the_network_use_memory_given_back();
	else if (!strcmp(rule, "pci_after_free"))
		return have_pci_use_memory_given_back();
	else if (!strcmp(rule, "dma_after_free"))
		return have_dma_use_memory_given_back();
	else if (!strcmp(rule, "race"))
		return run_in_two_threads(count);
	else if (!strcmp(rule, "race_in_rust"))
		return run_in_two_threads(count_with_rust);
	else
		return -EINVAL;
	return -ECANCELED;
}
module_init(break_rule_init);

MODULE_DESCRIPTION("Shows that detectors are awake");
MODULE_LICENSE("GPL");
