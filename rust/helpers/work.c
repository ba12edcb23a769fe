// SPDX-License-Identifier: GPL-2.0

#include <linux/timer.h>
#include <linux/workqueue.h>

/*
 * INIT_DELAYED_WORK() makes one lock class per place in the source, which here would be one
 * for all: the keys come from the caller.
 */
void nbh_init_delayed_work(struct delayed_work *dwork, work_func_t func, const char *name,
			   struct lock_class_key *work_key, struct lock_class_key *timer_key)
{
	__init_work(&dwork->work, 0);
	dwork->work.data = (atomic_long_t)WORK_DATA_INIT();
	lockdep_init_map(&dwork->work.lockdep_map, name, work_key, 0);
	INIT_LIST_HEAD(&dwork->work.entry);
	dwork->work.func = func;
	timer_init_key(&dwork->timer, delayed_work_timer_fn, TIMER_IRQSAFE, name, timer_key);
}

struct workqueue_struct *nbh_alloc_workqueue(const char *name, unsigned int flags, int max_active)
{
	return alloc_workqueue("%s", flags, max_active, name);
}
