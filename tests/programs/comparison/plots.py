# SPDX-License-Identifier: GPL-2.0
"""The pictures: each says in its title what is shown and which way is better."""

from __future__ import annotations

import statistics
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .nics import NICS
from .reasons import OTHER
from .summary import METRICS, number

COLOURS = {"vf": "#0b6e4f", "vhost": "#3066be", "virtio": "#8fb8ed", "e1000e": "#c44536"}
REASONS = {
    "register (MMIO)": "#c44536",
    "interrupt window": "#e8a33d",
    "host interrupt": "#3066be",
    "MSR": "#8fb8ed",
    "idle (HLT)": "#b9c0c8",
    "I/O port": "#7a4fa3",
    "interrupt controller": "#5f9ea0",
    OTHER: "#444444",
}
TITLES = {nic.key: nic.title for nic in NICS}

plt.rcParams.update(
    {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "figure.constrained_layout.use": True,
        "svg.fonttype": "none",
        "svg.hashsalt": "igb-rs",
    }
)


def _save(figure, directory: Path, name: str, *notes: str) -> list[Path]:
    """The notes stand below the picture, one line each."""
    figure.supxlabel("\n".join(notes), fontsize=8, color="#555555", x=0.01, ha="left")
    paths = [directory / f"{name}.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=150)
    plt.close(figure)
    return paths


def _distribution(axes, samples: dict[str, list[float]], title: str):
    """Which part of the answers came within a time, one line per card."""
    for key, values in samples.items():
        ordered = sorted(values)
        share = [100 * (index + 1) / len(ordered) for index in range(len(ordered))]
        middle = statistics.median(ordered)
        axes.step(
            ordered,
            share,
            where="post",
            color=COLOURS[key],
            linewidth=2.2,
            label=f"{TITLES[key]}: median {middle / 1000:.2f} ms",
        )
        axes.plot([middle], [50], "o", color=COLOURS[key], markersize=6)
    everything = sorted(value for values in samples.values() for value in values)
    axes.set_xscale("log")
    # Room for the legend to the left, where no answer is.
    axes.set_xlim(0.12 * everything[0], everything[round(0.995 * len(everything)) - 1])
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda us, _: f"{us / 1000:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(
        title=title,
        xlabel="milliseconds until the answer (logarithmic)",
        ylabel="% of answers that came within",
        ylim=(0, 101),
    )
    axes.grid(alpha=0.25)
    axes.legend(loc="upper left", fontsize=8.5, frameon=False)


def latency(rounds: list[dict], directory: Path, note: str) -> list[Path]:
    figure, panels = plt.subplots(1, 2, figsize=(12, 5.2), sharey=True)
    figure.suptitle(
        "Latency: how long an answer from outside takes (further left is better)",
        fontsize=13,
        fontweight="bold",
    )
    for axes, workload, title in (
        (panels[0], "ping", "ping"),
        (panels[1], "udp", "UDP echo, 64 bytes"),
    ):
        samples = {
            nic.key: [us for one in rounds for us in one[nic.key][workload]["us"]] for nic in NICS
        }
        _distribution(axes, samples, title)
    return _save(
        figure,
        directory,
        "latency",
        "A line shows how many answers had come after a time; "
        "the dot is the median: half of the answers came sooner.",
        note,
    )


def _bars(axes, metric, summary: dict, rounds: list[dict]):
    """Medians as bars, each round as a dot."""
    for place, nic in enumerate(reversed(NICS)):
        figure = summary[metric.key][nic.key]
        axes.barh(place, figure.median, color=COLOURS[nic.key], height=0.62)
        values = [metric.of(one[nic.key]) for one in rounds]
        axes.plot(values, [place] * len(values), "o", color="black", alpha=0.45, markersize=3.5)
        text = number(figure.median)
        if nic.key != "vf" and figure.ratio is not None:
            text += f"  ({number(figure.ratio)} × VF)"
        axes.annotate(
            text,
            (max(figure.median, *values), place),
            (7, 0),
            va="center",
            fontsize=9,
            textcoords="offset points",
        )
    axes.set_yticks(range(len(NICS)), [nic.title for nic in reversed(NICS)])
    axes.set_xlim(0, 1.45 * max(metric.of(one[nic.key]) for one in rounds for nic in NICS))
    arrow = "shorter" if metric.better == "less" else "longer"
    unit = f", {metric.unit}" if metric.unit else ""
    axes.set_title(f"{metric.title}{unit} ({arrow} is better)", fontsize=8.5)


