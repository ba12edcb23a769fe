# SPDX-License-Identifier: GPL-2.0
"""tests/run-all: what runs when, and that nothing is lost on the way."""

import json
import threading
import time
from types import SimpleNamespace

import pytest

from runner import again, guests, plan, record
from runner.console import Console
from runner.counts import Counts
from runner.groups import Queue, grouped
from runner.guests import GuestTests, Run
from runner.parts import Command, Product
from runner.pool import Pool, Task
from runner.results import Results


class Lines:
    """A console that remembers what was said."""

    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)

    def runs(self, who, what):
        pass


class Job(Task):
    def __init__(self, name, work, after=(), alone=False):
        super().__init__(name, after)
        self.work = work
        self.alone = alone


def pool_of(*jobs, places=2):
    pool = Pool(list(jobs), places, Lines())
    pool.run()
    return pool


def test_two_jobs_run_at_once():
    both = threading.Barrier(2, timeout=10)
    pool = pool_of(*(Job(f"job {number}", both.wait) for number in range(4)))
    assert not pool.broken and len(pool.stretches) == 4


def test_a_job_waits_for_those_it_needs():
    order = []
    first = Job("first", lambda: (time.sleep(0.1), order.append("first")))
    pool_of(Job("second", lambda: order.append("second"), (first,)), first)
    assert order == ["first", "second"]


def test_nothing_waits_for_what_failed():
    ran = []
    failed = Job("failed", lambda: False)
    second = Job("second", lambda: ran.append("second"), (failed,))
    pool_of(failed, second, Job("third", lambda: ran.append("third"), (second,)))
    assert not ran


def test_a_job_that_raises_is_told():
    def work():
        raise ValueError("what went wrong")

    pool = pool_of(Job("bad", work), Job("good", lambda: None))
    assert len(pool.broken) == 1 and "what went wrong" in pool.broken[0]


def test_nothing_runs_beside_a_job_alone():
    pool = pool_of(
        Job("alone", lambda: time.sleep(0.2), alone=True),
        *(Job(str(number), lambda: time.sleep(0.1)) for number in range(3)),
    )
    begin = {stretch.job: stretch.begin for stretch in pool.stretches}
    ends = [stretch.begin + stretch.seconds for stretch in pool.stretches if stretch.job != "alone"]
    assert len(ends) == 3 and begin["alone"] >= max(ends)


def test_silence_is_explained(capsys):
    console = Console(silence=0.5)
    console.runs("somebody", "a long job")
    time.sleep(2.5)
    console.close()
    assert "a long job" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command, outcome",
    [
        (["true"], "1 passed, 0 failed, 0 skipped"),
        (["ls", "/missing"], "0 passed, 1 failed, 0 skipped"),
    ],
)
def test_the_output_of_a_failed_command_is_shown(command, outcome):
    lines = Lines()
    job = Command(lines, "its name", command)
    job.run()
    assert str(job.counts) == outcome
    assert ("/missing" in lines.said[0]) == (not job.succeeded)


def test_what_is_made_beside_the_tests_shows_how_far_it_is(tmp_path):
    lines = Lines()
    job = Product(lines, "vm")
    job.command, job.path = ["bash", "-c", "echo half of it; echo no space; exit 1"], str(tmp_path)
    job.run()
    assert [line.strip() for line in lines.said[:2]] == ["half of it", "no space"]
    assert not job.succeeded and job.counts.failed == 1


def test_a_directory_alone_is_not_what_is_waited_for(tmp_path):
    """It is there before anything is mounted on it."""
    lines = Lines()
    for there in (False, True):
        job = Product(lines, "vm")
        job.command, job.path = ["echo", "made"], str(tmp_path)
        if there:
            (tmp_path / ".manifest").touch()
            lines.said.clear()
        job.run()
        assert job.succeeded and not job.counts.failed and bool(lines.said) != there


# ---- which group is next ---------------------------------------------------------------------


def wanted(file, guest="", image="guest", alone=False, name="test_one", long=False):
    return {
        "id": f"{file}::{name}",
        "file": file,
        "guest": guest,
        "image": image,
        "alone": alone,
        "long": long,
    }


def queue_of(*tests, seconds=()):
    queue = Queue()
    queue.fill(grouped(list(tests), dict(seconds)))
    return queue


