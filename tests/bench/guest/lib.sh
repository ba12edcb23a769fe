# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Steps of a measurement. Sourced by the scripts next to it, which run in one go: while the guest
# waits for the host, virtual time runs on.

BENCH=/tmp/bench
# shellcheck disable=SC2034 # used by the scripts
PF=/sys/bus/pci/devices/0000:01:00.0

# value NAME VALUE: a result for the host.
value() { echo "value $1 $2"; }

mark() { $BENCH/probe mark "$@"; }

# Milliseconds of virtual time.
now() { awk '{ print $1 * 1000 }' /proc/uptime; }

# phase NAME COMMAND...: between two marks, until what it left in the rings is done with. The
# number of a phase is how many came before it.
phases=0
phase() {
	local name=$1
	shift
	mark begin
	"$@"
	sleep 0.02
	mark end $phases
	echo "phase $phases $name"
	phases=$((phases + 1))
}

# marked NAME COMMAND...: the same for a command that makes its marks itself; the word @ in it is
# the number of the phase. Its output is the value NAME.
marked() {
	local name=$1
	shift
	value "$name" "$("${@/#@/$phases}")"
	echo "phase $phases $name"
	phases=$((phases + 1))
}

# timed NAME COMMAND...: milliseconds of virtual time it takes.
timed() {
	local name=$1 begin
	shift
	begin=$(now)
	"$@"
	value "ms.$name" "$(awk -v begin="$begin" -v end="$(now)" 'BEGIN { print end - begin }')"
}

# pktgen DEVICE SIZE BURST COUNT MAC [DELAY]: sends the same packet again and again, with so many
# nanoseconds between bursts.
pktgen() {
	local device=$1 control=/proc/net/pktgen setting
	echo rem_device_all >$control/kpktgend_0
	echo "add_device $device" >$control/kpktgend_0
	for setting in "count $4" "clone_skb 1000000" "pkt_size $2" "burst $3" "delay ${6-0}" \
		"dst 198.51.100.1" "dst_mac $5" "udp_dst_min 9" "udp_dst_max 9"; do
		echo "$setting" >"$control/$device"
	done
	echo start >$control/pgctrl
	grep -o '[0-9]*pps' "$control/$device" | tr -d ps >$BENCH/pps
}

from_peer() { ip netns exec peer bash -c ". $BENCH/lib.sh; pktgen peer $*"; }

carrier() { until grep -q 1 /sys/class/net/dut/carrier 2>/dev/null; do sleep 0.01; done; }

bring_up() {
	ip link set dut up
	carrier
}

# vf_device N: the interface of igbvf on VF N, if there is one.
vf_device() { ls "$PF/virtfn$1/net" 2>/dev/null; }

# All seven, until igbvf drives them.
enable_vfs() {
	local vf
	echo 7 >$PF/sriov_numvfs
	for vf in 0 1 2 3 4 5 6; do
		until [[ -n $(vf_device $vf) ]]; do sleep 0.01; done
	done
}

disable_vfs() { echo 0 >"$PF/sriov_numvfs"; }

# rings RX TX: other rings, and quiet afterwards.
rings() {
	ethtool -G dut rx "$1" tx "$2"
	carrier
	sleep 3
}

# Kilobytes no one uses, those included that a CPU keeps for itself.
free_memory() {
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "MemFree:" { free += $2 } $1 == "count:" { free += 4 * $2 } END { print free }' \
		/proc/meminfo /proc/zoneinfo
}

NOBODY=02:00:00:00:00:99
DUT_MAC=$(cat /sys/class/net/dut/address)
PEER=192.0.2.2

# sent NAME SIZE BURST COUNT: the PF transmits to nobody.
sent() {
	phase "$1" pktgen dut "$2" "$3" "$4" $NOBODY
	value "pps.$1" "$(cat $BENCH/pps)"
}

# counted NAME COUNTER COMMAND...: by how much a counter of the PF grows meanwhile.
counted() {
	local name=$1 counter=/sys/class/net/dut/statistics/$2 before
	shift 2
	before=$(cat "$counter")
	"$@"
	value "count.$name" $(($(cat "$counter") - before))
}

# received NAME SIZE BURST COUNT: the peer transmits to the PF.
received() { phase "$1" from_peer "$2" "$3" "$4" "$DUT_MAC"; }

# What the stack lets a new transmit ring hold (BQL) has been found out when it counts.
warm_queue() { pktgen dut 60 1 600 $NOBODY; }

# Caches of programs, pages and neighbours are warm when it counts.
warm_up() {
	modprobe pktgen
	ip netns exec peer $BENCH/probe echo 7 &
	ip netns exec peer $BENCH/probe sink 9 &
	warm_queue
	from_peer 60 1 10 $NOBODY
	from_peer 1500 8 800 "$DUT_MAC"
	ping -c 2 -i 0.2 -q $PEER >/dev/null
	ip -s link show dut >/dev/null
	sleep 5
}

# What packets cost, of several kinds.
packets() {
	sent tx60 60 1 2000
	sent tx60-burst32 60 32 2016
	sent tx1500 1500 1 2000
	received rx60 60 1 2000
	received rx60-burst32 60 32 2016
	received rx1500-burst32 1500 32 2016
	marked rr18 $BENCH/probe rr @ 200 18 $PEER 7
	marked rr1400 $BENCH/probe rr @ 200 1400 $PEER 7
	for i in 1 2 3 4 5; do
		marked "tcp-tx.$i" $BENCH/probe send @ 1048576 $PEER 9
	done
}
