# SPDX-License-Identifier: GPL-2.0
"""Who has no right to the port changes nothing of it, and keeps no VF waiting. Documentation/attacks.rst,
"Users without rights", has what they may read."""

import contextlib
import json
import statistics

import pytest
from support.attack import COUNTED
from support.debugfs import show
from support.mailbox import SET_MAC_ADDR, SET_MULTICAST, address, granted, message, raw_vfs, refused
from support.registers import (
    ALL_ACCESSES,
    FW_PHY0,
    SW_FW_SYNC,
    Filters,
    Registers,
    accesses,
    documented,
)

from harness.tally import uncounted
from harness.topology import PF, PF_PCI

pytestmark = [
    pytest.mark.driver("igb_rs"),  # C igb has no devlink, and nothing in debugfs
    # The device model lacks some of the registers that are compared.
    pytest.mark.allow_trace("e1000e_wrn_regs_read_unknown"),
]

PCI = f"/sys/bus/pci/devices/{PF_PCI}"
# What changes by itself, or with a frame.
MOVES = (
    "RDH RDT TDH TDT EITR EIMS MDIC EERD EECD SW_FW_SYNC FRTIMER SYSTIML SYSTIMH GORCL GOTCL "
    "STATUS TXSTMPH RXSTMPH RXSATRH"
)
# By the numbers of include/uapi: what everybody may ask of a port, with the meaning of each in attacks.rst.
READS = {
    "ethtool": "1 2 4 6 7 11 13 15 17 19 21 23 25 28 29 32 33 34 36 38 39 41 42 45 46 51",
    "devlink": "1 5 11 15 19 23 31 32 33 36 38 42 47 51 52 61 65 69 74 78 82 84",
    "netdev": "1 5 9 10 11 12 15",
    "net-shaper": "1 5",
}
# Of those that are closed: what nobody may do, or the kernel does not have.
NOT_THERE = {"SIOCSIFLINK": "ENOTTY", "SIOCSIFPFLAGS": "EINVAL", "SIOCDEVPRIVATE": "ENOTSUP"}

# From a namespace that does not have the device, of which the kernel looks at something else before.
SOMETHING_ELSE_FIRST = {
    "rtnetlink": {"another name": "EINVAL", "add a route": "ENOTSUP"},
    "ioctl": dict.fromkeys(
        ("SIOCSIFADDR", "SIOCSIFDSTADDR", "SIOCSIFBRDADDR", "SIOCSIFNETMASK"), "EINVAL"
    ),
    "generic netlink": dict.fromkeys(("ethtool 12", "ethtool 50", "netdev 13"), "EINVAL"),
}


def registers(guest) -> dict[str, int]:
    """All that can be read without an effect, but for what moves by itself."""
    wanted = {
        name: register.offset
        for name, register in documented().items()
        if register.access in ("RW", "RO")
        and name.split("[")[0] not in MOVES.split()
        and not name.startswith("PVF")
    }
    return dict(zip(wanted, Registers(guest).read(*wanted.values()), strict=True))


def whole_state(lan) -> dict:
    """All that can be set of a port and its VFs, and the registers it is in."""
    guest = lan.guest
    settings = guest.ask("state", "read", PF_PCI)
    for place in settings["namespaces"].values():
        for link in place["links"].values():
            # Their counters are in it.
            link.pop("VFs", None)
    return {
        "settings": settings,
        "VFs": json.loads(guest.run("ip -j link show dut").out),
        "devlink": {
            what: guest.run(f"devlink -j {what} pci/{PF_PCI}").out
            for what in ("dev info", "dev param show", "resource show", "health show")
        },
        "events": guest.run(
            "ethtool -S dut | grep -E 'vf[0-6]_(msg|ref|flr|quar|addr)|resets'"
        ).out,
        "registers": registers(guest),
        "filters": show(lan, "filters"),
        "names": sorted(guest.links()),
    }


