# SPDX-License-Identifier: GPL-2.0
"""The programs of tests/guest, as far as no guest is needed: what they start, and what they notice."""

import os
import re
import select
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.images import GUEST_FILES

sys.path.append(str(GUEST_FILES))
import frames
import jobs
import steps
import streams


def finish(task) -> dict:
    """Does what the agent does with a task."""
    poll = select.poll()
    for fd in task.open:
        poll.register(fd, select.POLLIN)
    while not task.is_over():
        for fd, _ in poll.poll(20):
            if task.read(fd):
                poll.unregister(fd)
                os.close(fd)
        if task.deadline is not None and time.monotonic() > task.deadline:
            task.expire(time.monotonic())
    return task.result()


def run(command: str, **more) -> dict:
    return finish(jobs.Job({"id": 1, "run": command, **more}))


def ask(module: str, value, *arguments: str, **more) -> dict:
    return finish(
        jobs.Question({"id": 1, "ask": module, "argv": arguments, "value": value, **more})
    )


# ---- commands --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command, plain",
    [
        ("ip link set dut up", True),
        ("exec sleep 10", True),
        ("ethtool -C dut rx-usecs 20", True),
        ("ip addr add 192.0.2.1/24 dev dut", True),
        ("true; false", False),
        ("echo $HOME", False),
        ("A=1 env", False),
        ("cat *", False),
        ("printf '%s' a", False),
        ("ls ~", False),
        ("a &", False),
        ("a | b", False),
        ("a >b", False),
        ("a\nb", False),
        (" a", False),
    ],
)
def test_which_commands_need_no_shell(command, plain):
    assert bool(jobs.PLAIN.fullmatch(command)) == plain


@pytest.mark.parametrize("command", ["cat", "cat; true"], ids=["plain", "shell"])
def test_output_input_and_status_of_a_command(command):
    text = "x" * 200_000 + "\udcff"
    assert run(command, stdin=text) == {
        "id": 1,
        "rc": 0,
        "timed_out": False,
        "out": text,
        "err": "",
    }


def test_a_command_only_a_shell_knows():
    assert run("ulimit -n")["out"].strip().isdigit()
    result = run("no-such-program")
    assert result["rc"] == 127 and "no-such-program: command not found" in result["err"]


def test_a_broken_pipe_ends_a_command():
    assert run("exec yes | head -n 1; echo ${PIPESTATUS[0]}")["out"] == "y\n141\n"


def test_the_whole_group_is_killed_when_time_is_up():
    result = run("sleep 1000 & sleep 1000", timeout=0.2)
    assert result["timed_out"] and result["rc"] == -signal.SIGKILL


# ---- workers ---------------------------------------------------------------------------------


def test_a_worker_is_kept(tmp_path):
    path = tmp_path / "file"
    assert (
        ask("steps", [["write", str(path), "text"], ["exists", str(path)]])["out"] == "[null, true]"
    )
    (worker,) = jobs.Worker.idle
    assert ask("steps", [["read", str(path)]])["out"] == '[["text", null]]'
    assert jobs.Worker.idle == [worker]


def test_a_worker_that_hangs_is_killed():
    result = ask("steps", [["wait", "/nowhere", None, False, 100]], timeout=0.3)
    assert result["timed_out"] and result["rc"] == -signal.SIGKILL
    assert ask("steps", [])["out"] == "[]"


def test_what_goes_wrong_in_a_worker_is_told():
    result = ask("steps", [["no such step"]])
    assert result["rc"] == 1 and "KeyError" in result["err"] and "steps.py" in result["err"]
    assert ask("network", None, "no such verb")["err"].startswith("The interfaces")


# ---- steps -----------------------------------------------------------------------------------


def test_errors_of_files_have_names(tmp_path):
    missing = str(tmp_path / "none")
    assert steps.answer(
        [], [["read", missing], ["write", str(tmp_path), "x"], ["link", missing]]
    ) == [(None, "No such file or directory"), "Is a directory", None]


