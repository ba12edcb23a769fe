# SPDX-License-Identifier: GPL-2.0
"""Every door of a port, tried by who has no right to it.

    doors.py nobody PCI NAME        as the user nobody
    doors.py namespace PCI NAME     as the same, with all rights in a user and a network namespace of
                                    its own: by sockets it had before, and from there
    doors.py root PCI NAME DOOR...  with rights: only these
    doors.py link PCI NAME          as nobody, asks for the link: when this began and ended, and the
                                    name of the error

The answer of the first three: by group, the name of the error at each door, "" where it is open. For
main(), see there.
"""

import contextlib
import ctypes
import errno
import fcntl
import glob
import json
import os
import socket
import struct
import sys
import time

from by_hand import by_hand
from netlink import (
    IFADDRMSG,
    IFF_UP,
    IFINFOMSG,
    IFLA_ADDRESS,
    IFLA_IFNAME,
    IFLA_MTU,
    IFLA_NET_NS_FD,
    NETLINK_GENERIC,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    Netlink,
    attribute,
    attributes,
    text,
)
from state import IFLA_EXT_MASK, NDMSG, TCMSG

NOBODY = 65534
PR_SET_DUMPABLE = 4
MAC = bytes.fromhex("020000000042")


def word(value):
    return struct.pack("I", value)


def words(*values):
    return struct.pack(f"{len(values)}I", *values)


# ---- rtnetlink -------------------------------------------------------------------------------

AF_BRIDGE, AF_UNSPEC = 7, 0
IFF_PROMISC, IFF_ALLMULTI = 0x100, 0x200
RTM_DELLINK, RTM_SETLINK, RTM_DELADDR, RTM_NEWROUTE, RTM_NEWNEIGH, RTM_DELNEIGH = (
    17,
    19,
    21,
    24,
    28,
    29,
)
RTM_NEWQDISC, RTM_DELQDISC, RTM_NEWTCLASS, RTM_NEWTFILTER = 36, 37, 40, 44
RTM_SETDCB, RTM_NEWLINKPROP = 79, 108
IFLA_QDISC_LEN, IFLA_LINKMODE, IFLA_LINKINFO, IFLA_VFINFO_LIST = 13, 17, 18, 22
IFLA_AF_SPEC, IFLA_GROUP, IFLA_IFALIAS, IFLA_LINK = 26, 27, 20, 5
IFLA_CARRIER, IFLA_PROTO_DOWN, IFLA_GSO_MAX_SIZE, IFLA_XDP, IFLA_TARGET_NETNSID = 33, 39, 41, 43, 46
IFLA_PORT_SELF, IFLA_ALT_IFNAME, IFLA_PROP_LIST = 25, 53, 52
# Of a VF: attribute, and what it holds after the VF's number.
OF_A_VF = {
    "address": (1, MAC.ljust(32, b"\0")),
    "VLAN": (2, words(100, 0)),
    "rate": (3, words(100)),
    "spoof check": (4, words(0)),
    "link state": (5, words(2)),
    "rates": (6, words(0, 100)),
    "RSS query": (7, words(1)),
    "trust": (9, words(1)),
    "node GUID": (10, bytes(4) + bytes(8)),
    "port GUID": (11, bytes(4) + bytes(8)),
}
NTF_SELF, NUD_PERMANENT, NDA_LLADDR = 2, 0x80, 2
TC_H_ROOT, TC_H_CLSACT = 0xFFFFFFFF, 0xFFFFFFF1


