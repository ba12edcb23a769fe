# SPDX-License-Identifier: GPL-2.0
"""The PF and its VFs after they came, went or came back."""

from __future__ import annotations

from harness.topology import PEER, PF_HOST, PF_PCI, Lan, vf_host
from harness.traffic import ping

DEVICE = f"/sys/bus/pci/devices/{PF_PCI}"


def works(lan: Lan) -> bool:
    """Whether the PF reaches its peer."""
    lan.wait_carrier(PF_HOST)
    lan.guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 15)
    return ping(lan.guest, PF_HOST, PEER.ipv4, count=5).complete


def reattach(lan: Lan):
    """Name, addresses and link of a PF that has a new interface."""
    lan.guest.wait_until(f"[ -n \"$(ls {DEVICE}/net 2>/dev/null)\" ]", 20)
    lan.attach(PF_HOST, PF_PCI)
    lan.wait_carrier(PF_HOST)


def rebind_vf(lan: Lan, index: int):
    """Gives a VF to its driver anew and its interface back to its namespace."""
    pci, host = lan.vf_pci(index), vf_host(index)
    lan.detach(host)
    lan.guest.run(f"echo {pci} >/sys/bus/pci/drivers/igbvf/unbind;"
                  f"echo {pci} >/sys/bus/pci/drivers/igbvf/bind")
    lan.attach(host, pci)
    lan.wait_carrier(host)
