# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# Shared by the findings: unpacks pinned Debian 13 packages in a temporary directory, boots a small
# guest of Debian's stock kernel from them, and compares what was seen with what was written down.
#
#   provide PACKAGE[=VERSION]...    $ROOT is a directory with these packages and what they need;
#                                   "${GUEST[@]}" is what a guest takes
#   inside COMMAND...               runs a command in $ROOT
#   guest [QEMU OPTION]... <<EOF    runs a script in a guest of $KERNEL; its output goes to $SEEN
#   expect TEXT...                  $SEEN has these lines; if not, the finding no longer holds
#
# Nothing outside the temporary directory is written. FINDINGS_KEEP names a directory in which
# unpacked packages are kept for the next finding. FINDINGS_ANY=1 takes the versions the mirror has
# if it no longer has the pinned ones. FINDINGS_ACCEL=kvm makes guests faster where that works.

set -euo pipefail

KERNEL=7.3.4+deb13-amd64
# What guests are made of, in the versions that the findings were seen with. It is one list, so that
# with FINDINGS_KEEP it is unpacked once.
GUEST=(
	"linux-image-$KERNEL=7.3.4-1~bpo13+1" qemu-system-x86=1:11.1.3+ds-1~bpo13+1
	bash coreutils busybox-static grep sed passwd xz-utils kmod=34.2-2
	iproute2=6.15.0-1 jq=1.7.1-6+deb13u4 netplan.io=1.1.2-7 nftables=1.1.3-1 pciutils=1:3.13.0-2
	python3=3.13.5-1 systemd=257.13-1~deb13u1 udev=257.13-1~deb13u1 xdp-tools=1.5.4-1
)

FINDINGS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NAME=$(basename "$0" .sh)
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C

say() { printf '%s\n' "$*" >&2; }

die() {
	say "$NAME: $*"
	exit 2
}

# shellcheck source=../tests/env/mirror.sh
. "$FINDINGS_DIR/../tests/env/mirror.sh"

((EUID == 0)) || die "run this as root: it unpacks packages and changes its root directory"
command -v mmdebstrap >/dev/null || die "'mmdebstrap' is missing: install the package of that name"

WORK=$(mktemp -d)
SEEN=$WORK/share/seen
# Mounts are in a namespace that is gone by then.
trap 'rm -rf --one-file-system "$WORK"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$WORK/share"
chmod a+rx "$WORK"

# ---- packages --------------------------------------------------------------------------------

# Debian 13, and from its backports only the kernel and the virtual machine.
bootstrap() {
	local target=$1 packages=$2
	write_sources "$WORK/sources.list"
	write_apt_options "$WORK/apt.conf"
	cat >"$WORK/pin" <<-PIN
		Package: src:linux src:linux-base src:linux-signed-amd64 src:qemu src:seabios src:ipxe src:edk2
		Pin: release n=$SUITE-backports
		Pin-Priority: 500
	PIN
	chmod a+r "$WORK"/{sources.list,apt.conf,pin}
	mmdebstrap --mode=root --variant=extract --format=directory --arch=amd64 --include="$packages" \
		--aptopt="$WORK/apt.conf" --aptopt='APT::Install-Recommends "false"' \
		--setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\"" \
		--setup-hook="copy-in $WORK/pin /etc/apt/preferences.d" \
		"$SUITE" "$target" "$WORK/sources.list"
}

provide() {
	local packages=("$@")
	[[ -z ${FINDINGS_ANY:-} ]] || packages=("${packages[@]%%=*}")
	packages=("$(IFS=,; echo "${packages[*]}")")
	ROOT=$WORK/root
	if [[ -n ${FINDINGS_KEEP:-} ]]; then
		mkdir -p "$FINDINGS_KEEP"
		ROOT=$FINDINGS_KEEP/$(printf '%s' "$SUITE ${packages[0]}" | sha256sum | cut -c 1-16)
	fi
	if [[ ! -d $ROOT ]]; then
		say "$NAME: unpacking packages"
		if ! bootstrap "$WORK/new" "${packages[0]}" >"$WORK/log" 2>&1; then
			grep "^E: Version .* was not found" "$WORK/log" >&2 &&
				die "the mirror no longer has this version: FINDINGS_ANY=1 takes the one it has"
			tail -n 20 "$WORK/log" >&2
			die "the packages could not be unpacked"
		fi
		mkdir -p "$WORK/new"/{dev,proc,sys,run,tmp,mnt,root}
		# What packages would set up if they were installed.
		if [[ -d $WORK/new/usr/lib/modules ]]; then
			chroot "$WORK/new" depmod "$KERNEL" >>"$WORK/log" 2>&1 || die "depmod failed"
		fi
		mv "$WORK/new" "$ROOT"
	fi
}

# inside COMMAND...: in $ROOT, where $WORK/share is /mnt.
inside() {
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --mount --propagation private bash -c '
		root=$1 share=$2
		shift 2
		mount --bind "$share" "$root/mnt"
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		exec chroot "$root" "$@"' inside "$ROOT" "$WORK/share" "$@"
}

