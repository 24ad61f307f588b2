"""docs/notify.md names what there is, and its command does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from observatory.cli.main import parser
from observatory.notify.occasions import KINDS, USUAL
from tests.helpers.documents import code_blocks

TEXT = (Path(__file__).parents[4] / "docs" / "notify.md").read_text(encoding="utf-8")


def test_its_kinds_and_channels_are_those_that_there_are() -> None:
    named = re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE)
    assert named[: len(KINDS)] == list(KINDS)
    assert " and ".join([", ".join(f"`{kind}`" for kind in USUAL[:-1]), f"`{USUAL[-1]}`"]) in TEXT
    options = parser().parse_args(["notify"])
    for channel in named[len(KINDS) :]:
        name = channel.split()[0].removeprefix("--")
        assert hasattr(options, "program" if name == "command" else name)


def test_its_command_rings() -> None:
    (command,) = code_blocks(TEXT, "sh")
    done = subprocess.run([sys.executable, "-m", *command.split()], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\a")
