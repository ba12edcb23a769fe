# SPDX-License-Identifier: GPL-2.0
"""What several test files share beyond the harness."""

import pytest

# For what is as true with one CPU, which takes a quarter less of this machine's time: the smallest host
# of our users. And the usual guest, for a test among those.
ONE_CPU = pytest.mark.guest(smp=1)
TWO_CPUS = pytest.mark.guest()
