# SPDX-License-Identifier: GPL-2.0
"""Medians, spread and ratios over all rounds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable

from .nics import NICS

BASE = "vf"


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of one round, by name; `better` is "less" or "more"."""

    key: str
    title: str
    unit: str
    better: str
    of: Callable[[dict], float]


def _quantile(values: list[float], part: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(part * 100) - 1]


def _per_packet(workload: str, cost: str) -> Callable[[dict], float]:
    def figure(one: dict) -> float:
        spent = one[workload]["costs"]
        total = sum(spent["exits"].values()) if cost == "exits" else spent[cost]
        return total / max(spent["packets"], 1)

    return figure


def _cpu_per_packet(workload: str) -> Callable[[dict], float]:
    figure = _per_packet(workload, "cpu_s")
    return lambda one: 1e6 * figure(one)


def _cpu_per_mbyte(workload: str) -> Callable[[dict], float]:
    def figure(one: dict) -> float:
        spent = one[workload]["costs"]
        return 1e3 * spent["cpu_s"] / max(spent["bytes"] / 1e6, 1e-6)

    return figure


METRICS = (
    Metric("ping_p50", "ping, median", "µs", "less", lambda r: statistics.median(r["ping"]["us"])),
    Metric(
        "ping_p90", "ping, 90 of 100 below", "µs", "less", lambda r: _quantile(r["ping"]["us"], 0.9)
    ),
    Metric(
        "udp_p50", "UDP echo, median", "µs", "less", lambda r: statistics.median(r["udp"]["us"])
    ),
    Metric(
        "udp_p90",
        "UDP echo, 90 of 100 below",
        "µs",
        "less",
        lambda r: _quantile(r["udp"]["us"], 0.9),
    ),
    Metric("small_out", "64-byte datagrams out", "1/s", "more", lambda r: r["small_out"]["per_s"]),
    Metric("small_in", "64-byte datagrams in", "1/s", "more", lambda r: r["small_in"]["per_s"]),
    Metric("tcp_out", "TCP out", "Mbit/s", "more", lambda r: r["tcp_out"]["mbit_per_s"]),
    Metric("tcp_in", "TCP in", "Mbit/s", "more", lambda r: r["tcp_in"]["mbit_per_s"]),
    Metric("udp_cpu", "host CPU per packet, UDP echo", "µs", "less", _cpu_per_packet("udp")),
    Metric(
        "small_out_cpu",
        "host CPU per packet, datagrams out",
        "µs",
        "less",
        _cpu_per_packet("small_out"),
    ),
    Metric(
        "small_in_cpu",
        "host CPU per packet, datagrams in",
        "µs",
        "less",
        _cpu_per_packet("small_in"),
    ),
    Metric("tcp_out_cpu", "host CPU per MB, TCP out", "ms", "less", _cpu_per_mbyte("tcp_out")),
    Metric("tcp_in_cpu", "host CPU per MB, TCP in", "ms", "less", _cpu_per_mbyte("tcp_in")),
    Metric("udp_exits", "exits per packet, UDP echo", "", "less", _per_packet("udp", "exits")),
    Metric(
        "small_out_exits",
        "exits per packet, datagrams out",
        "",
        "less",
        _per_packet("small_out", "exits"),
    ),
    Metric(
        "small_in_exits",
        "exits per packet, datagrams in",
        "",
        "less",
        _per_packet("small_in", "exits"),
    ),
    Metric(
        "udp_host_irqs",
        "host interrupts per packet, UDP echo",
        "",
        "less",
        _per_packet("udp", "host_irqs"),
    ),
    Metric(
        "small_out_host_irqs",
        "host interrupts per packet, datagrams out",
        "",
        "less",
        _per_packet("small_out", "host_irqs"),
    ),
    Metric(
        "udp_vm_irqs",
        "VM interrupts per packet, UDP echo",
        "",
        "less",
        _per_packet("udp", "vm_irqs"),
    ),
    Metric(
        "small_in_vm_irqs",
        "VM interrupts per packet, datagrams in",
        "",
        "less",
        _per_packet("small_in", "vm_irqs"),
    ),
)


@dataclasses.dataclass(frozen=True)
class Figure:
    """One metric of one card over all rounds; the ratio is to the VF, round by round."""

    median: float
    low: float
    high: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None


def _figure(values: list[float], base: list[float]) -> Figure:
    ratios = [value / other for value, other in zip(values, base) if other]
    spread = (statistics.median(ratios), min(ratios), max(ratios)) if ratios else (None,) * 3
    return Figure(statistics.median(values), min(values), max(values), *spread)


