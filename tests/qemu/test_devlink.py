# SPDX-License-Identifier: GPL-2.0
"""What the administrator sets for all VFs alike, and is told of them: `devlink`."""

import errno
import json

import pytest
from support import ONE_CPU, snapshots
from support.mailbox import (
    MAC_FILTER_ADD,
    NACK,
    PF_CONTROL_MSG,
    SET_MAC_ADDR,
    SET_MULTICAST,
    SET_VLAN,
    VF_RESET,
    address,
    granted,
    message,
    raw_vfs,
    refused,
)
from support.registers import CTRL_EXT, QUEUE_FILTERS, RCTL, STATUS, Filters, Registers

from harness.health import KernelLog
from harness.topology import PEER, PF_HOST, PF_PCI
from harness.traffic import ping

# C igb has no devlink instance.
pytestmark = [ONE_CPU, pytest.mark.driver("igb_rs")]

DEVICE = f"pci/{PF_PCI}"
DEFAULTS = {
    "vf_request_rate": 200,
    "vf_request_burst": 128,
    "vf_offence_limit": 10_000,
    "vf_offence_decay": 10,
    "vf_extra_macs": 3,
    "vf_vlans": 8,
    "trusted_vf_extra_macs": 8,
    "trusted_vf_vlans": 16,
    "vf_own_addresses": 1,
}
OUT_OF_RANGE = {
    "vf_request_rate": (0, 10_001, 2**32 - 1),
    "vf_request_burst": (0, 15, 10_001),
    "vf_offence_limit": (1_000_001,),
    "vf_offence_decay": (10_001,),
    "vf_extra_macs": (23, 256),
    "vf_vlans": (32, 264),
    "trusted_vf_extra_macs": (23,),
    "trusted_vf_vlans": (32,),
    "vf_own_addresses": (3,),
}
# No message of the protocol.
MALFORMED = message(0x77)


def shown(guest) -> dict[str, int | bool | str]:
    """All parameters."""
    params = json.loads(guest.run(f"devlink -j dev param show {DEVICE}").out)["param"][DEVICE]
    return {param["name"]: param["values"][0]["value"] for param in params}


def set_param(guest, name: str, value: int | str):
    return guest.run(
        f"devlink dev param set {DEVICE} name {name} value {value} cmode runtime", check=False
    )


def put(guest, **values: int | str):
    for name, value in values.items():
        result = set_param(guest, name, value)
        assert result.rc == 0, result


def health(guest, index: int) -> dict:
    reporters = json.loads(guest.run(f"devlink -j health show {DEVICE}").out)["health"][DEVICE]
    return next(entry for entry in reporters if entry["reporter"] == f"vf{index}")


def diagnosis(guest, index: int) -> dict:
    return json.loads(guest.run(f"devlink -j health diagnose {DEVICE} reporter vf{index}").out)


def add_filter(number: int) -> list[int]:
    return message(SET_MAC_ADDR, MAC_FILTER_ADD, *address(f"02:00:00:00:01:{number:02x}"))


def info(guest) -> dict:
    return json.loads(guest.run(f"devlink -j dev info {DEVICE}").out)["info"][DEVICE]


def test_info(lan):
    """What the controller is taken for and why, board and NVM image."""
    guest = lan.guest
    shown = info(guest)
    assert shown["driver"] == "igb_rs"
    fixed, running = (shown["versions"][kind] for kind in ("fixed", "running"))
    assert fixed == {
        "asic.id": "QEMU igb",
        "asic.rev": "1",
        "controller": "QEMU igb; signs of an emulation: default subsystem ID, no NVM auto-read, "
        "timer stands still, no rate scheduler",
        "controller.max_tx_rate": "no effect",
        # What the model's NVM has there.
        "board.id": "1040FF-0FF",
    }
    ethtool = guest.run("ethtool -i dut").out
    assert f"firmware-version: {running['fw']}\n" in ethtool and running["fw"]


