"""What `harness run --json` prints of a real run is what its schema says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.cli.main import main
from tests.helpers.outputs import unseen, wrong

if TYPE_CHECKING:
    import pytest

    from harness.engines.protocol import Engine


def test_a_run_prints_what_its_schema_says(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "home-0750", "--engine", engine.name, "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (wrong("run", printed), unseen("run", printed)) == ([], set())
