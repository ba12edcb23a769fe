#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# series-kernel-inside.sh STEP: fills /series; runs in the toolchain root.
#
#   src/        the kernel's source without the series, as tests/series/tree.py makes it
#   kdir/       build directory, with all objects
#   compiler/   clang with precompiled headers (tests/env/compile)
#
# Objects know where their source was: both are used at /series again, from a copy.

set -euo pipefail

kbuild() {
	make -C /series/src O=/series/kdir LLVM=-19 CC=/series/compiler/compile LOCALVERSION= -j"$(nproc)" "$@"
}

configure() {
	local line
	python3 -c 'import sys; from pathlib import Path; sys.path.insert(0, "/src/tests/series")
import tree; tree.make(Path("/kernel/src"), Path("/series/src"))'
	mkdir /series/kdir /series/compiler
	cp /src/tests/env/compile{,.h} /series/compiler/
	kbuild KCONFIG_ALLCONFIG=/src/tests/series/kernel.config allnoconfig
	while read -r line; do
		case $line in
		CONFIG_*=n) ! grep -q "^${line%=n}=" /series/kdir/.config ;;
		CONFIG_*) grep -qxF "$line" /series/kdir/.config ;;
		esac || {
			echo "not in the configuration: $line"
			return 1
		}
	done </src/tests/series/kernel.config
}

build() {
	local total=2000 done=0 line
	kbuild bzImage modules 2>&1 | while IFS= read -r line; do
		[[ $line == "  "[A-Z]* ]] && printf '%d of some %d:' $((++done)) "$total"
		printf '%s\n' "$line"
	done
}

"$1"
