#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two CPUs: igbvf spins with bottom halves off until the PF has answered, and a PF that does not
# answer in its interrupt needs another CPU for that.

# shellcheck disable=SC2086 # none of these names has blanks
# shellcheck source=lib.sh source-path=SCRIPTDIR
. /tmp/bench/lib.sh

SETTINGS=50
TENANTS=50

# addresses VF BYTE: sets its address again and again; prints the longest time in nanoseconds.
addresses() { $BENCH/probe addresses "$(vf_device "$1")" $SETTINGS "$2"; }

# on CPU...: each transmits on a queue of its own.
on() {
	local control=/proc/net/pktgen cpu setting
	for cpu in 0 1; do
		echo rem_device_all >$control/kpktgend_$cpu
	done
	for cpu in "$@"; do
		echo "add_device dut@$cpu" >$control/kpktgend_$cpu
		for setting in "count 8000" "clone_skb 1000000" "pkt_size 60" "burst 1" "delay 0" \
			"dst 198.51.100.1" "dst_mac $NOBODY" "queue_map_min $cpu" \
			"queue_map_max $cpu"; do
			echo "$setting" >"$control/dut@$cpu"
		done
	done
	echo start >$control/pgctrl
}

modprobe pktgen
# What is measured is run once before.
on 0 1
enable_vfs
addresses 0 32 >/dev/null
disable_vfs
sleep 5

phase one-cpu on 0
phase two-cpus on 0 1
phase numvfs7 enable_vfs
sleep 5
phase vf-address addresses 0 33
device=$(readlink -f $PF/virtfn6)
echo "${device##*/}" >"$device/driver/unbind"
echo 1 >"$device/enable"
$BENCH/probe resets "$device/resource0" 1
phase vf-reset $BENCH/probe resets "$device/resource0" $TENANTS
$BENCH/probe handshakes "$device/resource0" 1
phase vf-handshake $BENCH/probe handshakes "$device/resource0" $TENANTS
