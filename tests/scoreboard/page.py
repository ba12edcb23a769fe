# SPDX-License-Identifier: GPL-2.0
"""Documentation/scoreboard.rst, made of the board and the reasons."""

from __future__ import annotations

from collections.abc import Iterator

from .board import CLONE, DRIVERS, OWNERS, Board, Reason, explanation, not_run
from .scripts import FAIL, PASS, SKIP

PAGE = CLONE / "Documentation/scoreboard.rst"
WIDTH = 100

HEAD = """\
.. SPDX-License-Identifier: GPL-2.0
.. Written by make scoreboard; do not edit.

==========
Scoreboard
==========

The kernel's own scripts for network drivers, unmodified, as its source package has them, with C
``igb`` and with ``igb_rs``: all of ``tools/testing/selftests/drivers/net`` and ``drivers/net/hw``; of
``net/forwarding`` those that take two ports; of ``bpf`` those about AF_XDP. The directories below these
test drivers without hardware (bonding, team, netdevsim) or other devices, and have nothing to run here.

``make scoreboard`` runs all of them with both drivers and writes this page and
``tests/scoreboard/scoreboard.json``, which has every sub-test. ``tests/scoreboard/reasons.toml`` says of
each that does not pass why; a reason for one that passes is an error, as is one that is missing.
``make test-all`` fails when a sub-test does not do as here, ``make test`` runs those of the scripts that
take little time (``fast`` below). A sub-test counts as failed when its script hangs or dies. What a
script calls an expected failure counts as skipped.
"""


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = "  ".join("=" * width for width in widths)

    def line(row):
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()

    yield from ("", rule, line(head), rule, *map(line, rows), rule, "")


def _counts(board: Board, script: str | None = None) -> tuple[str, ...]:
    return tuple(
        str(board.counts(driver, script)[fate]) for driver in DRIVERS for fate in (PASS, SKIP, FAIL)
    )


def _summary(board: Board, scripts: dict) -> Iterator[str]:
    yield f"Kernel {board.kernel}, QEMU {board.qemu}. Passed, skipped, failed:"
    rows = [
        (f"``{name}``", "fast" if scripts[name].fast else "", *_counts(board, name))
        for name in scripts
        if name in board.scripts
    ]
    rows.append((f"{len(rows)} scripts", "", *_counts(board)))
    head = ("script", "", "igb passed", "skipped", "failed", "igb_rs passed", "skipped", "failed")
    yield from _table(head, rows)


def _titled(title: str) -> Iterator[str]:
    yield from ("", title, "=" * len(title), "")


def _wrapped(words: list[str], first: str) -> Iterator[str]:
    """Lines of up to WIDTH columns, the further ones indented as far as the text of the first one."""
    line = first
    for word in words:
        if len(line) + len(word) > WIDTH and line.strip() != first.strip():
            yield line.rstrip()
            line = " " * len(first)
        line += word + " "
    yield line.rstrip()


def _missing(board: Board) -> Iterator[str]:
    missing = list(not_run(board))
    if missing:
        yield from _titled("Not run")
        yield from (f"* {line}" for line in missing)


def _passes_alone(board: Board, title: str, driver: str, other: str) -> Iterator[str]:
    """Sub-tests that pass with one driver and not with the other."""
    yield from _titled(title)
    rows = [
        (f"``{script}``", f"``{case}``", fates[other])
        for script, case, fates in board.rows()
        if fates[driver] == PASS and fates[other] != PASS and board.fates(script, other)
    ]
    head = ("script", "sub-test", {"igb": "C igb"}.get(other, other))
    yield from _table(head, rows) if rows else ("None.",)


def _unpassed(board: Board, why: list[Reason]) -> dict[Reason, dict[str, list[str]]]:
    """By reason and script: the sub-tests, each with its fates where they differ."""
    found: dict[Reason, dict[str, list[str]]] = {}
    for script, case, fates in board.rows():
        by_reason: dict[Reason, list[str]] = {}
        for driver, fate in fates.items():
            if fate in (SKIP, FAIL):
                reason = explanation(why, script, case, driver)
                if reason:
                    by_reason.setdefault(reason, []).append(driver)
        for reason, drivers in by_reason.items():
            whose = "" if len(drivers) == len(DRIVERS) else f" ({drivers[0]} only)"
            found.setdefault(reason, {}).setdefault(script, []).append(f"``{case}``{whose}")
    return found


def _reasons(board: Board, why: list[Reason]) -> Iterator[str]:
    yield from _titled("What does not pass, and why")
    found = _unpassed(board, why)
    for owner, meaning in OWNERS.items():
        listed = [reason for reason in why if reason in found and reason.owner == owner]
        if not listed:
            continue
        yield from (f"**{owner}**: {meaning}.", "")
        for reason in listed:
            varies = " The outcome varies." if reason.varies else ""
            text = f"{reason.why}{varies} (``{reason.where}``)"
            yield from _wrapped(text.split(), "* ")
            yield ""
            for script, cases in found[reason].items():
                words = f"``{script}`` ({len(cases)}): {', '.join(cases)}".split()
                yield from _wrapped(words, "  ")
                yield ""


def page(board: Board, why: list[Reason], scripts: dict) -> str:
    lines = [
        *_summary(board, scripts),
        *_missing(board),
        *_passes_alone(board, "Passes with C igb and not here", "igb", "igb_rs"),
        *_passes_alone(board, "Passes here and not with C igb", "igb_rs", "igb"),
        *_reasons(board, why),
    ]
    text = HEAD + "\n" + "\n".join(lines)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.rstrip() + "\n"
