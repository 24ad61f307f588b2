"""What a subcommand of the harness does not need it does not import: that takes longer than what it does."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """
import contextlib, sys
from harness.cli.main import main
with contextlib.suppress(SystemExit):
    main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
"""
LIBRARIES = {"rich", "tomlkit", "docker", "testcontainers", "hypothesis", "uv", "pytest"}


def loaded(*words: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


def test_the_help_imports_no_subcommand() -> None:
    ours = {name for name in loaded("--help") if name.partition(".")[0] in {"harness", "observatory"}}
    assert ours == {"harness", "harness.cli", "harness.cli.main", "harness.cli.ending"}


@pytest.mark.skipif(sys.platform != "linux", reason="explain looks at Linux")
def test_explain_imports_no_library_and_nothing_that_makes_or_follows() -> None:
    names = loaded("explain", "/", "--uid", "4711")
    assert "harness.live.judgement" in names
    assert not names & LIBRARIES
    parts = (
        "harness.inside.agent",
        "harness.cli.following",
        "harness.engines.registry",
        "harness.trials",
        "harness.trace",
    )
    assert not {name for name in names if name.startswith(parts)}
    assert not names & {"asyncio", "subprocess", "http.client", "logging", "json", "platform", "tomllib"}
