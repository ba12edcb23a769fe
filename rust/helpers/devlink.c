// SPDX-License-Identifier: GPL-2.0

#include <net/devlink.h>

/* An instance without operations of its own; parameters and reporters are added to it. */
struct devlink *nbh_devlink_alloc(unsigned int priv_size, struct device *dev)
{
	static const struct devlink_ops none;

	return devlink_alloc(&none, priv_size, dev);
}