def difference(before: dict, after: dict) -> dict:
    """What is another now, and what it was."""
    return {
        key: difference(value, after[key])
        if isinstance(value, dict) and isinstance(after.get(key), dict)
        else (value, after.get(key))
        for key, value in before.items()
        if value != after.get(key)
    }


def doors(lan, who: str, *names: str) -> dict[str, dict[str, str]]:
    """By group what each answers."""
    found = lan.guest.ask("doors", who, PF_PCI, PF, *names, timeout=120)
    assert "error" not in found, found
    for group, answers in found.items():
        assert answers or names, group
        print(f"{who}, {group}: {len(answers)} doors, {sorted(set(answers.values()))}")
    return found


def but(answers: dict[str, str], *expected: str) -> dict[str, str]:
    """Doors that answer something else."""
    return {
        door: error
        for door, error in answers.items()
        if error not in expected and NOT_THERE.get(door) != error
    }


def files_are_closed(found: dict, absent: str = "EACCES"):
    """None can be written to. `absent`: of files in /proc that belong to a network namespace."""
    for kind in ("sysfs", "debugfs", "devices"):
        assert not but(found[kind], "EACCES"), kind
    assert not but(found["procfs"], "EACCES", absent)
    assert not but(found["clock"], "EACCES")


def test_user_without_rights(lan, vfs):
    """Every door that changes something is closed, and nothing has changed."""
    before = whole_state(lan)
    found = doors(lan, "nobody")
    for group in ("rtnetlink", "ioctl", "generic netlink", "system"):
        assert not but(found[group], "EPERM"), group
    files_are_closed(found)
    # What may be read says so in whatever way, and there is nothing that nobody has listed.
    reads = found["reads by generic netlink"]
    known = {f"{family} {number}" for family, listed in READS.items() for number in listed.split()}
    assert reads.keys() <= known, reads.keys() - known
    for answers in (reads, found["reads by ioctl"]):
        assert not {"EPERM", "EACCES"} & set(answers.values())
        assert "" in answers.values()
    assert difference(before, whole_state(lan)) == {}


def test_user_with_all_rights_elsewhere(lan, vfs):
    """In a user and a network namespace of its own: a socket from before is as good as without rights,
    and there the port is not."""
    before = whole_state(lan)
    found = doors(lan, "namespace")
    for group in ("rtnetlink", "ioctl", "generic netlink", "other namespace"):
        assert not but(found[group], "EPERM"), group
    for group in ("rtnetlink", "ioctl", "generic netlink"):
        other = but(found[f"{group} from there"], "ENODEV", "EPERM")
        assert other == SOMETHING_ELSE_FIRST[group], group
    named = {door: found["rtnetlink from there"][door] for door in ("MTU", "VF's trust", "down")}
    assert not but(named, "ENODEV")
    files_are_closed(found, absent="ENOENT")
    assert difference(before, whole_state(lan)) == {}


def test_the_same_with_rights(lan, vfs):
    """Control: the same requests open doors for root, and what they change is seen."""
    before = whole_state(lan)
    names = ("MTU", "alias", "VF's VLAN", "VF's trust", "VF's spoof check", "VF's address")
    names += ("add a forwarding entry", "add an address", "switch mode", "SIOCETHTOOL 0x8")
    # Recovery of a reporter of devlink, which is well; and files, of a VF as well.
    vf = lan.guest.run(f"readlink -f {PCI}/virtfn0").out.strip()
    pf = lan.guest.run(f"readlink -f {PCI}").out.strip()
    names += ("devlink 54", f"{pf}/sriov_numvfs", f"{vf}/reset", f"{vf}/config")
    names += tuple(f"/proc/bus/pci/{path[-7:-5]}/{path[-4:]}" for path in (pf, vf))
    found = doors(lan, "root", *names)
    answers = {door: error for group in found.values() for door, error in group.items()}
    assert answers == dict.fromkeys(names, "")
    changed = difference(before, whole_state(lan))
    assert {"settings", "VFs", "registers", "filters"} <= changed.keys(), changed.keys()
    for register in ("VMVIR[0]", "DTXSWC"):
        assert register in changed["registers"], changed["registers"]


