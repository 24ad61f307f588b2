"""AppArmor profiles: made of a world's rules, compiled and loaded by root, entered by whom they are to hold.

The rules are those of `harness.world.profile`. What a process needs beside them, to run and to be asked, is added: it
may read everything.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.inside.agent.errors import RefusalError

if TYPE_CHECKING:
    from collections.abc import Sequence

FEATURES = "/sys/kernel/security/apparmor/features"
COMPILERS = ("/opt/modules/apparmor_parser", "/usr/sbin/apparmor_parser", "/sbin/apparmor_parser")
LOADER = "/opt/modules/ld-linux-x86-64.so.2"
"""With which a compiler runs that was brought with libraries of its own."""
BASE = """profile {name} flags=(attach_disconnected) {{
  capability,
  signal,
  ptrace,
  / r,
  /** mrix,
  /dev/** rw,
{rules}
}}
"""
NETWORK = "network unix"
FINE = f"{FEATURES}/network_v9/af_unix"
"""Where this is not, whole families are asked about, those sockets too by which the process is told what to do."""


def load(rules: Sequence[str]) -> None:
    """Compile and load the profile. Raises RefusalError where there is no compiler, or AppArmor is not asked."""
    if not os.path.isdir(FEATURES):
        raise RefusalError("no process can be confined so in this place: its kernel does not ask AppArmor")
    compiler = next((path for path in COMPILERS if os.path.exists(path)), None)
    if compiler is None:
        raise RefusalError("no process can be confined so in this place: there is no apparmor_parser")
    import subprocess  # noqa: PLC0415 - few places are asked for a profile; all are there sooner without

    folder = os.path.dirname(compiler)
    before = [LOADER, "--library-path", folder] if os.path.exists(LOADER) else []
    options = ["--replace", "--skip-cache", f"--kernel-features={FEATURES}", f"--policy-features={FEATURES}"]
    done = subprocess.run(
        [*before, compiler, *options], input=_text(rules), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RefusalError(f"apparmor_parser does not take the profile: {said}")


def enter(rules: Sequence[str]) -> None:
    """Be held by the profile, which was loaded before. Raises OSError."""
    for attribute in ("apparmor/current", "current"):
        path = f"/proc/thread-self/attr/{attribute}"
        if os.path.exists(path):
            with open(path, "w", encoding="ascii") as file:
                file.write(f"changeprofile {_name(rules)}")
            return
    raise OSError(2, "this kernel tells no profile of a process")


def _name(rules: Sequence[str]) -> str:
    import hashlib  # noqa: PLC0415 - likewise

    return "harness-" + hashlib.sha256("\n".join(rules).encode()).hexdigest()[:16]


def _text(rules: Sequence[str]) -> str:
    lines = [f"  {rule}," for rule in rules if rule != NETWORK]
    if NETWORK in rules:
        lines += ["  network unix,", "  unix,"]
    elif not os.path.exists(FINE):
        lines.append("  network (send, receive) unix,")
    return BASE.format(name=_name(rules), rules="\n".join(lines))
