// SPDX-License-Identifier: GPL-2.0

#include <linux/device.h>

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
