# SPDX-License-Identifier: GPL-2.0
"""The arithmetic of `make compare`, on rounds whose result is known."""

import json
import re

from comparison import record, summary, workloads
from comparison.nics import NICS

COSTS = {
    "cpu_s": 0.2,
    "exits": {"idle": 30, "other": 10},
    "host_irqs": 20,
    "vm_irqs": 10,
    "packets": 100,
    "bytes": 1_000_000,
}


def one_card(factor: float) -> dict:
    """A round in which everything takes `factor` times as long, and is `factor` times as much."""
    times = {"us": [100 * factor, 200 * factor, 300 * factor], "lost": 0}
    small = {"per_s": 1000 * factor, "sent": 1, "arrived": 1}
    results = {
        "ping": times,
        "udp": times,
        "small_out": small,
        "small_in": small,
        "tcp_out": {"mbit_per_s": 10 * factor},
        "tcp_in": {"mbit_per_s": 10 * factor},
    }
    assert set(results) == set(workloads.WORKLOADS)
    return {name: {**result, "costs": COSTS} for name, result in results.items()}


def one_round(factors: tuple[float, ...]) -> dict:
    return {nic.key: one_card(factor) for nic, factor in zip(NICS, factors)}


def test_median_spread_and_ratio():
    figures = summary.summarize(
        [one_round((1, 2, 3, 4)), one_round((2, 2, 2, 2)), one_round((4, 12, 2, 1))]
    )
    ping = figures["ping_p50"]
    assert (ping["vf"].median, ping["vf"].low, ping["vf"].high) == (400, 200, 800)
    assert (ping["vhost"].ratio, ping["vhost"].ratio_low, ping["vhost"].ratio_high) == (2, 1, 3)
    assert ping["e1000e"].ratio == 1
    assert figures["udp_exits"]["vf"].median == 0.4
    assert figures["small_out_cpu"]["vf"].median == 2000
    assert "x2" in summary.table(figures)


def test_a_loss_of_the_vf_is_named():
    """In every round, and only then."""
    always = summary.losses(summary.summarize([one_round((1, 2, 1, 0.5))] * 3))
    assert any(line.startswith("TCP out: virtio-net, vhost has x2") for line in always)
    assert any(line.startswith("ping, median: emulated e1000e has x0.5") for line in always)
    assert not any("virtio-net, QEMU" in line for line in always)
    mixed = [one_round((1, 2, 1, 1)), one_round((2, 1, 2, 2))]
    assert not summary.losses(summary.summarize(mixed))


def test_figures_survive_the_file():
    figures = summary.summarize([one_round((1, 2, 3, 4)), one_round((2, 2, 2, 2))])
    assert summary.from_json(json.loads(json.dumps(summary.as_json(figures)))) == figures


def test_tables_of_the_text():
    """Medians and spread of the VF, ratios of the others, and which of them are in doubt."""
    figures = summary.summarize([one_round((1, 2, 3, 4)), one_round((2, 1, 3, 8))])
    reasons = {"udp": {nic.key: {"exits": {"idle (HLT)": 30}, "packets": 20} for nic in NICS}}
    sums = summary.totals([one_round((1, 2, 3, 4))] * 2)
    tables = record.tables(
        {
            "note": "two rounds",
            "summary": summary.as_json(figures),
            "totals": sums,
            "reasons": reasons,
        }
    )
    assert sums["frames its card carried meanwhile"]["vf"] == 200
    line = next(line for line in tables.splitlines() if line.startswith("TCP out"))
    assert re.split("  +", line)[1:] == [
        "15 Mbit/s (10-20)",
        "~ 1.2 (0.5-2)",
        "2.2 (1.5-3)",
        "4 (4-4)",
    ]
    assert any(line.split()[-4:] == ["1.5"] * 4 for line in tables.splitlines())


def test_the_text_has_the_recorded_figures():
    """No figure of a run stands beside those of another: `compare --record` writes both."""
    recorded = json.loads(record.RECORDED.read_text(encoding="utf-8"))
    assert record.shown() == record.tables(recorded)
