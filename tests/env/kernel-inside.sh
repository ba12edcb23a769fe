#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel-inside.sh STEP: fills /kernel; runs in the toolchain root.
#
#   /kernel/release        the kernel release, as uname -r has it
#   /kernel/vmlinuz        the stock image
#   /kernel/lib/modules/   its modules
#   /kernel/headers/       .config, Module.symvers and vmlinux (BTF only) of the headers package
#   /kernel/src/           the source of the same version
#   /kernel/kdir/          prepared build directory, for make -C

set -euo pipefail

apt=(-o Dir::State::lists=/kernel/apt -o APT::Sandbox::User=root
	-o Dir::Cache::pkgcache=/kernel/apt/packages.bin -o Dir::Cache::srcpkgcache=)

notice=/kernel/notice

. /src/tests/env/kernel-choice.sh

# The image package is only a list of dependencies in some releases: take those of its packages
# that carry the release in their name.
parts_of() {
	local part
	echo "linux-image-$1"
	apt-cache "${apt[@]}" depends --important "linux-image-$1" | sed -n 's/^ *|\?Depends: //p' |
		while read -r part; do
			[[ $part == linux-*-"$1" && $part != linux-base-* ]] && echo "$part"
		done || :
}

# Leaves /kernel/release and, if it is not the usual one, /kernel/notice, which says why.
choose() {
	local series release
	mkdir -p /kernel/apt /kernel/debs
	apt-get "${apt[@]}" update
	choose_kernel /src/tests/env/kernel.series >/kernel/choice
	read -r series release </kernel/choice
	echo "$release" >/kernel/release
	echo "series $series, release $release"
}

download() {
	local series release version part
	read -r series release </kernel/choice
	version=$(version_of "linux-headers-$release")
	cd /kernel/debs
	for part in $(parts_of "$release") "linux-headers-$release" "linux-source-$series=$version"; do
		apt-get "${apt[@]}" download "$part"
	done
}

unpack() {
	local series release deb top
	read -r series release </kernel/choice
	mkdir /kernel/unpacked
	for deb in /kernel/debs/*.deb; do
		echo "unpacking ${deb##*/}"
		dpkg-deb --extract "$deb" /kernel/unpacked
	done
	cd /kernel/unpacked
	mkdir -p /kernel/headers /kernel/lib
	# Where these lie depends on how far the packages have moved to /usr.
	mv "$(ls -d {usr/,}lib/modules 2>/dev/null)" /kernel/lib/
	mv "$(ls {/kernel/lib/modules/"$release"/vmlinuz,boot/vmlinuz-"$release"} 2>/dev/null)" /kernel/vmlinuz
	mv "usr/src/linux-headers-$release"/{.config,Module.symvers,vmlinux} /kernel/headers/
	depmod --basedir /kernel "$release"
	echo "unpacking linux-source-$series.tar.xz"
	top=/kernel/source.partial
	mkdir "$top"
	tar --extract --directory "$top" --file "usr/src/linux-source-$series.tar.xz"
	mv "$top/linux-source-$series" /kernel/src
	rm -rf "$top" /kernel/unpacked /kernel/debs /kernel/apt /kernel/choice
}

# KERNELRELEASE must be given while preparing: it ends up in the modules' version magic.
kbuild() {
	make -C /kernel/src O=/kernel/kdir CC=x86_64-linux-gnu-gcc-14 CROSS_COMPILE=x86_64-linux-gnu- \
		KERNELRELEASE="$(</kernel/release)" -j"$(nproc)" "$@"
}

configure() {
	mkdir /kernel/kdir
	cp /kernel/headers/.config /kernel/kdir/.config
	kbuild olddefconfig
	diff /kernel/headers/.config /kernel/kdir/.config
}

# Module.symvers lets modpost resolve symbols against the stock kernel, vmlinux is the base of the
# module's BTF.
prepare() {
	kbuild prepare
	kbuild modules_prepare
	cp /kernel/headers/{Module.symvers,vmlinux} /kernel/kdir/
}

"$1"
