"""What `observatory.identity` costs its importer, and what it is where there are no Unix sockets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOXFILE = Path(__file__).parents[4] / "noxfile.py"
HEAVY = {
    "asyncio",
    "ctypes",
    "http",
    "json",
    "logging",
    "multiprocessing",
    "pathlib",
    "sqlite3",
    "subprocess",
    "urllib",
}
MODULES = [
    *("freebsd", "layouts", "linux", "macos", "credentials", "netbsd", "openbsd", "process", "sockets", "xucred"),
    *("freebsd_process", "macos_process", "queued_process", "sender"),
]


def imported_by(statement: str) -> set[str]:
    """The modules that a new interpreter has after the statement, less those that it began with."""
    code = f"import sys; before = set(sys.modules); {statement}; print('\\n'.join(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def without_unix_sockets(statement: str) -> str:
    """What a new interpreter prints after the statement, if its socket module had no AF_UNIX from the start."""
    code = f"import socket\nif hasattr(socket, 'AF_UNIX'): del socket.AF_UNIX\n{statement}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_identity_imports_nothing_heavy() -> None:
    got = imported_by("from observatory.identity import peer_credentials")

    assert "observatory.identity" in got
    assert not got & HEAVY
    assert not {name for name in got if name.startswith("observatory.") and "identity" not in name}


@pytest.mark.parametrize("heavy", ["asyncio", "ctypes", "json", "sqlite3"])
def test_a_heavy_import_would_be_seen(heavy: str) -> None:
    assert heavy in imported_by(f"import {heavy}; from observatory.identity import peer_credentials")


@pytest.mark.parametrize("module", MODULES)
def test_no_module_needs_af_unix_to_be_imported(module: str) -> None:
    assert without_unix_sockets(f"import observatory.identity.{module}; print('imported')") == "imported"


def test_windows_imports_what_is_checked_for_it_and_no_more() -> None:
    """By its own means this can be asked anywhere: without the modules that Windows lacks, and without AF_UNIX."""
    got = without_unix_sockets(
        "import pkgutil, sys\n"
        "sys.modules.update(dict.fromkeys(['fcntl', 'pty', 'resource', 'termios']))\n"
        "import observatory.cli, observatory.identity\n"
        "for package in (observatory.cli, observatory.identity):\n"
        "    for module in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "        __import__(module.name)\n"
        "print(*{name.split('.')[1] for name in sys.modules if name.startswith('observatory.')})"
    )
    (declared,) = re.findall(r"^WINDOWS = \((.*?)^\)$", NOXFILE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

    assert set(got.split()) == set(re.findall(r'"observatory/(\w+)', declared))


def test_without_af_unix_nobody_is_at_the_other_end() -> None:
    """Also where SO_PEERCRED is defined all the same, as it is on Emscripten."""
    said = without_unix_sockets(
        "import json, observatory.identity as i\n"
        "socket.SO_PEERCRED = 17\n"
        "with socket.socket() as s:\n"
        "    print(json.dumps([i.peer_credentials(s), i.peer_pidfd(s).name, i.peer_label(s).name]))"
    )

    assert json.loads(said) == [None, "OPTION", "OPTION"]


@pytest.mark.parametrize(
    ("platform", "module"),
    [
        ("linux", "linux"),
        ("android", "linux"),
        ("darwin", "macos"),
        ("freebsd14", "freebsd"),
        ("openbsd7", "openbsd"),
        ("netbsd10", "netbsd"),
        ("cygwin", None),
        ("sunos5", None),
    ],
)
@pytest.mark.skipif(not hasattr(__import__("socket"), "AF_UNIX"), reason="this platform has no Unix sockets")
def test_each_platform_is_read_by_its_own_module(platform: str, module: str | None) -> None:
    code = (
        f"import sys; sys.platform = {platform!r}; import observatory.identity as i; print(i._credentials.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    expected = f"observatory.identity.{module}" if module else "observatory.identity"
    assert done.stdout.strip() == expected
