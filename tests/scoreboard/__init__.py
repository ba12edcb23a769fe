# SPDX-License-Identifier: GPL-2.0
"""The kernel's own scripts for network drivers, unmodified, with C igb and with igb_rs.

scripts.toml     which scripts there are, and what each needs
scoreboard.json  what became of each sub-test with each driver; written by `make scoreboard`
reasons.toml     why a sub-test does not pass
"""
