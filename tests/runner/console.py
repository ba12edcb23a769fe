# SPDX-License-Identifier: GPL-2.0
"""One terminal for several jobs: lines come whole, and silence is explained."""

from __future__ import annotations

import threading
import time

# After that many seconds without a line, what runs is named.
SILENCE = 30


class Console:
    """Prints; remembers what runs. Usable from several threads."""

    def __init__(self, silence: float = SILENCE):
        self._lock = threading.Lock()
        self._silence = silence
        self._spoke = time.monotonic()
        self._running: dict[object, tuple[str, float]] = {}
        self._ended = threading.Event()
        threading.Thread(target=self._explain, daemon=True).start()

    def say(self, text: str):
        """A block of lines, not mixed with those of others."""
        with self._lock:
            print(text, flush=True)
            self._spoke = time.monotonic()

    def runs(self, who: object, what: str | None):
        """`who` is busy with `what` from now on, or with nothing."""
        with self._lock:
            if what is None:
                self._running.pop(who, None)
            else:
                self._running[who] = (what, time.monotonic())

    def close(self):
        self._ended.set()

    def _explain(self):
        while not self._ended.wait(1):
            if time.monotonic() - self._spoke >= self._silence and (running := self.running()):
                self.say(f"        ... {running}")

    def running(self) -> str:
        """What runs, and for how long."""
        with self._lock:
            now = time.monotonic()
            return ", ".join(
                f"{what} ({now - since:.0f} s)" for what, since in self._running.values()
            )
