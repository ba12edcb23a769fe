# SPDX-License-Identifier: GPL-2.0
"""What a file of this project is called, and says, in a kernel tree.

Out of tree, the abstractions are the crate `net` on top of the crate `netbind`. In a kernel tree they
are the module `kernel::net::nic`, `netbind` is the kernel's own crate `bindings`, and the helpers are among
those of the kernel. Text becomes text here; nothing is read or written.
"""

from __future__ import annotations

import re

MODULE = "net::nic"
# Macros are exported at the root of a crate, where the kernel has one of this name.
MACROS = {"pci_device_table": "net_pci_device_table"}
# Of compat.rs, what is no name that the prelude of the kernel has.
COMPAT = {
    r"compat::millis_ceil\((\w+)\)": r"\1.as_millis_ceil()",
    r"compat::DMA_TO_DEVICE": "bindings::dma_data_direction::DMA_TO_DEVICE",
    r"net::compat::parameter\(\s*([\w:.]+\(\)),?\s*\)": r"\1",
    r"compat::(IRQ_\w+)": r"bindings::irqreturn::\1",
    r"compat::(HRTIMER_\w+)": r"bindings::hrtimer_restart::\1",
}

# The start of a path: not a field, a part of a longer path or name, or of a macro's parameter.
START = r"(?<![\w:.$])"


class Unexpected(Exception):
    """The text has something this module does not know how to say in a kernel tree."""


# ---- names of C --------------------------------------------------------------------------------

DEFINITION = re.compile(r"^(?!static\b)(?P<type>\w[\w\s]*?[\s*]+)nbh_(?P<name>\w+)\(", re.M)


def functions(sources: list[str]) -> set[str]:
    """The helpers that are defined in C sources, without the prefix."""
    return {match["name"] for text in sources for match in DEFINITION.finditer(text)}


def c_names(text: str, helpers: set[str]) -> str:
    """Helpers have the prefix the kernel's have. Types and constants have that of this module."""

    def name(match: re.Match) -> str:
        return f"rust_helper_{match[1]}" if match[1] in helpers else f"rust_nic_{match[1]}"

    text = re.sub(r"\bnbh_(\w+)", name, text)
    return text.replace("NBH_", "RUST_NIC_")


# ---- Rust --------------------------------------------------------------------------------------


def without_compat(text: str) -> str:
    """Imports from compat.rs go: the prelude has these names, or the path is written out."""
    for pattern, replacement in COMPAT.items():
        text = re.sub(pattern, replacement, text)
    text = re.sub(r"^use (crate|net)::compat(::\w+|::\{[^}]*\})?;\n", "", text, flags=re.M)

    def imports(match: re.Match) -> str:
        return re.sub(r"^    compat(::\w+|::\{[^}]*\})?,\n", "", match[0], flags=re.M)

    text = re.sub(r"^use (crate|net)::\{\n.*?^\};", imports, text, flags=re.M | re.S)
    if re.search(r"^(?! *//).*\bcompat\b", text, flags=re.M):
        raise Unexpected("compat is used in a way that is not known")
    return text


def macros(text: str, prefix: str) -> str:
    def name(match: re.Match) -> str:
        return f"{prefix}{MACROS.get(match[1], match[1])}!"

    return re.sub(START + r"net::(\w+)!", name, text)


def prose(text: str) -> str:
    text = text.replace("the crate `net`", f"`kernel::{MODULE}`")
    return re.sub(r"\b([Tt])his crate\b", r"\1his module", text)


def abstraction(text: str, helpers: set[str]) -> str:
    """A file of rust/net."""
    text = prose(without_compat(text))
    text = macros(text, "kernel::")
    for old, new in MACROS.items():
        text = text.replace(f"macro_rules! {old} ", f"macro_rules! {new} ")
    text = c_names(text, helpers)
    text = re.sub(START + r"net::(?=[\w{])", f"kernel::{MODULE}::", text)
    text = re.sub(r"\$crate::", f"$crate::{MODULE}::", text)
    text = re.sub(r"(?<![\w:])::kernel::", "$crate::", text)
    text = re.sub(r"(?<![\w$])crate::", f"crate::{MODULE}::", text)
    text = re.sub(r"\bkernel::bindings::", "bindings::", text)
    for old, new in RENAMED.items():
        text = text.replace(f"netbind::{old}(", f"netbind::{new}(")
    return re.sub(r"\bnetbind::", "bindings::", text)