def summarize(rounds: list[dict]) -> dict[str, dict[str, Figure]]:
    """By metric and card. `rounds`: by round, card and workload."""
    result = {}
    for metric in METRICS:
        values = {nic.key: [metric.of(one[nic.key]) for one in rounds] for nic in NICS}
        result[metric.key] = {key: _figure(found, values[BASE]) for key, found in values.items()}
    return result


# What became of the datagrams of all floods into the machine, and of all requests.
TOTALS = {
    "64-byte datagrams sent to it": lambda one: one["small_in"]["sent"],
    "frames its card carried meanwhile": lambda one: one["small_in"]["costs"]["packets"],
    "datagrams its program read": lambda one: one["small_in"]["arrived"],
    "requests and pings lost": lambda one: one["ping"]["lost"] + one["udp"]["lost"],
}


def totals(rounds: list[dict]) -> dict[str, dict[str, int]]:
    """Sums over all rounds, by name and card."""
    return {
        name: {nic.key: sum(map(of, (one[nic.key] for one in rounds))) for nic in NICS}
        for name, of in TOTALS.items()
    }


# Of the columns, by card.
TITLES = {nic.key: nic.title for nic in NICS}


def totals_rows(sums: dict[str, dict[str, int]], headings: dict[str, str]) -> list[list[str]]:
    return [
        ["all rounds together", *headings.values()],
        *([name, *(str(cards[key]) for key in headings)] for name, cards in sums.items()),
    ]


def totals_table(sums: dict[str, dict[str, int]]) -> str:
    return _ruled(totals_rows(sums, TITLES))


def as_json(summary: dict[str, dict[str, Figure]]) -> dict:
    return {
        metric: {card: dataclasses.asdict(figure) for card, figure in cards.items()}
        for metric, cards in summary.items()
    }


def from_json(summary: dict) -> dict[str, dict[str, Figure]]:
    return {
        metric: {card: Figure(**figure) for card, figure in cards.items()}
        for metric, cards in summary.items()
    }


def exits_per_packet(traced: dict, reason: str) -> float:
    """Of one card in the traced pass."""
    return traced["exits"].get(reason, 0) / max(traced["packets"], 1)


def number(value: float | None, digits: int = 3) -> str:
    """Rounded to the digits that mean something, but never before the decimal point."""
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{digits}g}" if abs(value) < 10 ** (digits - 1) else f"{value:.0f}"


def _cell(figure: Figure, base: bool) -> str:
    spread = f"{number(figure.median)} [{number(figure.low)}..{number(figure.high)}]"
    return spread if base else f"{spread} x{number(figure.ratio)}"


def table(summary: dict[str, dict[str, Figure]]) -> str:
    """One line per metric: median, [least..most] of the rounds, and how many times the VF's."""
    rows = [["", "better", *(nic.title for nic in NICS)]]
    for metric in METRICS:
        unit = f" ({metric.unit})" if metric.unit else ""
        rows.append(
            [
                metric.title + unit,
                metric.better,
                *(_cell(summary[metric.key][nic.key], nic.key == BASE) for nic in NICS),
            ]
        )
    return _ruled(rows)


def reasons_rows(reasons: dict, headings: dict[str, str], digits: int = 3) -> list[list[str]]:
    """One row per workload and reason: exits per packet in the traced pass."""
    rows = [["exits per packet, by reason", *headings.values()]]
    for workload, cards in reasons.items():
        rows += [
            [
                f"{workload}: {reason}",
                *(number(exits_per_packet(cards[key], reason), digits) for key in headings),
            ]
            for reason in sorted({key for one in cards.values() for key in one["exits"]})
        ]
    return rows


def reasons_table(reasons: dict) -> str:
    return _ruled(reasons_rows(reasons, TITLES))


def widths(rows: list[list[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows)]


def aligned(rows: list[list[str]]) -> list[str]:
    """One line for each row."""
    wide = widths(rows)
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, wide)).rstrip() for row in rows]


def _ruled(rows: list[list[str]]) -> str:
    lines = aligned(rows)
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def losses(summary: dict[str, dict[str, Figure]]) -> list[str]:
    """Where another card beats the VF in every round."""
    found = []
    for metric in METRICS:
        for nic in NICS:
            figure = summary[metric.key][nic.key]
            if nic.key == BASE or figure.ratio is None:
                continue
            beaten = figure.ratio_high < 1 if metric.better == "less" else figure.ratio_low > 1
            if beaten:
                found.append(
                    f"{metric.title}: {nic.title} has x{number(figure.ratio)} of the VF's "
                    f"({metric.better} is better)"
                )
    return found
