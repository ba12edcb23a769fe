# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# The image of a guest that is itself a host of guests: the guest image with QEMU, the programs
# that manage guests and networks, and the kernel uncompressed, which nested guests boot faster.
# Not part of `prepare`. Needs provide_root and provide_kernel.

bootstrap_vm() {
	local mode=unshare
	((EUID == 0)) && mode=root
	bootstrap tar "$1/rootfs.tar" \
		"$(list_packages "$ENV_DIR/packages.guest"),$(list_packages "$ENV_DIR/packages.vm")" \
		--mode="$mode" --variant=essential "${slim[@]}"
}

pack_vm() {
	as_root "$ENV_DIR/chroot.sh" "$ROOT" "$CLONE:/src" "$KERNEL:/kernel" "$1:/guest" -- \
		bash /src/tests/env/vm-inside.sh
}

build_vm() {
	require_package mmdebstrap mmdebstrap
	step "install the Debian packages of a host of guests" bootstrap_vm "$1"
	step "pack the image" pack_vm "$1"
}

vm_key() {
	key "$(guest_key)" "$ENV_DIR/packages.vm" "$ENV_DIR"/vm{,-inside}.sh
}

provide_vm() {
	product vm "$(vm_key)" "image of a host of guests" build_vm
}

vm_path() { printf '%s/vm-%s' "$CACHE" "$(vm_key)"; }
