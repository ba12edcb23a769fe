# SPDX-License-Identifier: GPL-2.0
"""Fixtures of the tests in a guest.

    def test_something(lan):            # driver loaded, PF and peer up
        lan.vfs_up(2)
        lan.guest.run("...")

    @pytest.mark.guest(cmdline="pci=nomsi", smp=1)      # any field of harness.Config
    @pytest.mark.kernel("debug")                        # only under this kernel
    @pytest.mark.watched                                # `make test`: under detectors as well
    @pytest.mark.fresh                                  # the driver is loaded for this test alone
    @pytest.mark.long                                   # only with --long, as `make test-all` does
    @pytest.mark.parity                                 # set here: named in Documentation/parity.rst
    @pytest.mark.allow_log("regex")                     # a kernel message this test provokes
    @pytest.mark.allow_trace("regex")                   # a trace line of the device model

--only FILE leaves the tests of a list that `make test-list` has printed, perhaps in another tree.

A guest is kept between tests of the same configuration. After each test its kernel log and, where
the peer does not blur it, the device model's trace are judged; a guest that failed a test is not
used again. Under a kernel that looks for leaks, so is what each file of tests left behind.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import pytest
from support.life import reattach

from harness import Config, Guest, accel, images, parity
from harness.agent import AgentGone, CommandFailed
from harness.config import DRIVERS
from harness.health import NO_ANSWER, OF_TIME, KernelLog, ModelTrace, left_behind, watches_locks
from harness.kernels import KERNELS
from harness.machine import MachineDied
from harness.nested import CannotNest, VmHost
from harness.topology import Lan

# Guests alive at the same time in one worker: each costs memory, and idle ones some CPU.
KEPT = 1


def _listed(path: str) -> frozenset[tuple[str, str]]:
    """Kernel, and file and name, of each line. Of others, "without NAME", tests/runner/plan.py knows."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return frozenset((kernel, test) for kernel, _, test in (line.partition(" ") for line in lines))


def pytest_addoption(parser):
    group = parser.getgroup("igb_rs")
    group.addoption(
        "--driver",
        choices=DRIVERS,
        default="igb_rs",
        help="driver under test (igb: the stock C driver, to compare)",
    )
    group.addoption(
        "--kernel",
        choices=KERNELS,
        default="stock",
        help="kernel the guests boot (see harness/kernels.py)",
    )
    group.addoption("--long", action="store_true", help="also run the tests marked `long`")
    group.addoption(
        "--share",
        action="store_true",
        help="of the tests, only those about this kernel and those marked `watched`",
    )
    group.addoption(
        "--any-driver",
        action="store_true",
        help="also run the tests about another driver than --driver",
    )
    group.addoption(
        "--only",
        type=_listed,
        metavar="FILE",
        help="of the tests, only those of FILE, which has lines as `make test-list` prints them",
    )
    group.addoption(
        "--accel",
        choices=("kvm", "tcg"),
        default=None,
        help="accelerator (default: KVM when it boots the stock kernel)",
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "allow_log(regex): kernel message the test provokes")
    config.addinivalue_line("markers", "allow_trace(regex): trace line the test provokes")
    config.addinivalue_line("markers", "driver(name): the test is about this driver only")
    config.addinivalue_line("markers", "kernel(name): the test is about this kernel only")
    config.addinivalue_line(
        "markers", "watched(*kernels): part of --share, under `debug` if no kernel is named"
    )
    config.addinivalue_line("markers", "fresh: the driver is loaded for this test alone")
    config.addinivalue_line("markers", "parity: named in Documentation/parity.rst")
    config.addinivalue_line("markers", "long: left out unless --long is given")


def pytest_itemcollected(item):
    """Before pytest selects by `-m`."""
    if f"{item.path.name}::{item.originalname}" in parity.named():
        item.add_marker("parity")


def pytest_collection_modifyitems(config, items):
    """Tests about another driver or kernel are not part of this run; tests of one guest run
    together."""
    chosen, others = [], []
    for item in items:
        (chosen if _is_wanted(config, item) else others).append(item)
    config.hook.pytest_deselected(items=others)
    _extend_timeouts(config, chosen)
    first = {}
    for number, item in enumerate(chosen):
        first.setdefault(guest_config(config, item), number)
    items[:] = sorted(chosen, key=lambda item: first[guest_config(config, item)])
    last = {_group(config, item): item for item in items if "guest" in item.fixturenames}
    for item in items:
        item.stash[LAST] = item is last.get(_group(config, item))


