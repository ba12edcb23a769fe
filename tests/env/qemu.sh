# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# Another QEMU in the place of the toolchain root's: with IGB_RS_QEMU set (make ... QEMU=X). X is a
# suite of Debian or a version, as in qemu.series, or the path of a program of one's own.
#
# A suite's is a product of its own: QEMU and the libraries it needs, unpacked into a root directory.
# It is run there, by chroot, with everything in the places that it has in the toolchain root.
# A program of one's own is run in a root directory put together from this host's directories.

# Where that root directory is in the toolchain root, which has a file system of its own there.
QEMU_PLACE=/run/qemu

qemus_of() { sed 's/#.*//' "$ENV_DIR/qemu.series" | awk 'NF { print $1, $2 }'; }

# The suite that a suite or a version stands for.
qemu_suite() {
	local suite version
	while read -r suite version; do
		if [[ $1 == "$suite" || $1 == "$version" || $version == "$1".* ]]; then
			echo "$suite"
			return
		fi
	done < <(qemus_of)
	die "QEMU=$1 is neither a path nor one of: $(qemus_of | awk '{ print $1 " (" $2 ")" }' | paste -sd , | sed 's/,/, /g')"
}

# The variables that bootstrap() and what it calls look at.
bootstrap_qemu() {
	local SUITE=${2%-backports} BACKPORTS=
	[[ $2 == "$SUITE" ]] || BACKPORTS=$2
	local packages=qemu-system-x86,seabios,ipxe-qemu
	bootstrap_directory "$1/root" "$packages" --variant=extract
}

# Nothing configures the packages: what their scripts would have made is made here.
furnish_qemu() {
	local directory
	for directory in bin sbin lib lib64; do
		[[ -e $1/root/$directory ]] || as_root ln -s "usr/$directory" "$1/root/$directory"
	done
	as_root find "$1/root/var" -name '*.deb' -delete
	as_root chroot "$1/root" /usr/bin/qemu-system-x86_64 --version >"$1/version"
	cat "$1/version"
}

build_qemu() {
	require_package mmdebstrap mmdebstrap
	step "install the Debian packages of $QEMU_SUITE" bootstrap_qemu "$1" "$QEMU_SUITE"
	step "complete its root directory" furnish_qemu "$1"
}

qemu_key() { key "$1" "$ENV_DIR"/{bootstrap,qemu}.sh; }

# provide_qemu SUITE
provide_qemu() {
	local QEMU_SUITE=$1
	product qemu "$(qemu_key "$1")" "QEMU of $1" build_qemu
}

# What is to be mounted for a QEMU that is not the toolchain root's, into QEMU_MOUNTS; the arguments
# are what else is mounted into the toolchain root, which it needs as well.
mount_qemu() {
	local mount directory suite
	QEMU_MOUNTS=()
	[[ -n ${IGB_RS_QEMU:-} ]] || return 0
	if [[ $IGB_RS_QEMU == /* ]]; then
		[[ -x $IGB_RS_QEMU && $IGB_RS_QEMU != /tmp/* ]] ||
			die "QEMU=$IGB_RS_QEMU is no program, or is in /tmp, which is not there when it is run"
		for directory in /*; do
			case $directory in
			/dev | /proc | /sys | /tmp | /run) ;;
			*) [[ ! -d $directory ]] || QEMU_MOUNTS+=("$directory:$QEMU_PLACE$directory") ;;
			esac
		done
		export IGB_RS_QEMU_PROGRAM=$IGB_RS_QEMU
	else
		suite=$(qemu_suite "$IGB_RS_QEMU")
		[[ $suite != "$(qemus_of | sed -n '1s/ .*//p')" ]] || return 0
		provide_qemu "$suite"
		QEMU_MOUNTS+=("$CACHE/qemu-$(qemu_key "$suite")/root:$QEMU_PLACE")
		export IGB_RS_QEMU_PROGRAM=/usr/bin/qemu-system-x86_64
	fi
	export IGB_RS_QEMU_ROOT=$QEMU_PLACE
	for mount in "$@" /dev:/dev /proc:/proc /sys:/sys "$ROOT/tmp:/tmp"; do
		QEMU_MOUNTS+=("${mount%:*}:$QEMU_PLACE${mount##*:}")
	done
}
