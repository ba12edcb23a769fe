#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lldpd 1.0.18 (Debian 1.0.18-1+b1), kernel 7.3.4, stock igb and igbvf, QEMU 11.1.3.
#
# A host has lldpd at its port and at a VF of it; the card switches between them. An LLDP frame says which
# chassis has sent it. One would expect the daemon to ignore frames of its own chassis, as spanning tree and
# LACP do with their own. In fact it lists itself: at each of the two, its neighbour is its own host.
#
#     at the PF: a neighbour of the own chassis: yes
#     at the VF: a neighbour of the own chassis: yes
#
# Why it matters: an inventory of cables has a host that is plugged into itself, and the real neighbour of
# the port is one of several. It looks like frames that the driver returns to their sender.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}" lldpd=1.0.18-1+b1
guest "${IGB[@]}" <<'SCRIPT'
modprobe -a igb igbvf
sleep 1
set_vfs eth0 1
sleep 1
for interface in eth0 eth1; do ip link set $interface up; done
until grep -q 1 /sys/class/net/eth1/carrier; do sleep 0.2; done
# What the package would set up if it were installed.
grep -qs '^_lldpd:' /etc/passwd || {
	echo "_lldpd:x:970:970::/run/lldpd:/usr/sbin/nologin" >>/etc/passwd
	echo "_lldpd:x:970:" >>/etc/group
}
lldpd -I eth0,eth1
tries=0
until [ "$(lldpcli -f keyvalue show neighbors | grep -c '\.chassis\.mac=')" -ge 2 ] || [ $tries = 40 ]; do
	tries=$((tries + 1))
	sleep 1
	lldpcli update >/dev/null
done
own=$(lldpcli -f keyvalue show chassis | sed -n 's/.*chassis\.mac=//p')
for place in PF:eth0 VF:eth1; do
	heard=$(lldpcli -f keyvalue show neighbors | sed -n "s/^lldp\.${place#*:}\.chassis\.mac=//p")
	[[ -n $own && " $(echo $heard) " == *" $own "* ]] && itself=yes || itself=no
	echo "at the ${place%:*}: a neighbour of the own chassis: $itself"
done
SCRIPT
expect "at the PF: a neighbour of the own chassis: yes" \
	"at the VF: a neighbour of the own chassis: yes"
