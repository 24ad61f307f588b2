"""What is in the built files: nothing that they need is missing."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

import observatory
from tests.packaging.conftest import EXTRAS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

DATA = f"claude_observatory-{observatory.__version__}.data/data"


@pytest.fixture
def unpacked(sdist: Path, tmp_path: Path) -> Path:
    """The sdist's directory."""
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path], check=True)
    (top,) = tmp_path.iterdir()
    return top


def test_the_sdist_has_every_file_of_the_repository(unpacked: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout, so nothing says which files the repository has")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    there = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert sorted(set(tracked.split("\0")) - {""} - there) == []


def test_the_sdist_s_own_tests_run_in_it(unpacked: Path) -> None:
    """All are found, and those that look at files beside the packages pass."""
    python = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [*python, "--collect-only", "tests"], cwd=unpacked, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout[-3000:]
    beside = ["tests/unit/test_links.py", "tests/unit/test_command_references.py", "tests/unit/test_release.py"]
    done = subprocess.run([*python, *beside], cwd=unpacked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_wheel_puts_pages_completions_and_units_where_they_are_looked_for(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    pages = {f"{DATA}/share/man/man1/{page.name}" for page in (ROOT / "docs" / "man").glob("*.1")}
    assert len(pages) > 20
    expected = pages | {
        *(f"{DATA}/share/bash-completion/completions/{program}" for program in ("observatory", "harness")),
        *(f"{DATA}/share/fish/vendor_completions.d/{program}.fish" for program in ("observatory", "harness")),
        *(f"{DATA}/share/zsh/site-functions/_{program}" for program in ("observatory", "harness")),
        *(
            f"{DATA}/lib/systemd/{whose}/claude-observatory.{kind}"
            for whose in ("system", "user")
            for kind in ("service", "socket")
        ),
        f"{DATA}/share/claude-observatory/claude-plugin/.claude-plugin/plugin.json",
        f"{DATA}/share/claude-observatory/claude-plugin/hooks/hooks.json",
        "harness/containers/Dockerfile",
        "harness/scenarios/home-0750.toml",
        "harness/cli/completions/harness.fish",
        "observatory/py.typed",
    }
    assert sorted(expected - names) == []
    assert not [name for name in names if name.startswith(("tests/", "docs/", "release/"))]


def test_no_extra_but_their_own_brings_what_weighs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{DATA.removesuffix('.data/data')}.dist-info/METADATA").decode()
    for heavy, extras in {"uv": {"subjects"}, "hypothesis": set(), "testcontainers": {"docker"}}.items():
        lines = [line for line in metadata.splitlines() if re.match(rf"Requires-Dist: {heavy}\b", line)]
        assert {re.findall(r"extra == '([a-z]+)'", line)[0] for line in lines} == extras
    core = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert {line.split()[1].partition(">")[0] for line in core} == {"ahocorasick-rs", "httptools", "msgspec"}


def test_the_document_on_installation_names_every_extra() -> None:
    text = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `?([a-z]+)`? \|", text.partition("| extra |")[2].partition("\n## ")[0], re.MULTILINE)
    assert named == ["none", *EXTRAS]


def test_the_sdist_has_no_time_but_the_commits(sdist: Path) -> None:
    """What SOURCE_DATE_EPOCH says, or else hatchling's own constant, is the time of all that is in it."""
    with tarfile.open(sdist) as archive:
        assert len({member.mtime for member in archive.getmembers()}) == 1
    with gzip.open(sdist) as archive:
        assert archive.read(1)
