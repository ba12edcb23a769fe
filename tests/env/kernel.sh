# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# The stock kernel: image, modules, source, and a build directory with the Rust metadata that
# Debian's headers package lacks. kernel.series says which. Needs provide_root.

build_kernel() {
	inside_kernel() {
		as_root "$ENV_DIR/chroot.sh" "$ROOT" "$CLONE:/src" "$1:/kernel" -- \
			bash /src/tests/env/kernel-inside.sh "$2"
	}
	step "choose a kernel" inside_kernel "$1" choose
	[[ ! -s $1/notice ]] || notice "$(<"$1/notice")"
	step "download the packages of $(<"$1/release")" inside_kernel "$1" download
	step "unpack the kernel packages" inside_kernel "$1" unpack
	step "configure the build directory" inside_kernel "$1" configure
	step "generate the Rust metadata" inside_kernel "$1" prepare
}

kernel_key() {
	key "$TOOLCHAIN" "$ENV_DIR/kernel.series" "$ENV_DIR"/kernel{,-choice,-inside}.sh
}

provide_kernel() {
	product kernel "$(kernel_key)" "kernel" build_kernel
	KERNEL=$CACHE/kernel-$(kernel_key)
}
