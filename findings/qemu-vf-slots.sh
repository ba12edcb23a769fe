#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# QEMU 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1).
#
# A PCI function has no VFs until somebody sets VF Enable in its SR-IOV capability. So one would expect
# "-device igb,addr=2" to take slot 2 of its bus and nothing else. In fact QEMU makes all VFs with the
# card and keeps their places for them (16 and 17 slots further for igb): another device there keeps the
# machine from starting, and is told of a device "igbvf" that nobody has asked for. The same behind a root
# port, where nothing else can be, goes unnoticed.
#
#     slot 0x11: starts
#     slot 0x12: refused
#     PCI: slot 18 function 0 not available for igbvf, in use by virtio-rng-pci,id=other
#     slot 0x13: refused
#     slot 0x14: starts
#     slot 0x12, card behind a root port: starts
#
# Why it matters: a virtual machine with an igb on its root bus starts or not by where another device was put,
# and the message names a device that is not on the command line. Leave slots PF + 16 and PF + 17 free, or
# give the card a root port.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"

# start OPTION...: makes a machine that does not run, and ends it.
start() {
	echo quit | inside timeout 60 qemu-system-x86_64 -M q35 -accel tcg -nodefaults -no-user-config \
		-display none -S -monitor stdio "$@" 2>"$WORK/said" >/dev/null
}

# report LABEL OPTION...
report() {
	local label=$1 what=refused
	shift
	if start "$@"; then what=starts; fi
	echo "$label: $what"
}

for slot in 0x11 0x12 0x13 0x14; do
	report "slot $slot" -device virtio-rng-pci,id=other,addr=$slot -device igb,addr=2
	grep -o 'PCI: slot 18 .*' "$WORK/said" || true
done >"$SEEN"
report "slot 0x12, card behind a root port" -device virtio-rng-pci,id=other,addr=0x12 \
	-device pcie-root-port,id=rp,addr=2,chassis=1 -device igb,bus=rp >>"$SEEN"
cat "$SEEN"
expect "slot 0x11: starts" "slot 0x12: refused" "slot 0x13: refused" "slot 0x14: starts" "slot 0x12, card behind a root port: starts"
