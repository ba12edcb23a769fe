# SPDX-License-Identifier: GPL-2.0
"""What this process has asked of its guests so far: a measure of cost that no busy machine changes.

boots   guests started
loads   times the driver under test was loaded
calls   messages to agents
waits   conditions waited for in a guest
"""

import contextlib
from collections import Counter
from collections.abc import Iterator

spent: Counter[str] = Counter()


@contextlib.contextmanager
def uncounted() -> Iterator[None]:
    """What is asked here is not counted: a loop that lasts for a while, or until something happens,
    asks the more often the faster the machine is."""
    before = dict(spent)
    try:
        yield
    finally:
        spent.clear()
        spent.update(before)
