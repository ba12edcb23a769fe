# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# The toolchain root: Debian 13 with the compilers, QEMU and the test driver.
#
#   root/         the root directory
#   toolchain     versions of the packages that other products are made with

bootstrap_root() {
	local packages
	packages=$(list_packages "$ENV_DIR/packages.build"),$(list_packages "$ENV_DIR/packages.test")
	if ((EUID == 0)); then
		bootstrap directory "$1/root" "$packages" --mode=root --variant=apt
	else
		mkdir "$1/root"
		bootstrap tar - "$packages" --mode=unshare --variant=apt |
			as_root tar --extract --numeric-owner --exclude='./dev/*' --directory "$1/root"
	fi
}

# Mount points, and what there is to build with.
furnish_root() {
	local packages
	as_root mkdir -p "$1"/root/{src,cache,kernel,guest,opt/venv,etc/ssl/certs}
	as_root touch "$1/root/etc/ssl/certs/ca-certificates.crt"
	as_root find "$1/root/var/cache/apt/archives" -name '*.deb' -delete
	IFS=, read -ra packages < <(list_packages "$ENV_DIR/packages.build")
	as_root "$ENV_DIR/chroot.sh" "$1/root" "$CLONE:/src" -- dpkg-query --show "${packages[@]}" |
		tr '\t' ' ' >"$1/toolchain"
	cat "$1/toolchain"
}

build_root() {
	require_package mmdebstrap mmdebstrap
	step "install the Debian 13 packages" bootstrap_root "$1"
	step "add mount points" furnish_root "$1"
}

root_key() {
	key "$ENV_DIR"/packages.{build,test} "$ENV_DIR"/{bootstrap,root}.sh
}

# Products that are made in the root depend on $TOOLCHAIN, not on the root as a whole: another
# program for the tests does not make kernels anew, another compiler does.
provide_root() {
	require_namespaces
	product root "$(root_key)" "toolchain root" build_root
	ROOT=$CACHE/root-$(root_key)/root
	TOOLCHAIN=$CACHE/root-$(root_key)/toolchain
}
