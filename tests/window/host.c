// SPDX-License-Identifier: GPL-2.0
/* The administrator: settings of the attacker's VF and of the PF, and resets of the PF. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "window.h"

#define PF_BAR_BYTES 0x20000
#define MTU 1500
#define SPEED_MBPS 1000

void host_open(struct host *h, const char *pci, const char *name, int attacker)
{
	struct ifreq request = { 0 };
	char path[64];
	int file;

	memset(h, 0, sizeof(*h));
	h->pci = pci;
	h->attacker = attacker;
	snprintf(h->name, sizeof(h->name), "%s", name);
	h->interface = if_nametoindex(name);
	h->route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	h->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", pci);
	file = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
	if (!h->interface || h->route < 0 || file < 0 ||
	    ioctl(h->control, SIOCGIFHWADDR, &request))
		err(1, "%s", name);
	memcpy(h->address, request.ifr_hwaddr.sa_data, ADDRESS_BYTES);
	h->reg = mmap(NULL, PF_BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (h->reg == MAP_FAILED)
		err(1, "registers of %s", pci);
	close(file);
}

/* One of struct ifla_vf_..., which all begin with the number of the VF. */
static int set_vf(struct host *h, uint16_t kind, const void *value, size_t size)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
		struct rtattr list, vf, setting;
		uint8_t value[64];
	} request = {
		.header = { .nlmsg_type = RTM_SETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.info.ifi_index = h->interface,
		.list.rta_type = IFLA_VFINFO_LIST,
		.vf.rta_type = IFLA_VF_INFO,
		.setting.rta_type = kind,
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t more[256];
	} answer = { 0 };
	size_t padded = NLMSG_ALIGN(size);

	memcpy(request.value, value, size);
	request.setting.rta_len = sizeof(request.setting) + size;
	request.vf.rta_len = sizeof(request.vf) + sizeof(request.setting) + padded;
	request.list.rta_len = sizeof(request.list) + request.vf.rta_len;
	request.header.nlmsg_len = offsetof(typeof(request), list) + request.list.rta_len;
	if (send(h->route, &request, request.header.nlmsg_len, 0) < 0 ||
	    recv(h->route, &answer, sizeof(answer), 0) < 0)
		err(1, "rtnetlink");
	return answer.error.error;
}

static int flag(struct host *h, short bit, bool on)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, IFNAMSIZ, "%s", h->name);
	if (ioctl(h->control, SIOCGIFFLAGS, &request))
		return -errno;
	request.ifr_flags = on ? request.ifr_flags | bit : request.ifr_flags & ~bit;
	return ioctl(h->control, SIOCSIFFLAGS, &request) ? -errno : 0;
}

static int mtu(struct host *h, int bytes)
{
	struct ifreq request = { .ifr_mtu = bytes };

	h->reopened = true;
	snprintf(request.ifr_name, IFNAMSIZ, "%s", h->name);
	return ioctl(h->control, SIOCSIFMTU, &request) ? -errno : 0;
}

static int set_mac(struct host *h, uint32_t argument)
{
	struct ifla_vf_mac mac = { .vf = h->attacker };

	/* None, one of its own, or one that is refused: the PF's. */
	if (argument % 4 == 1)
		memcpy(mac.mac, (uint8_t[]){ 0x02, 0, 0, 1, 0, argument >> 8 }, ADDRESS_BYTES);
	else if (argument % 4 == 2)
		memcpy(mac.mac, h->address, ADDRESS_BYTES);
	return set_vf(h, IFLA_VF_MAC, &mac, sizeof(mac));
}

static int set_vlan(struct host *h, uint32_t argument)
{
	struct ifla_vf_vlan vlan = { .vf = h->attacker };

	if (argument % 3) {
		vlan.vlan = argument % 3 == 1 ? argument >> 8 & 63 : argument >> 8 & 0x1fff;
		vlan.qos = argument >> 24 & 7;
	}
	return set_vf(h, IFLA_VF_VLAN, &vlan, sizeof(vlan));
}

