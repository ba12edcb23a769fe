# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What the patch series (tests/series) is applied to and built in: the source of the stock kernel once more,
# and a build directory in which all of it was built by clang with a small configuration, so that a patch
# costs what it changes. Needs provide_root and provide_kernel.

build_series_kernel() {
	inside_series_kernel() {
		as_root "$ENV_DIR/chroot.sh" "$ROOT" "$CLONE:/src" "$KERNEL:/kernel" "$1:/series" -- \
			bash /src/tests/env/series-kernel-inside.sh "$2"
	}
	step "configure" inside_series_kernel "$1" configure
	step "build kernel and modules (some minutes)" inside_series_kernel "$1" build
}

# As for the kernels with detectors, all of the header counts.
series_kernel_key() {
	key "$(kernel_key)" "$CLONE"/tests/series/{kernel.config,tree.py} \
		"$ENV_DIR"/series-kernel-inside.sh "$ENV_DIR/compile" "$(<"$ENV_DIR/compile.h")"
}

provide_series_kernel() {
	product series-kernel "$(series_kernel_key)" "kernel to apply the series to" build_series_kernel
}

series_kernel_path() { printf '%s\n' "$CACHE/series-kernel-$(series_kernel_key)"; }
