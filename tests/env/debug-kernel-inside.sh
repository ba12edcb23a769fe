#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# debug-kernel-inside.sh FLAVOUR STEP: fills /FLAVOUR-kernel; runs in the toolchain root.
#
#   release         the kernel release, as uname -r has it
#   vmlinuz         the image
#   lib/modules/    its modules
#   kdir/           build directory for modules of one's own, for make -C

set -euo pipefail

flavour=$1
top=/$flavour-kernel
config=/src/tests/env/debug-kernel

# KASAN and Rust together need clang, of the LLVM rustc has. In this directory it comes with
# precompiled headers, see compile; modules of one's own are built with clang itself.
compiler=$top/compiler
kbuild() {
	make -C /kernel/src O="$top/kdir" LLVM=-19 CC="$compiler/compile" -j"$(nproc)" "$@"
}

# A line of the configuration that did not survive names an option that is gone, or one whose
# dependencies are not met: the detector would be missing without a word.
check_config() {
	local line missing=0
	while read -r line; do
		case $line in
		CONFIG_*=n) grep -q "^${line%=n}=" "$top/kdir/.config" || continue ;;
		CONFIG_*) ! grep -qxF "$line" "$top/kdir/.config" || continue ;;
		*) continue ;;
		esac
		echo "not in the configuration: $line"
		missing=1
	done <"$top/wanted.config"
	return "$missing"
}

configure() {
	mkdir "$top/kdir" "$compiler"
	cp /src/tests/env/compile{,.h} "$compiler/"
	cat "$config.config" "$config.$flavour.config" >"$top/wanted.config"
	kbuild KCONFIG_ALLCONFIG="$top/wanted.config" allnoconfig
	check_config
}

# What the build does, command by command, and how far it is: a rough total is known beforehand. Not
# by awk: Debian's reads as much as a buffer takes before it looks at the first line.
build() {
	local total=2600 done=0 line
	kbuild bzImage modules 2>&1 | while IFS= read -r line; do
		[[ $line == "  "[A-Z]* ]] && printf '%d of some %d:' $((++done)) "$total"
		printf '%s\n' "$line"
	done
	check_headers
	echo "files compiled without precompiled headers:"
	cat "$compiler/alone"
}

# The compiler was told to take them as they were precompiled.
check_headers() {
	local precompiled headers changed
	for precompiled in "$compiler"/*.pch; do
		mapfile -t headers < <(grep -oE '[^ ]+\.h' "${precompiled%.pch}.read")
		changed=$(cd "$top/kdir" && find "${headers[@]}" -newer "$precompiled")
		[[ -z $changed ]] || {
			echo "changed after it was precompiled: $changed"
			return 1
		}
	done
}

# Modules are built against headers, tools and Rust metadata: the objects are not needed again.
install() {
	local release
	release=$(<"$top/kdir/include/config/kernel.release")
	kbuild INSTALL_MOD_PATH="$top" INSTALL_MOD_STRIP=1 DEPMOD=true modules_install
	rm -f "$top/lib/modules/$release"/{build,source}
	depmod --basedir "$top" "$release"
	cp "$top/kdir/arch/x86/boot/bzImage" "$top/vmlinuz"
	cp "$top/kdir/System.map" "$top/"
	find "$top/kdir" \( -path "$top/kdir/scripts" -o -path "$top/kdir/tools" -o \
		-path "$top/kdir/rust" \) -prune -o \
		\( -name '*.o' -o -name '*.a' -o -name '*.ko' -o -name '.*.cmd' -o -name 'vmlinux*' \
		-o -name '.tmp_*' -o -name 'bzImage' \) -type f -exec rm {} +
	find "$top/kdir/rust" -name '*.o' -exec rm {} +
	rm -r "$compiler"
	grep -rlF "$compiler/compile" "$top/kdir" | xargs -r sed -i "s:$compiler/compile:clang-19:g"
	echo "$release" >"$top/release"
}

"$2"
