# SPDX-License-Identifier: GPL-2.0
"""tests/env: which kernel is taken. apt is replaced by a few lines."""

import os
import subprocess
from pathlib import Path

import pytest

ENV = Path(__file__).resolve().parents[1] / "env"


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/bash\n" + text, encoding="utf-8")
    path.chmod(0o755)


# ---- which kernel ----------------------------------------------------------------------------

APT_CACHE = """
while [[ $1 == -o ]]; do shift 2; done
case $1 in
pkgnames) cut -d ' ' -f 1 "$MIRROR" | sort -u | grep "^$2" ;;
show)
    name=${*: -1}
    grep "^$name " "$MIRROR" | while read -r package version _; do
        printf 'Package: %s\\nVersion: %s\\n' "$package" "$version"
        # More than a pipe holds: whoever stops reading is noticed.
        printf 'Description: %0100000d\\n\\n' 0
    done || exit
    grep -q "^$name " "$MIRROR" ;;
*) exit 1 ;;
esac
"""

APT_GET = """
while [[ $1 == -o ]]; do shift 2; done
[[ $1 == download ]] || exit 1
echo "$2" >>"$MIRROR.downloaded"
compiler=$(sed -n "s/^$2 [^ ]* //p" "$MIRROR")
[[ $compiler != broken ]] || exit 100
tree=$(mktemp -d)
mkdir -p "$tree/usr/src/$2"
echo "CONFIG_RUSTC_VERSION_TEXT=\\"$compiler\\"" >"$tree/usr/src/$2/.config"
tar --create --file "$2.deb" --directory "$tree" .
"""

COMPILER = "rustc 1.85.0 (4d91de4e4 2025-02-17)"


class Mirror:
    """What apt says of a mirror with some kernels; one that was built with another compiler than
    the root's is (release, compiler)."""

    def __init__(self, directory):
        self.directory = directory
        self.file = directory / "mirror"
        self.lines = []
        script(directory / "bin/apt-cache", APT_CACHE)
        script(directory / "bin/apt-get", APT_GET)
        script(directory / "bin/dpkg-deb", 'cat "$2"\n')
        script(directory / "bin/rustc", f"echo '{COMPILER}'\n")

    def has(self, release, compiler=COMPILER, source=True, headers=True):
        version = release.split("+")[0] + "-1"
        series = release.rpartition(".")[0] if "+" not in release else release.split("+")[0]
        series = ".".join(series.split(".")[:2])
        self.lines.append(f"linux-image-{release} {version}")
        if headers:
            self.lines.append(f"linux-headers-{release} {version} {compiler}")
        if source:
            self.lines.append(f"linux-source-{series} {version}")
        return self

    def choose(self, *series):
        """Status, what was chosen, what was said, and the notice."""
        self.file.write_text("".join(f"{line}\n" for line in self.lines), encoding="utf-8")
        wanted = self.directory / "kernel.series"
        wanted.write_text("# a comment\n\n" + "\n".join(series) + "\n", encoding="utf-8")
        notice = self.directory / "notice"
        done = subprocess.run(
            [
                "bash",
                "-c",
                f"set -euo pipefail; apt=(-o Some::Thing=1); notice={notice}; "
                f". {ENV}/kernel-choice.sh; choose_kernel {wanted}",
            ],
            check=False,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PATH": f"{self.directory}/bin:{os.environ['PATH']}",
                "MIRROR": str(self.file),
            },
        )
        said = notice.read_text(encoding="utf-8") if notice.exists() else ""
        return done.returncode, done.stdout.split(), done.stderr, said

    def downloaded(self):
        return (self.directory / "mirror.downloaded").read_text(encoding="utf-8").split()


@pytest.fixture
def mirror(tmp_path):
    return Mirror(tmp_path)


NEWER = "7.4 deb13-amd64 7.4.1+deb13-amd64"
OLDER = "7.3 deb13-amd64 7.3.4+deb13-amd64"


def test_the_usual_release_is_taken_without_a_word(mirror):
    mirror.has("7.3.4+deb13-amd64").has("7.3.9+deb13-amd64")
    assert mirror.choose(OLDER) == (0, ["7.3", "7.3.4+deb13-amd64"], "", "")


