#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# netplan 1.1.2 (Debian 1.1.2-7), systemd 257.13, kernel 7.3.4, stock igb, QEMU 11.1.3.
#
# The file has "match: {driver: igb}" and a number of VFs, and the machine has two such ports. netplan
# has an error for this, "matched more than one interface for a PF device", so one would expect that. In
# fact two ports pass: it counts those found before the one at hand and complains if they are more than
# one, that is at the third. It then takes the first of a set of strings, whose order changes
# from run to run, makes the VFs on that port, and is content.
#
#     4 runs, 0 of them failed, messages: 0
#     VFs of the two ports: 0 1
#     VFs of the two ports: 1 0
#
# Why it matters: most SR-IOV cards have two ports with one driver. After a reboot the VFs may be on the
# other port, and after a second "apply" on both, which looks like a PF driver that forgets its VFs.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
guest "${IGB[@]}" -netdev hubport,id=n1,hubid=1 -device pcie-root-port,id=p1,chassis=2,slot=2 \
	-device igb,bus=p1,netdev=n1,mac=52:54:00:00:00:02 <<'SCRIPT'
udev
mkdir -p /etc/netplan /run/systemd/system
cat >/etc/netplan/pf.yaml <<-YAML
	network:
	  version: 2
	  ethernets:
	    uplink:
	      match: {driver: igb}
	      virtual-function-count: 1
YAML
chmod 600 /etc/netplan/pf.yaml

vfs() { cat /sys/class/net/enp1s0/device/sriov_numvfs /sys/class/net/enp2s0/device/sriov_numvfs; }

failed=0
for seed in 1 2 3 4; do
	# Python orders a set of strings by this number, which otherwise is a random one.
	PYTHONHASHSEED=$seed netplan apply --sriov-only || failed=$((failed + 1))
	echo "VFs of the two ports: $(vfs | busybox xargs)"
	set_vfs enp1s0 0
	set_vfs enp2s0 0
done >/tmp/runs 2>/tmp/errors
echo "4 runs, $failed of them failed, messages: $(grep -ci match /tmp/errors)"
sort -u /tmp/runs
SCRIPT
expect "4 runs, 0 of them failed, messages: 0" \
	"VFs of the two ports: 0 1" \
	"VFs of the two ports: 1 0"
