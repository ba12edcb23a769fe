// SPDX-License-Identifier: GPL-2.0
/*
 * Test module: the next page pool that is asked for takes its time, as when memory has to be freed
 * first.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <net/page_pool/helpers.h>

static unsigned int ms;
module_param(ms, uint, 0);
MODULE_PARM_DESC(ms, "how long it takes");

static atomic_t pending = ATOMIC_INIT(1);

static struct page_pool *create_late(const struct page_pool_params *params)
{
	msleep(ms);
	return page_pool_create(params);
}

/* A probe may not sleep: it has the function replaced that was called. */
static int called(struct kprobe *probe, struct pt_regs *regs)
{
	if (atomic_dec_if_positive(&pending) < 0)
		return 0;
	instruction_pointer_set(regs, (unsigned long)create_late);
	return 1;
}

/* A probe with this is not optimized; an optimized one can replace nothing. */
static void after(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe probe = {
	.symbol_name = "page_pool_create",
	.pre_handler = called,
	.post_handler = after,
};

static int __init late_pages_init(void)
{
	return register_kprobe(&probe);
}

static void __exit late_pages_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(late_pages_init);
module_exit(late_pages_exit);
MODULE_DESCRIPTION("Delays the creation of a page pool");
MODULE_LICENSE("GPL");
