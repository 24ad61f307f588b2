"""Every line of shell that runs on other people's machines is one that each of their shells reads.

Scripts are for `sh`: dash on Debian, a ksh on OpenBSD, bash in POSIX mode on macOS. The workflows' steps are bash's,
which is 3.2 on macOS, or `sh`'s in the BSDs' machines; those of the action are for bash alone, as it says.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
SCRIPTS = [ROOT / "noxw", ROOT / ".ci" / "run"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"


def steps(paths: list[Path]) -> list[str]:
    """What they run, with a word for each expression of GitHub's."""
    found = []
    for path in paths:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            given = re.fullmatch(r"( *)(?:- )?(?:run|prepare): (.*)", line)
            if given is None:
                continue
            text, indent = given[2], len(given[1])
            if text in {"|", ">-", "|-", ">"}:
                block = []
                for each in lines[number + 1 :]:
                    if each.strip() and len(each) - len(each.lstrip()) <= indent:
                        break
                    block.append(each)
                text = ("\n" if "|" in text else " ").join(block)
            elif text.startswith('"'):
                text = json.loads(text)
            found.append(re.sub(r"\$\{\{.*?\}\}", "word", text))
    return found


@pytest.mark.parametrize("shell", [("bash", "--posix"), ("bash",), ("dash",)], ids=" ".join)
def test_each_shell_reads_each_script_and_each_step(need: Callable[[str, str], str], shell: tuple[str, ...]) -> None:
    command = [need(shell[0], shell[0]), *shell[1:], "-n"]
    lines = steps([*WORKFLOWS, ACTION] if shell == ("bash",) else WORKFLOWS)
    assert len(lines) > 10
    for text in [*(script.read_text() for script in SCRIPTS), *lines]:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), text
    assert subprocess.run(command, input="if true; fi", capture_output=True, text=True, check=False).returncode != 0


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_checkbashisms_finds_nothing_in_it(need: Callable[[str, str], str], script: Path) -> None:
    checker = need("checkbashisms", "devscripts")
    done = subprocess.run([checker, "--posix", "--extra", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
