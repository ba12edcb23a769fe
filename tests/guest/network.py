# SPDX-License-Identifier: GPL-2.0
"""The interfaces and namespaces of the test network.

network.py links                        what each interface is, by name
network.py wait UP SECONDS <hosts       until all [{"name", "netns"}, ...] have carrier, and are
                                        operational; UP 0: until none has carrier
network.py device PCI SECONDS           waits for the interface of a PCI function; its name
network.py attach SECONDS CARRIER <hosts
                                        [{"pci", "name", "netns", "addresses"}, ...]: waits for
                                        each interface, names it, moves it into its namespace,
                                        which is made if it is not there, addresses it and brings
                                        it up; then waits CARRIER seconds, if not 0, for all
network.py detach SECONDS <names        kills what runs in the namespaces, removes them and waits
                                        until interfaces of devices have come back from there;
                                        null: all
"""

import contextlib
import errno
import os
import select
import time

import namespaces
from by_hand import by_hand
from netlink import RTNLGRP_LINK, Netlink

# The kernel tells when an interface changes, but not always at once.
POLL_MILLISECONDS = 20


class Watch:
    """Changes of interfaces in some namespaces."""

    def __init__(self, netns):
        self.events = [Netlink(name, groups=1 << RTNLGRP_LINK - 1).socket for name in netns]
        self.poll = select.poll()
        for events in self.events:
            events.setblocking(False)
            self.poll.register(events, select.POLLIN)

    def until(self, condition, seconds, what):
        """Waits until the condition returns something true, and returns that."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > end:
                raise SystemExit(f"{what()} within {seconds} s")
            self.poll.poll(POLL_MILLISECONDS)
            for events in self.events:
                with contextlib.suppress(BlockingIOError, OSError):  # there may be too many
                    while events.recv(1 << 16):
                        pass
        return found


def wait(hosts, up, seconds):
    queries = {netns: Netlink(netns) for netns in {host["netns"] for host in hosts}}
    others = []

    def is_so(host):
        try:
            link = queries[host["netns"]].link(host["name"])
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return False
        return link["carrier"] and link["running"] if up else link["carrier"] is False

    def all_are():
        others[:] = [host for host in hosts if not is_so(host)]
        return not others

    Watch(queries).until(
        all_are,
        seconds,
        lambda: (
            ("no carrier: " if up else "carrier: ") + ", ".join(host["name"] for host in others)
        ),
    )


def device(pci):
    """Name of the interface of a PCI function, or of a virtio device on it, or None."""
    base = f"/sys/bus/pci/devices/{pci}"
    with contextlib.suppress(OSError):
        for below in (
            base,
            *(f"{base}/{name}" for name in os.listdir(base) if name.startswith("virtio")),
        ):
            with contextlib.suppress(OSError):
                return os.listdir(f"{below}/net")[0]
    return None


def wait_device(pci, seconds):
    """Its name. An interface is seen in sysfs a little before it can be asked for."""
    route = Netlink()

    def name():
        found = device(pci)
        return found if found in route.links() else None

    return Watch([None]).until(name, seconds, lambda: f"{pci} has no interface")


def attach(hosts, seconds, carrier):
    end = time.monotonic() + seconds
    route = Netlink()
    for host in hosts:
        name = wait_device(host["pci"], max(0, end - time.monotonic()))
        index = route.link(name)["index"]
        route.change(index, up=False, name=host["name"])
        there = route
        if host["netns"]:
            there = _hand_over(route, index, host["netns"])
            index = there.link(host["name"])["index"]
        for address in host["addresses"]:
            there.add_address(index, address)
        there.change(index, up=True)
    if carrier:
        wait(hosts, True, carrier)


def _hand_over(route, index, netns):
    """Gives an interface to a namespace; a socket there."""
    if netns not in namespaces.names():
        namespaces.create(netns)
        Netlink(netns).change(1, up=True)  # lo
    fd = os.open(f"{namespaces.DIRECTORY}/{netns}", os.O_RDONLY)
    route.change(index, netns_fd=fd)
    os.close(fd)
    return Netlink(netns)


def _driver(link):
    bus, name = link["device"]
    return os.path.basename(os.path.realpath(f"/sys/bus/{bus}/devices/{name}/driver"))


def _tell_igbvf(order, device):
    # The device may have gone meanwhile.
    with contextlib.suppress(OSError), open(f"/sys/bus/pci/drivers/igbvf/{order}", "w") as file:
        file.write(device)


def detach(names, seconds):
    # A VF that is up without a carrier may be reset by igbvf, now or soon. That does not exclude the
    # close of its interface, which a namespace that goes does: igbvf then waits for its NAPI for ever,
    # with the RTNL held. Its removal does wait for the reset.
    everything = names is None
    names = [name for name in namespaces.names() if names is None or name in names]
    links = [link for name in names for link in Netlink(name).links().values()]
    devices = [link["device"] for link in links if link["device"][1]]
    unsafe = [
        link["device"][1]
        for link in links
        if _driver(link) == "igbvf" and link["up"] and (everything or not link["carrier"])
    ]
    watch, route = Watch([None]), Netlink()
    for device in unsafe:
        _tell_igbvf("unbind", device)
    namespaces.remove(names, seconds)
    for device in unsafe:
        _tell_igbvf("bind", device)
    away = []

    def are_back():
        """Whether they are, or their devices have gone."""
        here = [link["device"] for link in route.links().values()]
        away[:] = [
            name
            for bus, name in devices
            if [bus, name] not in here and os.path.isdir(f"/sys/bus/{bus}/devices/{name}")
        ]
        return not away

    watch.until(are_back, seconds, lambda: "not back from a namespace: " + ", ".join(away))


def answer(arguments, value):
    verb, *arguments = arguments
    if verb == "links":
        return Netlink().links()
    if verb == "wait":
        return wait(value, arguments[0] == "1", float(arguments[1]))
    if verb == "device":
        return wait_device(arguments[0], float(arguments[1]))
    if verb == "attach":
        return attach(value, *map(float, arguments))
    if verb == "detach":
        return detach(value, float(arguments[0]))
    raise SystemExit(__doc__)


if __name__ == "__main__":
    by_hand(answer)
