"""What the jobs of each target's workflow run, by the noxfile's own lists."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

NOXFILE = Path(__file__).parents[3] / "noxfile.py"
TARGETS = {
    "darwin": "darwin",
    "freebsd": "freebsd14",
    "openbsd": "openbsd7",
    "netbsd": "netbsd10",
    "win32": "win32",
}
"""By their names here, what `sys.platform` is."""


def noxfile() -> Any:
    """The noxfile as a module."""
    spec = importlib.util.spec_from_file_location("noxfile", NOXFILE)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # nox: its sessions are registered already
        spec.loader.exec_module(module)
    return module


_NOX = noxfile()
_ENDS = [
    f"tests/unit/observatory/sessions/test_lifetimes.py::{name}"
    for name in (
        "test_the_death_of_a_sessions_process_is_reported_once_and_names_it",
        "test_a_session_that_says_that_it_ends_does_not_die",
        "test_no_descriptor_is_left_behind",
    )
]
"""What FreeBSD has of processes: their ends, without a proof of the sender, and nothing that outlives a server."""
SUITES: dict[str, list[tuple[str, ...]]] = {
    "darwin": [tuple(_NOX.TESTS), (*_NOX.INTEGRATION, "--harness-engine", "host")],
    "freebsd": [(*_NOX.PORTABLE, *_ENDS)],
    **{name: [tuple(_NOX.PORTABLE)] for name in ("openbsd", "netbsd")},
    "win32": [(*_NOX.PORTABLE, "tests/platforms/rehearsal/test_portable.py")],
}
"""For each target, pytest's arguments for each of its runs."""
