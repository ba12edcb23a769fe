#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The data path behind an IOMMU, on one CPU. The rows of costs/rows.py know these names and counts.

# shellcheck disable=SC2086 # none of these names has blanks
# shellcheck source=lib.sh source-path=SCRIPTDIR
. /tmp/bench/lib.sh

warm_up
packets
kill %1 %2
