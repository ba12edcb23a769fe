#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The data path, on one CPU: the PF "dut", and the peer in a namespace of that name. The rows of
# costs/rows.py know these names and counts.

# shellcheck disable=SC2086 # none of these names has blanks
# shellcheck source=lib.sh source-path=SCRIPTDIR
. /tmp/bench/lib.sh

warm_up
packets

rings 256 4096
sent tx60-burst32-ring4096 60 32 2016
sent tx1500-burst32-ring4096 1500 32 2016
rings 256 256
small=$(free_memory)
rings 4096 256
value rx-memory $((small - $(free_memory)))

phase idle sleep 10
for i in 1 2 3; do
	phase "link-statistics.$i" ip -s link show dut
done
ip link set dut down
sleep 2
phase up timed up ip link set dut up
ip link set dut down
sleep 2
timed carrier bring_up

# The VFs are there; no driver, and no one sends them anything.
echo 0 >$PF/sriov_drivers_autoprobe
echo 7 >$PF/sriov_numvfs
carrier
sleep 5
warm_queue
sent tx60-vfs 60 1 2000
received rx60-vfs 60 32 2016
timed numvfs0 disable_vfs
kill %1 %2
