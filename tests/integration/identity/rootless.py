"""Play every case in a place that an ordinary user has made, run by that user: one JSON line for each.

`case`; `unplayable`: why it can't be played there, or `null`; `faults`: what each of three servers got wrong, by name:
`observatory`, `bare`, and the bare listener with the case's `mistake`.
"""

from __future__ import annotations

import json
import sys

from harness.engines.registry import choose
from tests.helpers.installation import mounts
from tests.integration.identity.conftest import BARE, OBSERVATORY, UnplayableError, staged
from tests.integration.identity.test_identity_cases import CASES, Case

CONFINED = {Case("sibling", 1, "own"): "pid", Case("from-outside", 4, "own"): "user"}
"""Cases for a server in namespaces of its own, and in which."""
PLAYED = (*CASES, *CONFINED, Case("remapped", 5, "speaker"))


def main(source: str, libraries: str) -> None:
    """Play the cases with the server's source and the libraries that it needs."""
    with choose("namespace").open(mounts=mounts(libraries, source)) as place, staged(place) as stage:
        for case in PLAYED:
            servers = {"observatory": OBSERVATORY, "bare": BARE, "mistake": [*BARE, case.mistake]}
            faults = {}
            unplayable = None
            for name, command in servers.items():
                try:
                    faults[name] = stage.play(case.name, stage.server(command, CONFINED.get(case))).faults(case.events)
                except UnplayableError as why:
                    unplayable = str(why)
            print(json.dumps({"case": case.name, "unplayable": unplayable, "faults": faults}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
