# SPDX-License-Identifier: GPL-2.0
"""What happens to virtual machines with a VF, and what they do, while their neighbours run."""

import pytest
from support import tenants
from support.registers import Filters
from support.tenants import Place, Tenants
from support.watch import Watch, watch_for

from harness.nested import HOST_OF_GUESTS, passed_through, vm_host
from harness.topology import PEER, PF_HOST, PF_PCI
from harness.traffic import ping

pytestmark = [
    pytest.mark.guest(**HOST_OF_GUESTS),
    pytest.mark.driver("igb_rs"),
    pytest.mark.timeout(900),
    pytest.mark.long,
]

EBUSY = "Device or resource busy"
FLR = "echo 1 >/sys/bus/pci/devices/$(basename $(ls -d /sys/bus/pci/drivers/igbvf/0000:*))/reset"


@pytest.fixture
def scene(vmhost):
    """Two guests with a VF each, on the network."""
    return tenants.move_in(vmhost)


# ---- guests that end, or reset their VF ------------------------------------------------------


def test_neighbour_of_a_killed_guest(scene):
    """The neighbour loses nothing, and the VF serves the next guest."""
    watch = Watch(scene.place("vm1"), PEER.ipv4)
    tenants.kill_mid_traffic(scene, 0)
    seen = watch.end()
    assert seen.lost == 0, seen
    scene.vms[0] = scene.host.boot(passed_through(scene.vfs[0]))
    scene.vms[0].join(vm_host(0))
    tenants.talk(scene, "vm0", "peer")
    tenants.talk(scene, "vm0", "vm1")


def test_flr_under_a_bound_driver(scene):
    """The guest resets the function beneath its own driver: only this VF is closed, until the
    driver makes its handshake again."""
    vm0 = scene.vms[0]
    watch = Watch(scene.place("vm1"), PEER.ipv4)
    vm0.run(FLR)
    held = Filters.read(scene.guest)
    assert not held.vfre & 0b01 and held.vfre & 0b10
    vm0.run(f"ip link set {vm0.nic} down; ip link set {vm0.nic} up")
    vm0.wait_link()
    tenants.reaches(scene.place("vm0"), PEER.ipv4)
    tenants.answered(scene.place("vm0"), PEER.ipv4)
    seen = watch.end()
    assert seen.lost == 0, seen


def test_many_flrs_and_rebinds(scene):
    vm0 = scene.vms[0]
    vf = tenants.vf_in(vm0)
    watch = Watch(scene.place("vm1"), PEER.ipv4)
    vm0.run(f"echo {vf} >/sys/bus/pci/drivers/igbvf/unbind")
    vm0.run(f"for i in $(seq 20); do echo 1 >/sys/bus/pci/devices/{vf}/reset; done", timeout=120)
    vm0.run(f"echo {vf} >/sys/bus/pci/drivers/igbvf/bind")
    vm0.join(vm_host(0))
    tenants.reaches(scene.place("vm0"), PEER.ipv4)
    tenants.talk(scene, "vm0", "vm1")
    seen = watch.end()
    assert seen.lost == 0, seen


# ---- the PF while guests run -----------------------------------------------------------------

CHANGES = {
    "down and up": "ip link set dut down; sleep 1; ip link set dut up",
    "MTU": "ip link set dut mtu 4000; sleep 1; ip link set dut mtu 1500",
    "ring size": "ethtool -G dut rx 512; ethtool -G dut rx 256",
}


def test_guests_do_not_notice(scene, record_property):
    """They lose no frame, neither to the outside nor to each other."""
    for name, change in CHANGES.items():
        paths = {"outside": PEER.ipv4, "inside": vm_host(1).ipv4}
        watches = {path: Watch(scene.place("vm0"), target) for path, target in paths.items()}
        scene.guest.run(f"sleep 2; {change}; sleep 2", timeout=60)
        scene.host.lan.wait_carrier(PF_HOST)
        tenants.reaches(scene.place("vm1"), PF_HOST.ipv4)
        for path, watch in watches.items():
            seen = watch.end()
            print(f"{name}, {path}: {seen}")
            record_property(f"{name}, {path}", str(seen))
            assert seen.sent > 10 and seen.lost == 0, f"{name}, {path}: {seen}"


def test_function_reset_of_the_pf(scene):
    """It takes the VFs' registers with it. The host is well; a guest has its VF back when it
    resets it, as at its next start."""
    scene.guest.run(f"echo 1 >/sys/bus/pci/devices/{PF_PCI}/reset")
    scene.host.lan.wait_carrier(PF_HOST)
    assert ping(scene.guest, PF_HOST, PEER.ipv4, count=3).complete
    for index, vm in enumerate(scene.vms):
        vm.power_off()
        scene.vms[index] = scene.host.boot(passed_through(scene.vfs[index]))
        scene.vms[index].join(vm_host(index))
    tenants.talk(scene, "vm0", "vm1")
    tenants.talk(scene, "vm1", "peer")


