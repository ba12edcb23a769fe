# SPDX-License-Identifier: GPL-2.0
"""The patches: made as commits in a tree of their own, and applied to others by git."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
import tomllib
from pathlib import Path

import state
import tree

# Lines of a commit message.
COLUMNS = 75


def git(directory: Path, *arguments: str, identity: str = "") -> str:
    """One command of git, without the settings of whoever runs it."""
    name, _, email = identity.rstrip(">").partition(" <")
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": name or "nobody" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": email or "nobody@localhost" for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(
        ["git", "-c", "core.autocrlf=false", *arguments],
        cwd=directory,
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments[:2])} in {directory}:\n{done.stdout}")
    return done.stdout


def prepare(source: Path, directory: Path):
    """A tree with the files the series changes as its first commit."""
    tree.make(source, directory)
    history(directory)


def history(directory: Path):
    """The first commit of a tree."""
    git(directory, "init", "-q", "-b", "series")
    paths = [*tree.COPIED, *(name for name in tree.TOUCHED if not name.endswith("/"))]
    git(directory, "add", "--force", *paths)
    git(directory, "commit", "-q", "-m", "the kernel's source")
    git(directory, "tag", "base")


def message(patch: state.Patch) -> str:
    paragraphs = patch.message.strip().split("\n\n")
    return "\n\n".join([patch.title, *(textwrap.fill(text, COLUMNS) for text in paragraphs)]) + "\n"


def write(directory: Path, files: dict[Path, str], before: set[Path]):
    """Makes the tree what `files` says; `before` is what the last state had."""
    for name in before - files.keys():
        (directory / name).unlink()
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def commit(directory: Path, source: Path, files: dict[Path, str], identity: str):
    """A commit for each patch, in a tree that was prepared."""
    before: set[Path] = set()
    for patch, now in state.states(files, source, identity):
        write(directory, now, before)
        before = set(now)
        git(directory, "add", *map(str, now))
        git(directory, "commit", "-q", "--signoff", "-m", message(patch), identity=identity)


def export(directory: Path, patches: Path, identity: str) -> list[Path]:
    """Writes the patches, and a letter about all of them."""
    shutil.rmtree(patches, ignore_errors=True)
    patches.mkdir(parents=True)
    git(
        directory,
        "format-patch",
        "-q",
        "--cover-letter",
        "--base=base",
        "-o",
        str(patches.resolve()),
        "base",
        identity=identity,
    )
    cover = tomllib.loads((state.HERE / "patches.toml").read_text())["cover"]
    (letter,) = patches.glob("0000-*")
    text = letter.read_text().replace("*** SUBJECT HERE ***", cover["subject"])
    letter.write_text(text.replace("*** BLURB HERE ***", cover["message"].strip()))
    return sorted(path for path in patches.glob("*.patch") if path != letter)


def begin(directory: Path):
    """Back to the source without a patch, whatever was going on."""
    shutil.rmtree(directory / ".git/rebase-apply", ignore_errors=True)
    git(directory, "checkout", "-q", "--force", "base")


def apply(directory: Path, patches: list[Path]):
    """As a maintainer would: each patch by git am."""
    git(directory, "am", "-q", *(str(path.resolve()) for path in patches))


def content(directory: Path) -> str:
    """What stands for the files of a tree."""
    return git(directory, "rev-parse", "HEAD^{tree}").strip()
