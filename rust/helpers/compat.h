/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the helpers use and a kernel may lack. A macro says by itself whether it is there; each of
 * these is the kernel's own as soon as the kernel has it. The Rust side of this is net/compat.rs.
 */

#ifndef IGB_RS_HELPERS_COMPAT_H
#define IGB_RS_HELPERS_COMPAT_H

#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>

#ifndef raw_spin_lock_irq_disable
/*
 * Interrupts that are off until as many locks are released as were taken: before the kernel could
 * count them itself (7.3). The count is only touched with interrupts off, and by its own CPU.
 */
struct nbh_irq_off {
	unsigned long flags;	/* of before the first */
	unsigned int depth;
};

static DEFINE_PER_CPU(struct nbh_irq_off, nbh_irq_off);

static inline void nbh_irq_off_begin(void)
{
	unsigned long flags;
	struct nbh_irq_off *off;

	local_irq_save(flags);
	/* Held until interrupts are back, so that who is to be scheduled meanwhile is so then. */
	preempt_disable();
	off = this_cpu_ptr(&nbh_irq_off);
	if (!off->depth++)
		off->flags = flags;
}

static inline void nbh_irq_off_end(void)
{
	struct nbh_irq_off *off = this_cpu_ptr(&nbh_irq_off);

	if (!--off->depth)
		local_irq_restore(off->flags);
	preempt_enable();
}

static inline void raw_spin_lock_irq_disable(raw_spinlock_t *lock)
{
	nbh_irq_off_begin();
	raw_spin_lock(lock);
}

static inline bool raw_spin_trylock_irq_disable(raw_spinlock_t *lock)
{
	nbh_irq_off_begin();
	if (raw_spin_trylock(lock))
		return true;
	nbh_irq_off_end();
	return false;
}

static inline void raw_spin_unlock_irq_enable(raw_spinlock_t *lock)
{
	raw_spin_unlock(lock);
	nbh_irq_off_end();
}
#endif

#endif
