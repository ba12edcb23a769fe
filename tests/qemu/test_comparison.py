# SPDX-License-Identifier: GPL-2.0
"""The arithmetic of `make compare`, on rounds whose result is known."""

from comparison import summary, workloads
from comparison.nics import NICS

COSTS = {"cpu_s": 0.2, "exits": {"idle": 30, "other": 10}, "host_irqs": 20, "vm_irqs": 10,
         "packets": 100, "bytes": 1_000_000}


def one_card(factor: float) -> dict:
    """A round in which everything takes `factor` times as long, and is `factor` times as much."""
    times = {"us": [100 * factor, 200 * factor, 300 * factor], "lost": 0}
    small = {"per_s": 1000 * factor, "sent": 1, "arrived": 1}
    results = {"ping": times, "udp": times, "small_out": small, "small_in": small,
               "tcp_out": {"mbit_per_s": 10 * factor}, "tcp_in": {"mbit_per_s": 10 * factor}}
    assert set(results) == set(workloads.WORKLOADS)
    return {name: {**result, "costs": COSTS} for name, result in results.items()}


def one_round(factors: tuple[float, ...]) -> dict:
    return {nic.key: one_card(factor) for nic, factor in zip(NICS, factors)}


def test_median_spread_and_ratio():
    figures = summary.summarize([one_round((1, 2, 3, 4)), one_round((2, 2, 2, 2)),
                                 one_round((4, 12, 2, 1))])
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
