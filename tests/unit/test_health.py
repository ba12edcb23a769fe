# SPDX-License-Identifier: GPL-2.0
"""What counts as a complaint of a guest, where no guest is needed to tell."""

import re
from pathlib import Path

from harness import health
from harness.health import leaks, reports


def test_a_report_within_another_is_seen():
    """Of another processor."""
    found = reports(
        [
            "WARNING: one.c:1 at one+0x1/0x2",
            "Call Trace:",
            " one+0x1/0x2",
            "BUG: KASAN: slab-use-after-free in two+0x1/0x2",
            "Call Trace:",
            " two+0x1/0x2",
            " </TASK>",
            "=" * 66,
            "no report",
        ]
    )
    assert [(report[0][:10], len(report)) for report in found] == [
        ("WARNING: o", 3),
        ("BUG: KASAN", 5),
    ]


LEAK = """unreferenced object 0xffff88800efc8c00 (size 128):
  comm "python3", pid 459, jiffies 4295058709
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace (crc fd2a57aa):
    __kmalloc_cache_noprof+0x297/0x460
    {function}+0x3ab/0x590
    __xdp_reg_mem_model+0x1b0/0x4a0
"""


def test_leaks_of_the_kernel_itself_do_not_count():
    found = leaks(LEAK.format(function="xdp_alloc") + LEAK.format(function="ida_alloc_range"))
    assert len(found) == 1 and "xdp_alloc" in found[0]


def test_allowed_accesses_are_explained():
    """Each entry of the list says which register it is and why it is touched."""
    path = Path(health.__file__).with_name("traces.allow")
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line.strip() and not line.startswith("#")]
    bare = [line for line in entries if not re.search(r"\S\s+#\s*\S", line)]
    assert entries and not bare
