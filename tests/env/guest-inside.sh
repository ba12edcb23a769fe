#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Packs /guest; runs in the toolchain root.
#
#   /guest/rootfs.erofs    read-only root: Debian packages and the stock kernel's modules
#   /guest/initrd.cpio     what is needed to mount it; each run appends its init and payload

set -euo pipefail

release=$(</kernel/release)
early=(virtio_blk erofs overlay)

# Drivers of hardware the guest cannot have.
add_modules() {
	local excluded=() directory
	for directory in gpu media sound infiniband iio usb hid isdn staging/media net/wireless \
		net/ethernet/mellanox scsi mtd input leds power hwmon firmware/arm; do
		excluded+=(--exclude="kernel/drivers/$directory")
	done
	tar --append --file /guest/rootfs.tar --directory /kernel/lib/modules "${excluded[@]}" \
		--exclude=kernel/sound --exclude="$release/build" --exclude="$release/source" \
		--transform='s,^,./usr/lib/modules/,' --owner=0 --group=0 "$release"
}

add_files() {
	local tree=/tmp/tree
	mkdir -p "$tree"/{etc,payload}
	echo igb-rs >"$tree/etc/hostname"
	printf '127.0.0.1 localhost igb-rs\n::1 localhost\n' >"$tree/etc/hosts"
	ln -s /proc/mounts "$tree/etc/mtab"
	tar --append --file /guest/rootfs.tar --directory "$tree" --owner=0 --group=0 \
		--transform='s,^\.$,.,' ./etc/hostname ./etc/hosts ./etc/mtab ./payload
}

# The boot modules in the order to insert them, each after its dependencies, decompressed for
# busybox.
pack_initrd() {
	local tree=/tmp/initrd module
	mkdir -p "$tree"/{bin,modules,proc,sys,dev,new,lower,upper}
	cp /usr/bin/busybox "$tree/bin/"
	for module in "${early[@]}"; do
		modprobe --dirname /kernel --set-version "$release" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
		xz --decompress --stdout "$module" >"$tree/modules/$(basename "$module" .xz)"
		basename "$module" .xz >>"$tree/modules/order"
	done
	(cd "$tree" && find . | cpio --quiet --create --format=newc --owner=0:0) >/guest/initrd.cpio
}

echo "adding the kernel's modules"
add_modules
add_files
echo "writing rootfs.erofs"
mkfs.erofs --quiet --tar=f /guest/rootfs.erofs /guest/rootfs.tar
rm /guest/rootfs.tar
echo "writing initrd.cpio"
pack_initrd
