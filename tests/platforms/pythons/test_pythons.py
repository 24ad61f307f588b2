"""The main suite and the fleet's on the Pythons of Debian's releases: each in a root of its own, of Debian's packages.

What an interpreter does when a connection breaks differs between patch releases, and the fleet's suite breaks many.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.clean_machine import clean_machine
from tests.helpers.containers import run
from tests.helpers.debian_images import image_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container

ROOT = Path(__file__).parents[3]
RELEASES = {"bookworm": "3.11", "trixie": "3.13", "sid": "3.14"}
"""Each release and its Python."""
PACKAGES = ("python3", "python3-venv", "ca-certificates", "git", "procps", "passwd", "util-linux")


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """A clean machine of a release with a fresh checkout of the last commit in /checkout."""
    tmp_path.chmod(0o755)
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(checkout)], check=True)
    with clean_machine(image_of(request.param, PACKAGES), checkout, "/checkout", {}) as container:
        yield container


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("machine", "python"), RELEASES.items(), ids=RELEASES, indirect=["machine"])
def test_the_suites_pass(machine: Container, python: str) -> None:
    assert run(machine, ["python3", "--version"])[1].startswith(f"Python {python}.")
    script = "./noxw -s machine && ./noxw -s tests fleet -- -q"
    status, said = run(machine, ["sh", "-ec", script], {"CI": "true"})
    assert status == 0, said[-8000:]
    main, fleet = map(int, re.findall(r"(\d+) passed", said))
    assert (main > 1000, fleet > 50) == (True, True), said[-2000:]
