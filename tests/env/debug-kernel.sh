# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# The kernels that watch: the source of the stock kernel once more, built by clang with a small
# configuration and detectors for what an ordinary kernel does not notice. Two flavours, "debug"
# and "kcsan". Needs provide_root and provide_kernel.

build_debug_kernel() {
	local flavour=$FLAVOUR
	inside_debug_kernel() {
		as_root "$ENV_DIR/chroot.sh" "$ROOT" "$CLONE:/src" "$KERNEL:/kernel" "$1:/$2-kernel" -- \
			bash /src/tests/env/debug-kernel-inside.sh "$2" "$3"
	}
	step "configure" inside_debug_kernel "$1" "$flavour" configure
	step "build kernel and modules (some minutes)" inside_debug_kernel "$1" "$flavour" build
	step "install" inside_debug_kernel "$1" "$flavour" install
}

# Of the header all counts: to key(), its directives would be comments.
debug_kernel_key() {
	key "$(kernel_key)" "$ENV_DIR"/debug-kernel{,."$1"}.config "$ENV_DIR"/debug-kernel-inside.sh \
		"$ENV_DIR/compile" "$(<"$ENV_DIR/compile.h")"
}

# provide_debug_kernel debug|kcsan
provide_debug_kernel() {
	local FLAVOUR=$1
	[[ -f $ENV_DIR/debug-kernel.$FLAVOUR.config ]] || die "no such flavour of the kernel: $FLAVOUR"
	product "$FLAVOUR-kernel" "$(debug_kernel_key "$FLAVOUR")" "kernel, flavour $FLAVOUR" \
		build_debug_kernel
}

debug_kernel_path() { printf '%s\n' "$CACHE/$1-kernel-$(debug_kernel_key "$1")"; }
