# SPDX-License-Identifier: GPL-2.0
"""The way by which a person in the guest asks what otherwise a worker of the agent is asked."""

import json
import sys


def by_hand(answer):
    """Arguments from the command line, a value as JSON from standard input unless that is a
    terminal; prints the answer as JSON."""
    value = None if sys.stdin.isatty() else json.loads(sys.stdin.read() or "null")
    print(json.dumps(answer(sys.argv[1:], value)))
