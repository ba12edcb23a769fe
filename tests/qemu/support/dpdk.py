# SPDX-License-Identifier: GPL-2.0
"""A VF in the hands of DPDK."""

from __future__ import annotations

import re

from harness.shell import Shell


class TestPmd:
    """A running dpdk-testpmd that echoes pings. Commands are those of its prompt. Runs on the threads
    `lcores` (as its option has them), with so many huge pages of 2 MiB reserved for it. Where there is
    no IOMMU the function is bound to uio_pci_generic, as Debian's vfio wants one."""

    __test__ = False
    OUTPUT, COMMANDS = "/tmp/testpmd.out", "/tmp/testpmd.in"

    def __init__(
        self,
        guest: Shell,
        pci: str,
        driver: str = "vfio-pci",
        lcores: str = "0-1",
        pages: int = 128,
    ):
        self.guest = guest
        guest.run(f"""
            rm -f {self.OUTPUT} {self.COMMANDS}; mkfifo {self.COMMANDS}
            echo {pages} >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
            mkdir -p /dev/hugepages; mountpoint -q /dev/hugepages ||
                mount -t hugetlbfs hugetlbfs /dev/hugepages
            modprobe {driver} || exit
            # An open device is told by its being enabled, which is what mapping its registers took.
            echo 0 >/sys/bus/pci/devices/{pci}/enable
            echo {driver} >/sys/bus/pci/devices/{pci}/driver_override
            echo {pci} >/sys/bus/pci/drivers_probe && test -e /sys/bus/pci/drivers/{driver}/{pci}""")
        # Keeps the pipe open between commands.
        self.feeder = guest.start(f"exec sleep 600 >{self.COMMANDS}", timeout=600)
        self.job = guest.start(
            f"exec stdbuf -oL dpdk-testpmd --lcores={lcores!r} -n 1 -m {2 * pages} -a {pci} "
            "--no-telemetry -- -i "
            "--forward-mode=icmpecho --nb-cores=1 --total-num-mbufs=4096 --no-lsc-interrupt "
            f"<{self.COMMANDS} >{self.OUTPUT} 2>&1",
            timeout=600,
        )
        self.wait_for("testpmd> ?$|Done", 90)

    def output(self) -> str:
        return self.guest.read(self.OUTPUT)

    def wait_for(self, pattern: str, seconds: float):
        try:
            self.guest.wait_until(f"grep -qE '{pattern}' {self.OUTPUT}", seconds)
        except Exception as error:
            raise AssertionError(f"no {pattern!r} in:\n{self.output()}") from error

    def run(self, *commands: str) -> str:
        """What testpmd says to some commands."""
        before = len(self.output())
        # The last is no command, which it says.
        for command in (*commands, "endmark"):
            self.guest.run(f"echo '{command}' >{self.COMMANDS}")
        self.guest.wait_until(
            f"tail -c +{before + 1} {self.OUTPUT} | grep -A1 endmark | grep -q 'not found\\|Bad'",
            30,
        )
        return self.output()[before:]

    def stopped(self, *commands: str) -> str:
        """The same while the port is stopped. Starting it again is a reset of the VF."""
        said = self.run("stop", "port stop 0", *commands)
        self.run("port start 0", "start")
        return said

    def received(self) -> int:
        """Packets so far."""
        return int(re.search(r"RX-packets:\s+(\d+)", self.run("show port stats 0"))[1])

    def quit(self):
        self.guest.run(f"echo quit >{self.COMMANDS}")
        self.job.wait(timeout=30)
        self.feeder.kill()
