# SPDX-License-Identifier: GPL-2.0
"""Watches a path by a stream of echo requests while something else happens."""

from __future__ import annotations

import dataclasses
import re
import statistics

from .tenants import Place

INTERVAL = 0.1  # seconds
# Requests that may be on their way when a watch ends: two seconds of them.
ON_THE_WAY = 20


@dataclasses.dataclass(frozen=True)
class Watched:
    """What became of the echo requests: loss, and round-trip times in milliseconds."""

    sent: int
    rtts: tuple[float, ...]

    @property
    def lost(self) -> int:
        return self.sent - len(self.rtts)

    @property
    def median(self) -> float:
        return statistics.median(self.rtts)

    @property
    def p90(self) -> float:
        return statistics.quantiles(self.rtts, n=10)[-1]

    def __str__(self) -> str:
        times = f"median {self.median:.1f} ms, p90 {self.p90:.1f} ms" if len(self.rtts) > 1 else ""
        return f"{self.lost} of {self.sent} lost, {times}"


class Watch:
    """Echo requests from construction until `end`."""

    def __init__(self, source: Place, target: str):
        self._job = source.shell.start(
            f"ping -n -i {INTERVAL} -W 5 {target}", timeout=600, netns=source.host.netns
        )

    def end(self) -> Watched:
        """Stops sending. The last requests, still on their way, count neither as sent nor as
        lost."""
        self._job.kill(2)
        out = self._job.wait(check=False).out
        sent = int(re.search(r"(\d+) packets transmitted", out)[1])
        answers = {
            int(number): float(rtt)
            for number, rtt in re.findall(r"icmp_seq=(\d+) .*time=([\d.]+)", out)
        }
        last = max(answers, default=0)
        return Watched(last if sent - last <= ON_THE_WAY else sent, tuple(answers.values()))


def watch_for(source: Place, target: str, seconds: float) -> Watched:
    """The same for a fixed time, with nothing else happening on purpose."""
    count = int(seconds / INTERVAL)
    result = source.shell.run(
        f"ping -n -i {INTERVAL} -c {count} -W 5 {target}",
        timeout=seconds + 120,
        check=False,
        netns=source.host.netns,
    )
    return Watched(count, tuple(map(float, re.findall(r"time=([\d.]+)", result.out))))