@pytest.mark.allow_trace(QUEUE_FILTERS)
def test_controller_parameter(lan):
    """The administrator knows better than the signs. The log says once what was decided, and that a
    value means nothing; and with the first rate limit, that the model has none."""
    guest = lan.guest
    device = f"/sys/bus/pci/devices/{PF_PCI}"
    feature = f"ethtool -k $(ls {device}/net) | grep tx-udp-segmentation:"
    for value, name, udp in ((1, "82576 by module parameter", "on"), (9, "QEMU igb", "off")):
        guest.unload()
        guest.run(f"echo '<6>test: controller={value}' >/dev/kmsg")
        guest.load(f"controller={value}")
        fixed = info(guest)["versions"]["fixed"]
        assert fixed["controller"].startswith(f"{name}; signs of an emulation: default")
        assert fixed["asic.id"] == name.split(" by")[0]
        assert guest.run(feature).text == f"tx-udp-segmentation: {udp}"
        guest.run(f"""
            echo 0 >{device}/sriov_drivers_autoprobe && echo 1 >{device}/sriov_numvfs &&
            for rate in 0 100 200 0; do
                ip link set $(ls {device}/net) vf 0 max_tx_rate $rate || exit
            done
            echo 1 >{device}/sriov_drivers_autoprobe""")
        is_model = name == "QEMU igb"
        assert fixed.get("controller.max_tx_rate") == ("no effect" if is_model else None)
        lines = guest.run(f"dmesg | sed '1,/test: controller={value}/d'").out
        assert lines.count(f" controller: {fixed['controller']}\n") == 1
        assert ("controller=9 is none of 0 " in lines) == (value == 9)
        assert lines.count("max_tx_rate of a VF is kept and shown, and has no effect") == is_model


def resources(guest) -> dict[str, tuple[int, int]]:
    """How many there are, and how many are taken."""
    shown = json.loads(guest.run(f"devlink -j resource show {DEVICE}").out)["resources"][DEVICE]
    return {entry["name"]: (entry["size"], entry["occ"]) for entry in shown}


def test_resources(lan):
    """Filters, and how many of them are taken, by the PF and by VFs."""
    guest = lan.guest
    assert resources(guest) == {"receive_addresses": (24, 1), "vlan_entries": (32, 0)}
    guest.run("bridge fdb add 02:00:00:00:02:01 dev dut self")
    try:
        assert resources(guest)["receive_addresses"] == (24, 2)
        # Two more are for the VFs' own addresses.
        lan.set_numvfs(2)
        lan.link_set("vf 0 vlan 100")
        assert resources(guest) == {"receive_addresses": (24, 4), "vlan_entries": (32, 1)}
    finally:
        lan.set_numvfs(0)
        guest.run("bridge fdb del 02:00:00:00:02:01 dev dut self")
    assert resources(guest) == {"receive_addresses": (24, 1), "vlan_entries": (32, 0)}


def test_snapshots_of_registers(lan):
    """By the administrator's wish; eight of them, and no more before one goes."""
    guest = lan.guest
    assert snapshots.kept(guest) == []
    new = f"devlink region new {snapshots.REGION}"
    try:
        for number in range(8):
            guest.run(f"{new} snapshot {number}")
        full = guest.run(f"{new} snapshot 8", check=False)
        assert full.rc != 0 and "maximum number" in full.err, full
        guest.run(f"devlink region del {snapshots.REGION} snapshot 3")
        guest.run(f"{new} snapshot 8")
        assert sorted(snapshots.kept(guest)) == [0, 1, 2, 4, 5, 6, 7, 8]
        found = snapshots.registers(guest, 8)
        raw = bytes.fromhex(guest.run("ethtool -d dut raw on | od -An -v -tx1").text)
        words = [int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4)]
        assert list(found) == words[::2]
        at = (CTRL_EXT, RCTL, STATUS)
        assert [found[offset] for offset in at] == Registers(guest).read(*at)
        assert found[RCTL] and found[STATUS]
    finally:
        for number in snapshots.kept(guest):
            guest.run(f"devlink region del {snapshots.REGION} snapshot {number}")


