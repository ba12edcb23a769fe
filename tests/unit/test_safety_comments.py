# SPDX-License-Identifier: GPL-2.0
"""Which SAFETY comments are refused (tests/safety-comments)."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

safety = runpy.run_path(str(Path(__file__).resolve().parents[1] / "safety-comments"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("By the requirements of this function.", "another place"),
        ("By the safety requirements of this function.", "another place"),
        ("By the type invariants.", "another place"),
        ("As they were registered.", "another place"),
        ("See `Ring`.", "another place"),
        ("Requested above.", "another place"),
        ("the net device is valid.", "capital"),
        ("The net device is valid", "full stop"),
    ],
)
def test_an_argument_that_is_elsewhere_or_no_sentence_is_refused(text: str, what: str):
    assert what in (safety["complaint"](text) or "")


@pytest.mark.parametrize(
    "text",
    [
        "By the type invariants the queue is valid.",
        "By the requirements of this function nobody changes the cell meanwhile.",
        "`dev` is a valid device.",
        "- `a` is valid. - `b` is too.",
    ],
)
def test_one_that_names_a_requirement_is_not(text: str):
    assert safety["complaint"](text) is None


def test_a_comment_ends_where_another_begins():
    lines = """\
        // SAFETY: The pointer is valid,
        // and stays so.
        // INVARIANT: Just made.
        unsafe { x() };
        /// SAFETY: no comment of this kind.
        // SAFETY: The first.
        // SAFETY: The second.
""".splitlines()
    assert safety["comments"](lines) == [
        (1, "The pointer is valid, and stays so."),
        (6, "The first."),
        (7, "The second."),
    ]
