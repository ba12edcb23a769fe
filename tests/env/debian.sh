# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A Debian 13 with the stock kernel, its headers and its source installed as on any machine, and what
# it takes to build and install the package. Not part of `prepare`. Needs provide_root and
# provide_kernel.

# The kernel and what it needs come from backports.
pin_kernel() {
	cat >"$1" <<-PIN
		Package: linux-*
		Pin: release n=$SUITE-backports
		Pin-Priority: 500
	PIN
}

bootstrap_debian() {
	local release packages pin
	pin=$(mktemp -d)
	pin_kernel "$pin/kernel"
	chmod -R a+rX "$pin"
	local hook=(--setup-hook="copy-in $pin/kernel /etc/apt/preferences.d")
	release=$(<"$KERNEL/release")
	[[ $release =~ ^[0-9]+\.[0-9]+ ]]
	packages=$(list_packages "$ENV_DIR/packages.debian")
	packages+=,linux-image-$release,linux-headers-$release,linux-source-${BASH_REMATCH[0]}
	bootstrap_directory "$1/root" "$packages" --variant=apt "${hook[@]}"
	rm -r "$pin"
	as_root mkdir -p "$1/root/src"
	as_root find "$1/root/var/cache/apt/archives" -name '*.deb' -delete
}

build_debian() {
	require_package mmdebstrap mmdebstrap
	step "install a Debian with the kernel" bootstrap_debian "$1"
}

debian_key() {
	key "$(kernel_key)" "$ENV_DIR/packages.debian" "$ENV_DIR"/{bootstrap,debian}.sh
}

provide_debian() {
	product debian "$(debian_key)" "Debian machine" build_debian
}

debian_path() { printf '%s/debian-%s' "$CACHE" "$(debian_key)"; }