def test_without_it_the_newest_of_the_series(mirror):
    """By version, not by letters; of that flavour only; with one line about it."""
    for release in ("7.3.9", "7.3.12", "7.3.10"):
        mirror.has(f"{release}+deb13-amd64")
    mirror.has("7.3.13+deb13-cloud-amd64").has("7.30.1+deb13-amd64").has("7.4.1+deb13-amd64")
    status, chosen, _, notice = mirror.choose(OLDER)
    assert (status, chosen) == (0, ["7.3", "7.3.12+deb13-amd64"])
    assert notice.count("\n") == 1
    assert "7.3.12+deb13-amd64" in notice and "7.3.4+deb13-amd64" in notice


def test_the_newest_series_the_mirror_has(mirror):
    mirror.has("7.3.4+deb13-amd64").has("7.4.2+deb13-amd64")
    assert mirror.choose(NEWER, OLDER)[1] == ["7.4", "7.4.2+deb13-amd64"]


def test_an_older_series_if_the_mirror_has_no_newer_one(mirror):
    mirror.has("7.3.4+deb13-amd64")
    status, chosen, _, notice = mirror.choose(NEWER, OLDER)
    assert (status, chosen) == (0, ["7.3", "7.3.4+deb13-amd64"])
    assert "7.4.1+deb13-amd64" in notice


def test_an_older_series_if_the_newer_has_another_compiler(mirror):
    mirror.has("7.4.1+deb13-amd64", "rustc 1.99.0").has("7.3.4+deb13-amd64")
    status, chosen, said, notice = mirror.choose(NEWER, OLDER)
    assert (status, chosen) == (0, ["7.3", "7.3.4+deb13-amd64"])
    assert "rustc 1.99.0" in said and "rustc 1.99.0" in notice


def test_an_older_release_if_the_newer_has_another_compiler(mirror):
    mirror.has("7.3.6+deb13-amd64", "rustc 1.99.0").has("7.3.5+deb13-amd64")
    assert mirror.choose(OLDER)[1] == ["7.3", "7.3.5+deb13-amd64"]


@pytest.mark.parametrize(
    "lack", [{"source": False}, {"headers": False}, {"compiler": "broken"}], ids=str
)
def test_a_release_that_is_not_all_there_is_passed_over(mirror, lack):
    mirror.has("7.3.4+deb13-amd64", **lack).has("7.3.3+deb13-amd64")
    assert mirror.choose(OLDER)[1] == ["7.3", "7.3.3+deb13-amd64"]


def test_no_more_is_downloaded_than_needed(mirror):
    mirror.has("7.3.4+deb13-amd64").has("7.3.9+deb13-amd64")
    mirror.choose(OLDER)
    assert mirror.downloaded() == ["linux-headers-7.3.4+deb13-amd64"]


def test_none_is_an_error_that_says_what_to_do(mirror):
    mirror.has("7.3.4+deb13-amd64", "rustc 1.99.0").has("7.9.1+deb13-amd64")
    status, chosen, said, _ = mirror.choose(NEWER, OLDER)
    assert (status, chosen) == (1, [])
    for words in (
        "7.4.*+deb13-amd64: not on the mirror",
        "7.3.4+deb13-amd64: it was built with 'rustc 1.99.0'",
        COMPILER,
        "The mirror has: 7.9.1+deb13-amd64",
        "tests/env/kernel.series",
        "IGB_RS_MIRROR",
        "make clean-cache",
    ):
        assert words in said


def test_a_mirror_without_kernels(mirror):
    status, _, said, _ = mirror.choose(OLDER)
    assert status == 1 and "no kernel of Debian" in said


def test_the_series_file_has_what_the_choice_needs():
    listed = subprocess.run(
        ["bash", "-c", f". {ENV}/kernel-choice.sh; series_of {ENV}/kernel.series"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert listed
    for line in listed:
        series, flavour, release = line.split()
        assert release.startswith(f"{series}.") and release.endswith(f"+{flavour}")
