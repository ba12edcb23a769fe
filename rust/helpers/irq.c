// SPDX-License-Identifier: GPL-2.0

#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/pci.h>

/* Hints that @irq be served by the @n-th CPU counted from those local to @pdev. */
int nbh_irq_hint_local_cpu(struct pci_dev *pdev, unsigned int irq, unsigned int n)
{
	unsigned int cpu = cpumask_local_spread(n, dev_to_node(&pdev->dev));

	return irq_update_affinity_hint(irq, get_cpu_mask(cpu));
}

int nbh_irq_clear_affinity_hint(unsigned int irq)
{
	return irq_update_affinity_hint(irq, NULL);
}
