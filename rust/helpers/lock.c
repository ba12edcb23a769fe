// SPDX-License-Identifier: GPL-2.0

#include <linux/spinlock.h>

#include "compat.h"

/* raw_spin_lock_init() makes one lock class per place in the source: the key comes from the caller. */
void nbh_raw_spin_lock_init(raw_spinlock_t *lock, const char *name, struct lock_class_key *key)
{
#ifdef CONFIG_DEBUG_SPINLOCK
	__raw_spin_lock_init(lock, name, key, LD_WAIT_SPIN);
#else
	raw_spin_lock_init(lock);
#endif
}

/* Interrupts of this CPU stay off until as many locks are released as were taken in this way. */
void nbh_raw_spin_lock_irq_disable(raw_spinlock_t *lock)
{
	raw_spin_lock_irq_disable(lock);
}

bool nbh_raw_spin_trylock_irq_disable(raw_spinlock_t *lock)
{
	return raw_spin_trylock_irq_disable(lock);
}

void nbh_raw_spin_unlock_irq_enable(raw_spinlock_t *lock)
{
	raw_spin_unlock_irq_enable(lock);
}

void nbh_assert_raw_spin_locked(raw_spinlock_t *lock)
{
	lockdep_assert_held(lock);
}

bool nbh_irqs_disabled(void)
{
	return irqs_disabled();
}
