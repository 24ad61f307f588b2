"""`harness shell` on a terminal: a shell in the world, as the one who was refused."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.oracle import predict, rules_of
from harness.scenarios import find
from harness.world import Attempt, Principal

if TYPE_CHECKING:
    from harness.engines.protocol import Engine, Place

ROOT = Path(__file__).parents[3]


def on_a_terminal(typed: str, *arguments: str) -> tuple[int, str]:
    """Run the command on a terminal of its own, type, and give its exit status and all that the terminal shows."""
    main, terminal = pty.openpty()
    settings = termios.tcgetattr(terminal)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
    with os.fdopen(terminal, "rb") as held:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", *arguments],
            stdin=held,
            stdout=held,
            stderr=held,
            cwd=ROOT,
            start_new_session=True,
        )
    os.write(main, typed.encode())
    shown = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:  # EIO: nobody holds the terminal any more
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    return process.wait(), shown.decode(errors="replace").replace("\r\n", "\n")


def test_a_shell_is_the_user_in_the_world_on_a_real_terminal(engine: Engine) -> None:
    status, shown = on_a_terminal(
        "test -t 0 && echo on a terminal\nid -u; id -G\nls /home/ali\npwd\nexit 5\n",
        *("shell", "docker-sock-gid-mismatch", "--as", "ci", "--engine", engine.name),
    )
    assert status == 5, shown
    lines = shown.splitlines()
    assert any(line.endswith("on a terminal") for line in lines), shown
    assert any(line.endswith("1500") for line in lines), shown
    assert any(line.endswith("1500 1001") for line in lines), shown


@pytest.mark.parametrize("user", ["unprivileged-root", "worker", "root"])
def test_the_way_in_gives_the_user_the_capabilities_of_the_world(place: Place, user: str) -> None:
    world = find("rootless-docker-nobody").world
    place.build(world)
    attempt = Attempt(user, "connect", world.attempts[0].path)
    (decision,) = predict(world, [attempt], rules_of(place.facts))
    connect = f"import socket; socket.socket(socket.AF_UNIX).connect({attempt.path!r})"
    done = subprocess.run(
        [*place.interactive(world.principal(user))[:-1], "python3", "-c", connect],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (decision.outcome == "ok"), done.stderr
    assert done.returncode == 0 or "PermissionError" in done.stderr


def test_a_capability_that_was_given_reaches_the_shell(place: Place) -> None:
    place.build(find("home-0750").world)
    for capabilities, status in ((frozenset({"CAP_DAC_READ_SEARCH"}), 0), (frozenset[str](), 2)):
        principal = Principal(2000, 2000, (), capabilities)
        done = subprocess.run(
            [*place.interactive(principal)[:-1], "ls", "/home/ali/app"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
