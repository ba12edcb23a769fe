// SPDX-License-Identifier: GPL-2.0

#include <linux/device.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/pci.h>

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

/* As pci_irq_type(), which kernels before 7.3 lack. */
unsigned int nbh_irq_type(struct pci_dev *pdev)
{
	if (pdev->msix_enabled)
		return PCI_IRQ_MSIX;
	return pdev->msi_enabled ? PCI_IRQ_MSI : PCI_IRQ_INTX;
}

#if IS_ENABLED(CONFIG_KUNIT)
/* An interrupt nothing but nbh_kunit_irq_fire() raises; negative on failure. */
int nbh_kunit_irq_alloc(void)
{
	int irq = irq_alloc_desc(NUMA_NO_NODE);

	if (irq >= 0) {
		irq_set_chip_and_handler(irq, &dummy_irq_chip, handle_simple_irq);
		irq_clear_status_flags(irq, IRQ_NOREQUEST);
	}
	return irq;
}

void nbh_kunit_irq_fire(unsigned int irq)
{
	generic_handle_irq_safe(irq);
}

void nbh_kunit_irq_free(unsigned int irq)
{
	irq_free_desc(irq);
}
#endif
