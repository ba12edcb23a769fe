#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# QEMU 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1), kernel 7.3.4, stock igb, e1000e and virtio_net.
#
# "announce-self" sends RARP frames from a guest's cards, so that switches learn where the guest's
# addresses are now; the end of a migration does the same (read in QEMU's documents, not run here). The
# guest has given its cards other addresses. One would expect those to be announced: the models have
# them in their registers and filter by them. In fact all three announce the address of the command
# line, which nobody uses any more.
#
#     igb: 52:54:00:00:00:00, now 02:54:00:00:00:00
#     e1000e: 52:54:00:00:00:01, now 02:54:00:00:00:01
#     virtio_net: 52:54:00:00:00:02, now 02:54:00:00:00:02
#     igb announced: 52:54:00:00:00:00
#     e1000e announced: 52:54:00:00:00:01
#     virtio-net-pci announced: 52:54:00:00:00:02
#
# Why it matters: a guest changes addresses for a bond's second port or a router's virtual address. Where
# the announcement is all that tells the switches, its traffic goes to the old place until it sends by
# itself, which looks like a driver that lost its receive filter.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
cp "$HERE/machine.py" "$WORK/share/"
cat >"$WORK/share/peer" <<'PYTHON'
import os
import time

from machine import Monitor, connect


def frames(peer):
    """What has come on a stream backend: each frame has its length before it."""
    peer.settimeout(2)
    data = b""
    try:
        while piece := peer.recv(65536):
            data += piece
    except TimeoutError:
        pass
    while data:
        length = int.from_bytes(data[:4], "big")
        yield data[4 : 4 + length]
        data = data[4 + length :]


while not os.path.exists("/mnt/ready"):
    time.sleep(0.2)
monitor = Monitor()
peers = {card: connect(f"/mnt/{card}") for card in ("igb", "e1000e", "virtio-net-pci")}
time.sleep(1)
monitor.command("announce-self", initial=50, max=100, rounds=3, step=10)
time.sleep(1)
with open("/mnt/announced", "w") as file:
    for card, peer in peers.items():
        # RARP requests, and what a sender of them is
        senders = {frame[6:12].hex(":") for frame in frames(peer) if frame[12:14] == b"\x80\x35"}
        print(f"{card} announced:", *sorted(senders), file=file)
open("/mnt/done", "w").close()
PYTHON
options=(-qmp "unix:/mnt/qmp,server=on,wait=off")
cards=(igb e1000e virtio-net-pci)
for n in "${!cards[@]}"; do
	options+=(
		-netdev "stream,id=n$n,server=on,addr.type=unix,addr.path=/mnt/${cards[n]}"
		-device "pcie-root-port,id=p$n,chassis=$((n + 1)),slot=$((n + 1))"
		-device "${cards[n]},bus=p$n,netdev=n$n,mac=52:54:00:00:00:0$n"
	)
done
inside timeout 300 python3 /mnt/peer &
guest "${options[@]}" <<'SCRIPT'
modprobe -a igb e1000e virtio_net
sleep 1
for device in /sys/class/net/eth?; do
	interface=$(basename $device)
	old=$(cat $device/address)
	ip link set $interface address "02:${old#*:}"
	ip link set $interface up
	echo "$(basename "$(readlink $device/device/driver)"): $old, now $(cat $device/address)"
done
sleep 4
touch /mnt/ready
until [ -e /mnt/done ]; do sleep 0.2; done
SCRIPT
wait
cat "$WORK/share/announced" >>"$SEEN"
expect "igb: 52:54:00:00:00:00, now 02:54:00:00:00:00" \
	"e1000e: 52:54:00:00:00:01, now 02:54:00:00:00:01" \
	"virtio_net: 52:54:00:00:00:02, now 02:54:00:00:00:02" \
	"igb announced: 52:54:00:00:00:00" \
	"e1000e announced: 52:54:00:00:00:01" \
	"virtio-net-pci announced: 52:54:00:00:00:02"
