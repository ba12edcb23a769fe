// SPDX-License-Identifier: GPL-2.0

#include <net/devlink.h>

struct devlink *nbh_devlink_alloc(const struct devlink_ops *ops, unsigned int priv_size,
				  struct device *dev)
{
	return devlink_alloc(ops, priv_size, dev);
}
