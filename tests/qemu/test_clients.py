# SPDX-License-Identifier: GPL-2.0
"""Clients of VFs in machines of their own, as Debian packages them: iPXE, whose driver of VFs is no part of Linux,
boots a machine; keepalived wants an address that is not its VF's. test_dpdk.py and test_bonds.py have others, and
tests/host/tests/all/clients.rs the words of each."""

import json
import re
import shlex

import pytest
from support.debugfs import show
from support.mailbox import ACK, CTS, NACK
from support.programs import USE_VMAC, VIRTUAL, VMAC, Router
from support.registers import Filters, Registers

from harness.nested import HOST_OF_GUESTS, MACHINE, MEMORY, passed_through, vm_host
from harness.topology import PEER, PF_PCI
from harness.traffic import is_silent, ping

pytestmark = [
    pytest.mark.long,
    pytest.mark.guest(**HOST_OF_GUESTS),
    pytest.mark.driver("igb_rs"),  # C igb lets a VF have any address
    pytest.mark.timeout(900),
    # iPXE's driver uses registers that VFs do not have: CTRL_EXT, TCTL.
    pytest.mark.allow_trace("igbvf_wrn_io_addr_unknown IO unknown register 0x(18|400)$"),
]

# ---- iPXE ------------------------------------------------------------------------------------

IPXE = "/usr/lib/ipxe/ipxe.lkrn"
MACHINE_IP, WEB, ANSWER = "192.0.2.60", 8000, "/tmp/web/kernel"
COMMANDS = (
    "ifopen net0",
    f"set net0/ip {MACHINE_IP}",
    "set net0/netmask 255.255.255.0",
    f"imgfetch http://{PEER.ipv4}:{WEB}/kernel",
    "poweroff",
)
MAC = "02:00:00:00:00:60"
# What it asks for.
SET_MAC_ADDR, SET_LPE = 2, 5
# Of the first queue of VF 0.
RDLEN, RDT = 0xC008, 0xC018


