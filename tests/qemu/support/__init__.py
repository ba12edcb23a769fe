# SPDX-License-Identifier: GPL-2.0
"""What several test files share beyond the harness."""

import pytest

# The guest most tests run in, and one for what is as true with one CPU, which takes a quarter less of
# this machine's time: the smallest host of our users.
STANDARD = pytest.mark.guest()
ONE_CPU = pytest.mark.guest(smp=1)
