#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# systemd 257.13 (udev), kernel 7.3.4 (Debian 7.3.4-1~bpo13+1), QEMU 11.1.3 with SR-IOV of virtio-net.
#
# Two PFs, an 82576 and QEMU's virtio-net with "sriov-pf", have the same .link file but for the
# address: SR-IOVVirtualFunctions=1. One would expect one VF each; udev even gives VFs of
# both kinds names that end in v0. In fact virtio has none and udev is content: it writes to
# "device/sriov_numvfs" of the interface, and a virtio interface's device is not the PCI function but the
# virtio device below it, which has no such file. By hand, at the PCI function, it works.
#
#     igb: 1 of 7 VFs, file /run/systemd/network/10-01.link, device/sriov_numvfs: there
#     virtio-pci: 0 of 1 VFs, file /run/systemd/network/10-02.link, device/sriov_numvfs: absent
#     virtio-pci by hand: status 0, 1 VF
#
# Why it matters: QEMU's virtio-net is the cheapest second SR-IOV device for testing a configuration tool.
# Whatever takes "device/" of an interface for its PCI function stops working there, and this path is in
# many scripts and tests of drivers.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
guest "${IGB[@]}" -netdev hubport,id=n1,hubid=1 -netdev hubport,id=n2,hubid=1 \
	-device pcie-root-port,id=p1,chassis=2,slot=2 \
	-device virtio-net-pci,bus=p1,addr=0x0.0x1,netdev=n1,sriov-pf=pf \
	-device virtio-net-pci,bus=p1,addr=0x0.0x0,netdev=n2,id=pf,mac=52:54:00:00:00:02 <<'SCRIPT'
mkdir -p /run/systemd/network
for address in 52:54:00:00:00:01 52:54:00:00:00:02; do
	printf '%s\n' '[Match]' "MACAddress=$address" '[Link]' NamePolicy=path \
		SR-IOVVirtualFunctions=1 >"/run/systemd/network/10-${address##*:}.link"
done
udev
sleep 2
udevadm settle

# report INTERFACE SLOT
report() {
	local device=/sys/bus/pci/devices/0000:0$2:00.0
	echo "$(basename "$(readlink "$device/driver")"): $(cat $device/sriov_numvfs) of" \
		"$(cat $device/sriov_totalvfs) VFs," \
		"file $(udevadm info --query=property --property=ID_NET_LINK_FILE --value "/sys/class/net/$1")," \
		"device/sriov_numvfs: $([ -e "/sys/class/net/$1/device/sriov_numvfs" ] && echo there || echo absent)"
}

report enp1s0 1
report enp2s0 2
echo 1 >/sys/bus/pci/devices/0000:02:00.0/sriov_numvfs
echo "virtio-pci by hand: status $?, $(cat /sys/bus/pci/devices/0000:02:00.0/sriov_numvfs) VF"
SCRIPT
expect \
	"igb: 1 of 7 VFs, file /run/systemd/network/10-01.link, device/sriov_numvfs: there" \
	"virtio-pci: 0 of 1 VFs, file /run/systemd/network/10-02.link, device/sriov_numvfs: absent" \
	"virtio-pci by hand: status 0, 1 VF"