def _group(config, item) -> tuple:
    """Tests with an equal one run one after the other, in the same guest."""
    return item.path, guest_config(config, item), item.get_closest_marker("alone") is not None


def _is_wanted(config, item) -> bool:
    """Whether the test is about the driver and the kernel of this run, and was asked for."""
    for option in ("driver", "kernel"):
        if option == "driver" and config.getoption("--any-driver"):
            continue
        only = item.get_closest_marker(option)
        if only is not None and config.getoption(f"--{option}") not in only.args:
            return False
    listed = config.getoption("--only")
    name = f"{item.path.name}::{item.nodeid.partition('::')[2]}"
    if listed is not None and (config.getoption("--kernel"), name) not in listed:
        return False
    if config.getoption("--share") and not _is_of_the_share(config, item):
        return False
    return config.getoption("--long") or item.get_closest_marker("long") is None


def _is_of_the_share(config, item) -> bool:
    """Whether `make test` runs the test also under the kernel of this run."""
    kernels = {
        kernel for marker in item.iter_markers("watched") for kernel in marker.args or ("debug",)
    }
    return config.getoption("--kernel") in kernels or item.get_closest_marker("kernel") is not None


def _extend_timeouts(config, items):
    """The limits are for the stock kernel, and for a machine that does nothing else."""
    slowness = KERNELS[config.getoption("--kernel")].slowness
    for item in items:
        own = item.get_closest_marker("timeout")
        limit = own.args[0] if own else float(config.getini("timeout"))
        item.add_marker(pytest.mark.timeout(limit * slowness * 2), append=False)


def guest_config(config, item) -> Config:
    """The configuration a test asks for by its marker."""
    fields = {name: config.getoption(f"--{name}") for name in ("driver", "kernel", "accel")}
    marker = item.get_closest_marker("guest")
    return Config(**{**fields, **(marker.kwargs if marker else {})})


def booted(config: Config) -> Guest:
    """A guest whose kernel has nothing to say yet, and watches."""
    guest = Guest(config)
    complaints = KernelLog.of_boot(guest)
    if guest.config.boots.watches("lockdep") and not watches_locks(guest):
        complaints.append("lockdep does not watch")
    if complaints:
        guest.machine.close()
        pytest.fail("\n".join(["the kernel has booted with reports:", *complaints]))
    return guest


class Guests:
    """The guests of this session, by configuration; the least recently used one goes first."""

    def __init__(self):
        self.alive: OrderedDict[Config, Guest] = OrderedDict()
        self.lans: dict[Guest, Lan] = {}

    def get(self, config: Config) -> Guest:
        if config not in self.alive:
            while len(self.alive) >= KEPT:
                self._power_off(last=False)
            self.alive[config] = booted(config)
        self.alive.move_to_end(config)
        return self.alive[config]

    def lan(self, guest: Guest) -> Lan:
        """The network of a guest, which stays between the tests of a file."""
        return self.lans.setdefault(guest, Lan(guest))

    def take_down(self, guest: Guest):
        """The network of a guest, if it has one."""
        network = self.lans.pop(guest, None)
        if network is not None:
            network.down()

    def discard(self, config: Config):
        guest = self.alive.pop(config, None)
        if guest is not None:
            self.lans.pop(guest, None)
            guest.machine.close()

    def close(self):
        while self.alive:
            self._power_off()

    def _power_off(self, last: bool = True):
        guest = self.alive.popitem(last)[1]
        self.lans.pop(guest, None)
        guest.power_off()


@pytest.fixture(scope="session")
def guests(pytestconfig):
    """Boots guests on demand and powers them off at the end."""
    os.environ.setdefault("IGB_RS_RUNS", str(images.CLONE / "build/test"))
    Path(os.environ["IGB_RS_RUNS"]).mkdir(parents=True, exist_ok=True)
    if pytestconfig.getoption("--accel") is None:
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            accel.choose()
    kept = Guests()
    yield kept
    kept.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets fixtures see whether the test itself failed."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


