# SPDX-License-Identifier: GPL-2.0
"""Messages of a VF without a driver to its PF, without end, valid and not.

    flood.py BDF SEED       until SIGTERM; then prints a JSON object of counts

An answer is waited for only now and then, so that messages also come while the PF is busy, in a
reset or about to write itself.
"""

import collections
import json
import random
import signal
import sys
from mailbox import REQ, RSTD, V2PMAILBOX, VFU, VMBMEM, WORDS, Mailbox

from registers import open_bar

VF_RESET, SET_MAC, SET_MULTICAST, SET_VLAN, SET_LPE, SET_PROMISC = range(1, 7)
VTCTRL_RESET = 1 << 26


def random_message(rng):
    """A kind of message, and words that often suit it."""
    kind = rng.choice((SET_MAC, SET_MULTICAST, SET_VLAN, SET_LPE, SET_PROMISC, rng.getrandbits(16)))
    info = rng.choice((0, 1, 2, rng.getrandbits(8)))
    words = [rng.getrandbits(32) for _ in range(rng.randrange(WORDS))]
    if kind == SET_MAC and words:
        # Locally administered, unicast.
        words[0] = words[0] & ~0xFF | 0x02
    if kind == SET_VLAN and words:
        words[0] &= 0xFFF
    return [kind | info << 16, *words]


def main():
    rng = random.Random(int(sys.argv[2]))
    mailbox = Mailbox(open_bar(sys.argv[1]))
    bar = mailbox.bar
    counts = collections.Counter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while True:
            try:
                one_step(mailbox, rng, counts)
            except TimeoutError:
                counts["buffer not free"] += 1
    finally:
        bar[V2PMAILBOX] = 0
        print(json.dumps(counts), flush=True)


def one_step(mailbox, rng, counts):
    bar = mailbox.bar
    choice = rng.randrange(100)
    if choice < 5:
        bar[0] = VTCTRL_RESET
        counts["resets"] += 1
    if choice < 15:
        mailbox.ready(0.1)
        answer = mailbox.send([VF_RESET], 0.5)
        counts["handshakes" if answer["reply"] else "handshakes without answer"] += 1
    elif choice < 40:
        answer = mailbox.send(random_message(rng), 0.2)
        counts["answers" if answer["reply"] else "silences"] += 1
    else:
        # No manners at all.
        bar[V2PMAILBOX] = VFU
        for word, value in enumerate(random_message(rng)):
            bar[VMBMEM + word] = value
        bar[V2PMAILBOX] = rng.choice((REQ, REQ | VFU, RSTD, 0))
        counts["thrown"] += 1


if __name__ == "__main__":
    main()
