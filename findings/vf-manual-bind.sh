#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Kernel 7.3.4 (Debian 7.3.4-1~bpo13+1), stock igb and igbvf, QEMU 11.1.3.
#
# "sriov_drivers_autoprobe" is documented as "the kernel will not bind VFs to a driver". One would
# expect what its namesake of a whole bus does: nothing is bound by itself, and an administrator binds
# by hand through the driver's "bind" file. In fact the bind is refused as well, with "No such device"
# as if the driver did not know the VF, and "drivers_probe" says success and does nothing. As long as
# the file holds 0, only a VF whose "driver_override" names the driver can be bound.
#
#     bind: status 1, driver ''
#     drivers_probe: status 0, driver ''
#     autoprobe 1: driver ''
#     autoprobe 1 and bind: status 0, driver 'igbvf'
#     driver_override and bind: status 0, driver 'igbvf'
#
# Why it matters: a test or a service that makes VFs with autoprobe off, to bind them one by one in a
# known order, sees its binds fail and looks for the fault in the VF driver's table of devices. Writing
# 1 again first helps too; by itself it binds nothing.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
guest "${IGB[@]}" <<'SCRIPT'
modprobe -a igb igbvf
device=/sys/class/net/eth0/device
echo 0 >$device/sriov_drivers_autoprobe
set_vfs eth0 1
vf=$(basename "$(readlink $device/virtfn0)")
driver() { basename "$(readlink $device/virtfn0/driver)" || :; }

echo "$vf" >/sys/bus/pci/drivers/igbvf/bind
echo "bind: status $?, driver '$(driver 2>/dev/null)'"
echo "$vf" >/sys/bus/pci/drivers_probe
echo "drivers_probe: status $?, driver '$(driver 2>/dev/null)'"
echo 1 >$device/sriov_drivers_autoprobe
echo "autoprobe 1: driver '$(driver 2>/dev/null)'"
echo "$vf" >/sys/bus/pci/drivers/igbvf/bind
echo "autoprobe 1 and bind: status $?, driver '$(driver 2>/dev/null)'"
echo "$vf" >/sys/bus/pci/drivers/igbvf/unbind
echo 0 >$device/sriov_drivers_autoprobe
echo igbvf >$device/virtfn0/driver_override
echo "$vf" >/sys/bus/pci/drivers/igbvf/bind
echo "driver_override and bind: status $?, driver '$(driver 2>/dev/null)'"
SCRIPT
expect "bind: status 1, driver ''" \
	"drivers_probe: status 0, driver ''" \
	"autoprobe 1: driver ''" \
	"autoprobe 1 and bind: status 0, driver 'igbvf'" \
	"driver_override and bind: status 0, driver 'igbvf'"