CHOSEN, GIVEN = "02:00:00:00:00:51", "02:00:00:00:00:52"


def test_user_with_an_interface_above_the_port(lan):
    """Root has put a macvlan into a namespace in which a user has all rights. It may have an address that a VF has
    chosen, which is the PF's then, but none that is the administrator's."""
    guest = lan.guest
    first, second = raw_vfs(lan, 2)
    assert lan.link_set(f"vf 1 mac {GIVEN}").rc == 0
    for vf in (first, second):
        vf.handshake()
    own = message(SET_MAC_ADDR, 0, *address(CHOSEN))
    assert first.ask(own) == [granted(own)]
    user = guest.start(
        "echo $$ >/tmp/user; exec unshare --user --map-root-user --net sleep 600", timeout=None
    )
    guest.wait_until("[ $(cat /proc/$(cat /tmp/user)/comm) = sleep ]", 10)
    pid = guest.read("/tmp/user").strip()

    def set_link(what: str) -> bool:
        return guest.succeeds(f"nsenter -t {pid} --user --net ip link set above {what}")

    guest.run(f"ip link add link {PF} name above type macvlan && ip link set above netns {pid}")
    assert set_link("up") and set_link("promisc on")
    pools = Filters.read(guest)
    pf, pf_pool = guest.read(f"/sys/class/net/{PF}/address").strip(), 1 << pools.default_pool
    assert not set_link(f"address {pf}")
    # The macvlan has it, and receives nothing by it.
    assert set_link(f"address {GIVEN}")
    assert Filters.read(guest).pools_of(GIVEN) == 0b10
    assert Filters.read(guest).pools_of(CHOSEN) == 0b01
    assert set_link(f"address {CHOSEN}")
    assert Filters.read(guest).pools_of(CHOSEN) == pf_pool
    assert first.ask(own) == [refused(own)]
    user.kill()
    user.wait(check=False)
    guest.wait_until("! ip link show type macvlan | grep -q .", 10)
    assert first.ask(own) == [granted(own)]
    assert Filters.read(guest).pools_of(CHOSEN) == 0b01


# ---- who waits for whom ----------------------------------------------------------------------

# The first CPU is the VF's: the others are busy with users.
COUNTED_TWO = pytest.mark.guest(**{**COUNTED, "smp": 2})
USERS = 3
REQUESTS = 100
WORDS = message(SET_MULTICAST)


@contextlib.contextmanager
def users(lan, *which: str):
    """So many users without rights go through doors to be read, without pause, on the second CPU."""
    jobs = [lan.guest.start_call("doors", PF_PCI, PF, 1, *which, timeout=600) for _ in range(USERS)]
    try:
        # Past the first round of each.
        lan.guest.run("sleep 1")
        assert not any(job.has_ended() for job in jobs)
        yield
        assert not any(job.has_ended() for job in jobs)
    finally:
        for job in jobs:
            job.kill()


def waits(vf) -> list[float]:
    """Microseconds until each of so many requests is answered."""
    steps = [step for _ in range(REQUESTS) for step in (("send", WORDS, 5), ("sleep", 0.02))]
    answers = vf.script(*steps, timeout=120)[::2]
    assert all(answer["reply"] and answer["reply"][0] == granted(WORDS) for answer in answers)
    return sorted(answer["us"] for answer in answers)


def told(what: str, found: list[float]):
    print(f"{what}: median {statistics.median(found):.0f} us, worst {found[-1]:.0f} us")


@pytest.mark.long
@COUNTED_TWO
@pytest.mark.timeout(600)
def test_users_who_read_keep_no_vf_waiting(lan):
    """By the clock of a guest that counts instructions. An in-tree client gives up after a second."""
    (vf,) = raw_vfs(lan, 1)
    vf.handshake()
    told("alone", waits(vf))
    with users(lan, "all"):
        beside = waits(vf)
    told(f"beside {USERS} users", beside)
    assert beside[-1] < 100_000