def _grid(
    keys: list[str],
    title: str,
    name: str,
    summary: dict,
    rounds: list[dict],
    directory: Path,
    note: str,
) -> list[Path]:
    lines = -(-len(keys) // 2)
    figure, panels = plt.subplots(lines, 2, figsize=(12, 2.2 * lines + 1.1), squeeze=False)
    figure.suptitle(title, fontsize=13, fontweight="bold")
    metrics = {metric.key: metric for metric in METRICS}
    for axes, key in zip(panels.flat, keys):
        _bars(axes, metrics[key], summary, rounds)
    return _save(
        figure,
        directory,
        name,
        "Bars and figures: median of the rounds; dots: single "
        "rounds; × VF: so many times the VF's of the same round, median.",
        note,
    )


def throughput(summary: dict, rounds: list[dict], directory: Path, note: str) -> list[Path]:
    return _grid(
        ["small_out", "small_in", "tcp_out", "tcp_in"],
        "Throughput between the virtual machine and a host outside",
        "throughput",
        summary,
        rounds,
        directory,
        note,
    )


def cost(summary: dict, rounds: list[dict], directory: Path, note: str) -> list[Path]:
    return _grid(
        [
            "udp_cpu",
            "small_out_cpu",
            "tcp_out_cpu",
            "tcp_in_cpu",
            "udp_exits",
            "small_out_exits",
            "udp_host_irqs",
            "udp_vm_irqs",
        ],
        "What it costs the host: CPU time besides the virtual machine's own, exits, interrupts",
        "cost",
        summary,
        rounds,
        directory,
        note,
    )


def exits(reasons: dict, directory: Path, note: str) -> list[Path]:
    """Exits per packet by reason, stacked."""
    figure, panels = plt.subplots(1, len(reasons), figsize=(12, 4.1), squeeze=False)
    figure.suptitle(
        "Why the virtual machine stops for the host: exits per packet (less is better)",
        fontsize=13,
        fontweight="bold",
    )
    titles = {"udp": "UDP echo", "small_out": "64-byte datagrams out"}
    used = {
        reason for cards in reasons.values() for one in cards.values() for reason in one["exits"]
    }
    for axes, (workload, cards) in zip(panels.flat, reasons.items()):
        _stack(axes, cards, used)
        axes.set_title(titles.get(workload, workload))
        axes.set_xlabel("exits per packet")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=9, title="reason")
    return _save(
        figure,
        directory,
        "exits",
        "One traced pass before the rounds. A register that is "
        "emulated stops the machine; a VF's own registers do not.",
        note,
    )


def _stack(axes, cards: dict, used: set[str]):
    for place, nic in enumerate(reversed(NICS)):
        one = cards[nic.key]
        left = 0.0
        for reason in (reason for reason in REASONS if reason in used):
            width = one["exits"].get(reason, 0) / max(one["packets"], 1)
            axes.barh(
                place,
                width,
                left=left,
                height=0.62,
                color=REASONS[reason],
                label=reason if place == 0 else None,
            )
            left += width
        axes.text(left, place, f" {left:.2g}", va="center", fontsize=9)
    axes.set_yticks(range(len(NICS)), [nic.title for nic in reversed(NICS)])
    axes.margins(x=0.12)


def draw(results: dict, summary: dict, directory: Path, note: str) -> list[Path]:
    rounds = results["rounds"]
    return [
        *latency(rounds, directory, note),
        *throughput(summary, rounds, directory, note),
        *cost(summary, rounds, directory, note),
        *exits(results["reasons"], directory, note),
    ]