FAILED = pytest.StashKey[bool]()
# Whether no other test of its file has the same guest afterwards.
LAST = pytest.StashKey[bool]()


@pytest.fixture
def config(request):
    """The configuration the test asks for, of which there is an image."""
    found = guest_config(request.config, request.node)
    missing = images.missing(found.image)
    if missing:
        pytest.skip(missing)
    return found


@pytest.fixture
def is_last(request):
    """Whether no other test of its file has the same guest afterwards."""
    return request.node.stash[LAST]


@pytest.fixture
def guest(request, guests, config):
    """A healthy guest of the configuration the test asks for, judged when the test is over."""
    machine = guests.get(config)
    if "lan" not in request.fixturenames:
        guests.take_down(machine)
    log = KernelLog(machine, request.node.name)
    trace = ModelTrace(machine)
    locks_were_watched = watches_locks(machine)
    yield machine
    complaints: list[str] = []
    try:
        complaints += log.complaints(_arguments(request.node, "allow_log"))
        # Some of the reports that a test provokes end that watch.
        if locks_were_watched and not watches_locks(machine) and not log.complaints():
            complaints.append("lockdep does not watch any more")
        if _trace_is_ours(config):
            complaints += trace.complaints(_arguments(request.node, "allow_trace"))
        if request.node.stash[LAST]:
            complaints += left_behind(machine)
    except (AgentGone, CommandFailed) as error:
        complaints.append(f"{NO_ANSWER}: {error}")
    if any(not OF_TIME.search(complaint) for complaint in complaints):
        # Seen once is enough (tests/run-all).
        request.node.user_properties.append(("report", complaints[0].splitlines()[0]))
    if complaints or request.node.stash.get(FAILED, False):
        request.node.add_report_section(
            "teardown", "guest", f"{machine.directory}\n" + _last_words(machine)
        )
        guests.discard(config)
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def own_guest(config, guests):
    """A guest that may end in the test. Nobody judges its log."""
    machine = Guest(config)
    yield machine
    machine.machine.close()


def _arguments(item, marker: str) -> list[str]:
    return [argument for found in item.iter_markers(marker) for argument in found.args]


def _trace_is_ours(config: Config) -> bool:
    """QEMU's e1000e shares its trace events with igb, so as a peer it blurs them; and what the C
    driver does is its own affair."""
    return config.driver == "igb_rs" and not (config.peer or "").startswith("e1000")


def _last_words(machine: Guest) -> str:
    try:
        return machine.run("dmesg | tail -n 60", timeout=20).out
    except (AgentGone, CommandFailed):
        return machine.machine.explain("console:")


@pytest.fixture
def lan(request, guests, guest):
    """The driver under test loaded, PF `dut` and peer up, all settings as they are then. Kept until
    the end of the file; what a test has changed is undone after it, and what cannot be undone fails
    it."""
    fresh = request.node.get_closest_marker("fresh") is not None
    if fresh:
        guests.take_down(guest)
    network = guests.lan(guest)
    network.ready()
    yield network
    try:
        left = [] if request.node.stash.get(FAILED, False) else network.restore()
        if fresh or request.node.stash[LAST]:
            guests.take_down(guest)
    except (AgentGone, CommandFailed, MachineDied, TimeoutError) as error:
        pytest.fail(f"cannot restore the network: {error}")
    assert not left, "\n".join(["left behind by the test:", *left])


@pytest.fixture
def vfs(request, lan):
    """`@pytest.mark.parametrize("vfs", [7], indirect=True)`, default 2: that many VFs, up."""
    return lan.vfs_up(getattr(request, "param", 2))


@pytest.fixture
def silicon(lan):
    """The driver takes the device model for an 82576."""
    guest = lan.guest
    guest.unload()
    guest.load("controller=1")
    reattach(lan)
    yield lan
    lan.down()


@pytest.fixture
def vmhost(lan):
    """The guest as a host of guests, `@pytest.mark.guest(**HOST_OF_GUESTS)`."""
    try:
        host = VmHost(lan)
    except CannotNest as lack:
        pytest.skip(str(lack))
    yield host
    try:
        host.close()
    except AgentGone as error:
        pytest.fail(f"cannot end the nested guests: {error}")