def test_a_worker_stays_with_its_guest_and_others_take_another():
    queue = queue_of(
        *(
            wanted(file, guest)
            for file, guest in (("a", ""), ("b", ""), ("c", "smp=1"), ("d", "smp=1"))
        ),
        seconds={"a": 10, "b": 30, "c smp=1": 5, "d smp=1": 6},
    )
    taken = [
        (worker, queue.take(worker, False, {"guest"}).file)
        for worker in ("one", "two", "two", "one")
    ]
    assert taken == [("one", "b"), ("two", "d"), ("two", "c"), ("one", "a")]
    assert queue.take("one", False, {"guest"}) is None and queue.is_empty(False)


def test_a_long_test_that_nobody_has_recorded_comes_first():
    queue = queue_of(
        wanted("a"), wanted("b", long=True), *(wanted("c", name=f"test_{n}") for n in range(5))
    )
    assert [queue.take("one", False, {"guest"}).file for _ in range(3)] == ["b", "c", "a"]


def test_a_worker_without_work_helps_the_other():
    queue = queue_of(wanted("a"), wanted("b"), wanted("c", "smp=1"))
    files = {queue.take(worker, False, {"guest"}).file for worker in ("one", "two", "two")}
    assert files == {"a", "b", "c"}


def test_a_group_waits_for_its_image_and_for_being_alone():
    queue = queue_of(wanted("a", image="vm"), wanted("b", alone=True))
    assert queue.take("one", False, {"guest"}) is None and queue.needs("vm")
    assert queue.take("one", False, {"guest", "vm"}).file == "a"
    assert queue.is_empty(False) and not queue.is_empty(True)
    assert queue.take("one", True, {"guest"}).file == "b"


# ---- workers ---------------------------------------------------------------------------------

CONFTEST = """
import pytest, pathlib, time
LOG = pathlib.Path(__file__).with_name("log")

def pytest_addoption(parser):
    parser.addoption("--driver")
    parser.addoption("--kernel")

def pytest_configure(config):
    for marker in ("guest", "alone"):
        config.addinivalue_line("markers", marker)

def note(*words):
    with LOG.open("a") as log:
        print(*words, time.monotonic(), file=log)

@pytest.fixture(scope="session")
def guest():
    note("boot")
    yield
    note("off")

@pytest.fixture(scope="module")
def lan(guest):
    note("up")
    yield
    note("down")

@pytest.fixture(autouse=True)
def noted(request):
    note("begin", request.node.name)
    yield
    note("end", request.node.name)
"""


