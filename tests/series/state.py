# SPDX-License-Identifier: GPL-2.0
"""The files of the series as they are after each patch.

The last state is made from the tree of this project (transform.py) and formatted. Each state before it is the
last one without what its patches do not bring: files, and the lines of those files that list others.
"""

from __future__ import annotations

import fnmatch
import re
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import reflow
import transform

HERE = Path(__file__).resolve().parent
CLONE = HERE.parents[1]
NIC = Path("rust/kernel/net/nic")
HELPERS = Path("rust/helpers/net/nic")
DRIVER = Path("drivers/net/ethernet/intel/igb_rs")
# Of igb_core, in the last patch that brings any of it.
LAST_OF_CORE = "server"
PAGE = Path("Documentation/networking/device_drivers/ethernet/intel/igb_rs.rst")


@dataclass
class Patch:
    """A patch as patches.toml has it. `files` are patterns of paths in the kernel tree."""

    title: str
    message: str
    files: list[str]
    headers: list[str] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)


def patches() -> list[Patch]:
    return [Patch(**entry) for entry in tomllib.loads((HERE / "patches.toml").read_text())["patch"]]


# ---- the last state ----------------------------------------------------------------------------


def sources(directory: str, pattern: str) -> list[Path]:
    return sorted((CLONE / directory).rglob(pattern))


def transformed() -> dict[Path, str]:
    """Everything that is new in the kernel tree, not yet formatted."""
    c_files = [
        path
        for path in sources("rust/helpers", "*.[ch]")
        if path.name not in ("helpers.c", "compat.h")
    ]
    texts = {path: path.read_text() for path in c_files}
    helpers = transform.functions(list(texts.values()))
    statics = transform.statics(list(texts.values()))
    files = {
        HELPERS / path.name: transform.helper(text, helpers, statics)
        for path, text in texts.items()
    }
    for path in sources("rust/net", "*.rs"):
        name = path.relative_to(CLONE / "rust/net")
        if name == Path("net.rs"):
            files[NIC.with_suffix(".rs")] = transform.root(path.read_text(), helpers)
        elif name != Path("compat.rs"):
            files[NIC / name] = transform.abstraction(path.read_text(), helpers)
    for path in sources("drivers/igb", "*.rs"):
        name = path.relative_to(CLONE / "drivers/igb")
        text = path.read_text()
        files[DRIVER / name] = text if name.parts[0] == "core" else transform.driver(text)
    files[DRIVER / "Makefile"] = (HERE / "files/Makefile").read_text()
    files[PAGE] = (HERE / "files/igb_rs.rst").read_text()
    return files


def formatted(files: dict[Path, str], tree: Path, config: Path) -> dict[Path, str]:
    """The same, written to `tree`, with Rust as rustfmt of the kernel's settings has it."""
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reflow.comments(text) if name.suffix in (".rs", ".c", ".h") else text)
    rust = [str(tree / name) for name in files if name.suffix == ".rs"]
    subprocess.run(["rustfmt", "--config-path", config, *rust], check=True)
    return {name: (tree / name).read_text() for name in files}


# ---- lists of other files ----------------------------------------------------------------------


def stands_for(pattern: str) -> str:
    """A pattern of patches.toml as one of paths."""
    for word, path in (("NIC", NIC), ("HELPERS", HELPERS), ("DRIVER", DRIVER)):
        if pattern.startswith(word):
            return str(path) + pattern.removeprefix(word)
    return pattern


MODULE = re.compile(
    r"^(?:#\[cfg\([^\n]*\)\]\n)?(?:#\[path = [^\n]*\]\n)?(?:pub )?mod (?P<name>\w+);\n", re.M
)
TEST = re.compile(r'^#\[cfg\(CONFIG_KUNIT = "y"\)\]\n#\[path = "[^"]*"\]\nmod \w+;\n\n?', re.M)


def with_modules(text: str, present: set[str]) -> str:
    """A root of modules that declares those that are there."""
    text = MODULE.sub(lambda match: match[0] if match["name"] in present else "", text)
    return re.sub(
        r"^//! \| \[`(\w+)`\].*\n",
        lambda match: match[0] if match[1] in present else "",
        text,
        flags=re.M,
    )


# ---- files of the kernel that are changed ------------------------------------------------------


def before(text: str, mark: str, addition: str) -> str:
    if text.count(mark) != 1:
        raise transform.Unexpected(f"not once in its file: {mark!r}")
    return text.replace(mark, addition + mark)


def after(text: str, mark: str, addition: str) -> str:
    if text.count(mark) != 1:
        raise transform.Unexpected(f"not once in its file: {mark!r}")
    return text.replace(mark, mark + addition)


def with_headers(text: str, headers: list[str], constants: list[str]) -> str:
    """bindings_helper.h with further headers, in alphabetical order, and constants."""
    first, last = "#include <kunit/test.h>\n", "#include <net/netlink.h>\n"
    begin, end = text.index(first), text.index(last) + len(last)
    lines = set(text[begin:end].splitlines())
    lines |= {f"#include <{name}>" for name in headers if not name.startswith("..")}
    local = "".join(f'#include "{name}"\n' for name in headers if name.startswith(".."))
    text = text[:begin] + "\n".join(sorted(lines)) + "\n" + text[end:]
    text = after(text, "#include <../../drivers/base/base.h>\n", "\n" + local if local else "")
    mark = "const xa_mark_t RUST_CONST_HELPER_XA_PRESENT = XA_PRESENT;\n"
    return before(text, mark, "\n".join([*constants, "", ""]) if constants else "")


