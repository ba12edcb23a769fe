// SPDX-License-Identifier: GPL-2.0
/*
 * Test module: while loaded, a PCI function appears not to have some kinds of interrupt. The device
 * model cannot be told to leave them out.
 */
#include <linux/module.h>
#include <linux/pci.h>

static char *device;
module_param(device, charp, 0);
MODULE_PARM_DESC(device, "function, as 0000:01:00.0");

static bool msi;
module_param(msi, bool, 0);
MODULE_PARM_DESC(msi, "leave MSI");

static bool intx;
module_param(intx, bool, 0);
MODULE_PARM_DESC(intx, "leave INTx");

static struct pci_dev *pdev;
static u8 msix_cap, msi_cap, pin;
static unsigned int irq;

static int __init limit_irqs_init(void)
{
	unsigned int domain, bus, slot, function;

	if (!device || sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!pdev)
		return -ENODEV;
	msix_cap = pdev->msix_cap;
	msi_cap = pdev->msi_cap;
	pin = pdev->pin;
	irq = pdev->irq;
	pdev->msix_cap = 0;
	if (!msi)
		pdev->msi_cap = 0;
	if (!intx) {
		pdev->pin = 0;
		pdev->irq = 0;
	}
	return 0;
}

static void __exit limit_irqs_exit(void)
{
	pdev->msix_cap = msix_cap;
	pdev->msi_cap = msi_cap;
	pdev->pin = pin;
	if (!intx)
		pdev->irq = irq;
	pci_dev_put(pdev);
}

module_init(limit_irqs_init);
module_exit(limit_irqs_exit);
MODULE_DESCRIPTION("Hides interrupt capabilities of a PCI function");
MODULE_LICENSE("GPL");
