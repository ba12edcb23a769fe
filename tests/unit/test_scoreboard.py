# SPDX-License-Identifier: GPL-2.0
"""What a script's output says, and what is wrong with a board."""

import pytest

from scoreboard.board import (
    Board,
    Reason,
    better,
    complaints,
    differences,
    explanation,
    misplaced,
    not_run,
)
from scoreboard.page import page
from scoreboard.scripts import FAIL, PASS, SKIP, WHOLE, Fate, Script, judge, load, unlisted

PING = Script("drivers/net/ping.py", limit=5)


def fates(output, status=0, hangs=False, script=PING):
    return {case: fate.fate for case, fate in judge(script, status, hangs, output).items()}


def test_ktap():
    output = (
        "TAP version 13\n1..4\n"
        "ok 1 ping.test_default_v4\n"
        "# Check failed 1 != 2\n"
        "not ok 2 ping.test_default_v6\n"
        "ok 3 ping.test_xdp_offload # SKIP no such device\n"
        "\x1b[33mok 4 ping.other # XFAIL known\x1b[0m\n"
    )
    assert fates(output, 1) == {
        "test_default_v4": PASS,
        "test_default_v6": FAIL,
        "test_xdp_offload": SKIP,
        "other": SKIP,
    }
    assert judge(PING, 1, False, output)["test_xdp_offload"].said == "no such device"


def test_lines_of_shell_scripts():
    output = (
        "TEST: ping                                        [ OK ]\n"
        "TEST: unicast                                     [FAIL]\n"
        "\treception failed\n"
        "TEST: ping                                        [ OK ]\n"
        "TEST: multicast                                   [XFAIL]\n"
    )
    assert fates(output, 1) == {"ping": PASS, "unicast": FAIL, "ping (2)": PASS, "multicast": SKIP}
    assert judge(PING, 1, False, output)["unicast"].said == "reception failed"


def test_a_script_that_skips_by_a_line_of_its_own():
    output = "TEST: SKIP: dev dut does not support loopback feature             [ OK ]\n"
    assert judge(PING, 4, False, output) == {
        WHOLE: Fate(SKIP, "dev dut does not support loopback feature")
    }


def test_names_said_twice():
    assert fates("1..1\nok 1 PASS: SKB SEND_RECEIVE\n") == {"SKB SEND_RECEIVE": PASS}


@pytest.mark.parametrize(
    ("output", "status", "hangs", "fate"),
    [
        ("SKIP: no mausezahn\n", 4, False, SKIP),
        ("Traceback\nKeyError: 'x'\n", 1, False, FAIL),
        ("", 0, False, FAIL),
        ("1..0 # SKIP nothing to do\n", 4, False, SKIP),
        ("1..2\nok 1 ping.a\n", 1, False, FAIL),
        ("1..2\nok 1 ping.a\nok 2 ping.b\n", 124, True, FAIL),
    ],
)
def test_a_script_without_its_end(output, status, hangs, fate):
    assert fates(output, status, hangs)[WHOLE] == fate


def board(**cases):
    kept = Board({})
    kept.scripts = {name: {} for name in load()}
    kept.scripts[PING.name] = cases
    return kept


LIMIT = Reason(PING.name, "model", "qemu: hw/net/igb_core.c", "It has it not.", ("a*",))


def test_what_does_not_pass_needs_a_reason():
    results = board(a1={"igb": SKIP, "igb_rs": FAIL}, b={"igb": FAIL, "igb_rs": PASS})
    assert list(complaints(results, [LIMIT])) == [
        f"{PING.name} b: fail with igb, and reasons.toml has no reason"
    ]


def test_a_reason_for_what_passes_is_stale():
    results = board(a1={"igb": PASS, "igb_rs": PASS})
    (line,) = complaints(results, [LIMIT])
    assert line.startswith("stale:")
    varies = Reason(PING.name, "machine", "", "It varies.", ("a*",), varies=True)
    assert not list(complaints(results, [varies]))