def test_numvfs_while_a_guest_has_a_vf(scene):
    """Refused, by name, without touching anything; accepted when the last guest has gone."""
    lan = scene.host.lan
    watch = Watch(scene.place("vm0"), PEER.ipv4)
    scene.vms[1].power_off()
    for _ in range(3):
        refused = lan.set_numvfs(0)
        assert refused.rc != 0 and EBUSY in refused.err, refused
    assert "VF 0 is in use through vfio-pci" in scene.guest.run("dmesg | tail -n 5").out
    assert scene.guest.read(f"/sys/bus/pci/devices/{PF_PCI}/sriov_numvfs") == "2"
    seen = watch.end()
    assert seen.lost == 0, seen
    scene.vms[0].power_off()
    assert lan.set_numvfs(0).rc == 0
    vfs = scene.host.create_vfs(3)
    again = Tenants(scene.host, vfs, [scene.host.boot(passed_through(vfs[2]))])
    again.vms[0].join(vm_host(2))
    place = Place(again.vms[0], vm_host(2))
    tenants.reaches(place, PEER.ipv4)
    tenants.answered(place, PEER.ipv4)


def test_module_reload_while_guests_run(scene):
    """rmmod waits for the guests, which keep their VFs meanwhile; then the module can come back."""
    guest = scene.guest
    removal = guest.start("rmmod igb_rs", timeout=300)
    guest.wait_until("dmesg | grep -q 'blocked until device is released' || pgrep -x rmmod", 30)
    for name in ("vm0", "vm1"):
        tenants.answered(scene.place(name), PEER.ipv4)
    for vm in scene.vms:
        vm.power_off()
    removal.wait(timeout=120)
    assert not guest.loaded()
    scene.host.lan.detach(PF_HOST)
    guest.load()
    scene.host.lan.attach(PF_HOST, PF_PCI)
    scene.host.lan.wait_carrier(PF_HOST)
    fresh = tenants.move_in(scene.host)
    tenants.talk(fresh, "vm0", "vm1")


# ---- a hostile guest -------------------------------------------------------------------------

ATTACKS = ("flood", "hold", "reset", "registers", "rings")
SECONDS = 12


class Hostile:
    """A guest that drives the registers of its VF itself."""

    def __init__(self, vm):
        self.vm, self.vf = vm, tenants.vf_in(vm)
        vm.run(f"echo {self.vf} >/sys/bus/pci/drivers/igbvf/unbind")

    def beside(self, victim: Place, what: str):
        """What the victim sees while this goes on."""
        strike = self.vm.start_call("hostile", self.vf, what, SECONDS + 5, timeout=180)
        seen = watch_for(victim, PEER.ipv4, SECONDS)
        assert '"rounds"' in strike.wait().out
        return seen

    def start_over(self, lan):
        """As a new owner of the VF: reset, and let out of quarantine."""
        assert lan.link_set("vf 0 state auto").rc == 0
        self.vm.run(f"echo 1 >/sys/bus/pci/devices/{self.vf}/reset")


@pytest.mark.timeout(1800)
@pytest.mark.allow_trace("igbvf_|e1000e_")
# Faults of the hostile guest's VF only.
@pytest.mark.allow_log(r"DMAR: (DRHD: handling fault|.*Request device \[01:10\.0\])")
def test_victim_beside_a_hostile_guest(scene, record_property):
    """Loss and latency of the victim before, during and after each attack; and beside a guest that
    only uses its CPU, which is all that an attack may cost."""
    victim, hostile = scene.place("vm1"), Hostile(scene.vms[0])
    seen = {
        "before": watch_for(victim, PEER.ipv4, SECONDS),
        "beside a busy guest": hostile.beside(victim, "spin"),
    }
    for attack in ATTACKS:
        seen[attack] = hostile.beside(victim, attack)
        seen[f"after {attack}"] = watch_for(victim, PEER.ipv4, SECONDS)
        hostile.start_over(scene.host.lan)
    for phase, figures in seen.items():
        print(f"{phase}: {figures}")
        record_property(phase, str(figures))
    assert all(figures.lost == 0 for figures in seen.values()), seen
    for attack in ATTACKS:
        assert seen[attack].median < 5 * seen["beside a busy guest"].median + 5, (attack, seen)
        assert seen[f"after {attack}"].median < 3 * seen["before"].median + 5, (attack, seen)
    assert ping(scene.guest, PF_HOST, PEER.ipv4, count=3).complete
    own = Filters.read(scene.guest)
    assert own.pools_of(scene.vms[1].mac()) == 0b10, "the victim's address is the victim's"
