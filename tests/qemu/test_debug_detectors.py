# SPDX-License-Identifier: GPL-2.0
"""The kernels that watch are awake: each detector reports what is done to it on purpose.

Without this, a run without reports would prove nothing."""

import re
import subprocess

import pytest
from support.rules import breaking

from harness.health import KernelLog, Leaks

# In a guest of their own, for what they leave behind. What is about another kernel than "debug" says
# so.
pytestmark = [pytest.mark.kernel("debug"), pytest.mark.guest(cmdline="detectors")]


def test_all_are_awake(guest):
    """First, as some give up after their first report; locking and DMA are also watched only until
    a resource of the detector runs out."""
    assert "debug_locks:                             1" in guest.read("/proc/lockdep_stats")
    assert guest.read("/sys/kernel/debug/dma-api/disabled") == "N"
    assert int(guest.read("/sys/kernel/debug/dma-api/min_free_entries")) > 0
    assert guest.succeeds("head -n 3 /sys/kernel/debug/kmemleak")


def break_rule(guest, rule: str) -> list[str]:
    """What the kernel says to that rule being broken."""
    command = breaking(guest, rule)
    log = KernelLog(guest, rule)
    assert "canceled" in guest.run(command, check=False).err
    return log.complaints()


# Before memory is damaged, when lockdep ends its watch. It does so with its own report as well.
@pytest.mark.allow_log("possible circular locking|WARNING")
def test_order_of_locks(guest):
    found = break_rule(guest, "locks")
    assert any(
        "possible circular locking" in report and "break_rule" in report for report in found
    ), found


def provoke(guest, crash: str) -> list[str]:
    """What the kernel says to a deliberate error of its test module."""
    log = KernelLog(guest, crash)
    guest.run("modprobe lkdtm")
    # The writing process may be killed for it.
    guest.run(f"bash -c 'echo {crash} >/sys/kernel/debug/provoke-crash/DIRECT'", check=False)
    return log.complaints()


@pytest.mark.allow_log("KASAN")
@pytest.mark.parametrize(
    "crash, kind",
    [
        ("READ_AFTER_FREE", "slab-use-after-free"),
        ("SLAB_LINEAR_OVERFLOW", "slab-out-of-bounds"),
    ],
)
def test_kasan(guest, crash, kind):
    found = provoke(guest, crash)
    assert any(f"BUG: KASAN: {kind}" in report.splitlines()[0] for report in found), found
    # The stack belongs to the report.
    assert any("lkdtm" in report and "Call Trace" in report for report in found)


@pytest.mark.allow_log("KASAN")
@pytest.mark.parametrize(
    "rule, function",
    [
        ("network_after_free", "skb_push"),
        ("pci_after_free", "pci_match_id|do_pci_match_id"),
        ("dma_after_free", "dma_set_mask"),
    ],
)
def test_kasan_in_the_kernel_proper(guest, rule, function):
    """What a driver gave back may be used by the parts of the kernel it works with."""
    found = break_rule(guest, rule)
    assert any(
        re.search(rf"BUG: KASAN: slab-use-after-free in ({function})\+", report.splitlines()[0])
        and "break_rule" in report
        for report in found
    ), found


@pytest.mark.allow_log("UBSAN")
def test_ubsan(guest):
    assert any(
        "UBSAN: array-index-out-of-bounds" in report for report in provoke(guest, "ARRAY_BOUNDS")
    )


@pytest.mark.allow_log("list_add corruption|WARNING|kernel BUG|Oops|BUG:")
def test_list_corruption(guest):
    assert any("list_add" in report for report in provoke(guest, "CORRUPT_LIST_ADD"))


@pytest.mark.allow_log("refcount_|WARNING")
def test_refcounts(guest):
    assert any("refcount_t" in report for report in provoke(guest, "REFCOUNT_ADD_OVERFLOW"))


@pytest.mark.allow_log("WARNING")
def test_warnings_come_with_their_stack(guest):
    found = provoke(guest, "WARNING")
    assert any("WARNING" in report and "lkdtm_WARNING" in report for report in found), found


