# SPDX-License-Identifier: GPL-2.0
"""What this process has asked of its guests so far: a measure of cost that no busy machine changes.

    boots   guests started
    loads   times the driver under test was loaded
    calls   messages to agents
    waits   conditions waited for in a guest
"""

from collections import Counter

spent: Counter[str] = Counter()
