# SPDX-License-Identifier: GPL-2.0
"""The state of the test network, between tests: what is set, and the way back.

    state.py read PCI               the state, for `restore` of the PF at PCI
    state.py restore PCI <state     undoes what was set since; a list of what could not be undone

Extra namespaces, interfaces, VFs, addresses, queueing disciplines and programs go; interfaces that were
there are set as they were. What changes by itself (statistics, carrier, IPv6 link-local addresses) is no
part of it.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess

import namespaces
import network
from by_hand import by_hand
from netlink import (
    IFADDRMSG,
    IFF_UP,
    IFINFOMSG,
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_MTU,
    NLM_F_DUMP,
    RTM_GETLINK,
    RTM_NEWLINK,
    Netlink,
    attribute,
    attributes,
    text,
)
from settings import Ethtool

RTM_DELLINK, RTM_DELADDR, RTM_GETADDR = 17, 21, 22
RTM_DELNEIGH, RTM_GETNEIGH, RTM_DELQDISC, RTM_GETQDISC = 29, 30, 37, 38
IFLA_MASTER, IFLA_TXQLEN, IFLA_LINKINFO, IFLA_VFINFO_LIST = 10, 13, 18, 22
IFLA_GROUP, IFLA_EXT_MASK, IFLA_XDP, IFLA_IFALIAS = 27, 29, 43, 20
IFLA_XDP_FD = 1
EXT_VF = 1
IFF_PROMISC, IFF_ALLMULTI = 0x100, 0x200
IFF_SET = IFF_UP | IFF_PROMISC | IFF_ALLMULTI
# Set by NEWLINK as GETLINK has it.
SETTABLE = (IFLA_MTU, IFLA_ADDRESS, IFLA_TXQLEN, IFLA_MASTER, IFLA_GROUP, IFLA_IFALIAS)
ABSENT = {IFLA_MASTER: bytes(4), IFLA_IFALIAS: b""}
KEPT = {
    **{kind: str(kind) for kind in SETTABLE},
    IFLA_VFINFO_LIST: "VFs",
    IFLA_XDP: "XDP",
    IFLA_LINKINFO: "kind",
}
NUD_NOARP = 0x40
NDMSG, TCMSG = struct.Struct("B3xiHBB"), struct.Struct("B3xiIII")
TC_H_ROOT, TC_H_CLSACT = 0xFFFFFFFF, 0xFFFFFFF1
TCA_KIND = 1
SYSFS = "/sys/bus/pci/devices"
OF_THE_PF = ("sriov_numvfs", "sriov_drivers_autoprobe", "driver_override")
OF_AN_INTERFACE = ("gro_flush_timeout", "napi_defer_hard_irqs", "threaded")
# A module that adds VLAN 0 to each interface that comes up.
VLANS = "8021q"


# ---- reading ---------------------------------------------------------------------------------


def _links(route):
    """Interfaces by name: index, flags and what is kept of their attributes, as hexadecimal text."""
    found = {}
    request = IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(IFLA_EXT_MASK, struct.pack("I", EXT_VF))
    for body in route.ask(RTM_GETLINK, request, NLM_F_DUMP):
        _, _, index, flags, _ = IFINFOMSG.unpack_from(body)
        parts = attributes(body[IFINFOMSG.size :])
        kept = {name: parts[kind].hex() for kind, name in KEPT.items() if kind in parts}
        if IFLA_XDP in parts:
            # Whether there is a program; its number changes.
            kept["XDP"] = str(any(attributes(parts[IFLA_XDP]).get(2, b"\0")))
        found[text(parts[IFLA_IFNAME])] = {"index": index, "flags": flags & IFF_SET, **kept}
    return found


def _addresses(route, names):
    """Interface, prefix length and address of each that is not link-local."""
    found = []
    for body in route.ask(RTM_GETADDR, IFADDRMSG.pack(0, 0, 0, 0, 0), NLM_F_DUMP):
        family, prefix, _, scope, index = IFADDRMSG.unpack_from(body)
        parts = attributes(body[IFADDRMSG.size :])
        if scope == 0 and index in names:
            packed = parts.get(2, parts.get(1))
            found.append([names[index], f"{socket.inet_ntop(family, packed)}/{prefix}"])
    return sorted(found)


def _qdiscs(route, names):
    """Those directly at an interface of the test network."""
    found = []
    for body in route.ask(RTM_GETQDISC, TCMSG.pack(0, 0, 0, 0, 0), NLM_F_DUMP):
        _, index, _, parent, _ = TCMSG.unpack_from(body)
        if parent in (TC_H_ROOT, TC_H_CLSACT) and names.get(index) in OURS:
            kind = text(attributes(body[TCMSG.size :])[TCA_KIND])
            found.append([names[index], parent, kind])
    return sorted(found)


def _file(path):
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return file.read().strip()
    return None


def _parameters(pci):
    """devlink's, by name: each value with the mode it is for."""
    said = subprocess.run(
        ["devlink", "-j", "dev", "param", "show", f"pci/{pci}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if said.returncode:
        return {}
    listed = next(iter(json.loads(said.stdout)["param"].values()), [])
    return {
        entry["name"]: [[value["cmode"], value["value"]] for value in entry["values"]]
        for entry in listed
    }


def _namespace(name):
    """Everything in a namespace (None: the root)."""
    with namespaces.inside(name):
        route = Netlink()
        links = _links(route)
        names = {link["index"]: key for key, link in links.items()}
        state = {
            "links": links,
            "addresses": _addresses(route, names),
            "qdiscs": _qdiscs(route, names),
            "settings": {},
        }
        for key in links:
            if key in OURS:
                with Ethtool(key) as tool:
                    state["settings"][key] = tool.read()
        route.socket.close()
    return state


# The interfaces of the test network; what others are set to does not matter.
OURS = ("dut", "peer")


def read(pci):
    return {
        "namespaces": {name or "": _namespace(name) for name in (None, *namespaces.names())},
        "files": {
            path: _file(path)
            for path in (
                *(f"{SYSFS}/{pci}/{name}" for name in OF_THE_PF),
                *(f"/sys/class/net/dut/{name}" for name in OF_AN_INTERFACE),
            )
        },
        "parameters": _parameters(pci),
        "vlans": os.path.exists(f"/sys/module/{VLANS}"),
    }


# ---- the way back ----------------------------------------------------------------------------


def _write(path, value):
    with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
        file.write(value or "\n")


def _restore_links(route, wanted):
    """Removes interfaces made by somebody, and sets those that were there."""
    for name, link in _links(route).items():
        if name not in wanted and "kind" in link:
            with contextlib.suppress(OSError):  # it went with another
                route.ask(RTM_DELLINK, IFINFOMSG.pack(0, 0, link["index"], 0, 0))
    present = _links(route)
    for name in wanted.keys() & present.keys():
        old, new = wanted[name], present[name]
        message = b""
        for kind in SETTABLE:
            if old.get(str(kind)) != new.get(str(kind)):
                value = bytes.fromhex(old[str(kind)]) if str(kind) in old else ABSENT[kind]
                message += attribute(kind, value)
        if old.get("XDP") != new.get("XDP"):
            message += attribute(IFLA_XDP, attribute(IFLA_XDP_FD, struct.pack("i", -1)))
        if message or old["flags"] != new["flags"]:
            route.ask(
                RTM_NEWLINK, IFINFOMSG.pack(0, 0, new["index"], old["flags"], IFF_SET) + message
            )


def _restore_addresses(route, wanted):
    links = _links(route)
    names = {link["index"]: name for name, link in links.items()}
    wanted = {tuple(entry) for entry in wanted}
    present = {tuple(entry) for entry in _addresses(route, names)}
    for name, address in present - wanted:
        packed, prefix = address.split("/")
        family = socket.AF_INET6 if ":" in packed else socket.AF_INET
        value = socket.inet_pton(family, packed)
        route.ask(
            RTM_DELADDR,
            IFADDRMSG.pack(family, int(prefix), 0, 0, links[name]["index"])
            + attribute(2, value)
            + attribute(1, value),
        )
    for name, address in wanted - present:
        if name in links:
            route.add_address(links[name]["index"], address)


def _restore_qdiscs(route, wanted):
    links = _links(route)
    names = {link["index"]: name for name, link in links.items()}
    for name, parent, kind in _qdiscs(route, names):
        if [name, parent, kind] not in wanted:
            with contextlib.suppress(OSError):
                route.ask(RTM_DELQDISC, TCMSG.pack(0, links[name]["index"], 0, parent, 0))


def _forget_neighbours(route):
    """VFs that come next have other addresses. Entries without an address to ask for are the
    kernel's own."""
    for body in route.ask(RTM_GETNEIGH, NDMSG.pack(0, 0, 0, 0, 0), NLM_F_DUMP):
        family, index, state, _, _ = NDMSG.unpack_from(body)
        parts = attributes(body[NDMSG.size :])
        if not state & NUD_NOARP and 1 in parts:
            with contextlib.suppress(OSError):
                route.ask(RTM_DELNEIGH, NDMSG.pack(family, index, 0, 0, 0) + attribute(1, parts[1]))


def _restore_settings(wanted):
    for name, groups in wanted.items():
        with Ethtool(name) as tool:
            present = tool.read()
            for group, value in groups.items():
                if present.get(group) != value:
                    with contextlib.suppress(OSError):
                        tool.set(group, value)


def _restore_parameters(pci, wanted):
    for name, values in _parameters(pci).items():
        for mode, value in wanted.get(name, []):
            if [mode, value] not in values:
                said = str(value).lower() if isinstance(value, bool) else str(value)
                subprocess.run(
                    [
                        "devlink",
                        "dev",
                        "param",
                        "set",
                        f"pci/{pci}",
                        "name",
                        name,
                        "value",
                        said,
                        "cmode",
                        mode,
                    ],
                    check=False,
                    capture_output=True,
                )


def _restore_files(wanted, paths):
    for path in paths:
        if _file(path) != wanted[path]:
            _write(path, wanted[path])


def restore(pci, wanted):
    # VFs go before their namespaces: igbvf may hang when those close its interfaces (network.py).
    _restore_files(wanted["files"], [f"{SYSFS}/{pci}/sriov_numvfs"])
    extra = [name for name in namespaces.names() if name not in wanted["namespaces"]]
    network.detach(extra, 20)
    _restore_files(wanted["files"], wanted["files"])
    for name, state in wanted["namespaces"].items():
        with namespaces.inside(name or None):
            route = Netlink()
            _restore_links(route, state["links"])
            _restore_settings(state["settings"])
            _restore_addresses(route, state["addresses"])
            _restore_qdiscs(route, state["qdiscs"])
            _forget_neighbours(route)
            route.socket.close()
    _restore_parameters(pci, wanted["parameters"])
    if not wanted["vlans"] and os.path.exists(f"/sys/module/{VLANS}"):
        subprocess.run(["modprobe", "-r", VLANS], check=False, capture_output=True)
    return list(differences(wanted, read(pci)))


def differences(wanted, present, where=""):
    """One line each."""
    if isinstance(wanted, dict) and isinstance(present, dict):
        for key in sorted(wanted.keys() | present.keys()):
            if key != "index":
                yield from differences(wanted.get(key), present.get(key), f"{where} {key}")
    elif wanted != present:
        yield f"{where.strip()}: {wanted} before, {present} now"


def answer(arguments, value):
    verb, pci = arguments
    if verb == "read":
        return read(pci)
    if verb == "restore":
        return restore(pci, value)
    raise SystemExit(__doc__)


if __name__ == "__main__":
    by_hand(answer)