def boot_from(vmhost, vf: str):
    """A machine whose only program is iPXE starts, asks the peer for a file, and is switched off."""
    guest = vmhost.guest
    command = [
        *("exec", "qemu-system-x86_64", "-accel", "kvm", "-cpu", "host"),
        *("-M", f"{MACHINE},graphics=off", "-object", MEMORY.format(64), "-m", "64M"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-kernel", IPXE, "-append", " && ".join(COMMANDS), "-serial", "file:/tmp/ipxe.log"),
        *passed_through(vf),
    ]
    return guest.start(shlex.join(command) + " >/tmp/ipxe.out 2>&1", timeout=None)


def serve_files(guest):
    guest.run(f"mkdir -p {ANSWER.rsplit('/', 1)[0]} && head -c 30000 /dev/urandom >{ANSWER}")
    server = guest.start(
        f"exec python3 -m http.server -d /tmp/web {WEB} >/tmp/web.log 2>&1",
        timeout=None,
        netns=PEER.netns,
    )
    guest.wait_listening(WEB, netns=PEER.netns)
    return server


def wait_for(lan, command: str):
    """Until that succeeds; if it does not, with what the machine and the VF have said."""
    try:
        lan.guest.wait_until(command, 100)
    except TimeoutError as error:
        seen = lan.guest.run("tail -n 40 /tmp/ipxe.log /tmp/ipxe.out /tmp/web.log", check=False).out
        raise TimeoutError(f"{error}\n{seen}\n{said(lan)}") from error


def let_receive(lan):
    """iPXE fills its ring by a tail that is the ring's length. The device model takes such a ring for an empty one,
    and the VF would receive nothing; with one descriptor less it does."""
    registers = Registers(lan.guest)
    for _ in range(200):
        length, tail = registers.read(RDLEN, RDT)
        if length and tail == length // 16:
            break
        lan.guest.run("sleep 0.5")
    assert length and tail == length // 16, (length, tail)
    registers.write(RDT, tail - 1)


def said(lan, vf: int = 0) -> list[tuple[int, int, int]]:
    """Words 0 and 1 of each message of a VF, and word 0 of the answer, the oldest first."""
    line = rf" VF {vf}: (0x\w+) (0x\w+) 0x\w+ -> (0x\w+)"
    found = re.findall(line, "\n".join(show(lan, "mailbox")))
    return [tuple(int(word, 16) for word in words) for words in found]


def test_ipxe_boots_a_machine_from_a_vf(vmhost):
    """With an address of the administrator's: the file comes, over TCP."""
    lan, guest = vmhost.lan, vmhost.guest
    (vf,) = vmhost.create_vfs(1)
    assert lan.link_set(f"vf 0 mac {MAC}").rc == 0
    server = serve_files(guest)
    machine = boot_from(vmhost, vf)
    let_receive(lan)
    wait_for(lan, """grep -q '"GET /kernel HTTP/1.1" 200' /tmp/web.log""")
    words = said(lan)
    print([f"{word:#x} {payload:#x} -> {answer:#x}" for word, payload, answer in words])
    assert words[0][0] == 1 and words[0][2] == 1 | ACK
    assert all(answer & ACK for _, _, answer in words)
    assert {word for word, _, _ in words} == {1, SET_MAC_ADDR, SET_LPE}
    machine.kill(9)
    machine.wait(check=False)
    server.kill()
    server.wait(check=False)
    vmhost.remove_vfs()


def test_ipxe_without_an_address(vmhost):
    """It takes the answer for a failure, asks for an address of zeros, is refused, and goes on without a network. It
    is no offender."""
    lan, guest = vmhost.lan, vmhost.guest
    (vf,) = vmhost.create_vfs(1)
    before = len(said(lan))
    machine = boot_from(vmhost, vf)
    let_receive(lan)
    words = said(lan)[before:]
    print([f"{word:#x} {payload:#x} -> {answer:#x}" for word, payload, answer in words])
    assert words[0][0] == 1 and words[0][2] == 1 | NACK
    assert (SET_MAC_ADDR, 0, SET_MAC_ADDR | NACK | CTS) in words
    # It has opened its interface all the same.
    assert (SET_LPE, 1540, SET_LPE | ACK | CTS) in words
    counters = guest.run("ethtool -S dut | grep vf0_").out
    assert "vf0_malformed: 0" in counters and "vf0_quarantined: 0" in counters
    told = guest.run(f"devlink -j health diagnose pci/{PF_PCI} reporter vf0").out
    assert json.loads(told)["offences"] == 0
    assert is_silent(guest, PEER, MACHINE_IP)
    machine.kill(9)
    machine.wait(check=False)
    vmhost.remove_vfs()


# ---- keepalived ------------------------------------------------------------------------------


def test_keepalived_in_a_machine(vmhost):
    """With use_vmac it wants the address of a virtual router, which takes trust. Without it is the master of a
    router that nobody reaches."""
    lan, guest = vmhost.lan, vmhost.guest
    (vf,) = vmhost.create_vfs(1)
    host = vm_host(0)
    # Others answer for an address that several interfaces of a machine have.
    guest.run(
        f"ip neigh replace {VIRTUAL} lladdr {VMAC} dev {PEER.name} nud permanent", netns=PEER.netns
    )
    with vmhost.boot(passed_through(vf)) as vm:
        vm.join(host)
        assert ping(guest, PEER, host.ipv4, count=3).complete
        for trust in (False, True):
            assert lan.link_set(f"vf 0 trust {'on' if trust else 'off'}").rc == 0
            router = Router(vm, host, VIRTUAL, 150, USE_VMAC)
            router.wait(True, 60 * vm.slowness)
            assert Filters.read(guest).pools_of(VMAC) == (0b01 if trust else 0)
            if trust:
                assert ping(guest, PEER, VIRTUAL, count=5).complete
            else:
                assert is_silent(guest, PEER, VIRTUAL)
            router.end()
        assert "vf0_malformed: 0" in guest.run("ethtool -S dut").out
    vmhost.remove_vfs()
