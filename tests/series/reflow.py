# SPDX-License-Identifier: GPL-2.0
"""Comments within the columns of the kernel: this project allows a few more, and paths become longer.

A paragraph with a line that is too long is filled anew. Code, tables, headings and links stay as they are.
"""

from __future__ import annotations

import re

WIDTH = 100
COMMENT = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>//[/!]?|\*)(?P<text> .*|)$")
# What a further line of a list is indented by is the length of this.
ITEM = re.compile(r"^(?:[-*]|\d+\.) +")
KEPT = re.compile(r"^(?:\||#|\[[^\]]+\]:|```|    )")


def columns(text: str) -> int:
    """As checkpatch.pl counts them: bytes."""
    return len(text.expandtabs(8).encode())


def fill(prefix: str, lines: list[str]) -> list[str]:
    """One paragraph: its lines without the prefix and the space behind it."""
    if all(columns(f"{prefix} {line}") <= WIDTH for line in lines):
        return lines
    item = ITEM.match(lines[0])
    hang = " " * (len(item[0]) if item else len(lines[0]) - len(lines[0].lstrip()))
    begin = "" if item else hang
    return wrap(" ".join(line.strip() for line in lines).split(), prefix, begin, hang)


def wrap(words: list[str], prefix: str, begin: str, hang: str) -> list[str]:
    result, line = [], begin + words[0]
    for word in words[1:]:
        if columns(f"{prefix} {line} {word}") > WIDTH:
            result.append(line)
            line = hang + word
        else:
            line += f" {word}"
    return [*result, line]


def paragraphs(lines: list[str]):
    """Lines that are filled together; those that stay are alone."""
    code, found = False, []
    for line in lines:
        fence = line.startswith("```")
        code ^= fence
        if code or fence or not line.strip() or KEPT.match(line):
            if found:
                yield found, True
            yield [line], False
            found = []
        elif ITEM.match(line) or re.match(r"(SAFETY|INVARIANT|CAST|PANIC):", line):
            if found:
                yield found, True
            found = [line]
        else:
            found.append(line)
    if found:
        yield found, True


def block(prefix: str, lines: list[str]) -> list[str]:
    result = []
    for lines_of, filled in paragraphs(lines):
        result += fill(prefix, lines_of) if filled else lines_of
    return [f"{prefix} {line}".rstrip() for line in result]


def one_line(text: str) -> str:
    """A C comment of one line that is too long becomes one of several."""

    def several(match: re.Match) -> str:
        if columns(match[0]) <= WIDTH:
            return match[0]
        return f"{match['indent']}/*\n{match['indent']} * {match['text']}\n{match['indent']} */"

    return re.sub(r"^(?P<indent>\t*)/\* (?P<text>.*) \*/$", several, text, flags=re.M)


def comments(text: str) -> str:
    """A file, Rust or C, with its comments filled."""
    result: list[str] = []
    prefix, lines = "", []
    for line in [*one_line(text).split("\n"), ""]:
        match = COMMENT.match(line)
        # In C, the beginning and the end of a comment stand alone.
        own = match and f"{match['indent']}{match['mark']}"
        if lines and own != prefix:
            result += block(prefix, lines)
            lines = []
        if own and not (match["mark"] == "*" and match["text"] == "/"):
            prefix = own
            lines.append(match["text"][1:])
        else:
            prefix = ""
            result.append(line)
    return "\n".join(result[:-1])
