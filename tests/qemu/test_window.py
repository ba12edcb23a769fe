# SPDX-License-Identifier: GPL-2.0
"""Everything a VF can write, at random, while PF and neighbour are watched (tests/window).

IGB_RS_SEED repeats a seed that was printed, of a million steps as the first share."""

import os
import random
import re

import pytest
from support.defects import driver_with, read_list
from support.window import (
    PLUGIN,
    RUN,
    Outcome,
    Window,
    build_plugin,
    processor_seconds,
    told,
    total,
)


def guest(*arguments: str):
    """A VF's own DMA is kept within its pages, and the clock counts instructions."""
    return pytest.mark.guest(
        machine="q35,kernel-irqchip=split",
        first_devices=("intel-iommu,intremap=on",),
        cmdline="intel_iommu=on",
        memory="2G",
        accel="tcg",
        arguments=("-plugin", str(PLUGIN), "-icount", "shift=0,sleep=off", *arguments),
    )


pytestmark = [
    pytest.mark.driver("igb_rs"),
    guest(),
    pytest.mark.skipif(
        "IGB_RS_QEMU_PROGRAM" in os.environ, reason="the plugin is for the usual version of QEMU"
    ),
    # Offsets where nothing is; and what the attacker's queues are kept from.
    pytest.mark.allow_trace("igbvf_wrn_io_addr_unknown|e1000e_wrn_regs"),
    pytest.mark.allow_log("DMAR"),
]

SHORT, LONG = 6000, 1_000_000
# A million is split among guests, which run side by side where there is a processor for each.
SHARES = 2


@pytest.fixture(scope="session", autouse=True)
def plugin():
    """Before a guest boots with it."""
    build_plugin()


@pytest.fixture
def say(pytestconfig):
    """Prints at once, also where pytest keeps what a test prints."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def line(text: str):
        with capture.global_and_fixture_disabled():
            print(text, flush=True)

    return line


def first_seed() -> int:
    return int(os.environ.get("IGB_RS_SEED") or random.SystemRandom().getrandbits(32))


def fuzz(window: Window, seed: int, steps: int, say):
    say(f"\nseed {seed}: IGB_RS_SEED={seed} repeats it")
    begin, done = processor_seconds(window.guest), []
    for number, outcome in window.runs(seed, steps):
        done.append(outcome)
        if outcome.wrong:
            least = window.minimised(number, outcome)
            shown = f"{len(least)} steps that it takes:"
            pytest.fail("\n".join([f"seed {number}: {outcome.wrong}", shown, *least[-100:]]))
        so_far = total(done)["steps"]
        rate = so_far / (processor_seconds(window.guest) - begin)
        say(
            f"seed {number}: nothing wrong; {so_far} of {steps} steps,"
            f" {rate:.0f} a second of a processor"
        )
    figures = total(done)
    say(told(figures))
    assert figures["steps"] >= steps
    assert figures["settings"] >= steps / 100
    assert figures["granted"] and figures["denied"]
    # In a short run one of them may be missing, by chance.
    rare = figures["flrs"], figures["resets"]
    assert all(rare) if steps >= RUN else any(rare)


@pytest.mark.timeout(600)
def test_in_short(lan, say):
    seed = first_seed()
    fuzz(Window(lan, attacker=seed & 1), seed, SHORT, say)


@pytest.mark.long
@pytest.mark.kernel("debug")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    "share",
    [pytest.param(n, marks=guest("-name", f"share{n}"), id=f"share{n}") for n in range(SHARES)],
)
def test_a_million_steps(lan, say, share):
    """Under KASAN, lockdep and the like."""
    # Other seeds, and the other VF as the attacker.
    seed = first_seed() + share * (2 * LONG + 1)
    fuzz(Window(lan, attacker=seed & 1), seed, LONG // SHARES, say)


def first_wrong(window: Window, seed: int, steps: int) -> tuple[int, Outcome]:
    return next(
        (found for found in window.runs(seed, steps) if found[1].wrong),
        (seed, Outcome(None, 0, {})),
    )


@pytest.mark.long
@pytest.mark.kernel("stock")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("defect", read_list(), ids=lambda defect: defect.name)
def test_seeded_defects(lan, say, defect):
    """A driver that has one: the fuzzer says what is wrong, and what it takes."""
    with driver_with(lan, defect):
        window = Window(lan, attacker=0)
        # Of an even number: the attacker is the first VF.
        begin = first_seed() & ~1
        say(f"\n{defect.name}: seed {begin}")
        seed, outcome = first_wrong(window, begin, 10 * SHORT)
        assert outcome.wrong, "it is not found"
        say(f"found with step {outcome.number} of seed {seed}: {outcome.wrong}")
        least = window.minimised(seed, outcome)
        say("\n".join([f"{len(least)} steps are left:", *least]))
    assert re.search(defect.finds, outcome.wrong), outcome.wrong
    assert len(least) <= defect.steps
