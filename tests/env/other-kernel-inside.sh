#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# other-kernel-inside.sh STEP RELEASE: fills /kernel with a kernel of that release, as
# kernel-inside.sh describes; runs in the toolchain root. Beyond what is there:
#
#   /kernel/packages/      headers and tools, as their packages have them
#   /kernel/metadata/      what linux-rust-metadata made; /kernel/kdir leads there
#
# /kernel/src has no drivers and nothing of single architectures.

set -euo pipefail

wanted=$2
# shellcheck source=tests/env/kernel-inside.sh
. /src/tests/env/kernel-inside.sh true

packages=/kernel/packages

choose_release() {
	[[ $wanted =~ ^([0-9]+\.[0-9]+)[.-] ]]
	mkdir -p /kernel/apt /kernel/debs
	apt-get "${apt[@]}" update
	is_complete "${BASH_REMATCH[1]}" "$wanted" || {
		echo "the mirror has no $wanted, or lacks its headers or its source; see tests/env/kernel.matrix" >&2
		return 1
	}
	echo "${BASH_REMATCH[1]} $wanted" >/kernel/choice
	echo "$wanted" >/kernel/release
	parts_of "$wanted" >/dev/null
}

# What the headers package consists of.
headers_of() {
	apt-cache "${apt[@]}" depends --important "linux-headers-$1" |
		sed -n 's/^ *Depends: \(linux-\(headers\|kbuild\)-[0-9].*\)/\1/p'
}

unpack_release() {
	local series deb part top
	read -r series _ </kernel/choice
	cd /kernel/debs
	for part in $(headers_of "$wanted"); do apt-get "${apt[@]}" download "$part"; done
	mkdir -p "$packages" /kernel/{headers,lib,src}
	for deb in *.deb; do
		echo "unpacking $deb"
		dpkg-deb --extract "$deb" "$packages"
	done
	cd "$packages"
	# The headers have a directory of this name as well.
	top=usr
	[[ -d usr/lib/modules/$wanted/kernel ]] || top=.
	mkdir -p /kernel/lib/modules
	mv "$top/lib/modules/$wanted" /kernel/lib/modules/
	mv "$(ls {/kernel/lib/modules/"$wanted"/vmlinuz,boot/vmlinuz-"$wanted"} 2>/dev/null)" /kernel/vmlinuz
	cp "usr/src/linux-headers-$wanted"/{.config,Module.symvers,vmlinux} /kernel/headers/
	depmod --basedir /kernel "$wanted"
	tar --extract --directory /kernel/src --strip-components=1 --exclude='*/drivers' --exclude='*/arch/*' \
		--exclude='*/sound' --exclude='*/Documentation' --exclude='*/fs' \
		--file "usr/src/linux-source-$series.tar.xz"
	rm -rf /kernel/debs /kernel/apt
}

prepare_release() {
	LINUX_RUST_METADATA_ROOT=$packages LINUX_RUST_METADATA_CACHE=/kernel/metadata \
		/src/debian/linux-rust-metadata make "$wanted"
	ln -s "metadata/$wanted" /kernel/kdir
	rm -f "$packages"/usr/src/linux-source-*.tar.xz /kernel/choice
}

"$1"
