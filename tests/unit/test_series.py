# SPDX-License-Identifier: GPL-2.0
"""How the patch series is made of this tree: names, comments, lists, exceptions (tests/series)."""

from __future__ import annotations

import re
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "series"))

import build
import checkpatch
import reflow
import state
import transform
import variants


def test_an_abstraction_says_where_it_is_in_the_kernel():
    text = """\
use crate::{
    compat::ENETDOWN,
    skb::SkBuff, //
};
use kernel::prelude::*;

/// use net::{tx::Room};
/// net::module_net_pci_driver! {}
fn f(net: Net) -> netbind::nbh_rx_meta {
    net.lock(); // not of a crate
    netbind::nbh_x();
    $crate::lock::f(::kernel::g())
}
"""
    assert (
        transform.abstraction(text, set())
        == """\
use crate::net::nic::{
    skb::SkBuff, //
};
use kernel::prelude::*;

/// use kernel::net::nic::{tx::Room};
/// kernel::module_net_pci_driver! {}
fn f(net: Net) -> bindings::rust_nic_rx_meta {
    net.lock(); // not of a crate
    bindings::rust_nic_x();
    $crate::net::nic::lock::f($crate::g())
}
"""
    )


def test_a_driver_names_the_abstractions_of_the_kernel():
    text = "use net::{\n    compat::{\n        A,\n        B, //\n    },\n    irq::C, //\n};\nself.net::x;\n"
    assert transform.driver(text + "net::pci_device_table!(net::pci::T);\n") == (
        "use kernel::net::nic::{\n    irq::C, //\n};\nself.net::x;\n"
        "kernel::net_pci_device_table!(kernel::net::nic::pci::T);\n"
    )


def test_an_unknown_use_of_compat_is_no_silent_error():
    with pytest.raises(transform.Unexpected):
        transform.driver("fn f() { net::compat::something(); }\n")
    # Comments may use the word.
    assert transform.driver("// compat is a word\n") == "// compat is a word\n"


HELPERS = """\
#include "compat.h"

static LIST_HEAD(waiting);

static int nbh_own(int x)
{
	return x;
}

bool nbh_idle(void)
{
	return list_empty(&waiting);
}

int nbh_calls(struct a_rather_long_name_of_a_type *first, struct nbh_another_long_name *second)
{
	return nbh_own(1);
}

/* What this kernel has. */
unsigned int nbh_irq_type(struct pci_dev *pdev)
{
	return 1;
}

bool nbh_plain(void)
{
	return NBH_FLAG;
}
"""


def test_helpers_have_the_kernels_prefix_and_are_inline_unless_they_refer_to_something_static():
    helpers = transform.functions([HELPERS])
    assert helpers == {"calls", "idle", "irq_type", "plain"}
    text = transform.helper(HELPERS, helpers, transform.statics([HELPERS]))
    assert (
        text
        == """\
static LIST_HEAD(waiting);

static int rust_nic_own(int x)
{
	return x;
}

bool rust_helper_idle(void)
{
	return list_empty(&waiting);
}

int rust_helper_calls(struct a_rather_long_name_of_a_type *first,
\t\t      struct rust_nic_another_long_name *second)
{
	return rust_nic_own(1);
}

__rust_helper bool rust_helper_plain(void)
{
	return RUST_NIC_FLAG;
}
"""
    )


def test_comments_that_are_too_long_are_filled_and_code_in_them_stays():
    word = "word " * 12
    text = f"    /// {word}{word}end.\n    ///\n    /// ```\n    /// {'x' * 120}\n    /// ```\n    fn f();\n"
    filled = reflow.comments(text).splitlines()
    assert len(filled[0]) <= 100 < len(filled[4])
    assert filled[1].startswith("    /// ") and filled[1].endswith("end.")
    assert filled[2:] == text.splitlines()[1:]
    short = "/* one */\n// two\n * three\n"
    assert reflow.comments(short) == short


def test_a_filled_comment_has_the_same_words():
    for name, text in state.transformed().items():
        if name.suffix == ".rs":
            words = [word for word in reflow.comments(text).split() if not word.startswith("//")]
            assert words == [word for word in text.split() if not word.startswith("//")], name


def test_a_root_lists_what_is_there():
    text = (
        "//! | [`a`] | one |\n//! | [`b`] | two |\n\npub mod a;\n"
        '#[cfg(CONFIG_KUNIT = "y")]\n#[path = "x"]\nmod b;\nmod c;\n'
    )
    assert state.with_modules(text, {"a", "c"}) == "//! | [`a`] | one |\n\npub mod a;\nmod c;\n"


def test_the_patches_bring_every_file_once():
    files = state.transformed()
    there: set[Path] = set()
    for patch in state.patches():
        there = state.present(files, patch, there)
    assert there == files.keys()


def named(text: str, prefix: str) -> set[str]:
    """The first names behind `prefix::`, also those of a list in braces."""
    found = set(re.findall(rf"(?<!\w){prefix}::(\w+)", text))
    for start in re.finditer(rf"(?<!\w){prefix}::\{{", text):
        depth = 1
        for word in re.finditer(r"[{}]|(?<!::)\b\w+", text[start.end() :]):
            depth += {"{": 1, "}": -1}.get(word[0], 0)
            if not depth:
                break
            if depth == 1 and word[0] not in "{}":
                found.add(word[0])
    return found