def settings():
    """Attributes of a link by what they set."""
    found = {
        "MTU": attribute(IFLA_MTU, word(1400)),
        "address": attribute(IFLA_ADDRESS, MAC),
        "name": attribute(IFLA_IFNAME, b"taken\0"),
        "alias": attribute(IFLA_IFALIAS, b"taken"),
        "other name": attribute(IFLA_PROP_LIST, attribute(IFLA_ALT_IFNAME, b"taken\0")),
        "queue length": attribute(IFLA_QDISC_LEN, word(7)),
        "group": attribute(IFLA_GROUP, word(7)),
        "carrier": attribute(IFLA_CARRIER, b"\0"),
        "mode": attribute(IFLA_LINKMODE, b"\1"),
        "protodown": attribute(IFLA_PROTO_DOWN, b"\1"),
        "segments": attribute(IFLA_GSO_MAX_SIZE, word(2048)),
        "program": attribute(IFLA_XDP, attribute(1, struct.pack("i", -1))),
        "namespace": attribute(IFLA_NET_NS_FD, word(os.open("/proc/self/ns/net", os.O_RDONLY))),
        "port": attribute(IFLA_PORT_SELF, attribute(2, b"taken\0")),
    }
    for name, (kind, value) in OF_A_VF.items():
        setting = attribute(1, attribute(kind, word(0) + value))
        found[f"VF's {name}"] = attribute(IFLA_VFINFO_LIST, setting)
    return found


def route_doors(route, index):
    """What may be sent to change a link and what hangs on it."""

    def link(kind, payload, family=AF_UNSPEC, flags=0, change=0):
        message = IFINFOMSG.pack(family, 0, index, flags, change) + payload
        return lambda: route.ask(kind, message)

    def other(kind, payload, flags=NLM_F_CREATE):
        return lambda: route.ask(kind, payload, NLM_F_ACK | flags)

    doors = {name: link(RTM_NEWLINK, payload) for name, payload in settings().items()}
    doors |= {f"{name}, set": link(RTM_SETLINK, payload) for name, payload in settings().items()}
    for name, flag in (("down", IFF_UP), ("promiscuous", IFF_PROMISC), ("multicast", IFF_ALLMULTI)):
        doors[name] = link(RTM_NEWLINK, b"", flags=flag & ~IFF_UP, change=flag)
    # The port itself, not what is above it; VEPA.
    itself, vepa = attribute(0, struct.pack("H", 2)), attribute(1, struct.pack("H", 1))
    mode = attribute(IFLA_AF_SPEC, itself + vepa)
    address = IFADDRMSG.pack(socket.AF_INET, 24, 0, 0, index) + attribute(2, bytes((192, 0, 2, 99)))
    own = IFADDRMSG.pack(socket.AF_INET, 24, 0, 0, index) + attribute(2, bytes((192, 0, 2, 1)))
    entry = NDMSG.pack(AF_BRIDGE, index, NUD_PERMANENT, NTF_SELF, 0) + attribute(NDA_LLADDR, MAC)
    above = attribute(IFLA_LINK, word(index)) + attribute(IFLA_LINKINFO, attribute(1, b"macvlan"))
    qdisc = TCMSG.pack(0, index, 0, TC_H_ROOT, 0) + attribute(1, b"pfifo\0")
    clsact = TCMSG.pack(0, index, 0xFFFF0000, TC_H_CLSACT, 0) + attribute(1, b"clsact\0")
    return doors | {
        "switch mode": link(RTM_SETLINK, mode, AF_BRIDGE),
        "remove": link(RTM_DELLINK, b""),
        "leave a bridge": link(RTM_DELLINK, b"", AF_BRIDGE),
        "interface above": other(RTM_NEWLINK, IFINFOMSG.pack(0, 0, 0, 0, 0) + above),
        "another name": link(RTM_NEWLINKPROP, settings()["other name"]),
        "add an address": other(RTM_NEWADDR, address),
        "remove an address": other(RTM_DELADDR, own, 0),
        "add a forwarding entry": other(RTM_NEWNEIGH, entry),
        "remove a forwarding entry": other(RTM_DELNEIGH, entry, 0),
        "add a route": other(RTM_NEWROUTE, bytes(12) + attribute(4, word(index))),
        "queueing": other(RTM_NEWQDISC, qdisc),
        "no queueing": other(RTM_DELQDISC, qdisc, 0),
        "hooks": other(RTM_NEWQDISC, clsact),
        "class": other(RTM_NEWTCLASS, qdisc),
        "filter": other(RTM_NEWTFILTER, clsact),
        "DCB": other(RTM_SETDCB, bytes(4) + attribute(1, b"dut\0")),
    }


