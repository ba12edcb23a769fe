# SPDX-License-Identifier: GPL-2.0
"""The next kernel of a guest: one that takes over from the running one without firmware (kexec), or one that waits in
memory of its own until the running one crashes (kdump). It boots with the same initramfs, so the agent comes back and
whatever could be run before can be run again."""

from __future__ import annotations

from harness import Guest, images
from harness.guest import BOOT_SECONDS
from harness.machine import TIMER

# Memory for the kernel of crashes, its initramfs and what it unpacks of that.
RESERVED = "crashkernel=384M"
# What kdump-tools of Debian has such a kernel told, but for what is for its own initramfs.
AFTER_A_CRASH = "reset_devices nr_cpus=1 irqpoll"


def load(guest: Guest, crash: bool = False):
    """Loads the kernel of this guest once more, with its initramfs: the next one, or that of a crash."""
    config = guest.config
    own = config.driver == "igb_rs" and not config.boots.has_driver
    module = config.boots.module if own else None
    guest.put("/tmp/vmlinuz", config.boots.vmlinuz.read_bytes())
    guest.put("/tmp/initrd", images.initramfs(config.boots, module, config.image))
    cmdline = (
        "console=ttyS0 loglevel=4 panic=-1 rdinit=/init iomem=relaxed modprobe.blacklist=igb "
        f"{TIMER} {config.boots.cmdline} {AFTER_A_CRASH if crash else ''}"
    )
    guest.run(
        f"kexec --kexec-file-syscall {'--load-panic' if crash else '--load'} /tmp/vmlinuz"
        f" --initrd=/tmp/initrd --command-line='{cmdline.strip()}' && rm /tmp/vmlinuz /tmp/initrd",
        120,
    )


def go_on(guest: Guest, command: str):
    """Runs what ends the kernel that is running, and waits for the next one."""
    guest.agent.start(command)
    guest.agent.wait_ready(BOOT_SECONDS * guest.slowness)


def execute(guest: Guest):
    """Ends the kernel as a shutdown does, and starts the next one. Interfaces stay up until their drivers are told."""
    go_on(guest, "kexec --exec --no-ifdown")


def crash(guest: Guest):
    """Ends the kernel where it is: no driver is told, and no device is stopped. The last of its processors goes on,
    and what devices still have to say goes to the first.

    Else the next kernel may stand still, whatever the driver. While it sets up its local APIC, vectors 48 to 63 are
    those of ISA's interrupts, whose handler ends them at the i8259 alone. A function that uses one of them, which takes
    some fifteen vectors on a processor, and interrupts then, leaves it in service for good: no other interrupt up to
    63 comes any more, and the disk's is the first to be missed."""
    guest.run("for file in /proc/irq/*/smp_affinity_list; do echo 0 >$file; done 2>/dev/null; true")
    # A vector moves when it interrupts for the next time.
    guest.run("sleep 1")
    go_on(guest, f"taskset -c {guest.config.smp - 1} sh -c 'echo c >/proc/sysrq-trigger'")