def test_names_of_imports_are_found():
    text = "use a::b::{\n    c::{D, E},\n    f, //\n    g::h, //\n};\na::b::i::J"
    assert named(text, "a::b") == {"c", "f", "g", "i"}


def missing(now: dict[Path, str], files: dict[Path, str]) -> list[str]:
    """What files of the series refer to that the state they are in does not have."""
    helpers = {
        name: set(re.findall(r"\brust_helper_(\w+)\(", text))
        for name, text in files.items()
        if name.parent == state.HELPERS
    }
    core = {name.stem for name in now if name.parent == state.DRIVER / "core"}
    nic = {name.stem for name in now if name.parent == state.NIC} | {"device", "kunit"}
    found = []
    for name, text in now.items():
        code = re.sub(r"//[^\n]*", "", text)
        if name.suffix == ".rs" and state.NIC in name.parents:
            found += [f"{name}: {path}" for path in named(code, "crate::net::nic") - nic]
        if name.suffix == ".rs" and state.DRIVER / "core" in name.parents:
            found += [f"{name}: {path}" for path in named(code, "crate") - core]
        for function in set(re.findall(r"\bbindings::(\w+)\(", code)):
            homes = [home for home in helpers if function in helpers[home]]
            if homes and not any(home in now for home in homes):
                found.append(f"{name}: helper {function}")
    return found


def test_what_a_patch_refers_to_came_with_it_or_before():
    source = Path("/kernel/src")
    files = state.transformed()
    for patch, now in state.states(files, source, "A. Uthor <author@example.org>"):
        assert not missing(now, files), patch.title
    alone = state.NIC / "queue.rs"
    assert f"{alone}: helper tx_sent_frames" in missing({alone: files[alone]}, files)
    alone = state.NIC / "tx.rs"
    assert f"{alone}: ring" in missing({alone: files[alone]}, files)


OUTPUT = """\
a/b.rs:5: WARNING:LONG_LINE: line length of 101 exceeds 100 columns
+    code

a/c.c:7: CHECK:SPACING: spaces
+	more

"""


def test_an_exception_covers_its_reports_and_has_to_be_needed():
    found = checkpatch.reports(OUTPUT)
    assert [(report["file"], report["type"]) for report in found] == [
        ("a/b.rs", "LONG_LINE"),
        ("a/c.c", "SPACING"),
    ]
    lines = {"type": "LONG_LINE", "file": "a/*"}
    spaces = {"type": "SPACING", "text": "more"}
    assert checkpatch.judge(found, [lines, spaces]) == []
    (wrong,) = checkpatch.judge(found, [lines])
    assert wrong.startswith("CHECK:SPACING: a/c.c:7: spaces")
    (wrong,) = checkpatch.judge(found, [lines, spaces, {"type": "OTHER"}])
    assert "nothing of the kind is found any more: OTHER" in wrong


def test_each_exception_is_argued():
    for exception in checkpatch.exceptions():
        assert len(exception["why"].split()) > 5


def test_a_module_parameter_is_a_value_in_the_kernel():
    assert (
        transform.driver("let x = net::compat::parameter(crate::p::c.value());\n")
        == "let x = crate::p::c.value();\n"
    )


def test_a_configuration_is_what_was_asked_for():
    text = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_AB=y\n"
    new = build.configured(text, {"A": "n", "B": "m", "C": "y"})
    assert sorted(new.splitlines()) == [
        "# CONFIG_A is not set",
        "CONFIG_AB=y",
        "CONFIG_B=m",
        "CONFIG_C=y",
    ]
    assert variants.otherwise(new, {"A": "n", "B": "m", "C": "y"}) == []
    # An option that is gone is off; one that is selected is not.
    assert variants.otherwise("CONFIG_A=y\n", {"A": "n", "B": "n", "C": "y"}) == ["A=n", "C=y"]


def test_patches_in_front_of_one_that_changed_are_not_built_again(tmp_path, monkeypatch):
    loader = SourceFileLoader("series_make", str(Path(build.__file__).parent / "make"))
    make = module_from_spec(spec_from_loader("series_make", loader))
    loader.exec_module(make)
    monkeypatch.setattr(make, "STATE", tmp_path)
    monkeypatch.setattr(make.repository, "begin", lambda _tree: applied.clear())
    monkeypatch.setattr(make.repository, "apply", lambda _tree, paths: applied.extend(paths))
    monkeypatch.setattr(make.build, "objects", lambda: built.append(applied[-1].name))
    made = [tmp_path / name for name in ("1.patch", "2.patch", "3.patch")]
    applied, built = [], []
    for path in made:
        path.write_text("as at first")
    make.each(made, "base")
    assert built == ["1.patch", "2.patch", "3.patch"]
    make.each(made, "base")
    assert len(built) == 3
    made[1].write_text("changed")

    def fail():
        raise build.Failed("it does not build")

    with monkeypatch.context() as context:
        context.setattr(make.build, "objects", fail)
        with pytest.raises(build.Failed):
            make.each(made, "base")
    # Once more: the one that failed, and the one behind it.
    make.each(made, "base")
    assert built[3:] == ["2.patch", "3.patch"] and applied == made
    make.each(made, "another base")
    assert built[5:] == ["1.patch", "2.patch", "3.patch"]