# ---- ioctls ----------------------------------------------------------------------------------

SIOCETHTOOL = 0x8946
IOCTLS = {
    "SIOCSIFLINK": 0x8911,
    "SIOCSIFFLAGS": 0x8914,
    "SIOCSIFADDR": 0x8916,
    "SIOCSIFDSTADDR": 0x8918,
    "SIOCSIFBRDADDR": 0x891A,
    "SIOCSIFNETMASK": 0x891C,
    "SIOCSIFMETRIC": 0x891E,
    "SIOCSIFMTU": 0x8922,
    "SIOCSIFNAME": 0x8923,
    "SIOCSIFHWADDR": 0x8924,
    "SIOCADDMULTI": 0x8931,
    "SIOCDELMULTI": 0x8932,
    "SIOCSIFPFLAGS": 0x8934,
    "SIOCSIFHWBROADCAST": 0x8937,
    "SIOCSIFTXQLEN": 0x8943,
    "SIOCGMIIPHY": 0x8947,
    "SIOCGMIIREG": 0x8948,
    "SIOCSMIIREG": 0x8949,
    "SIOCSIFMAP": 0x8971,
    "SIOCBONDENSLAVE": 0x8990,
    "SIOCBRADDIF": 0x89A2,
    "SIOCSHWTSTAMP": 0x89B0,
    "SIOCDEVPRIVATE": 0x89F0,
}
SIOCGHWTSTAMP = 0x89B1
# Of ethtool's: those that the kernel lets everybody have. All others that there are want rights.
ETHTOOL_READS = {
    0x01: "GSET",
    0x03: "GDRVINFO",
    0x07: "GMSGLVL",
    0x0A: "GLINK",
    0x0E: "GCOALESCE",
    0x10: "GRINGPARAM",
    0x12: "GPAUSEPARAM",
    0x14: "GRXCSUM",
    0x16: "GTXCSUM",
    0x18: "GSG",
    0x1B: "GSTRINGS",
    0x1D: "GSTATS",
    0x1E: "GTSO",
    0x20: "GPERMADDR",
    0x21: "GUFO",
    0x23: "GGSO",
    0x25: "GFLAGS",
    0x27: "GPFLAGS",
    0x29: "GRXFH",
    0x2B: "GGRO",
    0x2D: "GRXRINGS",
    0x2E: "GRXCLSRLCNT",
    0x2F: "GRXCLSRULE",
    0x30: "GRXCLSRLALL",
    0x37: "GSSET_INFO",
    0x38: "GRXFHINDIR",
    0x3A: "GFEATURES",
    0x3C: "GCHANNELS",
    0x41: "GET_TS_INFO",
    0x44: "GEEE",
    0x46: "GRSSH",
    0x48: "GTUNABLE",
    0x4A: "GPHYSTATS",
    0x4C: "GLINKSETTINGS",
    0x4E: "PHY_GTUNABLE",
    0x50: "GFECPARAM",
}
ETHTOOL_LAST = 0x51
ETHTOOL_BYTES = 1 << 16
STAMPS = ctypes.create_string_buffer(12)


def ethtool(inet, name, command):
    """One of ethtool's. The kernel finds zeros where it looks for more."""
    buffer = ctypes.create_string_buffer(word(command), ETHTOOL_BYTES)
    fcntl.ioctl(inet, SIOCETHTOOL, struct.pack("16sQ16x", name.encode(), ctypes.addressof(buffer)))


def ioctl_doors(inet, name):
    doors = {
        kind: lambda number=number: fcntl.ioctl(inet, number, struct.pack("16s24x", name.encode()))
        for kind, number in IOCTLS.items()
    }
    return doors | {
        f"SIOCETHTOOL {command:#x}": lambda command=command: ethtool(inet, name, command)
        for command in range(1, ETHTOOL_LAST + 1)
        if command not in ETHTOOL_READS
    }


