#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel 7.3.4 (Debian 7.3.4-1~bpo13+1), pci-pf-stub; kexec-tools 2.0.29 (Debian 1:2.0.29-2+b2); QEMU 11.1.3.
#
# kexec starts the next kernel without the firmware: no device is reset on the way, and C igb has a message for
# the case that VFs are on when it comes ("pre-allocated VFs found"). One would expect VFs that nobody has
# turned off to be there in the next kernel; pci-pf-stub, which the PF has here, does nothing when the system
# goes down. In fact they are gone: a kernel that enumerates a PF with VF Enable set clears it (sriov_init() in
# drivers/pci/iov.c) and waits for a second.
#
#     the kernel that made them: 2 VFs
#     the next kernel, before any driver of the PF: 0 VFs
#     functions of the card on the bus: 1
#
# Why it matters: a driver finds VFs that another driver has left (unbound by hand), and never those that
# another kernel has; a host that is updated by kexec has to make and set up its VFs again, as after a boot.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}" kexec-tools=1:2.0.29-2+b2
guest "${IGB[@]}" <<'SCRIPT'
pf=/sys/bus/pci/devices/0000:01:00.0
if [ ! -e /mnt/before ]; then
	modprobe pci-pf-stub
	echo pci-pf-stub >$pf/driver_override
	echo 0000:01:00.0 >/sys/bus/pci/drivers/pci-pf-stub/bind
	echo 0 >$pf/sriov_drivers_autoprobe
	echo 2 >$pf/sriov_numvfs
	ls -d $pf/virtfn* | wc -l >/mnt/before
	kexec --kexec-file-syscall --load "/usr/lib/modules/$(uname -r)/vmlinuz" --initrd=/mnt/initramfs \
		--command-line="$(cat /proc/cmdline)"
	busybox sync
	kexec --exec --no-ifdown
fi
echo "the kernel that made them: $(cat /mnt/before) VFs"
echo "the next kernel, before any driver of the PF: $(cat $pf/sriov_numvfs) VFs"
echo "functions of the card on the bus: $(lspci -d 8086: -s 01: -n | wc -l)"
SCRIPT
expect "the kernel that made them: 2 VFs" "the next kernel, before any driver of the PF: 0 VFs" \
	"functions of the card on the bus: 1"
