// SPDX-License-Identifier: GPL-2.0

#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <net/netlink.h>

/* The IFLA_BRIDGE_MODE in the RTM_SETLINK message @nlh, or a negative errno. */
int nbh_bridge_mode_of(struct nlmsghdr *nlh)
{
	struct nlattr *spec, *attr;
	int rem;

	spec = nlmsg_find_attr(nlh, sizeof(struct ifinfomsg), IFLA_AF_SPEC);
	if (!spec)
		return -EINVAL;

	nla_for_each_nested(attr, spec, rem) {
		if (nla_type(attr) != IFLA_BRIDGE_MODE)
			continue;
		if (nla_len(attr) < sizeof(u16))
			return -EINVAL;
		return nla_get_u16(attr);
	}
	return -EOPNOTSUPP;
}
