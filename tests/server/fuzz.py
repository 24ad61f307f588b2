"""Coverage-guided fuzzing (Atheris, libFuzzer) of what a request goes through, without sockets and without a disk.

`python -m tests.server.fuzz [-runs=N] [CORPUS]`. The first byte says in how many pieces the rest arrives.
"""

from __future__ import annotations

import json
import sys

import atheris
from atheris import import_hook

with import_hook.instrument_imports(include=["observatory"]):
    from observatory.events import compose, take_apart
    from observatory.http.parser import RequestReader
    from observatory.http.responses import refusal_answer
    from observatory.identity import PeerCredentials
    from observatory.service.routes import Route, route

PEER = PeerCredentials(1, 2, 3, (4,))


def one(data: bytes) -> None:
    """Everything between the bytes of a connection and the lines of its events; raises if anything doesn't hold."""
    reader = RequestReader()
    step = max(1, data[0] * len(data) // 255) if data else 1
    for place in range(1, len(data), step):
        reader.feed(data[place : place + step])
        if reader.refusal is not None:
            answer = refusal_answer(reader.refusal)
            assert answer.split(b"\r\n\r\n")[1].count(b"\n") == 1
            break
    for request in reader.requests:
        found = route(request.method, request.target)
        name = found.parameters.get("event", [None])[0] if isinstance(found, Route) else None
        line = compose(1, 2, "now", name, PEER, take_apart(request.body)).line
        assert b"\n" not in line
        said = json.loads(line.decode())
        assert (said["_id"], said["_peer_uid"], said["_peer_groups"]) == (1, 2, [4])
        assert all(not key.startswith("_") for key in list(said)[7:] if key not in {"_raw", "_value"})
    reader.let_go()


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
