# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# The crates that tests/host depends on, compiled for its tests and for clippy: a target directory of
# cargo that a clone begins with. Needs provide_root.

# Compiled for a package without contents: the directory depends on no source file of a clone.
install_crates() {
	mkdir "$1/package" "$1/target"
	as_root "$ENV_DIR/chroot.sh" "$ROOT" "$CLONE:/src" "$CACHE:/cache" "$1:/opt/crates" -- bash -c '
		set -e
		cp tests/host/Cargo.toml tests/host/Cargo.lock /opt/crates/package
		cd /opt/crates/package
		sed -i "s|^path = .*|path = \"lib.rs\"|; /^missing_docs/d" Cargo.toml
		touch lib.rs
		export CARGO_TARGET_DIR=/opt/crates/target CARGO_INCREMENTAL=0
		cargo test --no-run --locked
		cargo clippy --all-targets --locked
		cargo clean --package igb-core'
	rm -r "$1/package"
}

build_crates() {
	mkdir -p "$CACHE/cargo"
	step "compile the crates of the host tests" install_crates "$1"
}

# Debian builds cargo and clippy from the source of rustc: one version says it for all three.
crates_key() {
	key "$CLONE/tests/host/Cargo.toml" "$CLONE/tests/host/Cargo.lock" "$ENV_DIR/crates.sh" \
		"$(grep '^rustc ' "$TOOLCHAIN")"
}

provide_crates() {
	product crates "$(crates_key)" "crates of the host tests" build_crates
	CRATES=$CACHE/crates-$(crates_key)
}

# A clone whose host tests were never built begins with them.
seed_crates() {
	local target=$CLONE/tests/host/target new
	[[ ! -e $target ]] || return 0
	new=$(mktemp -d "$CLONE/tests/host/target.XXXXXX")
	cp -a --reflink=auto "$CRATES/target/." "$new"
	chmod 755 "$new"
	# Another run may have been faster.
	mv --no-target-directory "$new" "$target" 2>/dev/null || rm -rf "$new"
}
