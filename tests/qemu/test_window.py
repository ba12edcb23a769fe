# SPDX-License-Identifier: GPL-2.0
"""Everything a VF can write, at random, while PF and neighbour are watched (tests/window).

IGB_RS_SEED repeats a seed that was printed."""

import os
import random

import pytest
from support.window import PLUGIN, Window, build_plugin

pytestmark = [
    pytest.mark.driver("igb_rs"),
    pytest.mark.guest(
        machine="q35,kernel-irqchip=split",
        first_devices=("intel-iommu,intremap=on",),
        cmdline="intel_iommu=on",
        memory="2G",
        accel="tcg",
        arguments=("-plugin", str(PLUGIN)),
    ),
    pytest.mark.skipif(
        "IGB_RS_QEMU_PROGRAM" in os.environ, reason="the plugin is for the usual version of QEMU"
    ),
    # Offsets where nothing is; and what the attacker's queues are kept from.
    pytest.mark.allow_trace("igbvf_wrn_io_addr_unknown|e1000e_wrn_regs"),
    pytest.mark.allow_log("DMAR"),
]

SHORT, LONG = 6000, 1_000_000


@pytest.fixture(scope="session", autouse=True)
def plugin():
    """Before a guest boots with it."""
    build_plugin()


def fuzz(lan, steps: int, batch: int, timeout: float):
    seed = int(os.environ.get("IGB_RS_SEED") or random.SystemRandom().getrandbits(32))
    print(f"seed {seed}: IGB_RS_SEED={seed} repeats it")
    window = Window(lan, attacker=seed & 1, batch=batch)
    outcome = window.run(seed, steps, timeout)
    print(outcome.figures)
    if outcome.wrong:
        least = window.minimised(seed, outcome)
        shown = f"{len(least)} steps that it takes:"
        pytest.fail("\n".join([f"seed {seed}: {outcome.wrong}", shown, *least[-100:]]))
    done = outcome.figures
    assert done["steps"] >= steps
    assert done["flrs"] + done["settings"] + done["resets"] >= steps / 100


@pytest.mark.timeout(600)
def test_in_short(lan):
    fuzz(lan, SHORT, batch=500, timeout=300)


@pytest.mark.long
@pytest.mark.kernel("debug")
@pytest.mark.timeout(7200)
def test_a_million_steps(lan):
    """Under KASAN, lockdep and the like."""
    fuzz(lan, LONG, batch=2000, timeout=5000)
