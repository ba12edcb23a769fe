#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernel 7.3.4 (Debian 7.3.4-1~bpo13+1), nftables 1.1.3, systemd 257.13, stock igb and igbvf, QEMU 11.1.3.
#
# An ingress chain of the netdev family belongs to a device. One would expect it to need one, and to end
# with it, as a qdisc and its filters do when VFs are removed. In fact the chain stays when the VF has
# gone, it takes hold of the next device of that name by itself, also if that gets the name from udev some
# time after it was made, and it can be added before there ever was such a device.
#
#     chain for a device that never was: status 0
#     no VF: chains 1
#     no VF: the chain has counted no frame
#     the next VF: the old chain has counted some frames
#
# Why it matters: taking VFs away and making them anew is a common way to start afresh, in tests too.
# After it, the next tenant of VF 0 has the rules of the last one. For a test that a misspelt device
# must be refused, it is no error any more.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
guest "${IGB[@]}" <<'SCRIPT'
udev
# A VF has carrier if the PF has been up since before it was made.
ip link set enp1s0 up
until [ "$(cat /sys/class/net/enp1s0/carrier)" = 1 ]; do sleep 1; done
set_vfs enp1s0 1
nft add table netdev filter
nft 'add chain netdev filter in { type filter hook ingress device "enp1s0v0" priority 0; }'
nft add rule netdev filter in counter
echo "chain for a device that never was: status $(
	nft 'add chain netdev filter other { type filter hook ingress device "enp9s9" priority 0; }'
	echo $?
)"

counted() {
	local packets
	packets=$(nft -j list chain netdev filter in |
		jq '.nftables[] | .rule?.expr[0].counter.packets // empty')
	[ "$packets" -gt 0 ] && echo "some frames" || echo "no frame"
}

set_vfs enp1s0 0
echo "no VF: the chain has counted $(counted)"
echo "no VF: chains $(nft list chain netdev filter in | grep -c 'device "enp1s0v0"')"
set_vfs enp1s0 1
ip link set enp1s0v0 up
ip address add 192.0.2.1/24 dev enp1s0
sleep 5
# A broadcast of the PF is given to the VF by the card's switch.
busybox arping -c 3 -I enp1s0 192.0.2.2 >/dev/null
echo "the next VF: the old chain has counted $(counted)"
SCRIPT
expect "chain for a device that never was: status 0" \
	"no VF: chains 1" \
	"no VF: the chain has counted no frame" \
	"the next VF: the old chain has counted some frames"
