#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernel 7.3.4 (Debian 7.3.4-1~bpo13+1), iproute2 6.15.0, stock igb, QEMU 11.1.3.
#
# "ip link set PF vf N mac ..." is a change of a link by rtnetlink, so one would expect each change to
# reach those who listen to link events, with the VF's new values, as "ip link show PF" has them. In
# fact the event never has a VF in it, and a PF that is down sends no event at all.
#
#     PF down: 0 events, 0 of them tell of VF 0
#     PF up: 2 events, 0 of them tell of VF 0
#     vf 0     link/ether 02:00:00:00:00:04 brd ff:ff:ff:ff:ff:ff, vlan 4, ... (from "ip link show")
#
# Why it matters: a daemon that keeps VFs as configured, and anything with a cache of links that is fed
# by events, has to ask again after each event, and by the clock for PFs that are down. A driver cannot
# mend it: its callback returns before the event is made, and has no part in what is put there.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
guest "${IGB[@]}" <<'SCRIPT'
modprobe igb
set_vfs eth0 2

# changes STATE: what a listener hears of two changes to a VF
changes() {
	sleep 1
	ip -details monitor link >/tmp/events &
	sleep 1
	ip link set eth0 vf 0 mac "02:00:00:00:00:0$2"
	ip link set eth0 vf 0 vlan "$2"
	sleep 1
	kill $!
	echo "PF $1: $(grep -c 'eth0:' /tmp/events) events, $(grep -c 'vf 0' /tmp/events) of them tell of VF 0"
}

changes down 3
ip link set eth0 up
until [ "$(cat /sys/class/net/eth0/carrier)" = 1 ]; do sleep 1; done
changes up 4
ip link show eth0 | grep "vf 0"
SCRIPT
expect "PF down: 0 events, 0 of them tell of VF 0" \
	"PF up: 2 events, 0 of them tell of VF 0" \
	"vf 0 link/ether 02:00:00:00:00:04 brd ff:ff:ff:ff:ff:ff, vlan 4, spoof checking on, link-state auto, trust off"
