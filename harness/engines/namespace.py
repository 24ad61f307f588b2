"""The namespace engine: Linux namespaces through util-linux's unshare(1), without any daemon or image.

A place gets a user, mount, pid, ipc and network namespace of its own and a tmpfs as its root, with the programs of the
host (/usr and what belongs to it, and the Python that runs the harness) brought in read-only.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines import bundle
from harness.engines.agent_connection import AgentConnection
from harness.engines.attached import AttachedPlace
from harness.engines.mount_option import parse
from harness.engines.pipes import Pipes
from harness.engines.protocol import Interpreter, PlaceError
from harness.inside.agent.entrance import SETTER
from harness.inside.delivery import OPTIONS
from harness.world.standard import STANDARD_DIRECTORIES

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMESPACES = ("--mount", "--propagation", "private")
"""The others are made inside (`harness.inside.agent.entrance`)."""
PYTHON = Path("/opt/python")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/alternatives")
"""What of the host makes its programs run: hier(7). A symlink there is a symlink in the place."""


class NamespaceEngine:
    """Places in namespaces of this machine's own kernel."""

    name = "namespace"

    def available(self) -> str | None:
        """`None` if this works here, else what to install or change."""
        if sys.platform != "linux":
            return "the namespace engine needs Linux; --engine host works on a throwaway machine of any Unix"
        if shutil.which("unshare") is None:
            return "the namespace engine needs unshare: install util-linux"
        # A place has a process namespace with a /proc of its own, which a container may refuse by itself.
        status, words = _tried(["unshare", *_user_namespace(), *NAMESPACES, "--pid", "--fork", "--mount-proc", "true"])
        if status == 0:
            return None
        said = (words.strip() or f"exit status {status}").splitlines()[-1]
        if os.geteuid() == 0:
            return f"the namespace engine may not make namespaces here ({said}): it needs CAP_SYS_ADMIN"
        return (
            f"the namespace engine can't make a user namespace here ({said}): run as root, or install uidmap, give "
            "this user a range in /etc/subuid and /etc/subgid, and allow unprivileged user namespaces (in Docker's "
            "containers: --security-opt seccomp=unconfined --security-opt systempaths=unconfined)"
        )

    def image_with(self, suite: str, packages: Sequence[str]) -> str | None:
        """None: a place has the files of this machine."""
        del suite, packages
        return None

    def interpreter(self, image: str | None = None) -> Interpreter:
        """The Python in its places: that of the harness itself."""
        del image
        return Interpreter(".".join(platform.python_version_tuple()[:2]))

    def open(self, *, image: str | None = None, mounts: Sequence[str] = ()) -> AttachedPlace:
        """Make a place. Raises PlaceError with a sentence."""
        if image is not None:
            raise PlaceError(f"the namespace engine has no images, so it can't use {image}: use --engine docker")
        binds, links = _system()
        interpreter, prefix = Path(sys.executable).resolve(), Path(sys.base_prefix).resolve()
        inside = interpreter
        libraries = ""
        if prefix != Path("/usr"):
            # Where a world makes its own directories, or no ordinary user gets through, it can't stay.
            target = PYTHON if _is_taken(prefix) else prefix
            binds.append((str(prefix), str(target)))
            inside = target / interpreter.relative_to(prefix)
            libraries = str(target / "lib")
        # A directory before what is in it, which it would hide.
        binds += sorted(((mount.source, mount.target) for mount in map(parse, mounts)), key=lambda bind: bind[1])
        root = bundle.compiled_delivery(
            "harness.inside.agent.entrance", python=str(inside), libraries=libraries, binds=binds, links=links
        )
        agent = bundle.compiled_delivery("harness.inside.agent.main", setter=SETTER)
        command = ["unshare", *_user_namespace(), *NAMESPACES, str(interpreter), *OPTIONS, bundle.START]
        pipes = Pipes(command)
        try:
            connection = AgentConnection(pipes, root, agent)
            return AttachedPlace(self.name, connection, _entrance(pipes.pid))
        except BaseException:
            with contextlib.suppress(OSError):
                pipes.close()
            raise


def _tried(command: Sequence[str]) -> tuple[int, str]:
    """The exit status of a command, and what it wrote on standard error; whatever it has left running is ended.

    Where the kernel refuses unshare(2), unshare(1) ends and its child, which was to map the ids, waits for ever
    (seen with util-linux 2.41, map_ids_from_child in its unshare.c): so its end, and not its output's, is waited for.
    """
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=words, start_new_session=True
        )
        status = process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        words.seek(0)
        return status, words.read()


def _is_taken(path: Path) -> bool:
    return any(path.is_relative_to(directory) for directory in STANDARD_DIRECTORIES if directory != "/opt")


def _user_namespace() -> tuple[str, ...]:
    return () if os.geteuid() == 0 else ("--user", "--map-root-user", "--map-auto")


def _entrance(process: int) -> list[str]:
    """The nsenter(1) command into the namespaces of this process's last child, the place's first process."""
    first = Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()[-1]
    own = os.readlink(f"/proc/{first}/ns/user") != os.readlink("/proc/self/ns/user")
    user = ("--user",) if own else ()
    return ["nsenter", "--target", first, *user, "--mount", "--pid", "--ipc", "--net"]


def _system() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    binds, links = [], []
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            links.append((name, str(path.readlink())))
        elif path.exists():
            binds.append((name, name))
    return binds, links
