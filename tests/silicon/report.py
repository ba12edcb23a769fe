# SPDX-License-Identifier: GPL-2.0
"""The report: what was tried, what came of it, and nothing that tells whose machine it was."""

import contextlib
import re
import socket
import subprocess

# Hardware addresses, and IPv6 addresses made of them.
MAC = re.compile(r"\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b", re.IGNORECASE)
IPV6 = re.compile(r"\b(?:fe80|f[cd][0-9a-f]{2}|2[0-9a-f]{3}):[0-9a-f:]+\b", re.IGNORECASE)
IPV4 = re.compile(r"\b(?!192\.0\.2\.)(?!127\.)(?:\d{1,3}\.){3}\d{1,3}\b(?!\.\d)")
SERIAL = re.compile(r"(?im)^.*serial.?number.*$\n?")


class Failed(Exception):
    """What a step looked for is not so."""


class NotTried(Exception):
    """A step has nothing to look at here."""


def without_identity(text):
    """The text without what tells machines apart. Equal addresses become equal words."""
    known = {}

    def numbered(match):
        return known.setdefault(match[0].lower(), f"(address {len(known) + 1})")

    text = SERIAL.sub("", text)
    for pattern in (MAC, IPV6, IPV4):
        text = pattern.sub(numbered, text)
    host = socket.gethostname()
    if len(host) > 2 and host != "localhost":
        text = re.sub(rf"\b{re.escape(host)}\b", "(host)", text)
    return text


class Report:
    """What is written in the end."""

    def __init__(self, clock):
        self.clock = clock
        self.results = []
        self.details = []
        self.failed = 0

    def note(self, text):
        """Something that was seen, for the step that is under way."""
        self.details.append(str(text).rstrip())

    @contextlib.contextmanager
    def step(self, step):
        """Notes how it ends. What is no failure of the step itself, such as a signal, goes on."""
        title = (step.__doc__ or step.__name__).splitlines()[0].rstrip(".")
        self.details.append(f"\n== {title}")
        begin = self.clock()
        verdict = "ended early"
        try:
            yield
            verdict = "ok"
        except NotTried as why:
            verdict = f"not tried: {why}"
        except (Failed, OSError, ValueError, RuntimeError, subprocess.SubprocessError) as error:
            verdict = f"FAILED: {error}"
            self.failed += 1
            if getattr(error, "stderr", None):
                self.note(error.stderr)
        finally:
            self.results.append(f"{title:<48} {self.clock() - begin:6.1f} s  {verdict}")
            self.note(verdict)

    def summary(self):
        return without_identity("\n".join(self.results))

    def text(self):
        return without_identity("\n".join([*self.results, *self.details]) + "\n")
