#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# pciutils 3.13.0, kernel 7.3.4 (Debian 7.3.4-1~bpo13+1), stock igb, QEMU 11.1.3.
#
# "lspci -xxxx" writes all a bug report needs, and "lspci -F" shows such a file as if one were at the
# machine. One would expect the same list of devices. In fact each VF has become an illegal vendor's
# device ffff: a VF's own vendor and device numbers read as ffff by the standard, the kernel takes them
# from the PF's capability, and lspci prints names from the kernel but dumps and reads what was read.
#
#     of the machine:
#     01:10.0 0200: 8086:10ca (rev 01)
#     of its dump:
#     01:10.0 0200: ffff:ffff (rev 01)
#     01:10.0 Ethernet controller: Illegal Vendor ID Device ffff (rev 01)
#     asked for by number: 1 in the machine, 0 in the dump
#
# Why it matters: ffff is also what a device that fell off the bus reads, so a reader of the report takes
# healthy VFs for dead ones; and "-d VENDOR:DEVICE" finds none of them.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
guest "${IGB[@]}" <<'SCRIPT'
modprobe igb
set_vfs eth0 1
echo "of the machine:"
lspci -s 01: -n
lspci -xxxx >/tmp/dump
echo "of its dump:"
lspci -F /tmp/dump -s 01: -n
lspci -F /tmp/dump -s 01:10.0
echo "asked for by number: $(lspci -d 8086:10ca | wc -l) in the machine, $(lspci -F /tmp/dump -d 8086:10ca | wc -l) in the dump"
SCRIPT
expect "01:10.0 0200: 8086:10ca (rev 01)" \
	"01:10.0 0200: ffff:ffff (rev 01)" \
	"01:10.0 Ethernet controller: Illegal Vendor ID Device ffff (rev 01)" \
	"asked for by number: 1 in the machine, 0 in the dump"