@pytest.fixture
def tests(tmp_path, monkeypatch):
    """A directory of tests; `run(**files)` returns results, what was noted, and what was said."""
    monkeypatch.setattr(guests, "RESULTS", tmp_path / "results")
    directory = tmp_path / "suite"
    directory.mkdir()
    (directory / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (directory / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")

    def run(*arguments, only=None, places=2, **files):
        for name, text in files.items():
            (directory / f"test_{name}.py").write_text(
                f"import os, pytest, time\n{text}", encoding="utf-8"
            )
        lines = Lines()
        these = Run("igb_rs", "stock", [str(directory), *arguments], {}, only=only)
        pool = Pool([GuestTests(lines, these), GuestTests(lines, these, alone=True)], places, lines)
        these.changed = pool.notify
        pool.run()
        log = directory / "log"
        noted = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return (
            these.results,
            [line.split() for line in noted],
            "\n".join([*lines.said, *these.results.complaints, *pool.broken]),
        )

    return run


def test_outcomes_of_two_workers(tests):
    """Each test runs once; a failure is shown in full."""
    results, noted, said = tests(
        a="@pytest.mark.parametrize('n', range(3))\ndef test_ok(n): pass\n",
        b="def test_bad():\n    print('printed before')\n    assert 1 == 2, 'what was seen'\n",
        c="def test_not():\n    pytest.skip('the reason')\n",
    )
    assert str(results.counts()) == "3 passed, 1 failed, 1 skipped"
    assert sorted(line[1] for line in noted if line[0] == "end") == [
        "test_bad",
        "test_not",
        "test_ok[0]",
        "test_ok[1]",
        "test_ok[2]",
    ]
    for text in ("what was seen", "printed before", "the reason", "assert 1 == 2"):
        assert text in said
    assert results.failed() == results.doubtful() == ["test_b.py::test_bad"]


def test_what_belongs_to_the_session_stays_between_groups(tests):
    """What belongs to the file does not."""
    text = "def test_one(lan): pass\ndef test_two(lan): pass\n"
    _, noted, _ = tests(places=1, a=text, b=text)
    assert [line[0] for line in noted if line[0] not in ("begin", "end")] == [
        "boot",
        "up",
        "down",
        "up",
        "down",
        "off",
    ]


def test_a_worker_that_dies_costs_one_test(tests):
    results, _noted, said = tests(
        a="def test_first(): pass\ndef test_dies(): os._exit(3)\ndef test_last(): pass\n"
    )
    assert {test: result["outcome"] for test, result in results.tests.items()} == {
        "test_a.py::test_first": "passed",
        "test_a.py::test_dies": "failed",
        "test_a.py::test_last": "passed",
    }
    assert "the worker ended" in said


def test_tests_that_are_alone(tests):
    slow = "def test_beside(): time.sleep(0.3)\n"
    results, noted, _ = tests(
        a=slow, b=slow, c="@pytest.mark.alone\ndef test_alone(): pass\n" + slow
    )
    assert str(results.counts()) == "4 passed, 0 failed, 0 skipped"
    begin = next(float(line[2]) for line in noted if line[:2] == ["begin", "test_alone"])
    assert all(float(line[2]) < begin for line in noted if line[:2] == ["end", "test_beside"])


def test_files_that_cannot_be_read_are_a_failure(tests):
    results, _, said = tests(a="def test_ok(): pass\n", b="import nothing_of_that_name\n")
    assert results.counts().failed and "nothing_of_that_name" in said


def test_an_end_at_the_first_failure(tests):
    results, _, _ = tests(
        "-x",
        places=1,
        a="def test_a(): assert 0\ndef test_b(): pass\n",
        b="def test_c(): pass\n",
    )
    assert results.counts().failed == 1 and len(results.tests) < 3


def test_a_guest_that_does_not_end_is_a_failure(tests):
    results, _, said = tests(
        a="""
@pytest.fixture(scope="session")
def own():
    yield
    raise OSError("does not end")

def test_ok(own): pass
"""
    )
    assert str(results.counts()) == "1 passed, 1 failed, 0 skipped" and "does not end" in said


def test_a_selection_that_matches_nothing(tests):
    results, _, _ = tests("-k", "nothing", a="def test_ok(): pass\n")
    assert str(results.counts()) == "0 passed, 0 failed, 0 skipped"


def test_only_some_are_repeated(tests):
    results, _, _ = tests(only={"test_a.py::test_b"}, a="def test_a(): pass\ndef test_b(): pass\n")
    assert list(results.tests) == ["test_a.py::test_b"]


def failing_at_first(lines, marker, words, repeatable=True):
    """A command that fails, with these words, unless it was tried before."""
    job = Command(
        lines,
        "its name",
        ["bash", "-c", f"[ -e {marker} ] || ! {{ touch {marker}; echo {words}; }}"],
    )
    job.repeatable = repeatable
    job.run()
    assert job.counts.failed == 1
    return job


@pytest.mark.parametrize("words, passes", [("no answer", True), ("BUG: of the kernel", False)])
def test_a_command_that_a_busy_machine_can_fail_is_repeated(tmp_path, words, passes):
    lines = Lines()
    job = failing_at_first(lines, tmp_path / "tried", words)
    repeated, _ = again.repeat(SimpleNamespace(runs=[], commands=[job]), lines)
    assert (str(job.counts) == "1 passed, 0 failed, 0 skipped") == passes
    assert repeated.commands == ({"its name": f"    {words}"} if passes else {})
    assert passes or job.last_words() == f"    {words}"


def test_no_other_command_is_repeated(tmp_path):
    job = failing_at_first(Lines(), tmp_path / "tried", "wrong", repeatable=False)
    again.repeat(SimpleNamespace(runs=[], commands=[job]), Lines())
    assert job.counts.failed == 1


def test_the_end_says_why_a_test_failed():
    results = results_of(outcome="failed")
    (test,) = results.failed()
    results.tests[test]["text"] = (
        "---- call ----\n    assert x\nE   AssertionError: of frames\nE   2 != 3\nmore"
    )
    assert results.why(test) == "    AssertionError: of frames\n    2 != 3"
    results.tests[test]["text"] = "the worker ended"
    assert results.why(test) == "    the worker ended"


# ---- the list of jobs ------------------------------------------------------------------------


def test_nothing_waits_for_an_image_that_no_test_needs_any_more(tmp_path, monkeypatch):
    """The module cannot be built, so nobody gets to know which tests there are."""
    monkeypatch.setattr(guests, "RESULTS", tmp_path)
    monkeypatch.setattr(plan.parts.Module, "work", lambda self: False)
    options = SimpleNamespace(driver="igb_rs", kernel=None, part=["guest"], selected=False)
    found = plan.Plan(Lines(), options, [])
    assert not pool_of(*found.jobs()).broken
    assert found.runs[0].is_over() and found.vm.finished() and not found.vm.started


def test_a_list_leaves_out_jobs(tmp_path):
    only = tmp_path / "list"
    options = SimpleNamespace(driver="igb_rs", kernel=None, part=["host"], selected=False)

    def names(text):
        only.write_text(text)
        return [
            command.name for command in plan.Plan(Lines(), options, [f"--only={only}"]).commands
        ]

    core, harness = names("stock test_a.py::test_one\n")
    assert names(f"without {core}\nstock test_a.py::test_one\n") == [harness]
    with pytest.raises(SystemExit, match="core of a nut"):
        names("without core of a nut\n")


def test_what_only_a_job_that_is_left_out_needs_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr(plan.parts, "BESIDE", tmp_path)
    for product in ("debian", "debug"):
        (tmp_path / f"{product}.product").touch()
    only = tmp_path / "list"
    only.write_text("without check debian_package\nwithout second driver for the kernel debug\n")
    options = SimpleNamespace(
        driver="igb_rs", kernel=None, part=["check", "guest", "debug"], selected=False
    )
    commands = plan.Plan(Lines(), options, [f"--only={only}"]).commands
    names = [command.name for command in commands]
    # The module for that kernel needs it.
    assert "debug: made beside the tests" in names
    assert "debian: made beside the tests" not in names
    assert [path.name for path in tmp_path.glob("*.unwanted")] == ["debian.unwanted"]


def test_paths_replace_the_usual_ones():
    assert plan.with_paths(["-k", "one"], False) == ["tests/qemu", "-k", "one"]
    assert plan.with_paths(["-k", "one"], True) == ["tests/qemu", "tests/unit", "-k", "one"]
    assert plan.with_paths(["tests/qemu/test_vm.py"], True) == ["tests/qemu/test_vm.py"]


# ---- what is recorded ------------------------------------------------------------------------


def results_of(file="qemu/test_a.py", outcome="passed", **spent):
    results = Results("stock")
    results.add(
        {
            "ends": f"{file}::test_one",
            "outcome": outcome,
            "reported": False,
            "seconds": {"call": 1.0},
            "spent": spent,
        },
        file,
    )
    return results


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RECORDED", tmp_path / "recorded.json")
    record.write([results_of(calls=200, loads=8)])


@pytest.mark.parametrize(
    "calls, loads, named",
    [(250, 10, []), (251, 8, ["251 calls"]), (200, 11, ["11 loads"]), (10, 1, [])],
)
def test_more_than_a_quarter_over_what_is_recorded(recorded, calls, loads, named):
    found = record.complaints(results_of(calls=calls, loads=loads), set())
    assert len(found) == len(named) and all(name in text for name, text in zip(named, found))


def test_a_file_has_to_be_recorded(recorded):
    assert "not recorded" in record.complaints(results_of("qemu/test_new.py"), set())[0]


def test_files_with_failures_are_not_compared(recorded):
    assert not record.complaints(results_of(calls=999, outcome="failed"), set())
    assert not record.complaints(results_of(calls=999), {"qemu/test_a.py::test_one"})


def test_the_record_is_json(recorded):
    assert json.loads(record.RECORDED.read_text(encoding="utf-8"))["stock"]["qemu/test_a.py"] == {
        "seconds": 1.0,
        "boots": 0,
        "loads": 8,
        "calls": 200,
    }


def test_counts_are_summed():
    counts = Counts.of("passed", "failed", "passed")
    counts += Counts(skipped=2)
    assert str(counts) == "2 passed, 1 failed, 2 skipped"
