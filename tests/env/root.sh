# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# The toolchain root: Debian 13 with the compilers, QEMU and the test driver.

# Not packaged by Debian 13.
PYTHON_PACKAGES="qemu.qmp==0.0.5 ruff==0.17.6"

list_packages() { sed 's/#.*//' "$1" | xargs | tr ' ' ,; }

# Debian 13 plus, from backports, only what is named here.
pin_backports() {
	cat >"$1" <<-PIN
		Package: src:qemu src:seabios src:ipxe src:edk2
		Pin: release n=$SUITE-backports
		Pin-Priority: 500
	PIN
}

# debootstrap FORMAT TARGET PACKAGES OPTION...: an image of the suite. The root directory comes
# as a directory when root makes it, else as a tar stream unpacked in a user namespace.
bootstrap() {
	local format=$1 target=$2 packages=$3 scratch
	shift 3
	scratch=$(mktemp -d)
	write_sources "$scratch/sources.list"
	write_apt_options "$scratch/apt.conf"
	pin_backports "$scratch/pin"
	chmod -R a+rX "$scratch"
	local arguments=(--format="$format" --include="$packages" --verbose --arch=amd64
		--aptopt="$scratch/apt.conf"
		--setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\""
		--setup-hook="copy-in $scratch/pin /etc/apt/preferences.d"
		"$@" "$SUITE" "$target" "$scratch/sources.list")
	local status=0
	mmdebstrap "${arguments[@]}" || status=$?
	rm -rf "$scratch"
	return "$status"
}

bootstrap_root() {
	local packages
	packages=$(list_packages "$ENV_DIR/packages.build")
	if ((EUID == 0)); then
		bootstrap directory "$1/root" "$packages" --mode=root --variant=apt
	else
		mkdir "$1/root"
		bootstrap tar - "$packages" --mode=unshare --variant=apt |
			as_root tar --extract --numeric-owner --exclude='./dev/*' --directory "$1/root"
	fi
}

# Mount points, and what Debian does not package.
furnish_root() {
	as_root mkdir -p "$1"/root/{src,cache,kernel,guest,etc/ssl/certs}
	as_root touch "$1/root/etc/ssl/certs/ca-certificates.crt"
	as_root "$ENV_DIR/chroot.sh" "$1/root" "$CLONE:/src" -- bash -c "
		python3 -m venv --system-site-packages /opt/venv
		/opt/venv/bin/pip install --disable-pip-version-check --no-cache-dir $PYTHON_PACKAGES
		rm -rf /var/cache/apt/archives/*.deb /root/.cache"
}

build_root() {
	require_package mmdebstrap mmdebstrap
	step "install the Debian 13 packages" bootstrap_root "$1"
	step "install the Python packages" furnish_root "$1"
}

root_key() { key "$ENV_DIR/packages.build" "$ENV_DIR/root.sh"; }

provide_root() {
	require_namespaces
	ROOT=$CACHE/root-$(root_key)/root
	product root "$(root_key)" "toolchain root" build_root
}
