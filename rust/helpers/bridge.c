// SPDX-License-Identifier: GPL-2.0

#include <linux/netdevice.h>

bool nbh_netif_is_bridge_master(const struct net_device *dev)
{
	return netif_is_bridge_master(dev);
}

bool nbh_netif_is_bridge_port(const struct net_device *dev)
{
	return netif_is_bridge_port(dev);
}
