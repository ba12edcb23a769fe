# SPDX-License-Identifier: GPL-2.0
"""What is tried, in this order. The first line of a step is its title in the report."""

import array
import contextlib
import fcntl
import itertools
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from ports import DRIVER, command, wait_for
from report import Failed, NotTried

# The registers that QEMU's model says nothing about, by their offsets.
REGISTERS = {
    "CTRL": 0x0000,
    "STATUS": 0x0008,
    "EECD": 0x0010,
    "CTRL_EXT": 0x0018,
    "RXPBS": 0x2404,
    "FCRTL": 0x2160,
    "FCRTH": 0x2168,
    "TCTL": 0x0400,
    "EEMNGCTL": 0x1010,
    "RFCTL": 0x5008,
    "WUC": 0x5800,
    "MANC": 0x5820,
    "GCR": 0x5B00,
    "FACTPS": 0x5B30,
    "FWSM": 0x5B54,
}
RFCTL_IPV6_EX_DIS = 1 << 16
GCR_RESEND = 1 << 16
SIOCGMIIREG = 0x8948
IFREQ = struct.Struct("16sHHHH8x")
# PHY registers whose reading changes nothing that matters.
PHY_REGISTERS = (0, 1, 2, 3, 4, 5, 6, 9, 10, 15, 16, 17, 18, 19, 25)
NEAR, FAR = "192.0.2.1", "192.0.2.2"
TCP_PORT = 5201


def netns(name, *arguments, **options):
    """A command in a namespace; `None` is this one."""
    return command(*(("ip", "netns", "exec", name) if name else ()), *arguments, **options)


def carrier(name):
    with contextlib.suppress(OSError):
        return Path(f"/sys/class/net/{name}/carrier").read_text(encoding="ascii").strip() == "1"
    return False


def counters(port, namespace=None):
    text = netns(namespace, "ethtool", "-S", port).stdout
    return {name: int(value) for name, value in re.findall(r"^\s+(\S+): (\d+)$", text, re.M)}


def far_answers():
    return command("ping", "-n", "-c1", "-W1", FAR, check=False).returncode == 0


def driver_log():
    """What the driver has said of late."""
    lines = command("dmesg", check=False).stdout.splitlines()
    return "\n".join(line for line in lines if DRIVER in line)


def identity(ports, _options, report):
    """Cards and driver"""
    report.note(command("uname", "-srm").stdout)
    for port in ports:
        ids = [port.read(name) for name in ("vendor", "device", "revision")]
        report.note(f"{' '.join(ids)}, subsystem {port.read('subsystem_vendor')}")
        report.note(command("devlink", "dev", "info", f"pci/{port.address}", check=False).stdout)
        report.note(command("ethtool", "-i", port.name).stdout)
        report.note(f"{port.read('current_link_speed')}, x{port.read('current_link_width')}")
    report.note(driver_log())


def registers(ports, _options, report):
    """Registers that an emulation does not show"""
    for port in ports:
        raw = command_bytes("ethtool", "-d", port.name, "raw", "on")
        words = array.array("I", raw)
        dump = dict(zip(words[::2], words[1::2]))
        for name, offset in REGISTERS.items():
            report.note(f"{name:<9} {dump[offset]:#010x}" if offset in dump else f"{name:<9} -")
        if not dump.get(REGISTERS["RFCTL"], 0) & RFCTL_IPV6_EX_DIS:
            raise Failed("RFCTL.IPV6_EX_DIS does not stay set")
        if dump.get(REGISTERS["GCR"], 0) & GCR_RESEND:
            raise Failed("GCR.CMPL_TMOUT_RESEND does not stay clear")


def command_bytes(*arguments):
    return subprocess.run(arguments, capture_output=True, timeout=60, check=True).stdout


def phy(ports, _options, report):
    """Registers of the PHY"""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        for port in ports:
            for number in PHY_REGISTERS:
                request = IFREQ.pack(port.name.encode(), 0, number, 0, 0)
                try:
                    value = IFREQ.unpack(fcntl.ioctl(sock, SIOCGMIIREG, request))[4]
                    report.note(f"{number:2} {value:#06x}")
                except OSError as error:
                    report.note(f"{number:2} {error.strerror}")


def self_tests(ports, _options, report):
    """Self-tests: registers, interrupt, loopback, NVM, link"""
    bad = []
    for port in ports:
        result = command("ethtool", "-t", port.name, "offline", check=False, timeout=120)
        report.note(result.stdout + result.stderr)
        bad += re.findall(r"^(\w+ test .*\S)\s+([1-9]\d*)$", result.stdout, re.M)
    # Without a cable there is no link.
    bad = [f"{name}: {code}" for name, code in bad if not name.startswith("Link")]
    if bad:
        raise Failed(", ".join(bad))


