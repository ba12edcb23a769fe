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
	bootstrap_directory "$1/root" "$packages" --variant=apt
}

build_root() {
	require_package mmdebstrap mmdebstrap
	step "install the Debian 13 packages" bootstrap_root "$1"
	step "add mount points" furnish_compilers "$1" "$ENV_DIR/packages.build" \
		src cache kernel guest opt/venv
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
