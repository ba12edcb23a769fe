# SPDX-License-Identifier: GPL-2.0
"""Virtual machines that own a VF, and what becomes of the VF after them."""

import time

import pytest
from support import tenants

from harness.agent import AgentGone
from harness.nested import HOST_OF_GUESTS, passed_through

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
