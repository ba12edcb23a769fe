#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# iproute2 6.15.0, kernel 7.3.4 (Debian 7.3.4-1~bpo13+1), stock igb, QEMU 11.1.3.
#
# "ip -json -stats link show" names the counters of a device "bytes" and "packets" in both directions,
# and the same names are used for what a VF received. One would expect them for what a VF sent. In fact
# those are "tx_bytes" and "tx_packets", within an object that is called "tx" already. Beside it, a VF
# without a VLAN has a list of one VLAN, which is empty.
#
#     device, rx: ["bytes","packets"]
#     device, tx: ["bytes","packets"]
#     VF, rx: ["bytes","packets"]
#     VF, tx: ["tx_bytes","tx_packets"]
#     VLAN of a VF that has none: [{}]
#
# Why it matters: whoever writes a test of a PF driver's VF counters with the obvious path,
# ".stats.tx.bytes", compares null and blames ndo_get_vf_stats; "vlan_list | length" is 1 for each VF.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
guest "${IGB[@]}" <<'SCRIPT'
modprobe igb
set_vfs eth0 1
ip -json -stats link show eth0 >/tmp/link
for direction in rx tx; do
	echo "device, $direction: $(jq -c ".[0].stats64.$direction | keys_unsorted[:2]" /tmp/link)"
done
for direction in rx tx; do
	echo "VF, $direction: $(jq -c ".[0].vfinfo_list[0].stats.$direction | keys_unsorted[:2]" /tmp/link)"
done
echo "VLAN of a VF that has none: $(jq -c '.[0].vfinfo_list[0].vlan_list' /tmp/link)"
SCRIPT
expect 'device, rx: ["bytes","packets"]' 'device, tx: ["bytes","packets"]' \
	'VF, rx: ["bytes","packets"]' 'VF, tx: ["tx_bytes","tx_packets"]' \
	'VLAN of a VF that has none: [{}]'
