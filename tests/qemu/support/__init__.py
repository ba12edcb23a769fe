# SPDX-License-Identifier: GPL-2.0
"""What several test files share beyond the harness."""

import pytest

# Guest in which programs may map the registers of a function that has a driver.
STANDARD = pytest.mark.guest(cmdline="iomem=relaxed")
