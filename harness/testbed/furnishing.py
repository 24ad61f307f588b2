"""What a server needs in its place before it starts: its configuration, written out; its data and state, copied."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from harness.engines.protocol import PlaceError
from harness.inside.agent.scratch import KEPT
from harness.subjects.subject import fill, fill_text
from harness.world import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.engines.protocol import Completed, Place
    from harness.subjects.subject import StartRequest, Subject
    from harness.world import Principal

WRITE = 'umask 022 && mkdir -p "$(dirname "$0")" && cat > "$0"'
COPY = 'umask 022 && mkdir -p "$(dirname "$1")" && cp -a "$0" "$1" && chown -R "$2:$3" "$1"'

KEEP = 'rm -rf "$1.new" && mkdir -p "$(dirname "$1")" && cp -a "$0" "$1.new" && mv "$1.new" "$1"'
SETTING_UP = 120.0
"""Seconds for a setup."""


def furnish(
    place: Place, subject: Subject, request: StartRequest, owner: Principal, environment: Mapping[str, str]
) -> None:
    """Write the configuration files, readable for all, and copy the data and what the setup made, which are then the
    server's user's. Raises PlaceError with a sentence.
    """
    kept = f"{KEPT}/{owner.uid}-{sha256(repr(subject.setup).encode()).hexdigest()[:16]}"
    is_set_up = bool(subject.setup) and place.run(["cp", "-a", f"{kept}/.", request.state], ROOT).status == 0
    for file in subject.configurations:
        path = fill_text(file.path, request)
        done = place.run(["sh", "-c", WRITE, path], ROOT, input=fill_text(file.text, request))
        _must(done, f"the configuration {path} can't be written in the place")
    for each in subject.data:
        path = fill_text(each.path, request)
        done = place.run(["sh", "-c", COPY, each.brought, path, str(owner.uid), str(owner.gid)], ROOT)
        _must(done, f"the data {path} can't be copied in the place")
    if subject.setup and not is_set_up:
        command = fill(subject.setup, request)
        done = place.run(command, owner, environment=environment, directory=request.state, timeout=SETTING_UP)
        _must(done, f"the setup {command[0]} ended with {done.status}")
        _must(
            place.run(["sh", "-c", KEEP, request.state, kept], ROOT), f"{request.state} can't be kept for other worlds"
        )


def _must(done: Completed, what: str) -> None:
    """Raises PlaceError if a command failed."""
    if done.status != 0:
        raise PlaceError(f"{what}: {' '.join((done.stderr.strip() or done.stdout).split())[-300:]}")
