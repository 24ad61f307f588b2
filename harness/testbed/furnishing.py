"""What a server needs in its place before it starts: its configuration, written out, and its data, copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.engines.protocol import PlaceError
from harness.subjects.subject import fill_text
from harness.world import ROOT

if TYPE_CHECKING:
    from harness.engines.protocol import Place
    from harness.subjects.subject import StartRequest, Subject
    from harness.world import Principal

WRITE = 'umask 022 && mkdir -p "$(dirname "$0")" && cat > "$0"'
COPY = 'umask 022 && mkdir -p "$(dirname "$1")" && cp -a "$0" "$1" && chown -R "$2:$3" "$1"'


def furnish(place: Place, subject: Subject, request: StartRequest, owner: Principal) -> None:
    """Write the configuration files, readable for all, and copy the data, which is then the server's user's.

    Raises PlaceError with a sentence.
    """
    for file in subject.configurations:
        path = fill_text(file.path, request)
        done = place.run(["sh", "-c", WRITE, path], ROOT, input=fill_text(file.text, request))
        if done.status != 0:
            raise PlaceError(f"the configuration {path} can't be written in the place: {done.stderr.strip()}")
    for each in subject.data:
        path = fill_text(each.path, request)
        done = place.run(["sh", "-c", COPY, each.brought, path, str(owner.uid), str(owner.gid)], ROOT)
        if done.status != 0:
            raise PlaceError(f"the data {path} can't be copied in the place: {done.stderr.strip()}")
