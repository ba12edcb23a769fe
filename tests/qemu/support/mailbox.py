# SPDX-License-Identifier: GPL-2.0
"""Speaks the mailbox protocol in the place of a VF that has no driver."""

from __future__ import annotations

import json

from harness.agent import Job
from harness.topology import PF_PCI, Lan

# Offsets in a VF's registers.
V2PMAILBOX = 0x0C40
VMBMEM = 0x0800

ACK = 1 << 31
NACK = 1 << 30
CTS = 1 << 29

VF_RESET = 0x01
SET_MAC_ADDR = 0x02
SET_MULTICAST = 0x03
SET_VLAN = 0x04
SET_LPE = 0x05
SET_PROMISC = 0x06
PF_CONTROL_MSG = 0x0100

MAC_FILTER_CLR = 1
MAC_FILTER_ADD = 2
PROMISC_MULTICAST = 2


def message(kind: int, info: int = 0, *payload: int) -> list[int]:
    """Words of a message: word 0 and what follows."""
    return [kind | info << 16, *payload]


def address(mac: str) -> tuple[int, int]:
    """The two words that carry a MAC address."""
    data = bytes.fromhex(mac.replace(":", ""))
    return int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")


def hashes(*values: int) -> list[int]:
    """Multicast hashes, two to a word, the first in the lower half."""
    padded = [*values, *[0] * (len(values) % 2)]
    return [low | high << 16 for low, high in zip(padded[::2], padded[1::2])]


def echo(words: list[int]) -> int:
    """What a reply repeats of the first word: of SET_VLAN not the information byte, or igbvf takes a
    refusal for a success."""
    return SET_VLAN if words[0] & 0xFFFF == SET_VLAN else words[0]


def granted(words: list[int]) -> int:
    """First word of the reply that grants a message."""
    return echo(words) | ACK | CTS


def refused(words: list[int]) -> int:
    """First word of the reply that refuses it."""
    return echo(words) | NACK | CTS


class RawVf:
    """A VF without a driver, its registers mapped."""

    def __init__(self, lan: Lan, index: int):
        self.guest = lan.guest
        self.index = index
        self.pci = lan.vf_pci(index)
        enabled = self.guest.write(f"/sys/bus/pci/devices/{self.pci}/enable", "1")
        assert enabled.rc == 0, enabled

    def script(self, *steps, timeout: float = 60) -> list:
        """Runs steps as tests/guest/mailbox.py describes them."""
        return self.guest.ask("mailbox", self.pci, value=steps, timeout=timeout)

    def start(self, *steps, timeout: float = 60) -> Job:
        """The same in the background; `results` has what came of it."""
        return self.guest.start_ask("mailbox", self.pci, value=steps, timeout=timeout)

    @staticmethod
    def results(job: Job) -> list:
        return json.loads(job.wait().out)

    def exchange(self, *messages: list[int], seconds: float = 2) -> list[list[int] | None]:
        """Sends messages one after the other; the reply to each, None where there was none."""
        results = self.script(
            *(("send", words, seconds) for words in messages), timeout=30 + seconds * len(messages)
        )
        return [result["reply"] for result in results]

    def ask(self, *messages: list[int]) -> list[int | None]:
        """The first words of the replies."""
        return [reply and reply[0] for reply in self.exchange(*messages)]

    def handshake(self) -> list[int]:
        """VF_RESET once the PF is out of reset; the three words of the reply."""
        ready, answer = self.script(("ready", 5), ("send", message(VF_RESET), 2))
        assert ready, "the PF does not come out of reset"
        assert answer["reply"], "no reply to VF_RESET"
        return answer["reply"][:3]


def raw_vfs(lan: Lan, count: int) -> list[RawVf]:
    """Creates VFs that no driver binds."""
    autoprobe = f"/sys/bus/pci/devices/{PF_PCI}/sriov_drivers_autoprobe"
    assert lan.guest.write(autoprobe, "0").rc == 0
    result = lan.set_numvfs(count)
    assert lan.guest.write(autoprobe, "1").rc == 0
    assert result.rc == 0, result.err
    lan.settle()
    return [RawVf(lan, index) for index in range(count)]
