"""Faults made on purpose, in a copy of the tree: each must fail a test of a target, which passes without it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.platforms.rehearsal.run import Rehearsal

COPIED = (
    "observatory",
    "harness",
    "tests",
    "docs",
    "contrib",
    "pyproject.toml",
    "noxfile.py",
    "README.md",
    "locks",
    "containers",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """In a file, a text that becomes another one, and the test that must fail then."""

    name: str
    target: str
    file: str
    text: str
    instead: str
    test: str
    options: tuple[str, ...] = ()


FAULTS: tuple[Fault, ...] = (
    Fault(
        "setresuid(2) is called",
        "darwin",
        "harness/inside/principal.py",
        'if sys.platform != "darwin" and hasattr(os, "setresuid"):',
        "if True:",
        "tests/integration/engines/test_places.py::test_a_process_is_who_it_was_started_as",
        ("--harness-engine", "host"),
    ),
    Fault(
        "/proc is read",
        "darwin",
        "harness/inside/agent/children.py",
        'if sys.platform != "linux":',
        "if False:",
        "tests/integration/engines/test_places.py::test_ids_of_thirty_one_bits_and_more_are_not_negative",
        ("--harness-engine", "host"),
    ),
    Fault(
        "the first supplementary group is lost",
        "darwin",
        "harness/inside/principal.py",
        "wanted = [gid, *(each for each in groups if each != gid)] if GID_AMONG_GROUPS else list(groups)",
        "wanted = list(groups)",
        "tests/integration/engines/test_places.py::test_ids_of_thirty_one_bits_and_more_are_not_negative",
        ("--harness-engine", "host"),
    ),
    Fault(
        "ECONNREFUSED is taken for a dead server",
        "darwin",
        "observatory/listening/socket_file.py",
        "if not dead and serving_lock.NEEDED and may_replace:",
        "if False:",
        "tests/unit/observatory/listening/test_socket_file.py::"
        "test_a_live_server_with_so_many_waiting_that_no_more_fit_is_not_taken_over",
    ),
    Fault(
        "a link that leads nowhere is followed",
        "darwin",
        "observatory/listening/socket_file.py",
        'if not sys.platform.startswith(("darwin", "netbsd")):',
        "if True:",
        "tests/unit/observatory/listening/test_socket_file.py::"
        "test_a_dangling_symbolic_link_is_not_followed_to_make_a_socket_elsewhere",
    ),
    Fault(
        "a process is known by its number alone",
        "darwin",
        "observatory/identity/queued_process.py",
        "held.details.started != started",
        "held.details.pid != pid",
        "tests/unit/observatory/sessions/test_lifetimes_restart.py::"
        "test_a_pid_that_another_process_has_taken_is_not_the_session",
    ),
    Fault(
        "a parent is not found again when it is held",
        "freebsd",
        "observatory/identity/queued_process.py",
        "        again = _read(chain[-1].details.pid)\n",
        "        again = None\n",
        "tests/unit/observatory/sessions/test_lifetimes.py::"
        "test_the_death_of_a_sessions_process_is_reported_once_and_names_it",
    ),
    Fault(
        "SO_PEERCRED is asked for by Linux's number",
        "freebsd",
        "observatory/identity/freebsd.py",
        "SOL_LOCAL = 0",
        "SOL_LOCAL = 1",
        "tests/unit/observatory/identity/test_identity_here.py",
    ),
    Fault(
        "Linux's order of members is taken",
        "openbsd",
        "observatory/identity/layouts.py",
        '(Field("uid", 0), Field("gid", 4), Field("pid", 8, signed=True)),',
        '(Field("pid", 0, signed=True), Field("uid", 4), Field("gid", 8)),',
        "tests/unit/observatory/identity/test_identity_here.py",
    ),
    Fault(
        "another option is asked for",
        "netbsd",
        "observatory/identity/netbsd.py",
        "LOCAL_PEEREID = 3",
        "LOCAL_PEEREID = 1",
        "tests/unit/observatory/identity/test_identity_here.py",
    ),
    Fault(
        "a path has backslashes",
        "win32",
        "noxfile.py",
        "path.relative_to(ROOT).as_posix()\n    for suite",
        "str(path.relative_to(ROOT))\n    for suite",
        "tests/platforms/rehearsal/test_portable.py",
    ),
    Fault(
        "a module for Unix is imported",
        "win32",
        "observatory/address.py",
        "import stat\n",
        "import pwd\nimport stat\n",
        "tests/platforms/rehearsal/test_portable.py",
    ),
)


def all_caught(rehearsal: Rehearsal, root: Path, scratch: Path) -> bool:
    """Whether each fault of this target is caught, and nothing fails without it."""
    caught = True
    for number, fault in enumerate(FAULTS):
        if fault.target != rehearsal.target:
            continue
        copy = scratch / f"fault{number}"
        copy.mkdir()
        for name in COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".cache"))
            else:
                shutil.copy2(source, copy)
        before = _status(rehearsal, fault, copy)
        path = copy / fault.file
        text = path.read_text()
        if text.count(fault.text) != 1:
            raise LookupError(f"{fault.file} has {fault.text!r} not once but {text.count(fault.text)} times")
        path.write_text(text.replace(fault.text, fault.instead))
        after = _status(rehearsal, fault, copy)
        found = (before, after) == (0, 1)
        print(
            f"   fault {fault.name}: " + ("caught" if found else f"status {before} without, {after} with it"),
            flush=True,
        )
        caught &= found
    return caught


def _status(rehearsal: Rehearsal, fault: Fault, copy: Path) -> int:
    options = ("-q", "--no-header", "--tb=no", "-n0", *fault.options, fault.test)
    return rehearsal.pytest(*options, directory=copy)
