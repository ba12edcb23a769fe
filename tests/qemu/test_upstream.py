# SPDX-License-Identifier: GPL-2.0
"""The kernel's own selftests of network drivers, unmodified, from the kernel's source package.

What became of each sub-test with each driver is in tests/scoreboard/scoreboard.json: here it must be
the same again. `make scoreboard` writes it.
"""

import json
import os
from pathlib import Path

import pytest
from support.clocks import INSTRUCTIONS
from support.upstream import Upstream, run

from harness import images
from scoreboard import scripts
from scoreboard.board import Board, better, differences, unexplained

# irq.py sets an affinity mask that takes three processors.
CPUS = 4
SCRIPTS = scripts.load()
# A directory for what is found, instead of a comparison.
RECORD = os.environ.get("IGB_RS_SCOREBOARD")


def marks(script: scripts.Script) -> list:
    clock = INSTRUCTIONS if script.waits else {}
    guest = pytest.mark.guest(smp=CPUS, peer=script.peer, **clock)
    chosen = [guest, pytest.mark.timeout(script.limit * 3)]
    if not script.fast:
        chosen.append(pytest.mark.long)
    if not script.debug:
        chosen.append(pytest.mark.kernel("stock"))
    return chosen


def is_the_same(guest) -> bool:
    """Whether kernel and QEMU are those of the board. Others must only not do worse."""
    return (
        guest.config.kernel == "stock"
        and Board.kept().kernel == images.RELEASE
        and "IGB_RS_QEMU_PROGRAM" not in os.environ
    )


def record(script: scripts.Script, driver: str, found: dict, seconds: float, output: str):
    """Keeps what became of a script for `make scoreboard`, beside what it printed."""
    directory = Path(RECORD) / driver
    directory.mkdir(parents=True, exist_ok=True)
    cases = {case: [fate.fate, fate.said] for case, fate in found.items()}
    value = {"script": script.name, "cases": cases, "seconds": seconds}
    path = directory / (script.name.replace("/", "+") + ".json")
    path.with_suffix(".log").write_text(output, encoding="utf-8")
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=marks(script)) for name, script in SCRIPTS.items()]
)
def test_upstream(lan, name):
    script, driver = SCRIPTS[name], lan.guest.config.driver
    if script.btf and not lan.guest.succeeds("test -e /sys/kernel/btf/vmlinux"):
        pytest.skip(f"{name} needs a kernel with CONFIG_DEBUG_INFO_BTF; test_xdp.py does not")
    if not RECORD and not Board.kept().fates(name, driver):
        pytest.skip(f"{name} is not on the board with {driver}: 'make scoreboard' puts it there")
    found, seconds, output = run(Upstream(lan.guest), lan, script)
    print(output)
    if RECORD:
        if unexplained(name, driver, found):
            # A busy machine makes scripts fail that have limits of their own: twice is a fault.
            lan.restore()
            lan.ready()
            again, more, text = run(Upstream(lan.guest), lan, script)
            found, seconds, output = better(found, again), seconds + more, output + text
        record(script, driver, found, seconds, output)
        return
    worse = list(differences(Board.kept(), name, driver, found))
    if not is_the_same(lan.guest):
        worse = [line for line in worse if f"{scripts.PASS} on the board" in line]
    assert not worse, "\n".join([*worse, "if it has to be so, 'make scoreboard' records it"])