def test_worse_than_igb():
    """Is a fault whatever the reason, but for what varies, and what is known to be missing here."""
    results = board(a1={"igb": PASS, "igb_rs": SKIP})
    assert list(complaints(results, [LIMIT])) == [
        f"{PING.name} a1: passes with C igb, skip with igb_rs"
    ]
    missing = Reason(PING.name, "igb_rs", "", "It has it not.", ("a*",), ("igb_rs",))
    assert not list(complaints(results, [missing]))


def test_a_script_that_has_not_run():
    results = board(a1={"igb": PASS, "igb_rs": PASS})
    results.scripts["drivers/net/gone.py"] = {}
    assert list(complaints(results, [])) == ["drivers/net/gone.py: not in scripts.toml"]
    missing = list(not_run(results))
    assert "drivers/net/xdp.py: has not run with igb and igb_rs" in missing
    assert not any(PING.name in line for line in missing)
    # Nor is a reason stale that is about it, or a pass lost.
    assert not list(complaints(board(a1={"igb": PASS}), [LIMIT]))


def test_the_first_reason_counts():
    general = Reason("drivers/net/*", "machine", "", "It is slow.")
    assert explanation([LIMIT, general], PING.name, "a1", "igb") is LIMIT
    assert explanation([LIMIT, general], PING.name, "b", "igb") is general


def test_places(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net/one.c").write_text("1\n2\n", encoding="utf-8")

    def of(where, owner="kernel"):
        return list(misplaced([Reason(PING.name, owner, where, "")], tmp_path))

    assert of("net/one.c:2") == [] == of("qemu: hw/net/igb.c:1") == of("./tests/check")
    assert of("net/one.c:3") == [f"{PING.name}: net/one.c is shorter than 3 lines"]
    assert of("net/two.c:1") == [f"{PING.name}: no file net/two.c:1"]
    assert of("./tests/none") == [f"{PING.name}: no file ./tests/none"]
    assert of("net/one.c:1", "nobody") == [f"{PING.name}: no such owner: nobody"]


def test_a_run_is_compared_with_the_board():
    results = board(a1={"igb": PASS}, b={"igb": SKIP}, c={"igb": PASS})
    found = {"a1": Fate(PASS), "b": Fate(PASS), "d": Fate(FAIL, "why")}
    assert list(differences(results, PING.name, "igb", found)) == [
        "b: skip on the board, pass now.",
        "c: pass on the board, absent now.",
        "d: absent on the board, fail now. why",
    ]


def test_the_better_of_two_runs():
    first = {"a": Fate(FAIL), "b": Fate(PASS), "c": Fate(FAIL)}
    second = {"a": Fate(SKIP), "b": Fate(FAIL), "c": Fate(FAIL)}
    fates = {case: fate.fate for case, fate in better(first, second).items()}
    assert fates == {"a": SKIP, "b": PASS, "c": FAIL}
    died = {"a": Fate(PASS), WHOLE: Fate(FAIL)}
    assert better(first, died) == first == better(died, first)


def test_a_board_is_changed_by_driver():
    results = board(a1={"igb": PASS, "igb_rs": PASS}, b={"igb_rs": SKIP})
    results.replace(PING.name, {"igb_rs": {"a1": Fate(SKIP, "no such thing")}})
    assert results.scripts[PING.name] == {"a1": {"igb": PASS, "igb_rs": SKIP}}
    assert results.said[PING.name] == {"a1": "no such thing"}


def test_the_page_has_every_sub_test_that_does_not_pass():
    results = board(a1={"igb": SKIP, "igb_rs": FAIL}, a2={"igb": PASS, "igb_rs": SKIP})
    text = page(results, [LIMIT], load())
    assert "``a1``" in text
    assert "``a2`` (igb_rs only)" in text
    assert "It has it not. (``qemu: hw/net/igb_core.c``)" in text


def test_a_script_nobody_listed(tmp_path):
    directory = tmp_path / "tools/testing/selftests/drivers/net/hw"
    directory.mkdir(parents=True)
    for name in ("new.sh", "ethtool_lib.sh", "helper.c"):
        (directory / name).touch()
    assert unlisted(tmp_path, set(load())) == ["drivers/net/hw/new.sh"]
