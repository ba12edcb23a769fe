#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# systemd 257.13, kernel 7.3.4 (Debian 7.3.4-1~bpo13+1), stock igb, QEMU 11.1.3.
#
# A .network file of a PF has an address and, for VF 0, four settings that C igb knows. With them all is
# well. A fifth line, LinkState=auto, asks for what every VF has, but igb cannot set a link state. One
# would expect a warning, and the rest as before; or, at worst, a VF that has none of the settings. In
# fact a VF's settings are one netlink request, which the kernel applies in an order of its own up to
# the first that fails: MAC, VLAN and spoof check stay, trust (behind the link state in the kernel, ahead
# of it in the file) is lost. And the PF itself is "failed": in the 15 s of the run it gets no address.
#
#     without LinkState=: ... 02:00:00:00:00:77 ..., vlan 5, spoof checking off, link-state auto, trust on
#     without LinkState=: addresses: 1
#     with LinkState=auto: ... 02:00:00:00:00:77 ..., vlan 5, spoof checking off, link-state auto, trust off
#     with LinkState=auto: addresses: 0
#     enp1s0: Could not set up SR-IOV: Operation not supported
#
# Why it matters: whether a PF driver has one optional callback for VFs decides if a host that uses
# another one comes back on the network. "Not supported" from any of them is worth a second thought.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
guest "${IGB[@]}" <<'SCRIPT'
udev
modprobe -a igb igbvf
udevadm settle
systemd-sysusers >/dev/null 2>&1
mkdir -p /run/systemd/network /run/systemd/netif/{links,leases,lldp}
chown -R systemd-network /run/systemd/netif

# run LABEL LINE...: networkd with a file that sets five things of VF 0 and an address of the PF
run() {
	local label=$1
	shift
	set_vfs enp1s0 0
	ip address flush dev enp1s0
	ip link set enp1s0 down
	set_vfs enp1s0 1
	printf '%s\n' '[Match]' Name=enp1s0 '[Network]' Address=192.0.2.1/24 LinkLocalAddressing=no \
		'[SR-IOV]' VirtualFunction=0 MACAddress=02:00:00:00:00:77 VLANId=5 MACSpoofCheck=no \
		Trust=yes "$@" >/run/systemd/network/pf.network
	SYSTEMD_LOG_TARGET=console timeout 15 /usr/lib/systemd/systemd-networkd >/tmp/log 2>&1
	echo "$label: $(ip link show enp1s0 | sed -n 's/^ *vf 0 *//p')"
	echo "$label: addresses: $(ip -4 -oneline address show dev enp1s0 | grep -c 192.0.2.1)"
	grep -o 'enp1s0: Could not set.*' /tmp/log | sort -u
}

run "without LinkState="
run "with LinkState=auto" LinkState=auto
SCRIPT
expect \
	"without LinkState=: link/ether 02:00:00:00:00:77 brd ff:ff:ff:ff:ff:ff, vlan 5, spoof checking off, link-state auto, trust on" \
	"without LinkState=: addresses: 1" \
	"with LinkState=auto: link/ether 02:00:00:00:00:77 brd ff:ff:ff:ff:ff:ff, vlan 5, spoof checking off, link-state auto, trust off" \
	"with LinkState=auto: addresses: 0" \
	"enp1s0: Could not set up SR-IOV: Operation not supported"
