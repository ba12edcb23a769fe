# SPDX-License-Identifier: GPL-2.0
"""A VF's side of the PF-VF mailbox, for a VF that no driver is bound to.

    mailbox.py BDF <script        a list with one result per step

Steps:
    ["send", [words], seconds]  post a message, wait for the answer:
                                {"acked": bool, "reply": [16 words] or null, "us": microseconds}
    ["receive", seconds]        wait for a message of the PF: as above, without "acked"
    ["ring"]                    post nothing, but ring, which gives the buffer back: null
    ["hold"], ["release"]       take or give back the buffer: null
    ["read", offset]            a register: its value
    ["write", offset, value]    null
    ["ready", seconds]          wait until the PF is out of reset: bool
    ["sleep", seconds]          null
    ["time"]                    seconds of a clock: number
"""

import time

from by_hand import by_hand
from registers import open_bar

V2PMAILBOX = 0xC40 // 4
VMBMEM = 0x800 // 4
WORDS = 16

REQ, ACK, VFU, PFU, PFSTS, PFACK, RSTI, RSTD = (1 << bit for bit in range(8))
READ_CLEARS = PFSTS | PFACK | RSTD


class Mailbox:
    """Remembers the bits that reading V2PMAILBOX clears."""

    def __init__(self, bar):
        self.bar = bar
        self.seen = 0

    def status(self):
        value = self.bar[V2PMAILBOX]
        self.seen |= value & READ_CLEARS
        return value

    def take(self, bit):
        """Whether the bit was set since it was last taken."""
        self.status()
        found = bool(self.seen & bit)
        self.seen &= ~bit
        return found

    def hold(self):
        for _ in range(1000):
            self.bar[V2PMAILBOX] = VFU
            if self.status() & VFU:
                return
            time.sleep(0.001)
        raise TimeoutError("the PF does not give the buffer back")

    def answer(self, begin, seconds):
        """Waits for a message of the PF and acknowledges it."""
        result = {"reply": None, "us": None, "acked": False}
        end = begin + seconds
        while time.monotonic() < end:
            if self.take(PFSTS):
                result["us"] = (time.monotonic() - begin) * 1e6
                result["reply"] = [self.bar[VMBMEM + word] for word in range(WORDS)]
                self.bar[V2PMAILBOX] = ACK
                break
            # The device model serves one access at a time: looking without pause, as no client
            # does, would keep the PF from answering.
            time.sleep(0.0001)
        result["acked"] = self.take(PFACK)
        return result

    def send(self, words, seconds):
        self.hold()
        self.status()
        self.seen &= ~(PFSTS | PFACK)
        for index, word in enumerate(words):
            self.bar[VMBMEM + index] = word
        begin = time.monotonic()
        self.bar[V2PMAILBOX] = REQ
        return self.answer(begin, seconds)

    def ready(self, seconds):
        """RSTD says that the PF came out of reset, a clear RSTI that it is not in one."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.status() & RSTI:
                return True
        return False

    def step(self, kind, *arguments):
        if kind == "send":
            return self.send(*arguments)
        if kind == "receive":
            return self.answer(time.monotonic(), *arguments)
        if kind == "ring":
            self.bar[V2PMAILBOX] = REQ
        elif kind == "hold":
            self.hold()
        elif kind == "release":
            self.bar[V2PMAILBOX] = 0
        elif kind == "read":
            return self.bar[arguments[0] // 4]
        elif kind == "write":
            self.bar[arguments[0] // 4] = arguments[1]
        elif kind == "ready":
            return self.ready(*arguments)
        elif kind == "sleep":
            time.sleep(*arguments)
        elif kind == "time":
            return time.monotonic()
        else:
            raise ValueError(kind)
        return None


def answer(arguments, script):
    mailbox = Mailbox(open_bar(arguments[0]))
    return [mailbox.step(*step) for step in script]


if __name__ == "__main__":
    by_hand(answer)
