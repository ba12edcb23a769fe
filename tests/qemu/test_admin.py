# SPDX-License-Identifier: GPL-2.0
"""What the administrator sets for a VF: `ip link set dut vf N ...`."""

import pytest
from support import ONE_CPU, TWO_CPUS
from support.mailbox import raw_vfs
from support.registers import VMVIR_DEFAULT, Filters
from support.vfs import shown
from support.wire import captured

from harness.topology import PEER, PF_HOST
from harness.traffic import is_silent, mac_of, ping, send_frames

pytestmark = ONE_CPU

MAC = "02:00:00:00:00:10"
# STP, PAUSE, LACP, LLDP.
LINK_CONTROL = [f"01:80:c2:00:00:{last:02x}" for last in (0x00, 0x01, 0x02, 0x0E)]
# What each has behind the source address, and what tcpdump says of it: a BPDU that claims to be the root, a
# pause of 65535 quanta, an LACPDU without a partner, and a chassis, a port and a time to live.
GENUINE = {
    LINK_CONTROL[0]: ("0026 424203 0000000000" + "00" * 8 + "00" * 4 + "00" * 8 + "8001"
                      "0000 1400 0200 0f00", "STP 802.1d, Config"),
    LINK_CONTROL[1]: ("8808 0001 ffff", "Pause"),
    LINK_CONTROL[2]: ("8809 0101 0114 ffff 020000000001 0001 00ff 0001 3d000000 0214" + "00" * 18
                      + "0310 0000" + "00" * 12 + "0000" + "00" * 50, "LACPv1"),
    LINK_CONTROL[3]: ("88cc 0207 04020000000001 0403 0730 31 0602 0078 0000", "LLDP"),
}  # fmt: skip


def genuine(lan, vf) -> list[str]:
    """A frame of each from the VF's own address, as hexadecimal text."""
    frames = []
    for destination, (rest, _) in GENUINE.items():
        text = destination + mac_of(lan.guest, vf) + rest
        frame = bytes.fromhex(text.replace(":", "").replace(" ", ""))
        frames.append(frame.ljust(60, b"\0").hex())
    return frames


def send_genuine(lan, vf) -> list[int]:
    """Of each what the VF's own stack says of it: 0, or an errno."""
    return lan.guest.ask("inject", "frames", vf.name, value=genuine(lan, vf), netns=vf.netns)


# errno as iproute2 prints it
EINVAL = "Invalid argument"
EOPNOTSUPP = "Operation not supported"
EPROTONOSUPPORT = "Protocol not supported"

REFUSALS = {
    f"vf 2 mac {MAC}": EINVAL,
    "vf 2 vlan 100": EINVAL,
    "vf 2 spoofchk off": EINVAL,
    "vf 2 trust on": EINVAL,
    "vf 0 mac 01:00:5e:00:00:01": EINVAL,
    "vf 0 vlan 100 qos 8": EINVAL,
    "vf 0 vlan 100 proto 802.1ad": EPROTONOSUPPORT,
    "vf 0 min_tx_rate 100 max_tx_rate 200": EINVAL,
    "vf 0 max_tx_rate 2000": EINVAL,
    "vf 0 state enable": EOPNOTSUPP,
    "vf 0 query_rss on": EOPNOTSUPP,
}
# C igb accepts the reserved VLAN, and a priority without a VLAN.
STRICTER_REFUSALS = {"vf 0 vlan 4095": EINVAL, "vf 0 vlan 0 qos 3": EINVAL}
REFUSALS_WITHOUT_VFS = {
    f"vf 0 mac {MAC}": EINVAL,
    "vf 0 vlan 100": EINVAL,
    "vf 0 spoofchk off": EOPNOTSUPP,
    "vf 0 trust on": EINVAL,
}

# How to bring about a reset of the PF, and what sets things back.
RESETS = {
    "down and up": ("ip link set dut down; ip link set dut up", "true"),
    "MTU": ("ip link set dut mtu 1400", "ip link set dut mtu 1500"),
    "ring size": ("ethtool -G dut rx 512", "ethtool -G dut rx 256"),
    "function": ("echo 1 > /sys/class/net/dut/device/reset", "true"),
    "channels": ("ethtool -L dut combined 1", "ethtool -L dut combined 2"),
}


