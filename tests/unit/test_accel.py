# SPDX-License-Identifier: GPL-2.0
"""Which accelerator is used, and what a host of guests says when it lacks something."""

from types import SimpleNamespace

import pytest

from harness import accel, images
from harness.nested import CannotNest, VmHost


@pytest.fixture
def host(monkeypatch, tmp_path):
    """This host as a test wants it: `device`, `boots`, `nested`; and how often KVM was tried."""
    found = SimpleNamespace(device=True, boots=True, tried=0)

    def boots():
        found.tried += 1
        return found.boots

    monkeypatch.setattr(accel.os, "access", lambda *_: found.device)
    monkeypatch.setattr(accel, "_kvm_boots", boots)
    monkeypatch.setattr(accel, "_verdict_file", lambda: tmp_path / "state/verdict")
    monkeypatch.setattr(accel, "MODULES", tmp_path / "module")
    found.parameters = tmp_path / "module/kvm_intel/parameters"
    found.parameters.mkdir(parents=True)
    return found


def test_kvm_that_boots_is_used_by_itself(host):
    """Tried once per boot of the host."""
    assert [accel.choose(), accel.choose()] == ["kvm", "kvm"]
    assert host.tried == 1


def test_kvm_that_does_not_boot_is_not_used(host):
    host.boots = False
    assert [accel.choose(), accel.choose()] == ["tcg", "tcg"]
    assert host.tried == 1


def test_without_kvm_nothing_is_tried(host):
    host.device = False
    assert accel.choose() == accel.choose(nested=True) == "tcg"
    assert host.tried == 0


@pytest.mark.parametrize(
    "nested, chosen",
    [("Y\n", "kvm"), ("1\n", "kvm"), ("N\n", "tcg"), ("0\n", "tcg"), ("", "tcg"), (None, "tcg")],
)
def test_guests_of_a_guest_need_a_kvm_that_nests(host, nested, chosen):
    """Else TCG, which does; a guest without guests has KVM all the same."""
    if nested is not None:
        (host.parameters / "nested").write_text(nested, encoding="ascii")
    assert accel.choose(nested=True) == chosen
    assert accel.choose() == "kvm"


# What VmHost asks for, by what it says when that is missing.
NEEDED = {"/dev/kvm": "nested=1", "iommu_groups": "has no IOMMU"}


@pytest.mark.parametrize("lacking", NEEDED)
def test_a_missing_capability_is_named(lacking):
    guest = SimpleNamespace(
        run=lambda *_: None,
        nested_agents=[],
        machine=SimpleNamespace(accel="kvm"),
        succeeds=lambda command: lacking not in command,
    )
    with pytest.raises(CannotNest, match=NEEDED[lacking]):
        VmHost(SimpleNamespace(guest=guest))


def test_a_missing_image_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setitem(images.IMAGES, "vm", tmp_path)
    assert "make prepare-vm" in images.missing("vm")
    (tmp_path / "rootfs.erofs").touch()
    assert images.missing("vm") is None
