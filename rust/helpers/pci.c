// SPDX-License-Identifier: GPL-2.0

#include <linux/aer.h>
#include <linux/kernel.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/pm_wakeup.h>

int nbh_pci_request_mem_regions(struct pci_dev *pdev, const char *name)
{
	return pci_request_mem_regions(pdev, name);
}

void nbh_pci_release_mem_regions(struct pci_dev *pdev)
{
	pci_release_mem_regions(pdev);
}

bool nbh_pci_bar_is_memory(struct pci_dev *pdev, int bar)
{
	return pci_resource_flags(pdev, bar) & IORESOURCE_MEM;
}

bool nbh_pci_is_enabled(struct pci_dev *pdev)
{
	return pci_is_enabled(pdev);
}

#ifndef CONFIG_PCI_IOV
int nbh_pci_enable_sriov(struct pci_dev *pdev, int nr_vfs)
{
	return pci_enable_sriov(pdev, nr_vfs);
}

void nbh_pci_disable_sriov(struct pci_dev *pdev)
{
	pci_disable_sriov(pdev);
}

int nbh_pci_num_vf(struct pci_dev *pdev)
{
	return pci_num_vf(pdev);
}

int nbh_pci_sriov_set_totalvfs(struct pci_dev *pdev, u16 nr_vfs)
{
	return pci_sriov_set_totalvfs(pdev, nr_vfs);
}
#endif

/* Of several devices behind ports of one switch, @pdev is behind the first. What is behind a port
 * is found by the list of all devices, which holds those it shows, as they hold the bus they are
 * on and the port above: what a port says is behind it may go meanwhile.
 */
bool nbh_pci_is_behind_first_port(struct pci_dev *pdev)
{
	struct pci_dev *port = pci_upstream_bridge(pdev);
	struct pci_dev *other = NULL;

	if (!port || pci_pcie_type(port) != PCI_EXP_TYPE_DOWNSTREAM)
		return true;
	for_each_pci_dev(other) {
		struct pci_dev *above = pci_upstream_bridge(other);

		if (above && above->bus == port->bus && above->devfn < port->devfn) {
			pci_dev_put(other);
			return false;
		}
	}
	return true;
}

/* @pdev waits for completions as @range says, unless another range was chosen. */
void nbh_pcie_default_completion_timeout(struct pci_dev *pdev, u16 range)
{
	u16 control;

	if (pcie_capability_read_word(pdev, PCI_EXP_DEVCTL2, &control) ||
	    control & PCI_EXP_DEVCTL2_COMP_TIMEOUT)
		return;
	pcie_capability_set_word(pdev, PCI_EXP_DEVCTL2, range & PCI_EXP_DEVCTL2_COMP_TIMEOUT);
}

/* The @n-th VF (from 0) of @pf with a reference taken, or NULL. */
struct pci_dev *nbh_pci_get_vf(struct pci_dev *pf, int n)
{
	int devfn = pci_iov_virtfn_devfn(pf, n);
	unsigned int bus;

	if (devfn < 0)
		return NULL;
	/* On the bus of @pf or one behind it: pci_iov_virtfn_bus() is not exported. */
	for (bus = pf->bus->number; bus <= pf->bus->busn_res.end; bus++) {
		struct pci_dev *vf;

		vf = pci_get_domain_bus_and_slot(pci_domain_nr(pf->bus), bus, devfn);
		if (vf && vf->is_virtfn && pci_physfn(vf) == pf && pci_iov_vf_id(vf) == n)
			return vf;
		pci_dev_put(vf);
	}
	return NULL;
}

/* @second is suspended before @first and resumed after it. The link goes with either device. */
bool nbh_pci_order_sleep(struct pci_dev *first, struct pci_dev *second)
{
	return device_link_add(&second->dev, &first->dev, DL_FLAG_STATELESS);
}

/* D3hot, in which the device raises PME or does not. A state that is not reached changes nothing
 * for a machine that loses its power.
 */
void nbh_pci_enter_d3(struct pci_dev *pdev, bool wakes)
{
	pci_wake_from_d3(pdev, wakes);
	pci_set_power_state(pdev, PCI_D3hot);
}

bool nbh_system_powers_off(void)
{
	return system_state == SYSTEM_POWER_OFF;
}

