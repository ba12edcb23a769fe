# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# Another kernel of Debian in the place of the stock one: with IGB_RS_RELEASE set (make ...
# KERNEL_RELEASE=X), the kernel and what depends on it are of that release. It is a product of its
# own, as its build directory is made in another way: by the program of the package that makes the
# metadata on a user's machine, with the compilers of the suite that kernel.matrix names (toolchain.sh).

# The lines of a file like kernel.series.
matrix_of() { sed 's/#.*//' "$1" | awk 'NF { print $1, $2 }'; }

# Where it is made: the root directory, and the versions of its packages.
other_root() {
	local suite
	suite=$(suite_of "$IGB_RS_RELEASE")
	if [[ -n $suite ]]; then echo "$(toolchain_path "$suite")/root"; else echo "$ROOT"; fi
}

other_toolchain() {
	local suite
	suite=$(suite_of "$1")
	if [[ -n $suite ]]; then echo "$(toolchain_path "$suite")/toolchain"; else echo "$TOOLCHAIN"; fi
}

build_other_kernel() {
	inside_other_kernel() {
		as_root "$ENV_DIR/chroot.sh" "$(other_root)" "$CLONE:/src" "$1:/kernel" -- \
			bash /src/tests/env/other-kernel-inside.sh "$2" "$IGB_RS_RELEASE"
	}
	step "look for $IGB_RS_RELEASE" inside_other_kernel "$1" choose_release
	step "download its packages" inside_other_kernel "$1" download
	step "unpack the kernel packages" inside_other_kernel "$1" unpack_release
	step "generate the Rust metadata" inside_other_kernel "$1" prepare_release
}

# What it makes metadata into counts, not each line of the program.
other_kernel_key() {
	key "$(other_toolchain "$1")" "$ENV_DIR/other-kernel-inside.sh" "$ENV_DIR"/kernel-{choice,inside}.sh \
		"$(grep '^format=' "$CLONE/debian/linux-rust-metadata")" "$1"
}

other_kernel_path() { printf '%s/other-kernel-%s' "$CACHE" "$(other_kernel_key "$1")"; }

provide_other_kernel() {
	local IGB_RS_RELEASE=$1 suite
	suite=$(suite_of "$1")
	[[ -z $suite ]] || provide_toolchain "$suite"
	product other-kernel "$(other_kernel_key "$1")" "kernel $1" build_other_kernel
}

# The older series, of which one is built for in every run of the tests: the last one for the compilers
# of the toolchain root.
older_release() { sed 's/#.*//' "$ENV_DIR/kernel.matrix" | awk 'NF == 2 { last = $2 } END { print last }'; }

# The stock kernel is what it always is.
if [[ ${IGB_RS_RELEASE:-} == "$(matrix_of "$ENV_DIR/kernel.matrix" | sed -n '1s/^[^ ]* //p')" ]]; then
	unset IGB_RS_RELEASE
fi

if [[ -n ${IGB_RS_RELEASE:-} ]]; then
	kernel_key() { other_kernel_key "$IGB_RS_RELEASE"; }

	provide_kernel() {
		provide_other_kernel "$IGB_RS_RELEASE"
		KERNEL=$(other_kernel_path "$IGB_RS_RELEASE")
	}
fi
