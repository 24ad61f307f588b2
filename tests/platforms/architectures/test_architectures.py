"""The real code reads a real peer on other architectures: other byte orders, word sizes and option numbers.

Debian's own Pythons run under QEMU's user-mode emulation. What that proves: the code's own arithmetic, and that the
numbers are those which such a Python and such an emulator use. What it does not: the emulator translates each
system call for the kernel underneath, so no other kernel has answered here.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
CACHE = ROOT / ".cache" / "architectures"
SUITE = "bookworm"
"""Debian 12: the last one with mips64el."""

EMULATORS = {
    "arm64": "aarch64",
    "armhf": "arm",
    "i386": "i386",
    "s390x": "s390x",
    "ppc64el": "ppc64le",
    "mips64el": "mips64el",
}
"""Debian's name of each architecture, and QEMU's."""

EXPECTED = {
    "arm64": {"byteorder": "little", "SO_PEERCRED": 17, "SOL_SOCKET": 1},
    "armhf": {"byteorder": "little", "SO_PEERCRED": 17, "SOL_SOCKET": 1},
    "i386": {"byteorder": "little", "SO_PEERCRED": 17, "SOL_SOCKET": 1},
    "s390x": {"byteorder": "big", "SO_PEERCRED": 17, "SOL_SOCKET": 1},
    "ppc64el": {"byteorder": "little", "SO_PEERCRED": 21, "SOL_SOCKET": 1},
    "mips64el": {"byteorder": "little", "SO_PEERCRED": 18, "SOL_SOCKET": 0xFFFF},
}

everywhere = pytest.mark.parametrize("architecture", EMULATORS)
elsewhere = pytest.mark.parametrize("architecture", ["ppc64el", "mips64el"])


@functools.cache
def tree(architecture: str) -> Path:
    """The unpacked packages of one architecture's Python. Made once: a few seconds and 60 MB each."""
    made = CACHE / f"{SUITE}-{architecture}"
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as parent:
            being_made = Path(parent) / "tree"
            command = ["mmdebstrap", "--quiet", "--variant=extract", f"--architectures={architecture}"]
            # The release itself and not its updates: fewer indexes to fetch, and always the same Python.
            command += ["--setup-hook", 'sed -i "/-security/d; /-updates/d" "$1/etc/apt/sources.list"']
            done = subprocess.run(
                [*command, "--include=python3", SUITE, str(being_made)], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"mmdebstrap could not fetch {architecture}'s Python:\n{done.stderr}"
            # The loader's name is an absolute link on some architectures, and the emulator would follow it out of here.
            for link in (being_made / "lib64").glob("*"):
                target = link.readlink()
                link.unlink()
                link.symlink_to(Path("..") / target.relative_to("/"))
            try:
                being_made.rename(made)
            except OSError:  # another worker was faster
                assert made.exists()
    return made


@functools.cache
def reported(architecture: str, repository: Path) -> dict[str, Any]:
    """What the probe says when that architecture's Python runs it on the code in a repository."""
    prefix = tree(architecture)
    command = [f"qemu-{EMULATORS[architecture]}-static", "-L", str(prefix), str(prefix / "usr/bin/python3.11")]
    probe = Path(__file__).with_name("probe.py")
    done = subprocess.run(
        [*command, "-I", "-B", str(probe), str(repository)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture
def report(architecture: str, need: Callable[[str, str], str]) -> dict[str, Any]:
    """The probe's report on this repository's code."""
    need(f"qemu-{EMULATORS[architecture]}-static", "qemu-user-static")
    need("mmdebstrap", "mmdebstrap")
    return reported(architecture, ROOT)


def the_peer(report: dict[str, Any]) -> list[Any]:
    uid, gid, groups = report["ids"]
    return [report["child"], uid, gid, groups]


@everywhere
def test_the_peer_is_seen_as_who_it_is(architecture: str, report: dict[str, Any]) -> None:
    assert report["byteorder"] == EXPECTED[architecture]["byteorder"]
    assert report["seen"] == the_peer(report)


@everywhere
def test_the_tables_say_what_that_architectures_python_says(architecture: str, report: dict[str, Any]) -> None:
    assert {name: report["tables"][name] for name in report["python"]} == report["python"]
    for name in ("SO_PEERCRED", "SOL_SOCKET"):
        assert report["python"][name] == EXPECTED[architecture][name]


@everywhere
def test_a_python_without_the_constants_sees_the_same_peer(architecture: str, report: dict[str, Any]) -> None:
    assert report["seen by the tables alone"] == the_peer(report)


@everywhere
def test_the_peers_process_is_found_by_its_handle(architecture: str, report: dict[str, Any]) -> None:
    assert report["described"] == [report["child"], report["probe"]]


@elsewhere
def test_the_hard_coded_17_is_another_option_there(architecture: str, report: dict[str, Any]) -> None:
    """It gives 4 bytes and no error: code that did not look at the length would have read a uid out of nothing."""
    kind, value = report["seventeen"]

    assert (kind, len(value)) == ("bytes", 8)


@elsewhere
def test_code_with_the_hard_coded_17_would_be_seen_to_be_wrong(architecture: str, report: dict[str, Any]) -> None:
    assert report["seen by the hard-coded 17"] == [None, None, None, None] != the_peer(report)


def test_a_wrong_table_is_caught(need: Callable[[str, str], str], tmp_path: Path) -> None:
    """The deliberate fault: the same code, but for powerpc's exception. A Python without the constant is misled."""
    need("qemu-ppc64le-static", "qemu-user-static")
    need("mmdebstrap", "mmdebstrap")
    shutil.copytree(ROOT / "observatory", tmp_path / "observatory", ignore=shutil.ignore_patterns("__pycache__"))
    source = tmp_path / "observatory" / "identity" / "linux.py"
    right = source.read_text()
    wrong = right.replace('_POWERPC = {"SO_PEERCRED": 21}', '_POWERPC = {"SO_PEERCRED": 17}')
    assert wrong != right
    source.write_text(wrong)
    report = reported("ppc64el", tmp_path)

    assert report["seen by the tables alone"] != the_peer(report)
    assert report["tables"]["SO_PEERCRED"] != report["python"]["SO_PEERCRED"]
