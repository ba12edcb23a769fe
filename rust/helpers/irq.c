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

static void nbh_claim_release(struct device *dev, void *res)
{
}

/* Claims the vectors of a device, which is bound, until they are released or it is unbound. */
int nbh_irq_claim_vectors(struct device *dev)
{
	void *claim = devres_alloc(nbh_claim_release, 1, GFP_KERNEL);

	if (!claim)
		return -ENOMEM;
	/* What is there already, or else this. */
	return devres_get(dev, claim, NULL, NULL) == claim ? 0 : -EBUSY;
}

/* When the device is being unbound, the claim may be gone. */
void nbh_irq_release_vectors(struct device *dev)
{
	devres_destroy(dev, nbh_claim_release, NULL, NULL);
}