def link(ports, _options, report):
    """The link comes up, and again after a negotiation, a reset and down"""
    for port in ports:
        command("ip", "link", "set", port.name, "up")
    if not wait_for(lambda: all(carrier(port.name) for port in ports), 15):
        raise NotTried("no link within 15 s: is a cable plugged in?")
    for port in ports:
        report.note(command("ethtool", port.name).stdout)
        report.note(command("ethtool", "-a", port.name).stdout)
    for what, change in CHANGES.items():
        begin = time.monotonic()
        change(ports[0])
        # It has to be lost first; one that is never lost is not waited for long.
        wait_for(lambda: not carrier(ports[0].name), 2, 0.01)
        if not wait_for(lambda: all(carrier(port.name) for port in ports), 20, 0.05):
            raise Failed(f"no link within 20 s of: {what}")
        report.note(f"link {time.monotonic() - begin:5.2f} s after: {what}")


def down_and_up(port):
    command("ip", "link", "set", port.name, "down")
    command("ip", "link", "set", port.name, "up")


CHANGES = {
    "negotiation": lambda port: command("ethtool", "-r", port.name),
    "reset of the function": lambda port: port.write("reset", 1),
    "down and up": down_and_up,
}


def module_memory(ports, _options, report):
    """The SFP module"""
    for port in ports:
        result = command("ethtool", "-m", port.name, check=False)
        if result.returncode:
            raise NotTried(result.stderr.strip() or "no module")
        kept = [line for line in result.stdout.splitlines() if "SN" not in line]
        report.note("\n".join(kept))


def alone(ports, _options, report):
    """Frames are sent, and counted by the controller"""
    port = ports[0]
    if not carrier(port.name):
        raise NotTried("no link")
    before = counters(port.name)
    frame = b"\xff" * 6 + b"\x02" * 6 + b"\x88\xb5" + bytes(100)
    with contextlib.closing(socket.socket(socket.AF_PACKET, socket.SOCK_RAW)) as sock:
        sock.bind((port.name, 0))
        for _ in range(1000):
            sock.send(frame)
    if not wait_for(lambda: counters(port.name)["tx_good"] >= before["tx_good"] + 1000, 5):
        raise Failed("the controller has not sent 1000 frames within 5 s")
    report.note(f"{counters(port.name)['tx_good'] - before['tx_good']} frames")


def traffic(ports, options, report):
    """Frames of all sizes and TCP between the ports"""
    with connected(ports) as (near, far):
        for size in (18, 46, 100, 512, 1472, 1473, 8000):
            command("ping", "-n", "-q", "-c", "20", "-i", "0.05", "-s", str(size), FAR)
        for sender in ("near", "far"):
            rate = tcp(options.seconds / 4, backwards=sender == "far")
            report.note(f"TCP from the {sender} port: {rate:.0f} Mb/s")
        for name, namespace in ((near, None), (far, "igb_rs-a")):
            seen = counters(name, namespace)
            wrong = {n: v for n, v in seen.items() if v and re.search("err|drop|miss|fail", n)}
            report.note(f"counters that should be 0: {wrong or 'none'}")


@contextlib.contextmanager
def connected(ports):
    """The second port in a namespace, with addresses; their names."""
    if len(ports) < 2:
        raise NotTried("two ports and a cable between them are needed")
    near, far = (port.name for port in ports)
    if not (carrier(near) and carrier(far)):
        raise NotTried("no link")
    command("ip", "netns", "add", "igb_rs-a")
    try:
        command("ip", "link", "set", far, "netns", "igb_rs-a")
        netns("igb_rs-a", "ip", "address", "add", f"{FAR}/24", "dev", far)
        netns("igb_rs-a", "ip", "link", "set", far, "up")
        command("ip", "address", "add", f"{NEAR}/24", "dev", near)
        if not wait_for(far_answers, 20):
            raise Failed("the ports do not reach each other: are they connected?")
        yield near, far
    finally:
        command("ip", "address", "flush", "dev", near, check=False)
        command("ip", "netns", "delete", "igb_rs-a", check=False)
        wait_for(lambda: ports[1].name is not None, 10)
        command("ip", "link", "set", ports[1].name or far, "up", check=False)


SINK = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
peer, _ = server.accept()
if sys.argv[3] == "send":
    import time
    end = time.monotonic() + float(sys.argv[4])
    while time.monotonic() < end:
        peer.sendall(bytes(65536))
else:
    while peer.recv(1 << 20):
        pass
