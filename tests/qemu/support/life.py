# SPDX-License-Identifier: GPL-2.0
"""The PF and its VFs after they came, went or came back."""

from __future__ import annotations

from harness.topology import PEER, PF_HOST, PF_PCI, Host, Lan, vf_host
from harness.traffic import ping

DEVICE = f"/sys/bus/pci/devices/{PF_PCI}"


def works(lan: Lan) -> bool:
    """Whether the PF reaches its peer. The carrier alone does not say so: a link that is about to go down, to
    be negotiated anew, still has it."""
    lan.wait_carrier(PF_HOST)
    lan.guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 15)
    return ping(lan.guest, PF_HOST, PEER.ipv4, count=5).complete


def reach_peer(lan: Lan, *hosts: Host, seconds: float = 60):
    """Waits until each host, of VFs mostly, reaches the peer. To be called after a reset of the PF
    and before a VF goes: igbvf starts over when it sees that its link was down, and one that is
    closed meanwhile warns (igbvf_close()) or never ends."""
    for host in hosts:
        lan.guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", seconds, netns=host.netns)


def reattach(lan: Lan):
    """Name, addresses and link of a PF that has a new interface."""
    lan.guest.wait_netdev(PF_PCI)
    lan.attach(PF_HOST, PF_PCI)
    lan.wait_carrier(PF_HOST)


def rebind_vf(lan: Lan, index: int):
    """Gives a VF to its driver anew and its interface back to its namespace."""
    pci, host = lan.vf_pci(index), vf_host(index)
    # Unbound first: igbvf may be resetting it (`_may_reset_itself` in tests/guest/network.py).
    lan.guest.run(f"echo {pci} >/sys/bus/pci/drivers/igbvf/unbind")
    lan.detach(host)
    lan.guest.run(f"echo {pci} >/sys/bus/pci/drivers/igbvf/bind")
    lan.attach(host, pci)
    lan.wait_carrier(host)
