# SPDX-License-Identifier: GPL-2.0
"""Virtual machines that own a VF, and what becomes of the VF after them."""

import json
import re
import time

import pytest
from support import tenants
from support.dpdk import TestPmd

from harness.agent import AgentGone
from harness.nested import HOST_OF_GUESTS, Vm, passed_through, vm_host
from harness.topology import PEER
from harness.traffic import ping

# C igb waits for the guest in sriov_numvfs with the PF's lock held, has no link state, and leaves
# a tenant's filters to the next one.
pytestmark = [
    pytest.mark.guest(**HOST_OF_GUESTS),
    pytest.mark.driver("igb_rs"),
    pytest.mark.timeout(900),
]

EBUSY = "Device or resource busy"


def change_hands(vmhost, scene):
    """VFs that guests have cannot be taken away. One of them gets a new tenant; when all guests are
    gone, so can the VFs be."""
    refused = vmhost.lan.set_numvfs(0)
    assert refused.rc != 0 and EBUSY in refused.err, refused
    tenants.take_liberties(scene)
    scene.vms[1].power_off()
    tenants.nothing_left(scene)
    tenants.new_tenant(scene)
    for vm in scene.vms:
        vm.power_off()
    vmhost.remove_vfs()


def test_in_short(vmhost):
    """Two guests on the network, a change that one of them feels, and a VF that changes hands."""
    scene = tenants.move_in(vmhost)
    tenants.pci_device(scene)
    for target in (tenants.PF_HOST, tenants.PEER, tenants.vm_host(1)):
        tenants.answered(scene.place("vm0"), target.ipv4)
    tenants.link_state(scene)
    change_hands(vmhost, scene)


def test_guest_that_cannot_start(vmhost):
    """Known at once, with what its hypervisor said."""
    vm = vmhost.start(["-device", "no-such-device"])
    begin = time.monotonic()
    with pytest.raises(AgentGone, match="no-such-device"):
        vm.wait_ready()
    assert time.monotonic() - begin < 60 * vm.slowness


@pytest.mark.long
def test_guest_that_does_not_answer(vmhost):
    """Its processor, its hypervisor and its kernel say what they do."""
    vm = vmhost.boot([])
    said = vm.explain("no answer")
    for part in (
        r"CPU 0/KVM: State:.* ns, in \w+",
        r"RIP=\w{16}",
        r"LVTT",
        # Of the kernel, at the NMI; the last time in its log.
        r"(?s)Kernel panic - not syncing: NMI.*Call Trace.*Kernel panic - not syncing: NMI",
    ):
        assert re.search(part, said), f"{part} is not in:\n{said}"
    assert not vmhost.guest.succeeds(f"kill -0 $(cat {vm.pid_file})")


@pytest.mark.long
def test_guest_that_idles(vmhost):
    """Its hypervisor sleeps: an emulated host has no time for one that is woken up for nothing."""
    vm = vmhost.boot([])
    woken = f"awk '/ctxt_switches/ {{n += $2}} END {{print n}}' /proc/{vm.pid}/status"
    before, after = map(int, vmhost.guest.run(f"sleep 5; {woken}; sleep 10; {woken}").out.split())
    assert after - before < 300


@pytest.mark.long
def test_two_tenants(vmhost):
    """What `make demo-vm` shows, asserted."""
    scene = tenants.move_in(vmhost)
    tenants.pci_device(scene)
    for one, other in (("vm0", "pf"), ("vm0", "peer"), ("vm0", "vm1")):
        tenants.talk(scene, one, other)
    tenants.traffic_stays_inside(scene)
    for change in (tenants.vlan, tenants.link_state, tenants.rate, tenants.mac_after_reset):
        change(scene)
    change_hands(vmhost, scene)


@pytest.mark.long
def test_killed_guest(vmhost):
    """SIGKILL to the hypervisor in the middle of traffic: the VF is free and clean at once."""
    (vf,) = vmhost.create_vfs(1)
    scene = tenants.Tenants(vmhost, [vf], [vmhost.boot(passed_through(vf))])
    tenants.kill_mid_traffic(scene, 0)
    vmhost.remove_vfs()
    assert tenants.ping(scene.guest, tenants.PF_HOST, tenants.PEER.ipv4, count=3).complete


