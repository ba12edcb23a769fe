# SPDX-License-Identifier: GPL-2.0
"""Files of the guest, mostly those of sysfs and procfs, without a program for each.

    steps.py <steps         a list with one result per step

Steps:
    ["read", path]          [contents, null], or [null, what the error is called]
    ["write", path, text]   by one write(): null, or what the error is called
    ["exists", path]        bool
    ["glob", pattern]       the paths that match, sorted
    ["link", path]          where a symbolic link points, null if it is none
    ["wait", path, pattern, absent, seconds]
                            until the file exists (pattern: has a line that the regular expression
                            is found in) or, if `absent`, does not: null, or what is missing
    ["listening", port, seconds]
                            until somebody listens at the TCP port, or has bound the UDP port; as above
"""

import glob
import os
import re
import time

from by_hand import by_hand

INTERVAL = 0.01  # seconds


def read(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(), None
    except OSError as error:
        return None, error.strerror


def write(path, text):
    try:
        # As a shell opens the target of ">".
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            os.write(fd, text.encode("utf-8", "surrogateescape"))
        finally:
            os.close(fd)
    except OSError as error:
        return error.strerror
    return None


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def _until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return what
        time.sleep(INTERVAL)
    return None


def wait(path, pattern, absent, seconds):
    found = re.compile(pattern or "", re.MULTILINE)

    def is_there():
        if pattern is None:
            return os.path.lexists(path)
        return bool(found.search(read(path)[0] or ""))

    what = path if pattern is None else f"{path} with {pattern!r}"
    return _until(
        lambda: is_there() != absent,
        seconds,
        f"{what} is {'still' if absent else 'not'} there after {seconds} s",
    )


def listening(port, seconds):
    """State 0A is LISTEN, 07 that of a UDP socket without a peer."""
    bound = re.compile(rf"^ *\d+: [0-9A-F]+:{port:04X} [0-9A-F]+:0000 (0A|07) ", re.MULTILINE)
    tables = [f"/proc/thread-self/net/{name}" for name in ("tcp", "tcp6", "udp", "udp6")]
    return _until(
        lambda: any(bound.search(read(table)[0] or "") for table in tables),
        seconds,
        f"nobody listens at port {port} after {seconds} s",
    )


STEPS = {
    "read": read,
    "write": write,
    "exists": os.path.exists,
    "link": link,
    "wait": wait,
    "listening": listening,
    "glob": lambda pattern: sorted(glob.glob(pattern)),
}


def answer(_, steps):
    return [STEPS[kind](*arguments) for kind, *arguments in steps]


if __name__ == "__main__":
    by_hand(answer)