int host_set(struct host *h, enum setting setting, uint32_t argument)
{
	uint32_t vf = h->attacker;
	bool on = argument & 1;

	switch (setting) {
	case SET_MAC:
		return set_mac(h, argument);
	case SET_VLAN:
		return set_vlan(h, argument);
	case SET_SPOOFCHK:
		return set_vf(h, IFLA_VF_SPOOFCHK, &(struct ifla_vf_spoofchk){ vf, on },
			      sizeof(struct ifla_vf_spoofchk));
	case SET_TRUST:
		return set_vf(h, IFLA_VF_TRUST, &(struct ifla_vf_trust){ vf, on },
			      sizeof(struct ifla_vf_trust));
	case SET_STATE:
		return set_vf(h, IFLA_VF_LINK_STATE,
			      &(struct ifla_vf_link_state){ vf, argument % 8
								    ? IFLA_VF_LINK_STATE_AUTO
								    : IFLA_VF_LINK_STATE_DISABLE },
			      sizeof(struct ifla_vf_link_state));
	case SET_RATE:
		return set_vf(h, IFLA_VF_RATE,
			      &(struct ifla_vf_rate){ vf, 0, argument % (SPEED_MBPS + 1) },
			      sizeof(struct ifla_vf_rate));
	case SET_PF_PROMISC:
		h->promisc = on;
		return flag(h, IFF_PROMISC, on);
	case SET_PF_ALLMULTI:
		h->allmulti = on;
		return flag(h, IFF_ALLMULTI, on);
	case SET_PF_MTU:
		h->mtu = true;
		return mtu(h, 576 + argument % 8000);
	case SET_PF_DOWN:
		h->reopened = true;
		return flag(h, IFF_UP, false) | flag(h, IFF_UP, true);
	default:
		return -EINVAL;
	}
}

/* What is no setting of the attacker's VF. */
void host_undo_others(struct host *h)
{
	if ((h->promisc && flag(h, IFF_PROMISC, false)) ||
	    (h->allmulti && flag(h, IFF_ALLMULTI, false)) || (h->mtu && mtu(h, MTU)))
		errx(1, "%s: cannot be set as it was", h->name);
	h->promisc = h->allmulti = h->mtu = false;
}

/* All settings, as a VF has them that was just made; lifts a quarantine. */
void host_undo_all(struct host *h)
{
	host_undo_others(h);
	if (host_set(h, SET_VLAN, 0) || host_set(h, SET_MAC, 0) || host_set(h, SET_TRUST, 0) ||
	    host_set(h, SET_SPOOFCHK, 1) || host_set(h, SET_RATE, 0) || host_set(h, SET_STATE, 1))
		errx(1, "VF %d: cannot be set as it was", h->attacker);
}

/* The kernel notices some time later what has become of the link. */
static bool is_running(const struct host *h)
{
	struct ifreq request = { 0 };

	if (!(h->reg[PF_STATUS / 4] & STATUS_LU))
		return false;
	snprintf(request.ifr_name, IFNAMSIZ, "%s", h->name);
	return !ioctl(h->control, SIOCGIFFLAGS, &request) && request.ifr_flags & IFF_RUNNING;
}

const char *host_settle(struct host *h, uint64_t limit_us)
{
	uint64_t begin = now_us();

	while (h->resets) {
		h->resets = h->reg[PF_VTIVAR_MISC_7 / 4] == MARK;
		if (now_us() - begin > limit_us)
			return "the PF does not reset when the controller asks for it";
		pause_us(500);
	}
	/* A reset has the kernel's lock of network devices, and so has this. */
	if (h->was_reset)
		flag(h, IFF_PROMISC, h->promisc);
	while (!is_running(h)) {
		if (now_us() - begin > limit_us)
			return "the PF has no carrier";
		pause_us(5000);
	}
	return NULL;
}

void host_reset(struct host *h, enum pf_reset how)
{
	char path[64];
	int file;

	if (h->resets)
		host_settle(h, 1000000);
	h->reopened = h->was_reset = true;
	switch (how) {
	case RESET_BY_CAUSE:
		h->resets = true;
		h->reg[PF_VTIVAR_MISC_7 / 4] = MARK;
		h->reg[PF_ICS / 4] = ICS_DRSTA_LSC;
		break;
	default:
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", h->pci);
		file = open(path, O_WRONLY);
		if (file < 0 || write(file, "1", 1) != 1)
			err(1, "%s", path);
		close(file);
	}
}
