"""A world of a size that nobody writes by hand: many users, many attempts, deep paths, long names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.place import Engine
    from harness.plugin import Tally

USERS, ATTEMPTS = 1000, 10
DEEP = "/srv" + "/d" * 199
LONG = "/srv" + ("/" + "n" * 249) * 15 + "/" + "m" * 245
SECONDS = 30.0
"""Of processor time, a third of which is enough where nothing else runs; how long it takes is not in our hands here."""
MEGABYTES = 160
"""More than a run of one attempt takes (about 60), less than if each attempt kept a world."""


def world_file(path: Path) -> None:
    """Write it by hand: tomlkit is made for files that people edit."""
    lines = ['name = "size"', "[groups]", "staff = 50"]
    for number in range(USERS):
        lines += [f"[users.u{number}]", f"uid = {10_000 + number}"]
        lines += ['groups = ["staff"]'] if number % 3 == 0 else []
    for place, rest in (
        ("/srv/d", 'kind = "directory"\ngroup = "staff"\nmode = "0750"'),
        (DEEP, 'kind = "socket"\nmode = "0666"'),
        (LONG, 'kind = "file"'),
        ("/run/app.sock", 'kind = "socket"\ngroup = "staff"\nmode = "0660"'),
    ):
        lines += ["[[nodes]]", f'path = "{place}"', rest]
    for number in range(USERS):
        for operation, place in (*[("connect", "/run/app.sock")] * 4, *[("stat", DEEP)] * 3, *[("stat", LONG)] * 3):
            lines += ["[[attempts]]", f'user = "u{number}"', f'operation = "{operation}"', f'path = "{place}"']
    path.write_text("\n".join(lines), encoding="utf-8")


def test_ten_thousand_attempts_of_a_thousand_users_are_made_and_judged_in_little_time_and_memory(
    engine: Engine, tmp_path: Path, tally: Tally, record_property: Callable[[str, object], None]
) -> None:
    assert DEEP.count("/") == 200
    assert len(LONG) == 4000
    world_file(tmp_path / "size.toml")
    started = time.monotonic()
    with (tmp_path / "out").open("wb") as out:
        command = [sys.executable, "-m", "harness", "run", str(tmp_path / "size.toml"), "--json"]
        process = subprocess.Popen([*command, "--engine", engine.name], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    summary = json.loads((tmp_path / "out").read_bytes().splitlines()[-1])
    tally(attempts=summary["attempts"])
    record_property("seconds", round(seconds, 1))
    assert (process.returncode, summary["attempts"], summary["disagreements"]) == (0, USERS * ATTEMPTS, 0)
    assert usage.ru_maxrss / 1024 < MEGABYTES
    assert usage.ru_utime + usage.ru_stime < SECONDS