def with_helpers(text: str, names: list[str]) -> str:
    """helpers.c with further files."""
    if not names:
        return text
    lines = "".join(f'#include "net/nic/{name}"\n' for name in names)
    return after(
        text,
        '#include "net/genetlink.c"\n',
        f"#ifdef CONFIG_RUST_NIC_ABSTRACTIONS\n{lines}#endif\n",
    )


ATTRIBUTE = "#[cfg(CONFIG_RUST_NIC_ABSTRACTIONS)]\n"


def edited(
    source: Path,
    files: dict[Path, str],
    headers: list[str],
    edits: set[str],
    hidden: bool,
    identity: str,
) -> dict[Path, str]:
    """The kernel's own files, as they are with `files` in the tree."""

    def text(name: str) -> str:
        return (source / name).read_text()

    result = {}

    def edit(name: str, new: str):
        if new != text(name):
            result[Path(name)] = new

    used = "".join(text for name, text in files.items() if name.is_relative_to(NIC.parent))
    constants = [
        line
        for name, line in transform.constants(
            (CLONE / "rust/bindings/bindings.h").read_text()
        ).items()
        if re.search(rf"\bbindings::{name}\b", used)
    ]
    edit(
        "rust/bindings/bindings_helper.h",
        with_headers(text("rust/bindings/bindings_helper.h"), headers, constants),
    )
    edit(
        "rust/helpers/helpers.c",
        with_helpers(
            text("rust/helpers/helpers.c"),
            sorted(name.name for name in files if name.parent == HELPERS and name.suffix == ".c"),
        ),
    )
    if NIC.with_suffix(".rs") in files:
        unused = "#[allow(dead_code, unreachable_pub, unused_imports)]\n" if hidden else ""
        edit(
            "rust/kernel/net/mod.rs",
            before(
                text("rust/kernel/net/mod.rs"),
                "#[cfg(CONFIG_RUST_PHYLIB_ABSTRACTIONS)]\n",
                f"{ATTRIBUTE}{unused}pub mod nic;\n\n",
            ),
        )
    if "nic" in edits:
        edit(
            "drivers/net/Kconfig",
            before(
                text("drivers/net/Kconfig"),
                "config MII\n",
                (HERE / "files/Kconfig.nic").read_text(),
            ),
        )
    if "driver" in edits:
        edit(
            "drivers/net/ethernet/intel/Kconfig",
            before(
                text("drivers/net/ethernet/intel/Kconfig"),
                "config IGBVF\n",
                (HERE / "files/Kconfig").read_text(),
            ),
        )
        edit(
            "drivers/net/ethernet/intel/Makefile",
            after(
                text("drivers/net/ethernet/intel/Makefile"),
                "obj-$(CONFIG_IGB) += igb/\n",
                "obj-$(CONFIG_IGB_RS) += igb_rs/\n",
            ),
        )
    if "page" in edits:
        name = "Documentation/networking/device_drivers/ethernet/index.rst"
        edit(name, after(text(name), "   intel/igb\n", "   intel/igb_rs\n"))
    if "maintainers" in edits:
        entry = (HERE / "files/MAINTAINERS").read_text().format(identity=identity)
        edit("MAINTAINERS", before(text("MAINTAINERS"), "ETHERNET PHY LIBRARY\n", entry))
    return result


# ---- all states --------------------------------------------------------------------------------


def present(files: dict[Path, str], patch: Patch, before: set[Path]) -> set[Path]:
    """What is there after a patch."""
    found = {
        name
        for name in files
        if any(fnmatch.fnmatchcase(str(name), stands_for(pattern)) for pattern in patch.files)
    }
    if not found - before:
        raise transform.Unexpected(f"brings no file: {patch.title}")
    return before | found


def listed(name: Path, text: str, there: set[Path]) -> str:
    """A file as it is while only some of those that it lists are there."""
    if name == NIC.with_suffix(".rs"):
        modules = {path.stem for path in there if path.parent == NIC}
        if NIC / "tests/kunit.rs" in there:
            modules.add("kunit")
        text = with_modules(text, modules)
        if "registration" not in modules:
            text = re.sub(r"^/// Net devices: .*?^\}\n", "", text, flags=re.M | re.S)
        return text.rstrip("\n") + "\n"
    if name == DRIVER / "core/igb_core.rs":
        modules = {path.stem for path in there if path.parent == name.parent}
        # What one part uses of another crate-wide may come before it.
        unused = "" if LAST_OF_CORE in modules else "#![allow(dead_code)]\n"
        return after(with_modules(text, modules), "#![warn(missing_docs)]\n", unused)
    if NIC in name.parents and NIC / "tests/kunit.rs" not in there:
        return TEST.sub("", text)
    return text


def states(files: dict[Path, str], source: Path, identity: str):
    """Each patch, and what of the tree is not as in `source` after it."""
    there: set[Path] = set()
    headers: list[str] = []
    edits: set[str] = set()
    for patch in patches():
        there = present(files, patch, there)
        headers += patch.headers
        edits |= set(patch.edits)
        new = {name: listed(name, files[name], there) for name in there}
        hidden = any(NIC in name.parents for name in files.keys() - there)
        yield patch, new | edited(source, new, headers, edits, hidden, identity)
    if files.keys() - there:
        raise transform.Unexpected(f"no patch brings {min(files.keys() - there)}")