def ioctl_reads(inet, name):
    return {
        f"SIOCETHTOOL {kind}": lambda command=command: ethtool(inet, name, command)
        for command, kind in ETHTOOL_READS.items()
    } | {
        "SIOCGHWTSTAMP": lambda: fcntl.ioctl(
            inet, SIOCGHWTSTAMP, struct.pack("16sQ16x", name.encode(), ctypes.addressof(STAMPS))
        )
    }


# ---- generic netlink -------------------------------------------------------------------------

GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3
ADMIN, HAS_DO = 0x01 | 0x10, 0x02


def families(generic):
    """Number of each family, and its commands with their flags."""
    found = {}
    for body in generic.ask(GENL_ID_CTRL, struct.pack("BBxx", CTRL_CMD_GETFAMILY, 1), NLM_F_DUMP):
        parts = attributes(body[4:])
        commands = {}
        for entry in attributes(parts.get(6, b"")).values():
            command = attributes(entry)
            commands[struct.unpack("I", command[1])[0]] = struct.unpack("I", command[2])[0]
        found[text(parts[2])] = (struct.unpack("H", parts[1])[0], commands)
    return found


def of_the_port(pci, name, index):
    """What names the port, by family."""
    device = attribute(1, b"pci\0") + attribute(2, pci.encode() + b"\0")
    return {
        "ethtool": attribute(1 | 0x8000, attribute(2, name.encode() + b"\0")),
        "devlink": device + attribute(115, b"tx\0"),
        "netdev": attribute(1, word(index)),
        "net-shaper": attribute(8, word(index)),
    }


def generic_doors(generic, pci, name, index):
    """All commands of these families: those that want rights, and the others."""
    listed = families(generic)
    doors, reads = {}, {}
    for family, payload in of_the_port(pci, name, index).items():
        number, commands = listed.get(family, (0, {}))
        for command, flags in commands.items():
            message = struct.pack("BBxx", command, 1) + payload
            how = NLM_F_ACK if flags & HAS_DO else NLM_F_DUMP
            (doors if flags & ADMIN else reads)[f"{family} {command}"] = (
                lambda number=number, message=message, how=how: generic.ask(number, message, how)
            )
    return doors, reads


# ---- files, system calls ---------------------------------------------------------------------


def files(pci, name):
    """What there is of the port and of its VFs: paths by kind of file system. As root."""
    device, module = os.path.realpath(f"/sys/bus/pci/devices/{pci}"), "/sys/module/igb_rs"
    vfs = [os.path.realpath(link) for link in sorted(glob.glob(f"{device}/virtfn*"))]
    roots = {
        "sysfs": (device, *vfs, module, "/sys/bus/pci/drivers/igb_rs", "/sys/class/net"),
        "debugfs": (f"/sys/kernel/debug/igb_rs-{pci}",),
        "procfs": (
            *(
                f"/proc/sys/net/{family}/{what}/{name}"
                for family in ("ipv4", "ipv6")
                for what in ("conf", "neigh")
            ),
            *(f"/proc/irq/{irq}" for irq in os.listdir(f"{device}/msi_irqs")),
        ),
    }
    found = {
        kind: sorted(
            f"{path}/{file}"
            for root in listed
            for path, _, names in os.walk(root)
            for file in names
            if not os.path.islink(f"{path}/{file}")
        )
        for kind, listed in roots.items()
    }
    found["sysfs"] += ["/sys/bus/pci/rescan", "/sys/bus/pci/drivers_probe"]
    devices = ["/dev/mem", "/dev/port"]
    for function in (pci, *map(os.path.basename, vfs)):
        devices.append(f"/proc/bus/pci/{function[5:7]}/{function[8:]}")
    devices += [f"/dev/{clock}" for clock in os.listdir("/dev") if clock.startswith("ptp")]
    found["devices"] = [path for path in devices if os.path.exists(path)]
    return found


def file_doors(listed):
    """Opening for writing is enough: the kernel asks for rights there, or not at all."""
    return {
        kind: {path: lambda path=path: os.close(os.open(path, os.O_WRONLY)) for path in paths}
        for kind, paths in listed.items()
    }


