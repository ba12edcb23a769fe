# SPDX-License-Identifier: GPL-2.0
"""What the plugin has to know of the running kernel, as JSON; and names for what it found.

symbols.py survey MODULE PCI ROOT...    ROOT is KIND=REGEX for functions of the module
symbols.py names                        addresses on stdin, one a line
"""

import bisect
import json
import re
import sys

# By what packets are handed over: to the stack, to a program of xdp.bpf.c, and where that wants them. And
# what others do when the driver lets softirqs run.
UPCALLS = re.compile(
    "gro_receive_skb|napi_complete_done|bpf_prog_[0-9a-f]+_bench_.*|xdp_do_redirect|xdp_do_flush"
    "|handle_softirqs"
)
# Kernel functions outside of the module through which it may reach a register.
ACCESSORS = re.compile(
    r"(rust_helper_|__raw_)?(read|write)[bwlq](_relaxed)?"
    r"|io(read|write)(8|16|32|64)\w*|memcpy_(to|from)io|memset_io"
)


def symbols():
    """All functions: (address, name, module)."""
    found = []
    with open("/proc/kallsyms", encoding="ascii") as file:
        for line in file:
            address, kind, name, *module = line.split()
            if kind in "tTwW" and not name.startswith("__pfx_"):
                found.append((int(address, 16), name, module[0].strip("[]") if module else ""))
    return sorted(found)


def survey(module, pci, roots):
    """Roots, upcalls, code that may access registers, and where the registers are; patterns that no
    function matches."""
    found = symbols()
    starts = [entry[0] for entry in found]

    def end(address):
        return found[bisect.bisect_right(starts, address)][0]

    own = [address for address, _, owner in found if owner == module]
    text = [(own[0], own[-1] + 4096)]
    text += [
        (address, end(address))
        for address, name, owner in found
        if not owner and ACCESSORS.fullmatch(name)
    ]
    with open(f"/sys/bus/pci/devices/{pci}/resource", encoding="ascii") as file:
        first, last = (int(word, 16) for word in file.readline().split()[:2])
    functions, unknown = {}, []
    for root in roots:
        kind, pattern = root.split("=", 1)
        matching = [
            address
            for address, name, owner in found
            if owner == module and re.fullmatch(pattern, name)
        ]
        functions.setdefault(kind, []).extend(matching)
        if not matching:
            unknown.append(pattern)
    functions["upcall"] = [
        address
        for address, name, owner in found
        if owner in ("", "bpf") and UPCALLS.fullmatch(name)
    ]
    return {
        "functions": functions,
        "unknown": unknown,
        "text": text,
        "bar": (first, last - first + 1),
    }


def names(addresses):
    """Function and module of each address."""
    found = symbols()
    starts = [entry[0] for entry in found]
    return [found[bisect.bisect_right(starts, address) - 1][1:] for address in addresses]


if sys.argv[1] == "survey":
    print(json.dumps(survey(sys.argv[2], sys.argv[3], sys.argv[4:])))
else:
    print(json.dumps(names([int(line, 16) for line in sys.stdin])))