def wrong_answers(lan, refusals: dict[str, str]) -> list[str]:
    """Those settings that are not refused with the errno they should be."""
    answers = {setting: lan.link_set(setting) for setting in refusals}
    return [
        f"{setting}: expected {refusals[setting]!r}, got rc {answer.rc} {answer.err!r}"
        for setting, answer in answers.items()
        if answer.rc == 0 or refusals[setting] not in answer.err
    ]


def test_settings_are_shown(lan):
    raw_vfs(lan, 2)
    lan.wait_carrier(PF_HOST)  # a rate is limited to what the link can do
    fresh = shown(lan.guest)
    assert [vf["vf"] for vf in fresh] == [0, 1]
    assert fresh[1]["spoofchk"] and not fresh[1]["trust"] and fresh[1]["link_state"] == "auto"
    for setting in (f"mac {MAC}", "vlan 100 qos 3", "spoofchk off", "trust on", "max_tx_rate 200"):
        result = lan.link_set(f"vf 1 {setting}")
        assert result.rc == 0, result
    untouched, changed = shown(lan.guest)
    assert untouched == fresh[0]
    assert changed["address"] == MAC
    assert changed["vlan_list"][0]["vlan"] == 100 and changed["vlan_list"][0]["qos"] == 3
    assert not changed["spoofchk"] and changed["trust"]
    assert changed["rate"]["max_tx"] == 200


def test_settings_are_taken_back(lan):
    raw_vfs(lan, 2)
    lan.wait_carrier(PF_HOST)  # a rate is limited to what the link can do
    fresh = shown(lan.guest)
    before = Filters.read(lan.guest)
    for setting in (
        "vlan 100 qos 3",
        "spoofchk off",
        "trust on",
        "max_tx_rate 200",
        "vlan 0",
        "spoofchk on",
        "trust off",
        "max_tx_rate 0",
    ):
        assert lan.link_set(f"vf 1 {setting}").rc == 0, setting
    assert shown(lan.guest) == fresh
    assert Filters.read(lan.guest) == before


def test_refusals(lan):
    """The errno user space relies on; and what is refused changes nothing."""
    raw_vfs(lan, 2)
    lan.wait_carrier(PF_HOST)
    assert lan.link_set(f"vf 0 mac {MAC} vlan 100 qos 3 trust on").rc == 0
    before = shown(lan.guest), Filters.read(lan.guest)
    assert not wrong_answers(lan, REFUSALS)
    assert (shown(lan.guest), Filters.read(lan.guest)) == before


@pytest.mark.driver("igb_rs")
def test_refusals_beyond_c_igb(lan):
    raw_vfs(lan, 2)
    before = shown(lan.guest)
    assert not wrong_answers(lan, STRICTER_REFUSALS)
    assert shown(lan.guest) == before


def test_refusals_without_vfs(lan):
    assert not wrong_answers(lan, REFUSALS_WITHOUT_VFS)
    assert ping(lan.guest, PF_HOST, PEER.ipv4, count=2).complete


@pytest.mark.driver("igb_rs")  # C igb gives the same address to two functions
def test_address_is_given_once(lan):
    raw_vfs(lan, 2)
    pf = lan.guest.read("/sys/class/net/dut/address")
    assert lan.link_set(f"vf 0 mac {MAC}").rc == 0
    assert lan.link_set(f"vf 1 mac {MAC}").rc != 0
    assert lan.link_set(f"vf 1 mac {pf}").rc != 0
    assert shown(lan.guest)[1]["address"] == "00:00:00:00:00:00"
    assert lan.link_set("vf 0 mac 00:00:00:00:00:00").rc == 0
    assert lan.link_set(f"vf 1 mac {MAC}").rc == 0


@pytest.mark.driver("igb_rs")  # C igb has no link state
def test_link_state(vfs, lan):
    """A VF whose link is disabled neither sends nor receives. (That its driver sees the link down is in
    test_link.py.)"""
    first, second = vfs
    assert lan.link_set("vf 0 state disable").rc == 0
    assert shown(lan.guest)[0]["link_state"] == "disable"
    assert is_silent(lan.guest, first, PEER.ipv4)
    assert Filters.read(lan.guest).vfre & 0b11 == 0b10
    assert ping(lan.guest, second, PEER.ipv4, count=2).complete
    assert lan.link_set("vf 0 state auto").rc == 0
    lan.guest.wait_until(f"ping -c 1 -W 1 -q {PEER.ipv4}", 15, netns=first.netns)
    assert ping(lan.guest, first, PEER.ipv4, count=3).complete


