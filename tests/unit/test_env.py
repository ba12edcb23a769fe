# SPDX-License-Identifier: GPL-2.0
"""tests/env: which kernel is taken; that products are made when they are missing or damaged, once,
and not while they are in use; and products made beside a command. Nothing is downloaded or
compiled: the scripts that do it are replaced by a line each."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ENV = Path(__file__).resolve().parents[1] / "env"

# A limit for what takes a moment.
SOON = 60


def until(condition, what="what is waited for"):
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)


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


def test_a_kernel_of_another_suite_is_built_with_its_compilers():
    """And the one that every run of the tests builds for is not of that kind."""
    asked = """
    ENV_DIR=$1; . $1/toolchain.sh; . $1/other-kernel.sh
    for release in $(awk '/^[0-9]/ { print $2 }' $1/kernel.matrix); do
        IGB_RS_RELEASE=$release ROOT=usual CACHE=cache
        toolchain_path() { echo $1; }
        echo $release $(other_root)
    done
    older_release
    """
    *lines, older = subprocess.run(
        ["bash", "-euc", asked, "asked", ENV], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    roots = dict(line.split() for line in lines)
    assert roots["7.3.4+deb13-rt-amd64"] == "usual"
    assert {root for name, root in roots.items() if "deb13" not in name} == {"sid/root"}
    assert roots[older] == "usual"


# ---- the cache -------------------------------------------------------------------------------

REAL = (
    *("env", "lib.sh", "cache.sh", "manifest.sh", "beside.sh", "await"),
    *("qemu.sh", "qemu.series", "toolchain.sh"),
)

PROVIDER = """
build_{name}() {{ step "work on {name}" "$STUBS/{name}" "$1"; }}
{name}_key() {{ key "$STUBS/{name}.input"; }}
{name}_path() {{ echo "$CACHE/{name}-$({name}_key)"; }}
provide_{name}() {{
    product {name} "$({name}_key)" "{name}" build_{name}
    {variable}=$({name}_path)
}}
"""

DEBUG_KERNEL = """
build_debug_kernel() { step "work on $FLAVOUR" "$STUBS/$FLAVOUR" "$1"; }
debug_kernel_path() { echo "$CACHE/$1-kernel-1"; }
provide_debug_kernel() {
    local FLAVOUR=$1
    product "$1-kernel" 1 "kernel $1" build_debug_kernel
}
"""

QEMU = """
build_qemu() { step "work on $QEMU_SUITE" "$STUBS/qemu" "$1"; }
"""

OTHER_KERNEL = """
older_release() { echo 7.2.1; }
other_kernel_path() { echo "$CACHE/other-kernel-$1"; }
"""

SERIES_KERNEL = """
series_kernel_path() { echo "$CACHE/series-kernel-1"; }
"""

CRATES = """
provide_crates() { :; }
seed_crates() { :; }
"""

# Instead of mounts, links below a directory of this call.
CHROOT = """
shift
while [[ $1 != -- ]]; do
    mkdir -p "$(dirname "$IGB_RS_TOP${1##*:}")"
    ln -sfn "${1%:*}" "$IGB_RS_TOP${1##*:}"
    shift
done
shift
exec "$@"
"""

BUSYBOX = """
rmdir "$5"
exec ln -sn "$4" "$5"
"""


class Environment:
    """A clone with a cache of its own, whose products are a few files."""

    def __init__(self, directory):
        self.directory = directory
        self.cache = directory / "cache"
        self.stubs = directory / "stubs"
        self.tops = 0
        self.processes = []
        target = directory / "clone/tests/env"
        target.mkdir(parents=True)
        for name in REAL:
            shutil.copy2(ENV / name, target / name)
        (target / "mirror.sh").write_text("NAMESPACE=()\n", encoding="utf-8")
        (target / "bootstrap.sh").touch()
        script(target / "chroot.sh", CHROOT)
        script(directory / "bin/busybox", BUSYBOX)
        for name in ("root", "python", "kernel", "guest", "vm", "debian"):
            text = PROVIDER.format(name=name, variable=name.upper())
            (target / f"{name}.sh").write_text(text, encoding="utf-8")
        (target / "debug-kernel.sh").write_text(DEBUG_KERNEL, encoding="utf-8")
        (target / "other-kernel.sh").write_text(OTHER_KERNEL, encoding="utf-8")
        (target / "crates.sh").write_text(CRATES, encoding="utf-8")
        with open(target / "qemu.sh", "a", encoding="utf-8") as file:
            file.write(QEMU)
        (target / "series-kernel.sh").write_text(SERIES_KERNEL, encoding="utf-8")
        for name in ("root", "python", "kernel", "guest", "vm", "debug", "kcsan", "debian"):
            (self.stubs / name).parent.mkdir(exist_ok=True)
            (self.stubs / f"{name}.input").write_text("1\n", encoding="utf-8")
            self.makes(name, "")
        self.env = target / "env"
        self.await_ = target / "await"

    def makes(self, name, command):
        """What is done to make a product, besides noting it and writing files of it."""
        script(
            self.stubs / name,
            f"""set -e
echo {name} >>"$STUBS/made"
mkdir -p "$1/directory"
echo content >"$1/file"
echo content >"$1/directory/file"
ln -s file "$1/directory/link"
{command}
""",
        )

    def made(self):
        """What was made so far, in order."""
        noted = self.stubs / "made"
        return noted.read_text(encoding="utf-8").split() if noted.exists() else []

    def path(self, name):
        """Of the product in the cache."""
        [path] = self.cache.glob(f"{name}-[0-9a-f]*")
        return path

    def start(self, *arguments, **options):
        self.tops += 1
        top = self.directory / f"top{self.tops}"
        top.mkdir()
        process = subprocess.Popen(
            # An interrupt may be ignored where tests are started in the background.
            ["env", "--default-signal=INT", self.env, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={
                **os.environ,
                "PATH": f"{self.directory}/bin:{os.environ['PATH']}",
                "IGB_RS_CACHE": str(self.cache),
                "IGB_RS_TOP": str(top),
                "IGB_RS_PAUSE": "1",
                "TMPDIR": str(self.directory),
                "STUBS": str(self.stubs),
                "AWAIT": str(self.await_),
            },
            **options,
        )
        process.top = top
        self.processes.append(process)
        return process

    def run(self, *arguments, status=0):
        """What was said."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=SOON)
        assert process.returncode == status, output
        return output

    def using(self):
        """A command in the root, which ends when it is told to."""
        self.flag("end").unlink(missing_ok=True)
        process = self.start(
            "enter",
            "bash",
            "-c",
            'touch "$STUBS/runs"; until [[ -e $STUBS/end ]]; do sleep 0.05; done',
        )
        until(self.flag("runs").exists, "the command")
        self.flag("runs").unlink()
        return process

    def flag(self, name):
        return self.stubs / name

    def ended(self, process):
        """Waits for it; what it said."""
        output, _ = process.communicate(timeout=SOON)
        assert process.returncode == 0, output
        return output

    def close(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()


@pytest.fixture
def env(tmp_path):
    environment = Environment(tmp_path)
    yield environment
    environment.close()


USUAL = ["root", "python", "kernel", "guest"]


def test_what_is_missing_is_made_once(env):
    env.run("prepare")
    assert env.made() == USUAL
    assert env.run("prepare") == "" and env.made() == USUAL


def test_a_changed_input_makes_another_product(env):
    env.run("prepare")
    (env.stubs / "kernel.input").write_text("# a comment\n1\n", encoding="utf-8")
    env.run("prepare")
    assert env.made() == USUAL
    (env.stubs / "kernel.input").write_text("2\n", encoding="utf-8")
    env.run("prepare")
    assert env.made() == [*USUAL, "kernel"]


def truncate(product):
    (product / "directory/file").write_text("", encoding="utf-8")


def write_again(product):
    """The same size, another date."""
    os.utime(product / "directory/file", (1, 1))


def corrupt(product):
    """The same size and date, at the top of the product."""
    stat = (product / "file").stat()
    (product / "file").write_text("CONTENT\n", encoding="utf-8")
    os.utime(product / "file", ns=(stat.st_atime_ns, stat.st_mtime_ns))


DAMAGES = {
    "a file is gone": (
        lambda product: (product / "directory/file").unlink(),
        "directory/file is gone",
    ),
    "a link is gone": (
        lambda product: (product / "directory/link").unlink(),
        "directory/link is gone",
    ),
    "a directory is gone": (
        lambda product: shutil.rmtree(product / "directory"),
        "directory is gone",
    ),
    "a file is cut off": (truncate, "directory/file has changed"),
    "a file has another date": (write_again, "directory/file has changed"),
    "a file has other content": (corrupt, "file has changed"),
    "it was never finished": (lambda product: (product / ".manifest").unlink(), "not finished"),
    "its list is empty": (lambda product: (product / ".manifest").write_text(""), "is cut off"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_seen_and_mended(env, damage):
    env.run("prepare")
    break_it, words = DAMAGES[damage]
    break_it(env.path("kernel"))
    said = env.run("prepare")
    assert "damaged" in said and words in said
    assert env.made() == [*USUAL, "kernel"]
    assert env.run("prepare") == "" and env.made() == [*USUAL, "kernel"]


def test_what_use_leaves_behind_is_no_damage(env):
    """In a toolchain root things are mounted and written while it is used."""
    env.makes(
        "root",
        'mkdir -p "$1"/root/{usr/bin,etc,tmp,src,var/lib}; echo 1 >"$1/root/usr/bin/gcc"; '
        'echo 1 >"$1/root/etc/resolv.conf"; echo 1 >"$1/root/var/lib/status"',
    )
    env.run("prepare")
    root = env.path("root") / "root"
    for left in ("etc/resolv.conf", "tmp/file", "vm/file", "var/lib/status", "var/log/file"):
        (root / left).parent.mkdir(parents=True, exist_ok=True)
        (root / left).write_text("more than before\n", encoding="utf-8")
    (root / "usr/bin/__pycache__").mkdir()
    assert env.run("prepare") == ""
    (root / "usr/bin/gcc").unlink()
    assert "root/usr/bin/gcc is gone" in env.run("prepare")


def test_a_build_that_fails_leaves_nothing_but_its_log(env):
    env.makes("kernel", "echo 'no space left'; exit 3")
    said = env.run("prepare", status=1)
    assert "no space left" in said and str(env.cache / "log/kernel.log") in said
    assert not list(env.cache.glob("kernel-*")) and not list(env.cache.glob("partial/*"))
    env.makes("kernel", "")
    env.run("prepare")
    assert env.path("kernel").is_dir()


def test_a_build_that_was_killed_is_done_again(env):
    env.makes("kernel", ': >"$STUBS/started"; exec sleep 600')
    process = env.start("prepare")
    until(env.flag("started").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert list(env.cache.glob("partial/kernel-*"))
    env.makes("kernel", "")
    assert "damaged" not in env.run("prepare")
    assert env.made() == [*USUAL, "kernel"] or env.made() == [
        "root",
        "python",
        "kernel",
        "kernel",
        "guest",
    ]
    assert not list(env.cache.glob("partial/*"))


def test_an_interrupted_build_removes_what_it_made(env):
    env.makes("kernel", ': >"$STUBS/started"; exec sleep 600')
    process = env.start("prepare")
    until(env.flag("started").exists)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=SOON)
    assert process.returncode == 130
    assert not list(env.cache.glob("kernel-*")) and not list(env.cache.glob("partial/*"))


def test_two_at_once_make_each_product_once(env):
    env.makes("root", "sleep 0.5")
    env.makes("kernel", "sleep 0.5")
    both = [env.start("prepare") for _ in range(3)]
    said = [env.ended(process) for process in both]
    assert sorted(env.made()) == sorted(USUAL)
    assert any("being made by another process" in text for text in said)


def test_a_damaged_product_stays_while_it_is_used(env):
    env.run("prepare")
    user = env.using()
    product = env.path("kernel")
    (product / "directory/file").unlink()
    other = env.start("prepare")
    lock = env.cache / "lock" / f"{product.name}.use"
    until(lambda: waits_for(lock), "the one that waits")
    assert (product / "file").exists() and env.made() == USUAL
    env.flag("end").touch()
    env.ended(user)
    assert "waiting for the end of its use" in env.ended(other)
    assert env.made() == [*USUAL, "kernel"]


def waits_for(lock):
    """Whether a process waits for this lock."""
    inode = f":{lock.stat().st_ino} "
    locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any("->" in line and inode in line for line in locks)


def test_an_emptied_cache_is_filled_again(env):
    env.run("prepare")
    env.run("clean")
    assert not list(env.cache.iterdir())
    env.run("prepare")
    assert env.made() == USUAL * 2


def test_the_cache_is_not_emptied_while_it_is_used(env):
    user = env.using()
    said = env.run("clean", status=1)
    assert "in use" in said and f"{user.pid} " in said
    assert env.path("kernel").is_dir()
    env.flag("end").touch()
    env.ended(user)
    env.run("clean")
    assert not list(env.cache.glob("kernel-*"))


def test_it_is_in_use_until_the_last_process_ends(env):
    """Also one that the command has left behind."""
    env.run("enter", "bash", "-c", "sleep 600 >/dev/null 2>&1 & echo $! >$STUBS/left")
    assert "in use" in env.run("clean", status=1)
    os.kill(int(env.flag("left").read_text(encoding="ascii")), signal.SIGKILL)
    until(lambda: not env.start("clean").wait(SOON), "the end of its use")


# ---- beside a command ------------------------------------------------------------------------


# ---- another QEMU ----------------------------------------------------------------------------


def qemus():
    """Suite and version of each line of qemu.series."""
    lines = (ENV / "qemu.series").read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def qemu_of(env):
    """What a command in the root is told of QEMU, and where its own places are for that."""
    process = env.start("enter", "bash", "-c", 'env | grep "^IGB_RS_QEMU_" | sort || true')
    return env.ended(process).splitlines()[-2:], process.top / "run/qemu"


@pytest.mark.parametrize("given", [None, "", qemus()[0][0], qemus()[0][1]])
def test_the_usual_qemu_is_no_product(env, monkeypatch, given):
    if given is not None:
        monkeypatch.setenv("IGB_RS_QEMU", given)
    env.run("prepare")
    told, place = qemu_of(env)
    assert told == [] and not place.exists() and env.made() == USUAL


@pytest.mark.parametrize("given", [qemus()[1][0], qemus()[1][1], qemus()[1][1].split(".")[0]])
def test_a_suite_has_a_qemu_of_its_own(env, monkeypatch, given):
    """By its name, its version or the first digits of it; made once."""
    env.makes("qemu", 'mkdir "$1/root"')
    monkeypatch.setenv("IGB_RS_QEMU", given)
    for _ in range(2):
        told, place = qemu_of(env)
        assert told == [
            "IGB_RS_QEMU_PROGRAM=/usr/bin/qemu-system-x86_64",
            "IGB_RS_QEMU_ROOT=/run/qemu",
        ]
        assert place.resolve() == env.path("qemu") / "root"
        for name in ("src", "cache", "kernel", "guest", "tmp", "dev"):
            assert (place / name).is_symlink()
    assert env.made() == [*USUAL, "qemu"]


def test_a_program_is_run_among_the_directories_of_this_host(env, monkeypatch):
    monkeypatch.setenv("IGB_RS_QEMU", "/bin/sh")
    told, place = qemu_of(env)
    assert told == ["IGB_RS_QEMU_PROGRAM=/bin/sh", "IGB_RS_QEMU_ROOT=/run/qemu"]
    assert (place / "usr").resolve() == Path("/usr")
    assert (place / "src").resolve() == env.directory / "clone"
    assert env.made() == USUAL


@pytest.mark.parametrize("given", ["10.9", "bullseye", "1", "/no/such/program", "/etc/passwd"])
def test_a_qemu_that_is_not_known_is_an_error(env, monkeypatch, given):
    monkeypatch.setenv("IGB_RS_QEMU", given)
    said = env.run("enter", "true", status=1)
    assert f"error: QEMU={given} is n" in said
    assert given.startswith("/") or all(suite in said for suite, _ in qemus())


def test_the_command_does_not_wait_for_what_is_made_beside_it(env):
    env.makes("vm", "until [[ -e $STUBS/runs ]]; do sleep 0.05; done")
    env.run("enter", "--meanwhile", "vm", "bash", "-c", 'touch "$STUBS/runs"; "$AWAIT" vm')
    assert env.made() == [*USUAL, "vm"]
    assert env.path("vm").is_dir()


def test_what_was_waited_for_is_in_its_place(env):
    for product, place in (("vm", "vm"), ("debug", "debug-kernel")):
        said = env.run(
            "enter", "--meanwhile", product, "bash", "-c",
            f'[[ ! -e $IGB_RS_TOP/{place} ]] && "$AWAIT" {product} && cat "$IGB_RS_TOP/{place}/file"',
        )  # fmt: skip
        assert "content" in said


def test_what_is_there_is_not_made_and_not_waited_for(env):
    env.run("prepare")
    env.run("vm")
    before = env.made()
    said = env.run(
        "enter", "--meanwhile", "vm", "bash", "-c", 'cat "$IGB_RS_TOP/vm/file"; "$AWAIT" vm'
    )
    assert said == "content\n" and env.made() == before


@pytest.mark.parametrize("first, second", [("vm", "debug"), ("debug", "vm")])
def test_one_after_the_other_in_the_order_of_the_options(env, first, second):
    env.makes(first, f'sleep 0.5; echo "{first} is done" >>"$STUBS/made"')
    env.run(
        "enter", "--meanwhile", first, "--meanwhile", second, "bash", "-c",
        f'"$AWAIT" {second} && "$AWAIT" {first}',
    )  # fmt: skip
    assert env.made() == [*USUAL, first, first, "is", "done", second]


def test_one_that_fails_does_not_keep_the_next_from_being_made(env):
    env.makes("vm", "exit 3")
    env.run(
        "enter", "--meanwhile", "vm", "--meanwhile", "debug", "bash", "-c",
        '! "$AWAIT" vm && "$AWAIT" debug',
    )  # fmt: skip
    assert env.made() == [*USUAL, "vm", "debug"]


def test_what_nobody_will_need_is_not_begun(env):
    said = env.run(
        "enter", "--meanwhile", "debug", "--meanwhile", "vm", "bash", "-c",
        'touch "$IGB_RS_TOP/run/beside/vm.unwanted"; "$AWAIT" debug && ! "$AWAIT" vm',
    )  # fmt: skip
    assert "vm is not in the cache, and was left out" in said
    assert env.made() == [*USUAL, "debug"]


def test_a_failure_is_told_with_its_reason_and_its_log(env):
    env.makes("debug", "echo 'no such option'; exit 3")
    said = env.run("enter", "--meanwhile", "debug", "bash", "-c", '"$AWAIT" debug', status=1)
    assert "no such option" in said and str(env.cache / "log/debug-kernel.log") in said
    assert "make debug-kernel" in said


def test_a_maker_that_was_killed_is_a_failure(env):
    env.makes("vm", 'echo $PPID >"$STUBS/maker"; sleep 600')
    process = env.start("enter", "--meanwhile", "vm", "bash", "-c", '"$AWAIT" vm')
    maker = env.flag("maker")
    until(lambda: maker.exists() and maker.read_text(encoding="ascii"))
    os.killpg(os.getpgid(int(maker.read_text(encoding="ascii"))), signal.SIGKILL)
    output, _ = process.communicate(timeout=SOON)
    assert process.returncode == 1 and "its process was ended" in output


def test_waiting_shows_how_far_it_is(env):
    env.makes("vm", "until [[ -e $STUBS/end ]]; do sleep 0.05; done")
    process = env.start("enter", "--meanwhile", "vm", "bash", "-c", '"$AWAIT" vm')
    # Before the maker has said a word, the first lines have none.
    told = any("work on vm" in line for line in process.stdout if line.startswith("vm, waited for"))
    env.flag("end").touch()
    assert told
    assert process.wait(SOON) == 0


def test_what_nobody_makes_is_not_waited_for(env):
    said = env.run("enter", "bash", "-c", '"$AWAIT" vm', status=1)
    assert "make prepare-vm" in said


ENDS = {
    "it ends": ("exit 7", None, 7),
    "it is interrupted": ("sleep 600", signal.SIGINT, 130),
    "it is terminated": ("sleep 600", signal.SIGTERM, 143),
}


def processes_of(session):
    """Those of a session that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("end", ENDS)
def test_what_is_made_beside_a_command_ends_with_it(env, end):
    """With no process left, nothing made by half, and no lock held."""
    command, sent, status = ENDS[end]
    env.makes("vm", ': >"$STUBS/started"; exec sleep 600')
    process = env.start(
        "enter", "--meanwhile", "vm", "bash", "-c",
        f'until [[ -e $STUBS/started ]]; do sleep 0.05; done; touch "$STUBS/runs"; {command}',
    )  # fmt: skip
    until(env.flag("runs").exists)
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)  # as a terminal does
    elif sent:
        os.kill(process.pid, sent)
    output, _ = process.communicate(timeout=SOON)
    assert process.returncode == status, output
    assert not processes_of(process.pid)
    assert not list(env.cache.glob("vm-*")) and not list(env.cache.glob("partial/*"))
    assert not list(env.directory.glob("tmp.*"))
    env.run("clean")


def test_what_is_made_beside_a_command_ends_if_that_is_killed(env):
    env.makes("vm", ': >"$STUBS/started"; exec sleep 600')
    process = env.start("enter", "--meanwhile", "vm", "sleep", "600")
    until(env.flag("started").exists)
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not list(env.cache.glob("partial/*")), "the end of what was being made")


def test_what_was_made_beside_a_command_is_kept_while_that_runs(env):
    process = env.start(
        "enter", "--meanwhile", "vm", "bash", "-c",
        '"$AWAIT" vm; touch "$STUBS/runs"; until [[ -e $STUBS/end ]]; do sleep 0.05; done',
    )  # fmt: skip
    until(env.flag("runs").exists)
    product = env.path("vm")
    (product / "directory/file").unlink()
    other = env.start("vm")
    until(lambda: waits_for(env.cache / "lock" / f"{product.name}.use"), "the one that waits")
    assert (product / "file").exists()
    env.flag("end").touch()
    env.ended(process)
    env.ended(other)


# ---- crates of the host tests ----------------------------------------------------------------


def test_a_clone_without_target_directory_begins_with_the_crates(tmp_path):
    crates = tmp_path / "crates/target/debug/deps/libproptest.rlib"
    crates.parent.mkdir(parents=True)
    crates.write_text("compiled", encoding="utf-8")
    host = tmp_path / "clone/tests/host"
    host.mkdir(parents=True)
    seed = f'CLONE={tmp_path}/clone CRATES={tmp_path}/crates; . "{ENV}/crates.sh"; seed_crates'

    subprocess.run(["bash", "-euc", seed], check=True)
    mine = host / "target/debug/deps" / crates.name
    assert mine.read_text(encoding="utf-8") == "compiled"
    assert mine.stat().st_mtime_ns == crates.stat().st_mtime_ns, "else cargo compiles it anew"

    # What is there stays, and nothing is left beside it.
    mine.write_text("newer", encoding="utf-8")
    subprocess.run(["bash", "-euc", seed], check=True)
    assert mine.read_text(encoding="utf-8") == "newer"
    assert [path.name for path in host.iterdir()] == ["target"]
