#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# QEMU 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1), kernel 7.3.4, stock igb, e1000e and virtio_net.
#
# "-netdev stream" is a wire to another process. QEMU knows whether somebody is at the other end: it
# sends NETDEV_STREAM_CONNECTED and NETDEV_STREAM_DISCONNECTED to its manager. One would expect the guest
# to know too, as with a cable, and as with "set_link off". In fact the guest's cards have carrier
# before anybody has connected and after the peer has gone.
#
#     carrier, no peer yet: igb 1 e1000e 1 virtio_net 1
#     carrier, peer connected: igb 1 e1000e 1 virtio_net 1
#     carrier, peer has gone: igb 1 e1000e 1 virtio_net 1
#     carrier, set_link off: igb 0 e1000e 0 virtio_net 0
#     NETDEV_STREAM_CONNECTED 3
#     NETDEV_STREAM_DISCONNECTED 3
#
# Why it matters: a test of failover (bonding, teaming, net_failover) or of a driver's link interrupt
# that ends the peer to pull the cable tests nothing; frames vanish and the link is up. It takes set_link.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide "${GUEST[@]}"
cp "$HERE/machine.py" "$WORK/share/"
cat >"$WORK/share/peer" <<'PYTHON'
import os
import time

from machine import Monitor, connect


def ready(name):
    while not os.path.exists("/mnt/" + name):
        time.sleep(0.2)


def go(name):
    open("/mnt/" + name, "w").close()


monitor = Monitor()
ready("alone")
peers = [connect(f"/mnt/n{card}") for card in range(3)]
go("connect")
ready("connected")
for peer in peers:
    peer.close()
time.sleep(1)
monitor.command("query-status")
go("close")
ready("closed")
for card in range(3):
    monitor.command("set_link", name=f"n{card}", up=False)
go("cut")
ready("done")
with open("/mnt/events", "w") as file:
    events = [event for event in monitor.events if event.startswith("NETDEV_STREAM")]
    for event in sorted(set(events)):
        print(event, events.count(event), file=file)
PYTHON
options=(-qmp "unix:/mnt/qmp,server=on,wait=off")
cards=(igb e1000e virtio-net-pci)
for n in "${!cards[@]}"; do
	options+=(
		-netdev "stream,id=n$n,server=on,addr.type=unix,addr.path=/mnt/n$n"
		-device "pcie-root-port,id=p$n,chassis=$((n + 1)),slot=$((n + 1))"
		-device "${cards[n]},bus=p$n,netdev=n$n"
	)
done
inside timeout 300 python3 /mnt/peer &
guest "${options[@]}" <<'SCRIPT'
modprobe -a igb e1000e virtio_net
sleep 1
for interface in eth0 eth1 eth2; do ip link set $interface up; done
sleep 4

# report LABEL
report() {
	sleep 2
	echo "$1:$(for device in /sys/class/net/eth?; do
		echo -n " $(basename "$(readlink $device/device/driver)") $(cat $device/carrier)"
	done)"
}

# await OWN ITS: tells the peer that it goes on
await() {
	touch "/mnt/$1"
	until [ -e "/mnt/$2" ]; do sleep 0.2; done
}

report "carrier, no peer yet"
await alone connect
report "carrier, peer connected"
await connected close
report "carrier, peer has gone"
await closed cut
report "carrier, set_link off"
touch /mnt/done
SCRIPT
wait
cat "$WORK/share/events" >>"$SEEN"
expect "carrier, no peer yet: igb 1 e1000e 1 virtio_net 1" \
	"carrier, peer connected: igb 1 e1000e 1 virtio_net 1" \
	"carrier, peer has gone: igb 1 e1000e 1 virtio_net 1" \
	"carrier, set_link off: igb 0 e1000e 0 virtio_net 0" \
	"NETDEV_STREAM_CONNECTED 3" "NETDEV_STREAM_DISCONNECTED 3"
