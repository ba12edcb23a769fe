// SPDX-License-Identifier: GPL-2.0

#include <linux/netdevice.h>
#include <net/switchdev.h>

bool nbh_netif_is_bridge_master(const struct net_device *dev)
{
	return netif_is_bridge_master(dev);
}

bool nbh_netif_is_bridge_port(const struct net_device *dev)
{
	return netif_is_bridge_port(dev);
}

/* Functions, or inlines where the kernel has no switchdev: then nobody ever tells anything. */

int nbh_fdb_register_notifier(struct notifier_block *nb)
{
	return register_switchdev_notifier(nb);
}

int nbh_fdb_unregister_notifier(struct notifier_block *nb)
{
	return unregister_switchdev_notifier(nb);
}

/* Has the bridge of @port call @nb for each of its entries. Under RTNL. */
int nbh_fdb_replay(struct net_device *port, struct net_device *dev, struct notifier_block *nb)
{
#ifdef CONFIG_NET_SWITCHDEV
	return switchdev_bridge_port_replay(port, dev, NULL, nb, NULL, NULL);
#else
	return -EOPNOTSUPP;
#endif
}
