# SPDX-License-Identifier: GPL-2.0
"""linuxptp between two ports of one guest, each in a namespace of its own, with stamps of the
controllers. Time is the number of instructions, so that a busy machine makes no difference.

What counts is how far one clock is from the other, as the test reads both, and not what ptp4l believes.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from support.clocks import INSTRUCTIONS, Clock, middle

US = 1000
SECOND = 10**9
# The clocks are this far apart at first, and that which follows goes this much faster (ppb).
APART, FASTER = 3 * SECOND, 30_000
# ptp4l is to have settled within two minutes; then this is looked at.
SETTLES, WATCHED = 120, 60
LIMIT = 100 * US
PORTS = ("left", "right")

pytestmark = [
    pytest.mark.guest(duts=2, peer=None, smp=1, **INSTRUCTIONS),
    pytest.mark.long,
    pytest.mark.timeout(1200),
]


class Pair:
    """Two ports on one wire."""

    def __init__(self, guest):
        self.guest = guest
        guest.load()
        names = [guest.wait_netdev(f"0000:0{n + 1}:00.0") for n in range(2)]
        self.clocks = [Clock(guest, name) for name in names]
        guest.attach(
            [
                {"pci": f"0000:0{n + 1}:00.0", "name": name, "netns": name, "addresses": []}
                for n, name in enumerate(PORTS)
            ],
            carrier=30,
        )
        self.jobs = []

    def close(self):
        self.guest.agent.kill_all()
        self.guest.detach(None)
        self.guest.unload()

    def part(self, follower: int):
        """Has the clocks differ, in time and in rate."""
        for clock in self.clocks:
            assert clock.rate(0) == 0
            assert clock.set(1_700_000_000 * SECOND) == 0
        assert self.clocks[follower].shift(APART) == 0
        assert self.clocks[follower].rate(FASTER) == 0

    def ptp4l(self, port: int, arguments: str):
        name = PORTS[port]
        self.jobs.append(
            self.guest.start(
                f"exec ptp4l -i {name} -2 -m -q --uds_address /run/ptp4l-{name}"
                f" --uds_ro_address /run/ptp4l-{name}-ro {arguments} >/tmp/ptp4l-{name}.log 2>&1",
                timeout=3600,
                netns=name,
            )
        )

    def track(self, seconds: float, interval: float) -> list[tuple[int, int]]:
        first, second = (str(clock.number) for clock in self.clocks)
        found = self.guest.ask(
            "clock", "track", first, second, str(seconds), str(interval), timeout=1800
        )
        return [tuple(one) for one in found]

    def log(self, port: int) -> str:
        return self.guest.read(f"/tmp/ptp4l-{PORTS[port]}.log")


@pytest.fixture
def pair(guest):
    pair = Pair(guest)
    yield pair
    pair.close()


def record(name: str, driver: str, found: list[tuple[int, int]], log: str):
    """Keeps what was seen: build/ptp/NAME-DRIVER.json, of which tests/ptp-plot makes a picture."""
    directory = Path(os.environ.get("IGB_RS_PTP", "build/ptp"))
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"name": name, "driver": driver, "offsets": found, "log": log})
    (directory / f"{name}-{driver}.json").write_text(text + "\n", encoding="utf-8")


def spread(offsets: list[int]) -> str:
    """In words, microseconds."""
    return (
        f"median {middle(offsets) / US:.1f} us, from {min(offsets) / US:.1f} to"
        f" {max(offsets) / US:.1f} us"
    )


def states(log: str) -> list[str]:
    return re.findall(r"to (SLAVE|FAULTY|MASTER|UNCALIBRATED)\b", log)


@pytest.mark.parametrize("delay", ["E2E", "P2P"])
@pytest.mark.parametrize("follower", [0, 1], ids=PORTS)
def test_ptp4l_settles(pair, follower, delay):
    """In both roles, with delays of the path and of the link. With C igb, of which Documentation/ptp.rst
    tells why, it does not."""
    log, late, found = follow(pair, follower, delay, f"{PORTS[follower]}-{delay}")
    if pair.guest.config.driver == "igb":
        assert log.count("received SYNC without timestamp") > 10
        assert min(map(abs, late)) > LIMIT, spread(late)
        return
    check_settled(pair, log, late, found)


@pytest.mark.driver("igb_rs")
def test_ptp4l_settles_beside_vfs(pair):
    """Each port has two, with drivers, and up."""
    guest = pair.guest
    for n in range(2):
        guest.run(f"echo 2 >/sys/bus/pci/devices/0000:0{n + 1}:00.0/sriov_numvfs")
    names = [name for name, link in guest.links(None).items() if name != "lo"]
    assert len(names) == 4, names
    guest.run("; ".join(f"ip link set {name} up" for name in names))
    log, late, found = follow(pair, 1, "E2E", "right-E2E-vfs")
    check_settled(pair, log, late, found)
    for n in range(2):
        guest.run(f"echo 0 >/sys/bus/pci/devices/0000:0{n + 1}:00.0/sriov_numvfs")


def follow(pair, follower: int, delay: str, name: str):
    """Has one port follow the other: ptp4l's log, how far the clocks were apart when they should not any
    more, and from the beginning."""
    way = "-E" if delay == "E2E" else "-P"
    pair.part(follower)
    pair.ptp4l(1 - follower, f"{way} --priority1 100")
    pair.ptp4l(follower, f"{way} -s")
    found = pair.track(SETTLES + WATCHED, 0.5)
    log = pair.log(follower)
    record(name, pair.guest.config.driver, found, log)
    late = [offset for passed, offset in found if passed > SETTLES * SECOND]
    print(f"{pair.guest.config.driver} {name}: {spread(late)}")
    print(log[-2000:])
    return log, late, found


def check_settled(pair, log: str, late: list[int], found: list[tuple[int, int]]):
    assert "FAULTY" not in log and "timed out while polling" not in log
    assert states(log)[-1] == "SLAVE"
    assert max(map(abs, late)) < LIMIT, spread(late)
    # And how soon it was there.
    settled = next(
        passed
        for passed, _ in found
        if all(abs(offset) < LIMIT for later, offset in found if later >= passed)
    )
    print(f"settled after {settled / SECOND:.1f} s")
    for port in range(2):
        counters = pair.guest.run(f"ethtool -S {PORTS[port]}", netns=PORTS[port]).out
        assert re.search(r"tx_hwtstamp_timeouts: 0\n", counters)


@pytest.mark.driver("igb_rs")
def test_the_other_programs_of_linuxptp(pair):
    """pmc asks ptp4l, phc2sys steers a clock by another, hwstamp_ctl says what is stamped."""
    guest = pair.guest
    pair.part(1)
    pair.ptp4l(0, "-E --priority1 100")
    pair.ptp4l(1, "-E -s")
    pair.track(20, 5)
    asked = guest.run(
        "pmc -u -b 0 -s /run/ptp4l-right-ro -i /run/pmc 'GET TIME_STATUS_NP' 'GET PORT_DATA_SET'",
        netns="right",
    ).out
    assert re.search(r"gmPresent\s+true", asked), asked
    assert re.search(r"portState\s+SLAVE", asked), asked
    settings = guest.run("hwstamp_ctl -i right", netns="right").out
    assert "tx_type 1" in settings and "rx_filter 12" in settings
    guest.agent.kill_all()
    # The clock of the port is far from the system's.
    clock = pair.clocks[1]
    guest.start(
        f"exec phc2sys -s CLOCK_REALTIME -c /dev/ptp{clock.number} -O 0 -m >/tmp/phc2sys.log 2>&1",
        timeout=3600,
    )
    offsets = [clock.offset()]
    # Five times in a row, a second apart.
    while len(offsets) < 120 and max(map(abs, [LIMIT, *offsets][-5:])) >= LIMIT:
        guest.run("sleep 1", timeout=600)
        offsets.append(clock.offset())
    print(guest.read("/tmp/phc2sys.log")[-500:], offsets)
    assert max(map(abs, offsets[-5:])) < LIMIT