@pytest.mark.driver("igb_rs")  # C igb drops the spoof check, and the VLAN until the VF returns
@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=TWO_CPUS) if how == "channels" else how for how in RESETS]
)
def test_settings_survive_a_reset(lan, how):
    """The registers after the reset are those from before it."""
    reset, restore = RESETS[how]
    raw_vfs(lan, 2)
    lan.wait_carrier(PF_HOST)
    assert lan.link_set(f"vf 0 mac {MAC} vlan 100 qos 3 spoofchk off trust on").rc == 0
    assert lan.link_set("vf 0 max_tx_rate 300").rc == 0
    before = shown(lan.guest), Filters.read(lan.guest)
    assert before[1].vmvir[0] == VMVIR_DEFAULT | 3 << 13 | 100
    # Spoof check off is about addresses: a VF in a port VLAN cannot leave that.
    assert before[1].vlans[100] & 0b01 and before[1].dtxswc & 0x0101 == 0x0100
    lan.guest.run(reset)
    lan.guest.run(restore)
    lan.wait_carrier(PF_HOST)
    assert (shown(lan.guest), Filters.read(lan.guest)) == before


def test_port_vlan_carries_and_separates_traffic(lan, vfs):
    """Two VFs in one VLAN, of which they know nothing, reach each other and no one else."""
    first, second = vfs
    assert ping(lan.guest, first, PEER.ipv4, count=2).complete
    for vf in ("vf 0", "vf 1"):
        assert lan.link_set(f"{vf} vlan 100 qos 3").rc == 0
    assert ping(lan.guest, first, second.ipv4, count=3).complete
    assert is_silent(lan.guest, first, PEER.ipv4)
    lan.guest.run(
        "ip link add link peer name peer.100 type vlan id 100 &&"
        "ip addr add 192.0.2.3/24 dev peer.100 && ip link set peer.100 up &&"
        "ip addr del 192.0.2.2/24 dev peer",
        netns=PEER.netns,
    )
    assert ping(lan.guest, first, "192.0.2.3", count=3).complete
    assert lan.link_set("vf 0 vlan 0").rc == 0
    assert is_silent(lan.guest, first, "192.0.2.3")


def test_control_frames_of_the_link_are_tagged_in_a_port_vlan(lan, vfs):
    """A VF may send PAUSE, LACP, STP and LLDP, with the spoof check on: the neighbour takes them for the
    port's. In a VLAN of the administrator's they are tagged, and so none of these."""
    vf, _ = vfs
    for vlan in (0, 100):
        assert lan.link_set(f"vf 0 vlan {vlan} spoofchk on").rc == 0
        count, expression = len(LINK_CONTROL), "ether[0:4] = 0x0180c200"
        with captured(lan.guest, PEER, count, expression, options="-e") as capture:
            assert send_genuine(lan, vf) == [0] * len(GENUINE)
            seen = capture.ended()
        for destination, (_, what) in GENUINE.items():
            assert any(destination in line and what in line for line in seen.splitlines()), seen
        assert seen.count("vlan 100") == (count if vlan else 0), seen


@pytest.mark.driver("igb_rs")  # C igb has no link state
def test_control_frames_of_the_link_from_a_disabled_vf(lan, vfs):
    """It sends none of them: the first that comes is one the PF sends after it. Trust and a spoof check that is
    off change nothing about that."""
    vf, _ = vfs
    assert lan.link_set("vf 0 trust on spoofchk off").rc == 0
    last = LINK_CONTROL[-1]
    with captured(lan.guest, PEER, 1, "ether[0:4] = 0x0180c200", options="-e") as capture:
        assert lan.link_set("vf 0 state disable").rc == 0
        send_genuine(lan, vf)
        send_frames(lan.guest, PF_HOST, last, [64])
        seen = capture.ended()
        assert last in seen and mac_of(lan.guest, PF_HOST) in seen
