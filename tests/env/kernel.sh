# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# The stock kernel: image, modules, source, and a build directory with the Rust metadata that
# Debian's headers package lacks. Needs provide_root.

build_kernel() {
	local wanted
	wanted=$(<"$ENV_DIR/kernel.release")
	inside_kernel() {
		as_root "$ENV_DIR/chroot.sh" "$ROOT" "$CLONE:/src" "$1:/kernel" -- \
			bash /src/tests/env/kernel-inside.sh "$2" "$wanted"
	}
	step "download the kernel packages" inside_kernel "$1" download
	[[ $(<"$1/release") == "$wanted" ]] ||
		say "notice: $wanted is gone from the mirror, using $(<"$1/release")"
	step "unpack the kernel packages" inside_kernel "$1" unpack
	step "configure the build directory" inside_kernel "$1" configure
	step "generate the Rust metadata" inside_kernel "$1" prepare
}

kernel_key() { key "$(root_key)" "$ENV_DIR/kernel.release" "$ENV_DIR"/kernel{,-inside}.sh; }

provide_kernel() {
	KERNEL=$CACHE/kernel-$(kernel_key)
	product kernel "$(kernel_key)" "kernel $(<"$ENV_DIR/kernel.release")" build_kernel
}