def test_checks_and_lists_of_vlans_for_each_vf(lan):
    """Addresses and VLANs are checked apart; which VLANs a VF may join. Both go with the VFs."""
    guest = lan.guest
    vf, _ = raw_vfs(lan, 2)
    vf.handshake()
    fresh = {"spoofchk_mac": True, "spoofchk_vlan": True, "allowed_vlans": "any"}
    expected = {f"vf{n}_{name}": value for n in range(2) for name, value in fresh.items()}
    assert {name: shown(guest)[name] for name in expected} == expected
    assert "vf2_spoofchk_mac" not in shown(guest)
    assert set_param(guest, "vf2_spoofchk_mac", "false").rc != 0

    def checked() -> tuple[int, int, bool]:
        bits = Filters.read(guest).dtxswc
        (link,) = json.loads(guest.run("ip -j link show dut").out)
        return bits & 1, bits >> 8 & 1, link["vfinfo_list"][0]["spoofchk"]

    assert checked() == (1, 1, True)
    put(guest, vf0_spoofchk_mac="false")
    assert checked() == (0, 1, False)
    put(guest, vf0_spoofchk_vlan="false")
    assert checked() == (0, 0, False)
    lan.link_set("vf 0 spoofchk on")
    assert checked() == (1, 1, True)
    lan.link_set("vf 0 spoofchk off")
    vlans = [message(SET_VLAN, 1, vid) for vid in (100, 200)]
    assert vf.ask(*vlans) == [granted(words) for words in vlans]
    put(guest, vf0_allowed_vlans="5,200-299")
    # Who may join some alone sends in no other.
    assert checked() == (0, 1, False)
    assert [vid for vid, pools in Filters.read(guest).vlans.items() if pools & 1 and vid] == [200]
    assert vf.ask(*vlans) == [refused(vlans[0]), granted(vlans[1])]
    assert "vf0_refused_vlan_not_allowed: 1\n" in guest.run("ethtool -S dut").out
    for wrong in ("4095", "200-100", "x", "1,"):
        result = set_param(guest, "vf0_allowed_vlans", wrong)
        assert result.rc != 0 and "5,100-199" in result.err, result
    assert shown(guest)["vf0_allowed_vlans"] == "5,200-299"
    # It holds over a reset.
    guest.run(f"echo 1 >/sys/bus/pci/devices/{PF_PCI}/reset")
    vf.handshake()
    assert vf.ask(*vlans) == [refused(vlans[0]), granted(vlans[1])]
    assert checked() == (0, 1, False)
    lan.set_numvfs(0)
    vf, _ = raw_vfs(lan, 2)
    assert {name: shown(guest)[name] for name in expected} == expected


def test_parameters(lan):
    """Defaults, every value that is out of range, and no reset that forgets what was set."""
    guest = lan.guest
    assert shown(guest) == DEFAULTS
    for name, values in OUT_OF_RANGE.items():
        for value in values:
            result = set_param(guest, name, value)
            assert result.rc != 0 and f"Error: {name} is " in result.err, (name, value, result)
            assert "Numerical result out of range" in result.err, (name, value, result)
    assert shown(guest) == DEFAULTS
    other = {name: value + 1 for name, value in DEFAULTS.items()}
    put(guest, **other)
    lan.set_numvfs(2)
    guest.run(f"echo 1 >/sys/bus/pci/devices/{PF_PCI}/reset")
    lan.set_numvfs(0)
    guest.run("ip link set dut down && ip link set dut up")
    assert shown(guest) == other
    lan.wait_carrier(PF_HOST)


# Parameter and value, the error, and what is said of it.
REFUSED = (
    (
        "vf_own_addresses",
        "3",
        errno.ERANGE,
        "vf_own_addresses is 0 (none), 1 (locally administered) or 2 (any)",
    ),
    (
        "vf0_allowed_vlans",
        "4095-",
        errno.EINVAL,
        "VLANs are any, none, or numbers and ranges from 1",
    ),
    # devlink itself, which has no words for it, takes 31 characters.
    ("vf0_allowed_vlans", "5,100-199,200,300,400,500,600,70", errno.EINVAL, ""),
    (
        "vf2_allowed_vlans",
        "none",
        errno.EOPNOTSUPP,
        "there is no such VF: write to sriov_numvfs first",
    ),
)


