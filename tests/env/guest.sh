# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# The guest's file system and the base of its initramfs. Needs provide_root and provide_kernel.

# What a test guest never reads.
slim=(--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*'
	--dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*'
	--dpkgopt='path-exclude=/usr/include/*' --dpkgopt='path-exclude=/usr/lib/*.a')

bootstrap_guest() {
	local mode=unshare
	((EUID == 0)) && mode=root
	bootstrap tar "$1/rootfs.tar" "$(list_packages "$ENV_DIR/packages.guest")" --mode="$mode" \
		--variant=essential "${slim[@]}"
}

pack_guest() {
	as_root "$ENV_DIR/chroot.sh" "$ROOT" "$CLONE:/src" "$KERNEL:/kernel" "$1:/guest" -- \
		bash /src/tests/env/guest-inside.sh
}

build_guest() {
	require_package mmdebstrap mmdebstrap
	step "install the guest's Debian packages" bootstrap_guest "$1"
	step "pack the guest image" pack_guest "$1"
}

guest_key() {
	key "$(kernel_key)" "$ENV_DIR/packages.guest" "$ENV_DIR"/{bootstrap,guest,guest-inside}.sh
}

provide_guest() {
	product guest "$(guest_key)" "guest image" build_guest
	GUEST=$CACHE/guest-$(guest_key)
}
