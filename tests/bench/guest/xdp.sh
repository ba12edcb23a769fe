#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Programs of XDP and sockets of AF_XDP, on one CPU, and packets from one port to another. The rows of
# costs/xdp.py know these names and counts.

# shellcheck disable=SC2086 # none of these names has blanks
# shellcheck source=lib.sh source-path=SCRIPTDIR
. /tmp/bench/lib.sh

PINNED=/sys/fs/bpf/bench
READY=$BENCH/ready
PORT=/sys/bus/pci/devices/0000:02:00.0/net
# Nanoseconds between bursts: as many as are there before the next interrupt fit into a ring.
DELAY=100000

# program NAME: what the PF has frames shown to.
program() {
	ip -force link set dut xdpdrv pinned $PINNED/bench_$1
	carrier
	sleep 2
}

# leads_to INDEX DEVICE: an entry of the map of ports.
leads_to() {
	local index
	index=$(printf '%08x' "$(cat /sys/class/net/$2/ifindex)")
	bpftool map update pinned $PINNED/maps/ports key $1 0 0 0 \
		value 0x${index:6:2} 0x${index:4:2} 0x${index:2:2} 0x${index:0:2}
}

# shown NAME COUNTER [MAC]: the peer transmits to the PF, or the other port, some frames before those
# that count.
shown() {
	local mac=${3-$DUT_MAC}
	from_peer 60 32 640 $mac $DELAY
	sleep 0.1
	counted $1 $2 phase $1 from_peer 60 32 2016 $mac $DELAY
}

# A socket's program is not put off for others while it is in the driver: that would count.
sockets() { chrt -f 50 $BENCH/probe sockets "$@"; }

# served NAME TASK COUNTER: the same with a socket on the queue.
served() {
	sockets $2 dut $PINNED/maps/sockets $READY >$BENCH/served &
	local job=$!
	until [[ -e $READY ]]; do sleep 0.01; done
	sleep 1
	shown $1 $3
	rm $READY
	wait $job
	value socket.$1 "$(cat $BENCH/served)"
	sleep 1
}

# Everything for that network goes out by the second port.
forward() {
	local port
	port=$(ls $PORT)
	ip link set $port up
	until grep -q 1 /sys/class/net/$port/carrier; do sleep 0.01; done
	ip addr add 203.0.113.1/24 dev $port
	ip route add 198.51.100.0/24 dev $port
	ip neigh add 198.51.100.1 lladdr $NOBODY dev $port nud permanent
	echo 1 >/proc/sys/net/ipv4/ip_forward
	sleep 3
	shown forward60 rx_packets
	echo 0 >/proc/sys/net/ipv4/ip_forward
}

# What the second port receives goes back by the PF.
turn() {
	local port
	port=$(ls $PORT)
	ip link set $port xdpdrv pinned $PINNED/bench_turn
	until grep -q 1 /sys/class/net/$port/carrier; do sleep 0.01; done
	sleep 2
	shown xdp-port tx_packets "$(cat /sys/class/net/$port/address)"
	ip link set $port down
}

modprobe pktgen
modprobe veth
warm_queue
forward

program drop
shown xdp-drop rx_packets
program pass
shown xdp-pass rx_packets
program bounce
shown xdp-tx tx_packets
ip link add near type veth peer name far
ip link set near addrgenmode none up
ip link set far addrgenmode none up
ip link set far xdpdrv pinned $PINNED/bench_drop
leads_to 0 near
leads_to 1 dut
program redirect
shown xdp-out rx_packets
# Some are under way for as long as it takes.
rings 256 4096
program pass
counted xdp-in tx_packets marked xdp-in $BENCH/probe inject @ 2016 $PINNED/bench_inject
rings 256 256
turn

program socket
served xsk-rx drop rx_packets
served xsk-fwd bounce tx_packets
marked xsk-tx sockets send dut $PINNED/maps/sockets @ 2016
