# SPDX-License-Identifier: GPL-2.0
"""Network namespaces with names, as `ip netns` has them. For processes of one thread."""

import contextlib
import os
import signal
import time

DIRECTORY = "/run/netns"
MS_BIND, MS_REC, MS_SLAVE, MS_SHARED = 1 << 12, 1 << 14, 1 << 19, 1 << 20
MNT_DETACH = 2


def _call(name, *arguments):
    """A function of the C library. What loads that is loaded when it is needed."""
    import ctypes

    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)


def _mount(source, target, kind, flags):
    _call("mount", source.encode(), target.encode(), kind.encode(), flags, None)


def _unmount(target):
    _call("umount2", target.encode(), MNT_DETACH)


@contextlib.contextmanager
def inside(name):
    """In the network of a namespace for a while (None: where one is). Sockets made there stay there;
    /sys is not changed."""
    if name is None:
        yield
        return
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    _join(name)
    try:
        yield
    finally:
        os.setns(before, os.CLONE_NEWNET)
        os.close(before)


def _join(name):
    fd = os.open(f"{DIRECTORY}/{name}", os.O_RDONLY)
    os.setns(fd, os.CLONE_NEWNET)
    os.close(fd)


def mount_sysfs():
    """For this process and what it starts: the /sys of the namespace it is in, as `ip netns exec` has
    it."""
    os.unshare(os.CLONE_NEWNS)
    _mount("", "/", "none", MS_SLAVE | MS_REC)
    _unmount("/sys")
    _mount("sysfs", "/sys", "sysfs", 0)


def create(name):
    """`ip netns add`. The calling process stays where it is."""
    os.makedirs(DIRECTORY, exist_ok=True)
    try:
        _mount("", DIRECTORY, "none", MS_SHARED | MS_REC)
    except OSError:  # no mount point yet
        _mount(DIRECTORY, DIRECTORY, "none", MS_BIND | MS_REC)
        _mount("", DIRECTORY, "none", MS_SHARED | MS_REC)
    path = f"{DIRECTORY}/{name}"
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.unshare(os.CLONE_NEWNET)
    try:
        _mount("/proc/self/ns/net", path, "none", MS_BIND)
    finally:
        os.setns(before, os.CLONE_NEWNET)
        os.close(before)


def names():
    return sorted(os.listdir(DIRECTORY)) if os.path.isdir(DIRECTORY) else []


def _processes(inodes):
    """Those in namespaces with these inode numbers."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if entry.isdigit() and os.stat(f"/proc/{entry}/ns/net").st_ino in inodes:
                found.append(int(entry))
    return found


def remove(wanted, seconds):
    """Kills whatever runs in the namespaces, and removes them."""
    present = set(names())
    wanted = [name for name in wanted if name in present]
    inodes = {os.stat(f"{DIRECTORY}/{name}").st_ino for name in wanted}
    end = time.monotonic() + seconds
    while inodes and (processes := _processes(inodes)):
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if time.monotonic() > end:
            raise SystemExit(f"processes {processes} cannot be killed")
        time.sleep(0.005)
    for name in wanted:
        _unmount(f"{DIRECTORY}/{name}")
        os.unlink(f"{DIRECTORY}/{name}")
