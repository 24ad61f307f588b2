from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from harness.oracle import quoted


@pytest.mark.parametrize(
    "name",
    ["/plain", "/with blank", "/caf\xe9", "/it's", "/a\nb", "/\x1b[2J", "/\udcff", "/\x85\u2028'\\", "/$(x)\t`y`"],
)
def test_a_shell_reads_back_the_very_name(name: str) -> None:
    word = quoted(name)
    assert word.isprintable()
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash: POSIX.1-2024's $'...' is not in every sh yet")
    done = subprocess.run([bash, "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(name)