# ---- guest -----------------------------------------------------------------------------------

# The first program: it inserts what is needed to mount $ROOT over 9p, read-only with a writable
# layer in memory, and continues there.
write_initramfs() {
	local tree=$WORK/initramfs path name
	[[ ! -d $tree ]] || return 0
	mkdir -p "$tree"/{bin,dev,proc,sys,modules,lower,upper,new}
	cp "$ROOT/usr/bin/busybox" "$tree/bin/"
	inside modprobe --set-version "$KERNEL" --show-depends --all 9p 9pnet_virtio overlay |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r path; do
			name=$(basename "$path" .xz)
			inside xz -dc "$path" >"$tree/modules/$name"
			echo "$name"
		done >"$tree/order"
	cat >"$tree/init" <<-'INIT'
		#!/bin/busybox sh
		bb=/bin/busybox
		$bb mount -t devtmpfs devtmpfs /dev
		$bb mount -t proc proc /proc
		$bb mount -t sysfs sysfs /sys
		while read -r module; do $bb insmod "/modules/$module"; done </order
		options=trans=virtio,version=9p2000.L,msize=512000
		$bb mount -t 9p -o ro,cache=loose,$options root /lower
		$bb mount -t tmpfs tmpfs /upper
		$bb mkdir /upper/data /upper/work
		$bb mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /new
		$bb mount -t 9p -o cache=none,$options share /new/mnt
		for tree in dev proc sys; do $bb mount --move /$tree /new/$tree; done
		cd /new
		$bb mount --move . /
		exec $bb chroot . /bin/bash /mnt/begin
	INIT
	chmod a+x "$tree/init"
	(cd "$tree" && find . | "$ROOT/usr/bin/busybox" cpio -o -H newc) \
		>"$WORK/share/initramfs" 2>"$WORK/log"
}

# What runs before the finding's own script in the guest, and the functions that has.
write_begin() {
	cat >"$WORK/share/begin" <<-'BEGIN'
		export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
		for directory in /run /tmp; do busybox mount -t tmpfs tmpfs $directory; done
		busybox mount -t bpf bpf /sys/fs/bpf
		busybox mount -t debugfs debugfs /sys/kernel/debug
		ip link set lo up
		cd /root

		# udev names what is there, and what comes.
		udev() {
			mkdir -p /run/udev
			/usr/lib/systemd/systemd-udevd --daemon 2>/dev/null
			udevadm trigger --action=add
			udevadm settle
		}

		# set_vfs INTERFACE NUMBER
		set_vfs() {
			echo "$2" >"/sys/class/net/$1/device/sriov_numvfs"
			! busybox pidof systemd-udevd >/dev/null || udevadm settle
		}

		. /mnt/script >/mnt/output 2>&1 </dev/null
		busybox sync
		busybox poweroff -f
	BEGIN
}

# A 82576 behind a port of its own; its name is enp1s0 where udev gives names.
IGB=(
	-netdev "hubport,id=n0,hubid=0" -device "pcie-root-port,id=p0,chassis=1,slot=1"
	-device "igb,bus=p0,netdev=n0,mac=52:54:00:00:00:01"
)

# guest [QEMU OPTION]...: standard input is the script.
guest() {
	cat >"$WORK/share/script"
	write_initramfs
	write_begin
	rm -f "$WORK/share/output"
	local status=0
	# On a busy machine the kernel's check of the timer can fail where the processor is emulated.
	say "$NAME: booting a guest, some 20 to 90 s"
	inside timeout --foreground 300 qemu-system-x86_64 -M q35 -accel "${FINDINGS_ACCEL:-tcg}" -cpu max \
		-m 1G -smp 1 -nodefaults -display none -no-reboot -serial file:/mnt/serial \
		-kernel "/usr/lib/modules/$KERNEL/vmlinuz" -initrd /mnt/initramfs \
		-append "console=ttyS0 quiet panic=-1 no_timer_check" \
		-virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
		-virtfs local,path=/mnt,mount_tag=share,security_model=none,multidevs=remap \
		"$@" >"$WORK/share/qemu" 2>&1 </dev/null || status=$?
	if ((status)) || [[ ! -e $WORK/share/output ]]; then
		cat "$WORK/share/qemu" >&2
		tail -n 20 "$WORK/share/serial" >&2 || :
		die "the guest did not come to its end (QEMU's status $status)"
	fi
	cat "$WORK/share/output" >>"$SEEN"
}

# ---- judgement -------------------------------------------------------------------------------

# expect LINE...: the lines that carry the finding are in what was seen, spaces aside.
expect() {
	local line missing=0 seen
	seen=$(sed 's/[[:space:]]\+/ /g; s/^ //; s/ $//' "$SEEN")
	sed 's/^/    /' "$SEEN"
	for line; do
		grep -qxF -e "$line" <<<"$seen" && continue
		say "$NAME: not seen any more: $line"
		missing=1
	done
	if ((missing)); then
		say "$NAME: this has changed since it was written down"
		exit 1
	fi
	echo "$NAME: still so"
}