# Registers of the controller's counters: the first and the last that are read; and VF 0's mailbox.
CRCERRS, GOTCH, P2VMAILBOX_0 = 0x4000, 0x4094, 0x0C00


# As `ethtool -S` does, again and again: how many counters there are, their names, their values. Prints how often.
READS_COUNTERS = f"""
import array, fcntl, os, socket, struct
SIOCETHTOOL, GSTRINGS, GSTATS, GSSET_INFO, STATS = 0x8946, 0x1b, 0x1d, 0x37, 1
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def ask(words, size):
    data = array.array("B", words.ljust(size, bytes(1)))
    request = struct.pack("16sP", b"{PF}", data.buffer_info()[0])
    fcntl.ioctl(control, SIOCETHTOOL, request)
    return data.tobytes()

times = 0
while not os.path.exists("/tmp/asked"):
    info = ask(struct.pack("=IIQI", GSSET_INFO, 0, 1 << STATS, 0), 20)
    (count,) = struct.unpack_from("=I", info, 16)
    ask(struct.pack("=III", GSTRINGS, STATS, count), 12 + 32 * count)
    ask(struct.pack("=II", GSTATS, count), 8 + 8 * count)
    times += 1
    open("/tmp/reading", "w").close()
print(times)
"""


@pytest.mark.allow_trace(ALL_ACCESSES)
def test_users_who_read_counters_keep_no_vf_waiting(lan):
    """Whoever asks for all counters has each register read once, and a VF that asks at the same time is served
    between two of them."""
    guest = lan.guest
    (vf,) = raw_vfs(lan, 1)
    vf.handshake()
    guest.put("/tmp/reads.py", READS_COUNTERS.encode())
    served = 0
    with uncounted():
        for _ in range(10):
            guest.run("rm -f /tmp/asked /tmp/reading")
            with accesses(guest) as seen:
                user = guest.start("python3 /tmp/reads.py", timeout=120)
                guest.wait_until("[ -e /tmp/reading ]", 60)
                waits(vf)
                guest.run("touch /tmp/asked")
                count = int(user.wait().text)
            folds = seen_folds(seen)
            # The service work item reads them as well, every two seconds.
            assert count <= len(folds) < 2 * count, (count, len(folds))
            served += sum(folds)
            if served:
                break
    assert served


def seen_folds(seen: list[tuple[str, int, int]]) -> list[int]:
    """Of each time that all counters were read, how often the VF's mailbox was written to meanwhile."""
    folds: list[int] = []
    inside = False
    for kind, offset, _ in seen:
        if kind == "r" and offset == CRCERRS:
            folds.append(0)
        if kind == "r" and offset in (CRCERRS, GOTCH):
            inside = offset == CRCERRS
        elif inside and kind == "w" and offset == P2VMAILBOX_0:
            folds[-1] += 1
    return folds


def test_who_waits_for_the_phy_keeps_no_vf_waiting(lan):
    """Firmware keeps the PHY, and a user who asks for the link waits for a second. While he does, a VF is
    answered again and again."""
    (vf,) = raw_vfs(lan, 1)
    vf.handshake()
    pf = Registers(lan.guest)
    pf.write(SW_FW_SYNC, FW_PHY0)
    ask = ["time"], ("send", WORDS, 5), ["time"], ("sleep", 0.01)
    serving = vf.start(*(step for _ in range(150) for step in ask), timeout=120)
    begin, end, error = lan.guest.ask("doors", "link", PF_PCI, PF)
    said = vf.results(serving)
    pf.write(SW_FW_SYNC, 0)
    served = [
        answer["reply"][0] == granted(WORDS)
        for before, answer, after in zip(said[::4], said[1::4], said[2::4], strict=True)
        if begin < before and after < end
    ]
    print(f"{error} after {end - begin:.2f} s; {len(served)} requests meanwhile")
    assert error == "EBUSY" and end - begin > 0.5
    assert len(served) > 20 and all(served)
