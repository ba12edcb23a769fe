# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# The compilers of another suite of Debian, for kernels that were built with those: the third column of
# kernel.matrix names the suite. It is a root directory as the toolchain root is one, but only to
# make the kernel's metadata and modules in. QEMU and the tests stay in the toolchain root, in which it
# is mounted, with the clone and the kernel in the places they have there (build-module goes there).
#
#   root/         the root directory
#   toolchain     versions of the packages that other products are made with

# Where it is in the toolchain root.
TOOLCHAIN_PLACE=/run/toolchain

# The suite whose compilers a release needs; empty for those of the toolchain root.
suite_of() { sed 's/#.*//' "$ENV_DIR/kernel.matrix" | awk -v release="$1" '$2 == release { print $3 }'; }

# Kernels of other suites that were built with these compilers are found as well.
beside_suite() {
	case $1 in
	sid) echo forky experimental ;;
	esac
}

bootstrap_toolchain() {
	local SUITE=$2 BACKPORTS
	BACKPORTS=$(beside_suite "$2")
	bootstrap_directory "$1/root" "$(list_packages "$ENV_DIR/packages.toolchain")" --variant=apt
}

build_toolchain() {
	require_package mmdebstrap mmdebstrap
	step "install the Debian packages of $TOOLCHAIN_SUITE" bootstrap_toolchain "$1" "$TOOLCHAIN_SUITE"
	step "add mount points" furnish_compilers "$1" "$ENV_DIR/packages.toolchain" src kernel
}

toolchain_key() { key "$1" "$ENV_DIR/packages.toolchain" "$ENV_DIR"/{bootstrap,toolchain}.sh; }

toolchain_path() { printf '%s/toolchain-%s' "$CACHE" "$(toolchain_key "$1")"; }

# provide_toolchain SUITE
provide_toolchain() {
	local TOOLCHAIN_SUITE=$1
	product toolchain "$(toolchain_key "$1")" "toolchain of $1" build_toolchain
}

# What is to be mounted for a release that needs other compilers, into TOOLCHAIN_MOUNTS.
mount_toolchain() {
	local suite path
	TOOLCHAIN_MOUNTS=()
	[[ -n ${IGB_RS_RELEASE:-} ]] || return 0
	suite=$(suite_of "$IGB_RS_RELEASE")
	[[ -n $suite ]] || return 0
	path=$(toolchain_path "$suite")
	TOOLCHAIN_MOUNTS=("$path/root:$TOOLCHAIN_PLACE")
	for path in "$CLONE:/src" "$KERNEL:/kernel" /dev:/dev /proc:/proc "$ROOT/tmp:/tmp"; do
		TOOLCHAIN_MOUNTS+=("${path%:*}:$TOOLCHAIN_PLACE${path##*:}")
	done
	export IGB_RS_TOOLCHAIN=$TOOLCHAIN_PLACE
}
