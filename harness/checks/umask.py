"""umask: the socket's mode does not depend on the umask that the server happens to be started under."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check, Finding, broken, held, not_applicable
from harness.testbed.server import StartError

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = (
    "Started under umask 000, 022, 077 or 777, the socket has the same mode, the one that was asked for. (Under "
    "777, where a process can't use the files that it makes, not to start is as safe.)"
)
UMASKS = (0o000, 0o022, 0o077, 0o777)
USUAL, USELESS = 0o022, 0o777


def attack(testbed: Testbed) -> Finding:
    """Start it under each umask and read the mode."""
    if testbed.subject.mode_by == "umask":
        return not_applicable("it has no option for the mode: the umask is the only way to ask for one")
    if testbed.no_path:
        return not_applicable(testbed.no_path)
    if testbed.subject.activated:
        return not_applicable("it does not make its socket: whoever starts it does")
    modes: dict[str, str] = {}
    refused = ""
    for umask in UMASKS:
        if umask == USUAL and testbed.finished is not None:  # the first start was under it
            modes[f"{umask:03o}"] = f"{testbed.finished['mode']:04o}"
            continue
        testbed.lay()
        try:
            with testbed.serve(umask=umask) as running:
                there = testbed.look(running.endpoint)[running.endpoint]
                modes[f"{umask:03o}"] = "none" if there is None else f"{there['mode']:04o}"
        except StartError as error:
            if umask != USELESS:
                return broken(f"under umask {umask:03o} {error}", modes=modes)
            refused = f"; under umask {umask:03o} it does not start ({error})"
    if len({*modes.values()}) == 1 and testbed.subject.at_most:
        return held(f"{next(iter(modes.values()))} under umask {', '.join(modes)}{refused}", modes=modes)
    wrong = [f"{mode} under umask {umask}" for umask, mode in modes.items() if mode != f"{testbed.mode:04o}"]
    if wrong:
        return broken(f"{testbed.mode:04o} should be the mode; it is {', '.join(wrong)}", modes=modes)
    return held(f"{testbed.mode:04o} under umask {', '.join(modes)}{refused}", modes=modes)


CHECK = Check("umask", HOLDS, attack)
