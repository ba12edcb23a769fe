# SPDX-License-Identifier: GPL-2.0
"""Test guest: a stock kernel in QEMU with an 82576 under test and a peer of another model.

    from harness import Config, Guest

    with Guest(Config(driver="igb_rs")) as guest:
        guest.load()                                  # the driver under test
        guest.run("ip link set dut up")               # raises CommandFailed when rc != 0
        guest.run("ethtool dut", timeout=10, netns=None, check=False).rc
        guest.read("/sys/class/net/dut/mtu")          # by a process that is there already

The modules, lowest first: `cpio` and `images` prepare what is booted, `accel` picks the
accelerator, `machine` is the QEMU process, `agent` and `shell` run commands in it, `guest` joins
them, `nested` gives it guests of its own, `topology` names the interfaces and builds namespaces,
`traffic` sends and measures, `health` judges kernel log and device model traces, `report` shows
the steps of a demonstration.
"""

from .agent import AgentGone, CommandFailed, Result
from .config import Config
from .guest import Guest

__all__ = ["AgentGone", "CommandFailed", "Config", "Guest", "Result"]
