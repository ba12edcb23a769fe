#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Packs the image of a host of guests into /guest; runs in the toolchain root. It is the image
# that guest-inside.sh describes, of other packages, and with the uncompressed kernel in
# /boot/vmlinux.

set -euo pipefail

tree=/tmp/boot
mkdir -p "$tree/boot"
echo "decompressing the kernel"
/kernel/src/scripts/extract-vmlinux /kernel/vmlinuz >"$tree/boot/vmlinux"
tar --append --file /guest/rootfs.tar --directory "$tree" --owner=0 --group=0 ./boot/vmlinux
exec bash /src/tests/env/guest-inside.sh