/* An inline of a kernel that does not sleep. */
void nbh_pm_wakeup_event(struct device *dev)
{
	pm_wakeup_event(dev, 0);
}

/* An inline of a kernel that does not sleep. */
int nbh_device_set_wakeup(struct device *dev, bool enable)
{
	return device_set_wakeup_enable(dev, enable);
}

bool nbh_device_trylock(struct device *dev)
{
	return device_trylock(dev);
}

void nbh_device_unlock(struct device *dev)
{
	device_unlock(dev);
}

/* That the data of a device's driver is there, which its callbacks of runtime PM need. The PM core
 * may call them at any time between the beginning of a probe and the end of an unbinding, if an
 * attempt to wake the device has failed: it is not active then, and whoever wants it tries again.
 */
struct sleep_gate {
	struct list_head open;
	struct device *dev;
};

static LIST_HEAD(open_gates);
/* Nothing that is managed: a callback does not know whether it still is. */
static DEFINE_SPINLOCK(open_gates_lock);

static void close_gate(struct sleep_gate *gate)
{
	spin_lock(&open_gates_lock);
	list_del_init(&gate->open);
	spin_unlock(&open_gates_lock);
}

static void sleep_gate_release(struct device *dev, void *res)
{
	close_gate(res);
}

/* The gate of a device that is being probed: closed. */
int nbh_pm_make_gate(struct pci_dev *pdev)
{
	struct sleep_gate *gate = devres_alloc(sleep_gate_release, sizeof(*gate), GFP_KERNEL);

	if (!gate)
		return -ENOMEM;
	INIT_LIST_HEAD(&gate->open);
	gate->dev = &pdev->dev;
	devres_add(&pdev->dev, gate);
	return 0;
}

/* Whether the gate of @dev is open, and what was written before it was opened can be read. In a
 * callback of runtime PM: it stays so until that returns.
 */
bool nbh_pm_gate_is_open(const struct device *dev)
{
	struct sleep_gate *gate;
	bool open = false;

	spin_lock(&open_gates_lock);
	list_for_each_entry(gate, &open_gates, open)
		open |= gate->dev == dev;
	spin_unlock(&open_gates_lock);
	return open;
}

/* The driver has been probed: what the PCI core holds for it is given up. A device that sleeps is
 * woken before the system sleeps, so that its driver can have it watch for what is to wake that.
 */
void nbh_pm_allow_sleep(struct pci_dev *pdev, int delay_ms)
{
	struct sleep_gate *gate = devres_find(&pdev->dev, sleep_gate_release, NULL, NULL);

	spin_lock(&open_gates_lock);
	list_add(&gate->open, &open_gates);
	spin_unlock(&open_gates_lock);
	dev_pm_set_driver_flags(&pdev->dev, DPM_FLAG_NO_DIRECT_COMPLETE);
	pm_runtime_set_autosuspend_delay(&pdev->dev, delay_ms);
	pm_runtime_use_autosuspend(&pdev->dev);
	pm_runtime_mark_last_busy(&pdev->dev);
	pm_runtime_put_noidle(&pdev->dev);
}

/* The driver is about to go: its callbacks have returned, and are not called any more. The device
 * counts as active even if it could not be woken, so that nobody tries again. If it cannot, as what
 * is above it sleeps, its runtime PM stays off until the device goes.
 */
void nbh_pm_forbid_sleep(struct pci_dev *pdev)
{
	struct device *dev = &pdev->dev;

	pm_runtime_get_noresume(dev);
	if (dev->parent)
		pm_runtime_get_sync(dev->parent);
	pm_runtime_disable(dev);
	/* If somebody else has turned it off as well, that was not waited for. */
	pm_runtime_barrier(dev);
	close_gate(devres_find(dev, sleep_gate_release, NULL, NULL));
	if (!pm_runtime_set_active(dev))
		pm_runtime_enable(dev);
	if (dev->parent)
		pm_runtime_put(dev->parent);
	pm_runtime_dont_use_autosuspend(dev);
}

int nbh_pm_resume_and_get(struct pci_dev *pdev)
{
	return pm_runtime_resume_and_get(&pdev->dev);
}

void nbh_pm_put_later(struct pci_dev *pdev)
{
	pm_runtime_mark_last_busy(&pdev->dev);
	pm_runtime_put_autosuspend(&pdev->dev);
}