def _system_call(number, *arguments):
    library = ctypes.CDLL(None, use_errno=True)
    if library.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def system_doors():
    """By the numbers of x86-64."""
    no_program = ctypes.create_string_buffer(words(6, 2) + bytes(120))
    return {
        "iopl": lambda: _system_call(172, 3),
        "ioperm": lambda: _system_call(173, 0x80, 1, 1),
        "delete_module": lambda: _system_call(176, b"igb_rs", os.O_NONBLOCK),
        "finit_module": lambda: _system_call(313, 0, b"", 0),
        "bpf": lambda: _system_call(321, 5, no_program, 128),
        "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
        "AF_XDP socket": lambda: socket.socket(44, socket.SOCK_RAW).close(),
        "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close(),
    }


# Requests of linux/ptp_clock.h that change something.
CLOCK_REQUESTS = {
    "external stamps": 0x40103D02,
    "periodic output": 0x40383D03,
    "pulses": 0x40043D04,
    "pin": 0x40603D07,
}


def clock_doors(clock):
    """Of the clock, by a descriptor that somebody has opened for reading, and handed on."""
    if clock is None:
        return {}
    number = (~clock << 3) | 3
    doors = {
        kind: lambda request=request: fcntl.ioctl(clock, request, bytes(128))
        for kind, request in CLOCK_REQUESTS.items()
    }
    return doors | {"set": lambda: time.clock_settime(number, 1.0)}


# ---- who ------------------------------------------------------------------------------------


class Sockets:
    """Those of the network namespace in which they are made."""

    def __init__(self):
        self.inet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.route = Netlink()
        self.generic = Netlink(protocol=NETLINK_GENERIC)


def become_nobody():
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def move_out():
    """Into a user and a network namespace of its own, with all rights there."""
    # What belongs to it in /proc is root's since it changed its user.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)
    os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET | os.CLONE_NEWNS)
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {NOBODY} 1"),
        ("gid_map", f"0 {NOBODY} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(content)


def tried(doors):
    """The name of the error at each, "" where there is none."""
    found = {}
    for name, door in doors.items():
        try:
            door()
            found[name] = ""
        except OSError as error:
            found[name] = errno.errorcode.get(error.errno, str(error.errno))
    return found


def as_nobody(pci, name, index, listed, clock):
    sockets = Sockets()
    become_nobody()
    admin, reads = generic_doors(sockets.generic, pci, name, index)
    groups = {
        "rtnetlink": route_doors(sockets.route, index),
        "ioctl": ioctl_doors(sockets.inet, name),
        "generic netlink": admin,
        "system": system_doors(),
        "clock": clock_doors(clock),
        "reads by ioctl": ioctl_reads(sockets.inet, name),
        "reads by generic netlink": reads,
        **file_doors(listed),
    }
    return {group: tried(doors) for group, doors in groups.items()}


def foreign_doors(route, index, root):
    """From a namespace with all rights there, to an interface of another: by the namespace's number or
    descriptor."""
    number = attribute(IFLA_TARGET_NETNSID, word(7))
    plain = IFINFOMSG.pack(0, 0, index, 0, IFF_UP)
    new = IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, b"mine\0")
    kind = attribute(IFLA_LINKINFO, attribute(1, b"dummy"))
    return {
        "in the namespace of a number": lambda: route.ask(RTM_NEWLINK, plain + number),
        "made in the other namespace": lambda: route.ask(
            RTM_NEWLINK,
            new + kind + attribute(IFLA_NET_NS_FD, word(root)),
            NLM_F_ACK | NLM_F_CREATE,
        ),
        "go there": lambda: os.setns(root, os.CLONE_NEWNET),
    }


