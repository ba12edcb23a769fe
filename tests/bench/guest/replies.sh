#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What takes time with seven VFs. They ask at once, each from a CPU of its own as a virtual machine
# would. Their registers are driven from user space: with igbvf most of the time is spent waiting for
# RTNL, which they share.

# shellcheck disable=SC2086 # none of these names has blanks
# shellcheck source=lib.sh source-path=SCRIPTDIR
. /tmp/bench/lib.sh

ROUNDS=9
REQUESTS=50

# Prints the longest time in nanoseconds; nothing if a request was refused or not answered.
all_at_once() {
	local vf waiting=()
	for vf in 0 1 2 3 4 5 6; do
		taskset -c $((vf + 1)) $BENCH/probe mailbox $PF/virtfn$vf/resource0 $REQUESTS \
			$((64 + vf)) $BENCH/go >$BENCH/worst.$vf &
		waiting+=($!)
	done
	# By then all wait for it.
	sleep 1
	: >$BENCH/go
	for vf in "${waiting[@]}"; do
		wait "$vf" || return
	done
	sort -n $BENCH/worst.? | tail -1
}

echo 0 >$PF/sriov_drivers_autoprobe
echo 7 >$PF/sriov_numvfs
for vf in 0 1 2 3 4 5 6; do
	echo 1 >$PF/virtfn$vf/enable
done
mkfifo $BENCH/go
sleep 1
# What is measured is run once before; what a VF may ask at once has come back when it counts.
all_at_once >/dev/null
for round in $(seq $ROUNDS); do
	sleep 20
	value worst-reply.$round "$(all_at_once)"
done

disable_vfs
echo 1 >$PF/sriov_drivers_autoprobe
enable_vfs
sleep 5
timed numvfs0-igbvf disable_vfs
