#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernel 7.3.4 (Debian 7.3.4-1~bpo13+1), iproute2 6.15.0, stock igbvf, QEMU 11.1.3; the
# program is one of xdp-tools 1.5.4.
#
# A VF is moved into a container's network namespace and later comes back. On that way a device is
# closed and loses its addresses and its queueing disciplines, and with clsact all filters. One would
# expect an XDP program to go too, or all filters to stay. In fact the XDP program, here in generic mode,
# goes along in both directions and runs in the other namespace, while the tc filters beside it are gone
# at the first move and do not return.
#
#     at home: XDP programs 1, filters 1
#     in the other namespace: XDP programs 1, filters 0
#     back at home: XDP programs 1, filters 0
#
# Why it matters: "a device that comes from a namespace is clean" is wrong for frames as well as for a
# driver: a program that the tenant loaded drops the next owner's frames, and policy by tc is off after
# a trip that nobody noticed.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
guest "${IGB[@]}" <<'SCRIPT'
modprobe -a igb igbvf
set_vfs eth0 1
sleep 1
ip netns add tenant
ip link set eth1 up
ip link set eth1 xdpgeneric object /usr/lib/x86_64-linux-gnu/bpf/xsk_def_xdp_prog.o section xdp
tc qdisc add dev eth1 clsact
tc filter add dev eth1 ingress matchall action drop

# what HERE IP-OPTION...: what filters frames of the VF
what() {
	local label=$1
	shift
	echo "$label: XDP programs $(ip "$@" link show dev eth1 | grep -c prog/xdp)," \
		"filters $(tc "$@" filter show dev eth1 ingress | grep -c handle)"
}

what "at home"
ip link set eth1 netns tenant
what "in the other namespace" -netns tenant
ip netns exec tenant ip link set eth1 netns 1
what "back at home"
SCRIPT
expect "at home: XDP programs 1, filters 1" \
	"in the other namespace: XDP programs 1, filters 0" \
	"back at home: XDP programs 1, filters 0"
