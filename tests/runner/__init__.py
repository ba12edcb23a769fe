# SPDX-License-Identifier: GPL-2.0
"""What tests/run-all consists of.

The modules, lowest first: `counts` sums outcomes, `console` prints what several jobs say, `pool` runs
jobs on all processors, `processes` starts programs, `parts` has the jobs that need no guest, `groups`
orders the tests in guests, `worker` is the plugin of the pytest that runs them, `guests` starts such
workers and serves them, `plan` makes the list of jobs, `results` keeps outcomes, `record` compares
counts with those recorded, `spent` says where the time went.
"""

from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
BUILD = CLONE / "build"
RESULTS = BUILD / "test"