def root(text: str, helpers: set[str]) -> str:
    """rust/net/net.rs: the module of the modules."""
    text = re.sub(r"^// `pr_\*!` of.*?;\n\n", "", text, flags=re.M | re.S)
    text = re.sub(r"^pub mod compat;\n", "", text, flags=re.M)
    text = re.sub(r"^//! \| \[`compat`\].*\n", "", text, flags=re.M)
    text = text.replace('"tests/', '"nic/tests/')
    return abstraction(text, helpers)


def driver(text: str) -> str:
    """A file of drivers/igb that is not in its core/."""
    text = prose(without_compat(text))
    text = macros(text, "kernel::")
    return re.sub(START + r"net::(?=[\w{])", f"kernel::{MODULE}::", text)


# ---- C -----------------------------------------------------------------------------------------

WIDTH = 100


def columns(text: str) -> int:
    return len(text.expandtabs(8))


def indent(width: int) -> str:
    return "\t" * (width // 8) + " " * (width % 8)


def wrapped(head: str, parameters: str) -> str:
    """A definition whose further lines begin below its first parameter."""
    lines, line = [], head
    for parameter in re.split(r",\s*", re.sub(r"\s+", " ", parameters)):
        piece = parameter + ", "
        if columns(line + piece.rstrip()) > WIDTH and line not in (head,):
            lines.append(line.rstrip())
            line = indent(columns(head))
        line += piece
    return "\n".join([*lines, line.rstrip().rstrip(",")])


# Helpers for what older kernels lack, and the function this kernel has instead, with a helper of its own.
RENAMED = {"irq_type": "pci_irq_type"}

# With the name in front of what begins behind it, or as what a macro of capitals is given.
STATIC = re.compile(
    r"^static (?:[A-Z_]+\((\w+)\);|(?!(?:__always_)?inline\b)[^;={]*?(\w+)(?:\(| = ))", re.M
)
BODY = re.compile(
    DEFINITION.pattern + r"(?P<parameters>[^{;]*)\)(?P<body>\n\{\n.*?^\}\n)", re.M | re.S
)


def helper(text: str, helpers: set[str], statics: set[str]) -> str:
    """A file of rust/helpers. `statics` are those of all files: they are included into one."""
    text = re.sub(r'^#include "compat\.h"\n\n?', "", text, flags=re.M)
    for name in RENAMED:
        text = re.sub(
            rf"^/\*[^\n]*\*/\n[^\n]*\bnbh_{name}\(.*?^\}}\n\n", "", text, flags=re.M | re.S
        )

    def definition(match: re.Match) -> str:
        # What refers to something static must not be in each crate that calls it.
        inline = not statics & set(re.findall(r"\w+", match["body"]))
        prefix = "__rust_helper " if inline else ""
        head = f"{prefix}{c_names(match['type'], helpers)}rust_helper_{match['name']}("
        return wrapped(head, c_names(match["parameters"], helpers)) + ")" + match["body"]

    return c_names(BODY.sub(definition, text), helpers)


def statics(sources: list[str]) -> set[str]:
    """What is static in C sources, and not inline."""
    return {match[1] or match[2] for text in sources for match in STATIC.finditer(text)}


CONSTANT = re.compile(r"^const (?P<type>[\w ]+?) NETBIND_CONST_(?P<name>\w+) = .*;$", re.M)


def constants(header: str) -> dict[str, str]:
    """The constants of bindings.h that bindgen cannot evaluate, as bindings_helper.h has them."""
    return {
        match["name"]: match[0].replace("NETBIND_CONST_", "RUST_CONST_HELPER_")
        for match in CONSTANT.finditer(header)
    }
