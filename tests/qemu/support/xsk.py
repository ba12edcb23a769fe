# SPDX-License-Identifier: GPL-2.0
"""AF_XDP sockets of a guest (tests/guest/xsk.py)."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterable

from harness import Guest
from harness.topology import PF_HOST

_NUMBERS = itertools.count()


class Socket:
    """One that is bound to a queue of the PF."""

    def __init__(self, guest: Guest, plan: dict):
        self.guest = guest
        self.ready = plan["ready"]
        self.job = guest.start_call("xsk", stdin=json.dumps(plan), timeout=120)
        self.running = True

    def wait(self, seconds: float = 30):
        """Until it is bound, and has sent what it is to send."""
        try:
            self.guest.wait_file(self.ready, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.end(9)}") from error

    def end(self, number: int):
        """Ends it with a signal: its result."""
        self.running = False
        self.job.kill(number)
        return self.job.wait(check=False)

    def stop(self) -> dict[str, int]:
        """Ends it: what it has counted."""
        result = self.end(15)
        assert result.rc == 0, result
        return json.loads(result.out)


@contextlib.contextmanager
def socket(
    guest: Guest,
    task: str,
    table: int | None = None,
    queue: int = 0,
    mode: str = "zero_copy",
    wakeup: bool = True,
    chunk: int = 4096,
    chunks: int = 512,
    sizes: Iterable[int] = (),
    destination: str = "",
):
    """A socket of the PF that is bound, and has sent what it is to send. It is closed at the end of
    the `with` block, if not before."""
    plan = {
        "interface": PF_HOST.name,
        "queue": queue,
        "mode": mode,
        "wakeup": wakeup,
        "chunk": chunk,
        "chunks": chunks,
        "map": table,
        "task": task,
        "sizes": list(sizes),
        "destination": destination,
        "ready": f"/tmp/xsk-{next(_NUMBERS)}",
    }
    bound = Socket(guest, plan)
    try:
        bound.wait()
        yield bound
    finally:
        if bound.running:
            bound.end(9)
