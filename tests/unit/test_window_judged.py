# SPDX-License-Identifier: GPL-2.0
"""The fuzzer of a VF's registers, as far as it needs no guest: what is judged, and how a run that
failed is made short."""

import random
import re

from support.defects import read_list
from support.registers import documented
from support.window import Outcome, exceptions, judged, kind_of, shortest, tails, told, total

from harness import images


def test_shortest_keeps_what_it_takes():
    """Three steps that only fail together and in this order, anywhere among a thousand."""
    rng = random.Random(1)
    for _ in range(20):
        needed = sorted(rng.sample(range(1000), 3))
        tries = []

        def fails(steps, needed=needed, tries=tries):
            tries.append(len(steps))
            return [step for step in steps if step in needed] == needed

        assert shortest(list(range(1000)), fails) == needed
        assert len(tries) < 150


def test_shortest_is_quick_where_much_is_needed():
    """As when something is counted: any ten of forty messages of three steps each."""
    rng = random.Random(1)
    for _ in range(5):
        messages = [{5 * at, 5 * at + 2, 5 * at + 4} for at in rng.sample(range(200), 40)]
        tries = []

        def fails(steps, messages=messages, tries=tries):
            tries.append(len(steps))
            return sum(message.issubset(steps) for message in messages) >= 10

        assert len(shortest(list(range(1000)), fails)) == 30
        assert len(tries) < 300


def test_shortest_ends_when_time_is_up():
    assert shortest(list(range(100)), lambda steps: True, lambda: True) == list(range(100))


def test_tails_end_with_all():
    assert tails(500) == [500]
    assert tails(5000) == [1000, 2000, 4000, 5000]


def test_outcome():
    outcome = Outcome.parse("wrong 12 RAH[3] was 0x80 and is 0 (mask 0)\nsteps 12\nus 3\n")
    assert (outcome.number, outcome.figures) == (12, {"steps": 12, "us": 3})
    assert kind_of(outcome.wrong) == "RAH[N] was N and is N (mask N)"
    assert Outcome.parse("steps 5\n").wrong is None


def test_figures_of_several_runs():
    runs = [
        Outcome(
            None, 0, {"steps": 100, "writes": 90, "settings": 3, "longest_us": 7, "set_mac": 1}
        ),
        Outcome(None, 0, {"steps": 200, "writes": 190, "settings": 3, "longest_us": 5}),
    ]
    figures = total(runs)
    assert (figures["steps"], figures["longest_us"], figures["set_mac"]) == (300, 7, 1)
    assert "6 (2.00 %) settings" in told(figures)


def test_seeded_defects_fit():
    """Each can be put into the driver as it is now."""
    defects = read_list()
    assert len({defect.name for defect in defects}) == len(defects) >= 3
    for defect in defects:
        source = (images.CLONE / defect.path).read_text(encoding="utf-8")
        assert defect.put_in(source) != source
        re.compile(defect.finds)


def test_what_is_judged():
    """Of the registers that reading has no effect on, each is judged or excused by name, and each
    excuse is for one that there is."""
    for attacker in (0, 1):
        lines = [line.split() for line in judged(attacker, 1 - attacker)]
        names = {name for _, name, _, _ in lines}
        excused = exceptions(attacker, 1 - attacker)
        for name, register in documented().items():
            free = register.access in ("RC", "RS", "WO") or name in names
            assert free or any(re.fullmatch(may.names, name) for may in excused), name
        for may in excused:
            assert any(re.fullmatch(may.names, name) for name in documented()), may
        # Everything of the neighbour's that it does not change itself.
        neighbour = 1 - attacker
        assert {f"RDBAL[{neighbour}]", f"TDWBAL[{neighbour + 8}]", f"VTIVAR[{neighbour}]"} <= names
        assert {"RCTL", "VT_CTL", "DTXCTL", "GPIE", "VMOLR[2]", "MRQC", "CTRL"} <= names
        assert not {f"RDBAL[{attacker}]", "ICR", "SWSM"} & names
        # Of its pool, what an administrator or a message of its can change: by mask, the bits that may.
        masks = {name: int(mask, 0) for _, name, _, mask in lines}
        rope, bam = 1 << 26, 1 << 27
        assert not masks[f"VMOLR[{attacker}]"] & (rope | bam)
        assert masks[f"VMVIR[{attacker}]"] and masks["VMOLR[2]"] == 0
