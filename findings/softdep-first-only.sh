#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kmod 34.2 (Debian 34.2-2), modules of kernel 7.3.4 (Debian 7.3.4-1~bpo13+1).
#
# modprobe.d(5) says what a softdep line does, and lines for options of one module add up. One would
# expect the same of two softdep lines, and of one line for a module that brings soft dependencies of
# its own. In fact only one line counts, and it is the module's own if there is one. So an administrator's
# second line does nothing, nor does the only line for a driver such as r8169; "modprobe -c" prints
# both as if they did.
#
#     igbvf, two modules in one line: dummy veth igbvf
#     igbvf, a line for each: dummy igbvf
#     igbvf, what modprobe -c shows then: 2 lines
#     r8169, no line: phy_package realtek r8169
#     r8169, one line: phy_package realtek r8169
#
# Why it matters: a softdep in a package's file of modprobe.d is how an out-of-tree NIC driver gets loaded
# before the driver of the same card in the tree. It works until somebody else adds a line for that
# driver, or until the driver in the tree gets a soft dependency for a PHY.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
mkdir "$WORK/share/config"

# order LABEL MODULE LINE...: what modprobe would insert if modprobe.d had these lines
order() {
	local label=$1 module=$2
	shift 2
	printf '%s\n' "$@" >"$WORK/share/config/test.conf"
	echo "$label: $(inside modprobe --config /mnt/config --set-version "$KERNEL" --show-depends \
		"$module" | sed -n 's,^insmod.*/\(.*\)\.ko.*,\1,p' | xargs)" >>"$SEEN"
}

order "igbvf, two modules in one line" igbvf "softdep igbvf pre: dummy veth"
order "igbvf, a line for each" igbvf "softdep igbvf pre: dummy" "softdep igbvf pre: veth"
shown=$(inside modprobe --config /mnt/config --set-version "$KERNEL" -c | grep -c '^softdep igbvf')
echo "igbvf, what modprobe -c shows then: $shown lines" >>"$SEEN"
order "r8169, no line" r8169 ""
order "r8169, one line" r8169 "softdep r8169 pre: veth"
expect "igbvf, two modules in one line: dummy veth igbvf" \
	"igbvf, a line for each: dummy igbvf" \
	"igbvf, what modprobe -c shows then: 2 lines" \
	"r8169, no line: phy_package realtek r8169" \
	"r8169, one line: phy_package realtek r8169"
