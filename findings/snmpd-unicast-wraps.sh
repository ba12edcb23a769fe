#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# snmpd 5.9.4 (Debian 5.9.4+dfsg-2+deb13u1), kernel 7.3.4, stock igb, igbvf and virtio_net, QEMU 11.1.3.
#
# IF-MIB has a counter of 64 bits for unicast packets and one for multicast packets. One would expect the
# first to grow by what the port receives. The kernel has no such counter: it has all packets and the
# multicast ones, and snmpd takes one from the other. But the multicast packets may be those of the whole
# device ("commonly calculated at the device level", if_link.h), with the VFs', while the packets are those
# of the PF: with VFs the difference can be negative, and a monitor reads some 18 quintillions of packets.
# Here a VF has joined a group, and 200 frames are sent to it. The model gives them to the PF as well, and
# counts both copies.
#
#     the interface: more multicast packets than packets: yes
#     SNMP, unicast packets: more than 2^63: yes
#
# Why it matters: the graphs of a port jump by 2^64 when VFs are made, and it looks like the driver's
# counters.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}" snmp=5.9.4+dfsg-2+deb13u1 snmpd=5.9.4+dfsg-2+deb13u1
guest "${IGB[@]}" -netdev hubport,id=n1,hubid=0 -device pcie-root-port,id=p1,chassis=2,slot=2 \
	-device virtio-net-pci,bus=p1,netdev=n1,romfile= <<'SCRIPT'
modprobe -a igb igbvf virtio_net
sleep 1
pf=$(basename /sys/bus/pci/drivers/igb/*/net/*)
peer=$(basename /sys/bus/virtio/drivers/virtio_net/virtio*/net/*)
set_vfs "$pf" 1
sleep 1
vf=$(basename "/sys/class/net/$pf/device/virtfn0/net/"*)
for interface in "$pf" "$peer" "$vf"; do ip link set "$interface" up; done
until grep -q 1 "/sys/class/net/$vf/carrier"; do sleep 0.2; done
ip maddr add 01:00:5e:7f:00:01 dev "$vf"
sleep 1
python3 - "$peer" <<'PYTHON'
import socket, sys

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((sys.argv[1], 0x88B5))
for _ in range(200):
    wire.send(bytes.fromhex("01005e7f0001" "020000000001" "88b5") + bytes(60))
PYTHON
# The driver reads the device's counters every two seconds.
sleep 5
printf 'agentaddress udp:127.0.0.1:1161\nrocommunity public\n' >/tmp/snmpd.conf
snmpd -C -c /tmp/snmpd.conf -Lf /dev/null
ask() {
	snmpget -v 2c -c public -t 5 -Oqv 127.0.0.1:1161 "1.3.6.1.2.1.31.1.1.1.7.$(cat "/sys/class/net/$pf/ifindex")"
}
until ask >/dev/null 2>&1; do sleep 0.5; done
cd "/sys/class/net/$pf/statistics"
unicast=$(ask)
echo "# packets $(cat rx_packets), multicast $(cat multicast); SNMP, unicast packets: $unicast" >&2
[ "$(cat multicast)" -gt "$(cat rx_packets)" ] && more=yes || more=no
echo "the interface: more multicast packets than packets: $more"
python3 -c 'import sys; print("SNMP, unicast packets: more than 2^63:", "yes" if int(sys.argv[1]) > 1 << 63 else "no")' "$unicast"
SCRIPT
expect "the interface: more multicast packets than packets: yes" \
	"SNMP, unicast packets: more than 2^63: yes"