def test_refusals_say_why(lan):
    """The error's number and the words beside it, of whoever looks at nothing before. Nothing changes."""
    vf, _ = raw_vfs(lan, 2)
    vf.handshake()
    before = shown(lan.guest), Filters.read(lan.guest)
    for name, value, error, words in REFUSED:
        code, said = lan.guest.ask("refused", PF_PCI, name, value)
        assert code == error and said.startswith(words) and bool(said) == bool(words), (name, said)
    assert (shown(lan.guest), Filters.read(lan.guest)) == before
    # Control: the same request, with a value that can be had.
    assert lan.guest.ask("refused", PF_PCI, "vf1_allowed_vlans", "none") == [0, ""]
    assert shown(lan.guest)["vf1_allowed_vlans"] == "none"


def test_quotas(lan):
    """The limit on what VFs share, raised and lowered while they work."""
    vf, other = raw_vfs(lan, 2)
    for each in (vf, other):
        each.handshake()
    put(lan.guest, vf_extra_macs=5, vf_vlans=3)
    filters = [add_filter(number) for number in range(6)]
    assert vf.ask(*filters) == [granted(words) for words in filters[:5]] + [refused(filters[5])]
    vlans = [message(SET_VLAN, 1, 100 + number) for number in range(4)]
    assert vf.ask(*vlans) == [granted(words) for words in vlans[:3]] + [refused(vlans[3])]
    put(lan.guest, vf_extra_macs=1, vf_vlans=2)
    held = Filters.read(lan.guest)
    assert sum(pools == 0b01 for pools in held.addresses.values()) == 1
    assert sum(pools & 0b01 for vid, pools in held.vlans.items() if vid) == 2
    lan.link_set("vf 0 trust on")
    assert vf.ask(filters[5]) == [granted(filters[5])], "the quota of the trusted is another"
    # The guaranteed share of the other VF was nobody else's all the while.
    assert other.ask(add_filter(99), message(SET_VLAN, 1, 300)) == [
        granted(add_filter(99)),
        granted(message(SET_VLAN, 1, 300)),
    ]


def test_own_addresses(lan):
    """Which addresses a VF may choose: no station's outside to begin with. A VF loses what it may not have
    any more; trust gives it all, and an address of the administrator's ends the choice."""
    vf, _ = raw_vfs(lan, 2)
    vf.handshake()
    # As a driver or macvlan makes them up, and as VRRP has them.
    local, router = "02:00:00:00:00:33", "00:00:5e:00:01:07"
    own = {mac: message(SET_MAC_ADDR, 0, *address(mac)) for mac in (local, router)}
    extra = message(SET_MAC_ADDR, MAC_FILTER_ADD, *address(router))
    assert vf.ask(own[router], extra, own[local]) == [
        refused(own[router]),
        refused(extra),
        granted(own[local]),
    ]
    # Whatever lines it has caused, and has no more of in this minute.
    assert vf.ask(*[own[router]] * 8) == [refused(own[router])] * 8
    log = KernelLog(lan.guest, "own addresses")
    put(lan.guest, vf_own_addresses=0)
    assert not Filters.read(lan.guest).pools_of(local)
    assert [line for line in log.lines() if "VF 0 loses an address" in line]
    assert vf.ask(own[local]) == [refused(own[local])]
    put(lan.guest, vf_own_addresses=2)
    assert vf.ask(own[router]) == [granted(own[router])]
    put(lan.guest, vf_own_addresses=1)
    assert not Filters.read(lan.guest).pools_of(router)
    lan.link_set("vf 0 trust on")
    assert vf.ask(own[local], extra) == [granted(own[local]), granted(extra)]
    lan.link_set("vf 0 trust off")
    assert Filters.read(lan.guest).pools_of(local) == 0b01
    assert not Filters.read(lan.guest).pools_of(router)
    assert diagnosis(lan.guest, 0)["offences"] == 0