"""


def tcp(seconds, backwards, far="igb_rs-a", address=FAR):
    """Mb/s between here and a namespace."""
    arguments = ["ip", "netns", "exec", far, sys.executable, "-c", SINK, address, str(TCP_PORT)]
    arguments += ["send" if backwards else "receive", str(seconds)]
    moved = 0
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as server:
        stop = threading.Timer(seconds + 30, server.kill)
        stop.start()
        try:
            server.stdout.readline()
            with socket.create_connection((address, TCP_PORT), 10) as sock:
                begin = time.monotonic()
                while time.monotonic() < begin + seconds + 1:
                    if backwards:
                        piece = len(sock.recv(1 << 20))
                    elif time.monotonic() < begin + seconds:
                        piece = sock.send(bytes(65536))
                    else:
                        piece = 0
                    moved += piece
                    if piece == 0:
                        break
                took = time.monotonic() - begin
        finally:
            stop.cancel()
            server.kill()
    return moved * 8 / 1e6 / max(took, 0.001)


def virtual_functions(ports, _options, report):
    """Virtual functions: they come, reach the port, obey limits, and go"""
    port = ports[0]
    if not Path(port.path, "sriov_totalvfs").exists():
        raise NotTried("the machine has no SR-IOV: see the firmware's setup")
    port.write("sriov_numvfs", 2)
    try:
        virtual = (port.path / "virtfn0").resolve()
        if not wait_for(lambda: list(virtual.glob("net/*")), 10):
            raise NotTried("no driver for VFs: is igbvf there?")
        name = next(virtual.glob("net/*")).name
        command("ip", "netns", "add", "igb_rs-vf0")
        command("ip", "link", "set", name, "netns", "igb_rs-vf0")
        netns("igb_rs-vf0", "ip", "address", "add", f"{FAR}/24", "dev", name)
        netns("igb_rs-vf0", "ip", "link", "set", name, "up")
        command("ip", "address", "add", f"{NEAR}/24", "dev", port.name)
        if not carrier(port.name):
            raise NotTried("no link: VFs have none either")
        if not wait_for(far_answers, 20):
            raise Failed("the port and its VF do not reach each other")
        report.note(f"TCP to the VF: {tcp(3, False, 'igb_rs-vf0'):.0f} Mb/s")
        command("ip", "link", "set", port.name, "vf", "0", "max_tx_rate", "100")
        limited = tcp(3, True, "igb_rs-vf0")
        report.note(f"TCP from the VF, limited to 100 Mb/s: {limited:.0f} Mb/s")
        command("ip", "link", "set", port.name, "vf", "0", "max_tx_rate", "0")
        forged(name)
        events = counters(port.name)
        report.note({n: v for n, v in events.items() if n.startswith("vf0_") and v})
        report.note(command("ip", "-s", "link", "show", port.name).stdout)
    finally:
        command("ip", "address", "flush", "dev", port.name, check=False)
        command("ip", "netns", "delete", "igb_rs-vf0", check=False)
        port.write("sriov_numvfs", 0)
    if port.numvfs:
        raise Failed("VFs do not go")


def forged(name):
    """Frames of the VF with the source of another."""
    script = (
        "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW);"
        f"s.bind(('{name}', 0));"
        "[s.send(b'\\xff' * 6 + b'\\x02\\x00\\x00\\x00\\x99\\x99' + b'\\x88\\xb5' + bytes(60))"
        " for _ in range(10)]"
    )
    netns("igb_rs-vf0", "python3", "-c", script)


def look(clock):
    """The machine's clock before, the other one, and the machine's after it, in ns: the quickest of ten looks."""
    looks = (
        (time.monotonic_ns(), time.clock_gettime_ns(clock), time.monotonic_ns()) for _ in range(10)
    )
    return min(looks, key=lambda look: look[2] - look[0])


def clock(ports, _options, report):
    """The clock"""
    for port in ports:
        found = sorted(path.name for path in (port.path / "ptp").glob("ptp*"))
        if not found:
            raise NotTried("the driver has no clock")
        fd = os.open(f"/dev/{found[0]}", os.O_RDONLY)
        try:
            number = (~fd << 3) | 3
            looks = []
            for _ in range(6):
                looks.append(look(number))
                time.sleep(1)
        finally:
            os.close(fd)
        first, last = looks[0], looks[-1]
        passed = last[1] - first[1]
        # Of the machine's clock at least and at most so much has passed: other programs may come between.
        slowest, fastest = passed / (last[2] - first[0]) - 1, passed / (last[0] - first[2]) - 1
        report.note(
            f"{found[0]} is {slowest * 1e6:+.1f} to {fastest * 1e6:+.1f} ppm off the machine's clock"
        )
        report.note(command("ethtool", "-T", port.name).stdout)
        if any(a[1] >= b[1] for a, b in itertools.pairwise(looks)):
            raise Failed("the clock does not go on by itself")
        if slowest > 1e-3 or fastest < -1e-3:
            raise Failed("the clock goes at another rate than the machine's")


def errors(ports, _options, report):
    """Errors of the bus, and what the kernel says"""
    bad = []
    for port in ports:
        for kind in ("correctable", "nonfatal", "fatal"):
            path = port.path / f"aer_dev_{kind}"
            if path.exists():
                text = path.read_text(encoding="ascii")
                total = re.search(r"TOTAL_ERR_\w+ (\d+)", text)
                report.note(f"AER, {kind}: {total[1] if total else '?'}")
                if kind != "correctable" and total and int(total[1]):
                    bad.append(f"{total[1]} {kind} errors of the bus")
    log = driver_log()
    report.note(log)
    bad += re.findall(r"(?:BUG|WARNING|Oops).*", log)
    if bad:
        raise Failed("; ".join(bad))


STEPS = (
    identity,
    registers,
    phy,
    self_tests,
    link,
    module_memory,
    alone,
    traffic,
    virtual_functions,
    clock,
    errors,
)