def test_a_wait_says_what_is_missing(tmp_path):
    path = tmp_path / "file"
    path.write_text("one\ntwo\n", encoding="ascii")
    assert steps.wait(str(path), "^two$", False, 1) is None
    assert "with 'three' is not there" in steps.wait(str(path), "three", False, 0.05)
    assert "still there" in steps.wait(str(path), None, True, 0.05)
    assert "nobody listens" in steps.listening(1, 0.05)


# ---- what is sent and received ---------------------------------------------------------------

PLAN = {"sizes": [60, 100, 1514], "seed": 1}


@pytest.fixture
def receiver():
    """One that has received nothing."""
    found = frames.Receiver.__new__(frames.Receiver)
    found.begin(PLAN)
    return found


def frame(index: int) -> bytes:
    return bytes(frames.HEADER) + frames.Bodies(PLAN)[index]


def test_frames_that_arrive_as_they_were_sent(receiver):
    for index in range(3):
        receiver.take(frame(index).ljust(60, b"\0"))
    assert receiver.is_complete() and receiver.summary() == {
        "intact": 3,
        "damaged": [],
        "missing": [],
        "repeated": 0,
        "reordered": 0,
    }


def test_frames_that_do_not(receiver):
    receiver.take(frame(2))
    receiver.take(frame(1)[:-1] + b"!")
    receiver.take(frame(0))
    receiver.take(frame(0))
    assert receiver.summary() == {
        "intact": 2,
        "damaged": [1],
        "missing": [],
        "repeated": 1,
        "reordered": 2,
    }


def test_each_frame_is_different():
    """A frame in the place of another is seen, as is one part of a frame in the place of another."""
    bodies = frames.Bodies({"sizes": [1514] * 3000, "seed": 1})
    parts = {bodies[index][begin : begin + 8] for index in range(3000) for begin in (4, 700, 1492)}
    assert len(parts) == 9000


def transfer(monkeypatch, change=lambda data: data) -> dict:
    """A transfer over the loopback, what is sent being changed, or lost, on its way."""
    monkeypatch.setattr(streams, "checksum_errors", lambda _: 0)
    plan = {"source": None, "target": None, "address": "127.0.0.1", "port": 15123, "patience": 1}
    direction = streams.Direction(plan, memoryview(os.urandom(1 << 20)))
    sender = direction.sender
    direction.sender = SimpleNamespace(
        fileno=sender.fileno,
        shutdown=sender.shutdown,
        send=lambda data: sender.send(change(bytes(data))) or len(data),
    )
    streams.transfer([direction], 1)
    return direction.summary()


def test_data_that_arrive_as_they_were_sent(monkeypatch):
    assert transfer(monkeypatch) == {"received": 1 << 20, "differs": None, "checksum_errors": 0}


def test_one_byte_that_does_not(monkeypatch):
    found = transfer(monkeypatch, lambda data: data[:99] + bytes([data[99] ^ 1]) + data[100:])
    assert found["differs"] == 99


def test_data_that_do_not_arrive(monkeypatch):
    found = transfer(monkeypatch, lambda _: b"")
    assert found["differs"] is None and found["received"] < 1 << 20


# ---- what the agent is asked for -------------------------------------------------------------

ASKED_FOR = {
    "main": r'\b(?:start_call|call)\(\s*"(\w+)"',
    "answer": r'\b(?:start_ask|ask)\(\s*"(\w+)"',
}


@pytest.mark.parametrize("function", ASKED_FOR)
def test_programs_have_the_function_that_is_called(function):
    sources = [
        path.read_text(encoding="utf-8")
        for path in GUEST_FILES.parent.rglob("*.py")
        if path.parent not in (GUEST_FILES, Path(__file__).parent)
    ]
    programs = {name for text in sources for name in re.findall(ASKED_FOR[function], text)}
    assert len(programs) > 5
    missing = [
        name
        for name in sorted(programs)
        if f"\ndef {function}(" not in (GUEST_FILES / f"{name}.py").read_text(encoding="utf-8")
    ]
    assert not missing