def test_request_rate(lan):
    """A VF that asks faster is made to wait, and is served all the same."""
    vf, _ = raw_vfs(lan, 2)
    vf.handshake()
    put(lan.guest, vf_request_rate=5, vf_request_burst=16)
    words = message(SET_MULTICAST)
    answers = vf.script(*[("send", words, 5)] * 40)
    assert all(answer["reply"][0] == granted(words) for answer in answers)
    # Beyond the burst one request takes 200 ms.
    assert sum(answer["us"] > 100_000 for answer in answers) >= 10
    assert "vf0_throttled: 0" not in lan.guest.run("ethtool -S dut").out


def test_quarantine(lan):
    """One line, one event, seen and lifted by the administrator and by nobody else."""
    guest = lan.guest
    vf, other = raw_vfs(lan, 2)
    for each in (vf, other):
        each.handshake()
    put(guest, vf_offence_limit=20, vf_offence_decay=0)
    assert health(guest, 0)["state"] == "healthy"
    monitor = guest.start("exec timeout 120 stdbuf -oL devlink monitor health >/tmp/events")
    guest.wait_until("pgrep -x devlink", 10)
    guest.run("sleep 1")
    lines = "dmesg | grep -c 'VF 0 misbehaves and was cut off' || true"
    before = int(guest.run(lines).text)

    answers = vf.script(*[("send", MALFORMED, 0.5)] * 25)
    replies = [answer["reply"] and answer["reply"][0] for answer in answers]
    # Where VFs have to be made to look at their link, it is told that this is down.
    assert replies == [refused(MALFORMED)] * 19 + [PF_CONTROL_MSG] + [None] * 5
    assert int(guest.run(lines).text) == before + 1
    guest.wait_file("/tmp/events", 10, "vf0")
    assert health(guest, 0)["state"] == "error" and health(guest, 0)["error"] == 1
    assert health(guest, 1)["state"] == "healthy"
    assert diagnosis(guest, 0)["quarantined"] and not diagnosis(guest, 1)["quarantined"]
    assert not diagnosis(guest, 6)["enabled"]
    filters = Filters.read(guest)
    assert not (filters.vfre | filters.vfte) & 0b01 and filters.vfre & filters.vfte & 0b10

    # Neither its own reset nor the PF's helps it.
    for reset in (
        f"echo 1 >/sys/bus/pci/devices/{vf.pci}/reset; setpci -s {vf.pci} COMMAND=0002",
        f"echo 1 >/sys/bus/pci/devices/{PF_PCI}/reset",
    ):
        guest.run(reset)
        vf.script(("ready", 5))
        assert vf.ask(message(VF_RESET)) == [None]
        assert not Filters.read(guest).vfre & 0b01
    assert health(guest, 0)["state"] == "error"

    lan.wait_carrier(PF_HOST)
    assert lan.link_set("vf 0 state auto").rc == 0
    assert health(guest, 0)["state"] == "healthy"
    guest.wait_until("grep -c vf0 /tmp/events | grep -qx 2", 10)
    monitor.kill()
    # Its driver is called back. What it asked while it was cut off is forgotten.
    (told,) = vf.script(("receive", 5))
    assert told["reply"] and told["reply"][0] == PF_CONTROL_MSG | NACK
    assert not Filters.read(guest).vfre & 0b01
    assert vf.handshake() == [VF_RESET | NACK, 0, 0]
    assert Filters.read(guest).vfre & 0b01
    assert ping(guest, PF_HOST, PEER.ipv4, count=2).complete


def test_quarantine_can_be_turned_off(lan):
    vf, _ = raw_vfs(lan, 2)
    vf.handshake()
    put(lan.guest, vf_offence_limit=0, vf_offence_decay=0)
    answers = vf.script(*[("send", MALFORMED, 0.5)] * 30)
    assert all(answer["reply"][0] == refused(MALFORMED) for answer in answers)
    assert diagnosis(lan.guest, 0)["offences"] == 30
    put(lan.guest, vf_offence_limit=10)
    assert vf.ask(MALFORMED, MALFORMED) == [PF_CONTROL_MSG, None], (
        "the next offence is one too many"
    )