def from_a_namespace(pci, name, index, listed, clock):
    root = os.open("/proc/self/ns/net", os.O_RDONLY)
    become_nobody()
    before = Sockets()
    move_out()
    # All rights here.
    here = Sockets()
    here.route.change(1, up=True)
    # A number for the other namespace, which gives no right to it.
    with contextlib.suppress(OSError):
        here.route.ask(88, bytes(4) + attribute(1, struct.pack("i", 7)) + attribute(3, word(root)))
    admin, _ = generic_doors(before.generic, pci, name, index)
    admin_here, _ = generic_doors(here.generic, pci, name, index)
    groups = {
        "rtnetlink": route_doors(before.route, index),
        "ioctl": ioctl_doors(before.inet, name),
        "generic netlink": admin,
        "rtnetlink from there": route_doors(here.route, index),
        "ioctl from there": ioctl_doors(here.inet, name),
        "generic netlink from there": admin_here,
        "other namespace": foreign_doors(here.route, index, root),
        "clock": clock_doors(clock),
        **file_doors(listed),
    }
    return {group: tried(doors) for group, doors in groups.items()}


def with_rights(pci, name, index, wanted):
    sockets = Sockets()
    groups = {
        "rtnetlink": route_doors(sockets.route, index),
        "ioctl": ioctl_doors(sockets.inet, name),
        "generic netlink": generic_doors(sockets.generic, pci, name, index)[0],
        **file_doors(files(pci, name)),
    }
    return {
        group: tried({door: doors[door] for door in wanted if door in doors})
        for group, doors in groups.items()
    }


def ask_for_the_link(name):
    sockets = Sockets()
    become_nobody()
    # The newer GLINKSETTINGS first asks how many words there are, which takes no driver.
    door = ioctl_reads(sockets.inet, name)["SIOCETHTOOL GSET"]
    begin = time.monotonic()
    error = tried({"": door})[""]
    return [begin, time.monotonic(), error]


def in_a_child(function):
    """What a function returns in a process that does not come back from what it has become."""
    said, out = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            found = function()
        except BaseException as error:
            found = {"error": {"": repr(error)}}
        with os.fdopen(out, "w", encoding="utf-8") as file:
            json.dump(found, file)
        os._exit(0)
    os.close(out)
    with os.fdopen(said, encoding="utf-8") as file:
        found = json.load(file)
    os.waitpid(child, 0)
    return found


def answer(arguments, _value):
    who, pci, name, *wanted = arguments
    index = socket.if_nametoindex(name)
    if who == "root":
        return with_rights(pci, name, index, wanted)
    if who == "link":
        return in_a_child(lambda: ask_for_the_link(name))
    listed = files(pci, name)
    clocks = [path for path in listed["devices"] if path.startswith("/dev/ptp")]
    clock = os.open(clocks[0], os.O_RDONLY) if clocks else None
    become = as_nobody if who == "nobody" else from_a_namespace
    try:
        return in_a_child(lambda: become(pci, name, index, listed, clock))
    finally:
        if clock is not None:
            os.close(clock)


# ---- without pause ---------------------------------------------------------------------------


def groups_of(inet, name):
    """Joins and leaves a group, which has the port's filter of groups written."""
    request = socket.inet_aton("239.1.2.3") + socket.inet_aton("192.0.2.1")
    for option in (socket.IP_ADD_MEMBERSHIP, socket.IP_DROP_MEMBERSHIP):
        inet.setsockopt(socket.IPPROTO_IP, option, request)


def link_of(route, index):
    """The link with all of its VFs and their counters."""
    route.ask(RTM_GETLINK, IFINFOMSG.pack(0, 0, index, 0, 0) + attribute(IFLA_EXT_MASK, word(1)))


def main():
    """doors.py PCI NAME CPU WHICH...: goes through these doors again and again, as the user nobody, until it
    is killed: `all` that are there to be read, or those with these words in their names."""
    pci, name, cpu, *which = sys.argv[1:]
    index = socket.if_nametoindex(name)
    os.sched_setaffinity(0, {int(cpu)})
    become_nobody()
    sockets = Sockets()
    _, reads = generic_doors(sockets.generic, pci, name, index)
    doors = {
        **ioctl_reads(sockets.inet, name),
        **reads,
        "link with VFs": lambda: link_of(sockets.route, index),
        "groups": lambda: groups_of(sockets.inet, name),
    }
    if which != ["all"]:
        doors = {key: door for key, door in doors.items() if any(one in key for one in which)}
    assert doors, which
    while True:
        tried(doors)


if __name__ == "__main__":
    by_hand(answer)