# ---- what a tenant leaves, end to end --------------------------------------------------------

# Pages that each guest's kernel leaves alone, so that whoever writes there was told to by hand.
TRAP, TRAP_BYTES = 0x6000000, 0x10000
KEPT_FREE = f"memmap={TRAP_BYTES:#x}${TRAP:#x}"
FRAMES = 10_000
# Of queue 0; those of queue 1 are 0x100 further.
TDWBAL, TDWBAH, HEAD_WRITE_BACK = 0x3838, 0x383C, 1
RDBAL, TDBAL, SRRCTL, VTIVAR, VMBMEM = 0x2800, 0x3800, 0x280C, 0x1700, 0x0800


def changed(vm: Vm) -> list[int]:
    """Where somebody has written into the trap."""
    return json.loads(vm.call("trap", "changed", TRAP, TRAP_BYTES).out)


def set_registers(vm: Vm, vf: str, values: dict[int, int]):
    vm.ask("registers", vf, value=[["w", offset, value] for offset, value in values.items()])


def leave_all(vm: Vm, vf: str):
    """A tenant with igbvf that has its controller write where it likes, and leaves that and all else
    it can."""
    vm.call("trap", "fill", TRAP, TRAP_BYTES)
    assert not changed(vm)
    vm.join(vm_host(0))
    for queue in range(2):
        at = 0x100 * queue
        set_registers(
            vm, vf, {TDWBAH + at: 0, TDWBAL + at: TRAP + 0x1000 * queue | HEAD_WRITE_BACK}
        )
    ping(vm, vm_host(0), PEER.ipv4, count=20)
    assert changed(vm), "the head write-back does not show where it would"
    set_registers(
        vm,
        vf,
        {
            **{at + 0x100 * n: TRAP + 0x2000 for at in (RDBAL, TDBAL) for n in range(2)},
            **{SRRCTL + 0x100 * n: 0x0200_0404 for n in range(2)},
            VTIVAR: 0x8282_8282,
            **{VMBMEM + 4 * n: TRAP + n for n in range(1, 16)},
        },
    )
    vm.kill()


def all_intact(source, vm_ip: str, shell, frames: int = FRAMES):
    """So many echo requests and their answers, whose contents ping compares."""
    found = shell.run(
        f"ping -n -q -f -c {frames} -s 1000 {vm_ip}", timeout=600, check=False, netns=source.netns
    )
    assert f"{frames} packets transmitted, {frames} received" in found.out, found
    assert "wrong data" not in found.out + found.err, found


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.allow_log("DMAR: ")  # of tenant one, whose addresses are not all its own
@pytest.mark.parametrize("driver", ["igbvf", "dpdk"])
def test_nothing_a_tenant_left_happens_to_the_next(vmhost, driver):
    """C igb leaves the head write-back: the controller writes into the next tenant's memory."""
    (vf,) = vmhost.create_vfs(1)
    one = vmhost.boot(passed_through(vf), KEPT_FREE)
    leave_all(one, tenants.vf_in(one))
    two = vmhost.boot(passed_through(vf), f"{KEPT_FREE} hugepages=48", megabytes=512)
    two.call("trap", "fill", TRAP, TRAP_BYTES)
    if driver == "igbvf":
        two.run("echo 0 >/proc/sys/vm/nr_hugepages")
        two.join(vm_host(0))
        all_intact(vm_host(0), PEER.ipv4, two)
    else:
        pmd = TestPmd(two, tenants.vf_in(two), "uio_pci_generic", lcores="(0,1)@0", pages=48)
        pmd.run("start")
        all_intact(PEER, vm_host(0).ipv4, vmhost.guest)
        pmd.quit()
    assert not changed(two)
    two.power_off()
    vmhost.remove_vfs()