# What the kernel's sample loses, a pointer of each of two CPUs among it; and of that, what
# something stale, such as a stack, may still refer to.
LOST = 26
MAY_SHOW_LATE = 4


@pytest.mark.long
def test_leaks_are_seen_and_shown_with_their_stack(guest):
    """What the module's initialisation loses, nearly all of it at once. That code is gone when
    kmemleak looks, and has no name any more: it is recognised by what called it."""
    leaks = Leaks(guest)
    guest.run("modprobe kmemleak-test; rmmod kmemleak-test", check=False)
    found = leaks.found()
    lost = [leak for leak in found if 'comm "modprobe"' in leak and "do_init_module" in leak]
    assert len(lost) >= LOST - MAY_SHOW_LATE, found
    seen = addresses(found)
    # More of what was lost shows when a pointer left on a stack has been overwritten.
    for _ in range(10):
        leaks.forget()
        more = addresses(leaks.found())
        if not more:
            return
        assert not seen & more, "what was to be forgotten is reported again"
        seen |= more
    pytest.fail(f"new leaks without end, {len(seen)} so far")


def addresses(leaks: list[str]) -> set[str]:
    return {re.search(r"0x[0-9a-f]+", leak)[0] for leak in leaks}


@pytest.mark.allow_log("sleeping function")
def test_sleeping_in_atomic_context(guest):
    found = break_rule(guest, "sleep")
    assert any("sleeping function" in report and "break_rule" in report for report in found), found


@pytest.mark.allow_log("DMA-API|WARNING")
def test_dma(guest):
    found = break_rule(guest, "dma")
    assert any("has not allocated" in report for report in found), found


@pytest.mark.allow_log("ODEBUG|WARNING")
def test_life_of_objects(guest):
    found = break_rule(guest, "object")
    assert any(
        "ODEBUG: free active" in report and "timer_list" in report and "break_rule" in report
        for report in found
    ), found


@pytest.mark.allow_log("pagealloc: memory corruption")
def test_pages_a_device_writes_to_too_late(guest):
    """KASAN sees what the processor does only."""
    found = break_rule(guest, "page_given_back")
    assert any(
        "pagealloc: memory corruption" in report and "break_rule" in report for report in found
    ), found


@pytest.mark.kernel("kcsan")
@pytest.mark.allow_log("KCSAN: data-race in count ")
def test_data_races(guest):
    assert "enabled: 1\n" in guest.run("cat /sys/kernel/debug/kcsan").out
    found = break_rule(guest, "race")
    assert any(
        "KCSAN: data-race in count" in report and "break_rule" in report for report in found
    ), found


@pytest.mark.kernel("kcsan")
@pytest.mark.allow_log("KCSAN: data-race in count_in_rust")
def test_data_races_in_rust(guest):
    found = break_rule(guest, "race_in_rust")
    assert any("KCSAN: data-race in count_in_rust" in report for report in found), found


CRATES = ["rust/net/net.o", "drivers/igb/igb.o", "drivers/igb/core/igb_core.o"]


def undefined(config, crate: str) -> set[str]:
    """What a crate asks the kernel for."""
    return set(
        subprocess.run(
            ["nm", "--undefined-only", config.boots.module.parent / crate],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
    )


@pytest.mark.driver("igb_rs")
@pytest.mark.parametrize("crate", CRATES)
def test_memory_errors_in_rust_are_looked_for(config, crate):
    # Loads and stores of eight bytes, whether checked in line or by a call.
    names = undefined(config, crate)
    for access in ("load8", "store8"):
        assert any(
            name.startswith("__asan_") and name.endswith(f"{access}_noabort") for name in names
        ), (access, names)


@pytest.mark.kernel("kcsan")
@pytest.mark.driver("igb_rs")
@pytest.mark.parametrize("crate", CRATES)
def test_data_races_in_rust_are_looked_for(config, crate):
    """rustc does not do this by itself; tests/build-module has it done."""
    assert {"__tsan_read8", "__tsan_write8"} <= undefined(config, crate)
