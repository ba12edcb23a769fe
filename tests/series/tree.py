# SPDX-License-Identifier: GPL-2.0
"""A kernel tree to apply patches to, without a copy of the kernel.

What the series changes is real: `rust/`, and the files and directories of TOUCHED. All else is links
to the source of the kernel. git knows the real files alone, so that a commit takes a moment.
"""

from __future__ import annotations

import shutil
from pathlib import Path

# Copied as a whole: crates are spread over all of it.
COPIED = ("rust",)
# Files that are changed, and directories that get new entries.
TOUCHED = (
    "MAINTAINERS",
    "Documentation/networking/device_drivers/ethernet/index.rst",
    "Documentation/networking/device_drivers/ethernet/intel/",
    "drivers/net/ethernet/intel/Kconfig",
    "drivers/net/ethernet/intel/Makefile",
    "drivers/net/Kconfig",
)


def make(source: Path, tree: Path):
    """Fills `tree`, which is not there yet. Paths of links are those of `source`."""
    tree.mkdir(parents=True)
    for name in COPIED:
        shutil.copytree(source / name, tree / name, symlinks=True)
    for name in TOUCHED:
        directory = Path(name) if name.endswith("/") else Path(name).parent
        for part in (*reversed(directory.parents), directory):
            (tree / part).mkdir(exist_ok=True)
        if not name.endswith("/"):
            shutil.copy2(source / name, tree / name)
    for directory in [tree, *(path for path in tree.rglob("*") if path.is_dir())]:
        if directory.relative_to(tree).parts[:1] in [(name,) for name in COPIED]:
            continue
        for entry in (source / directory.relative_to(tree)).iterdir():
            link = directory / entry.name
            if not link.exists():
                link.symlink_to(entry)
