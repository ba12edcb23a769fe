# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Installs Debian packages into a directory or an archive.

list_packages() { sed 's/#.*//' "$1" | xargs | tr ' ' ,; }

# Debian 13 plus, from backports, only what is named here.
pin_backports() {
	cat >"$1" <<-PIN
		Package: src:qemu src:seabios src:ipxe src:edk2
		Pin: release n=$SUITE-backports
		Pin-Priority: 500
	PIN
}

# bootstrap FORMAT TARGET PACKAGES OPTION...: an image of the suite. The root directory comes
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
	local status=0 namespace=()
	# What it mounts is gone with it, also when it is ended.
	((EUID != 0)) || namespace=("${NAMESPACE[@]}")
	"${namespace[@]}" mmdebstrap "${arguments[@]}" || status=$?
	rm -rf "$scratch"
	return "$status"
}

# bootstrap_directory TARGET PACKAGES OPTION...: the same as a root directory.
bootstrap_directory() {
	local target=$1 packages=$2
	shift 2
	if ((EUID == 0)); then
		bootstrap directory "$target" "$packages" --mode=root "$@"
	else
		mkdir "$target"
		bootstrap tar - "$packages" --mode=unshare "$@" |
			as_root tar --extract --numeric-owner --exclude='./dev/*' --directory "$target"
	fi
}

# furnish_compilers PRODUCT LIST PLACE...: mount points in PRODUCT/root, and PRODUCT/toolchain, which
# has the versions of the packages in LIST.
furnish_compilers() {
	local product=$1 list=$2 packages
	shift 2
	as_root mkdir -p "${@/#/$product/root/}" "$product/root/etc/ssl/certs"
	as_root touch "$product/root/etc/ssl/certs/ca-certificates.crt"
	as_root find "$product/root/var/cache/apt/archives" -name '*.deb' -delete
	IFS=, read -ra packages < <(list_packages "$list")
	as_root "$ENV_DIR/chroot.sh" "$product/root" "$CLONE:/src" -- dpkg-query --show "${packages[@]}" |
		tr '\t' ' ' >"$product/toolchain"
	cat "$product/toolchain"
}
