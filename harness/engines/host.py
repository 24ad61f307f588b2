"""The host engine: this machine itself, for throwaway machines and systems that have neither containers nor namespaces.

Nothing is isolated. A world is made in a directory of its own, which the users who try have as their root directory
(chroot(2)); commands are run outside of it, so paths of the place are translated on their way in and out. Users
have no names here, only numbers: the machine's accounts stay as they are. What was made is taken away at the end, or by
the next start. On Linux the mounts of a world are in a mount namespace of the place's own, and end with it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.engines import bundle, leftovers
from harness.engines.agent_connection import AgentConnection
from harness.engines.attached import AttachedPlace
from harness.engines.mount_option import MountOption, parse
from harness.engines.pipes import Pipes
from harness.engines.protocol import Completed, Interpreter, PlaceError
from harness.inside.delivery import OPTIONS
from harness.world.standard import STANDARD_DIRECTORIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.engines.leftovers import Claim
    from harness.engines.protocol import Process
    from harness.world import Principal, World

THROWAWAY = "HARNESS_THROWAWAY"
"""The environment variable that permits this engine."""
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
TOPS = frozenset(path.split("/")[1] for path in STANDARD_DIRECTORIES) - {"etc"}
"""Top directories whose paths, in a command, mean the place's. /etc is the machine's: accounts, libraries, names."""


class HostEngine:
    """Places on this machine itself."""

    name = "host"

    def available(self) -> str | None:
        """`None` if this may be done here, else what to change."""
        if os.name != "posix" or not hasattr(os, "chroot"):
            return "the host engine needs a Unix"
        if not sys.platform.startswith(("linux", "darwin", "freebsd")):
            return "the host engine knows Linux, macOS and FreeBSD: of no other kernel has the oracle the rules"
        if os.geteuid() != 0:
            return "the host engine needs root: it becomes the users of the world"
        if os.environ.get("CI") != "true" and not os.environ.get(THROWAWAY):
            return (
                "the host engine isolates nothing, so it runs on throwaway machines only: say --throwaway, or set "
                f"{THROWAWAY}=1 or CI=true"
            )
        return None

    def image_with(self, suite: str, packages: Sequence[str]) -> str | None:
        """None: a place is this machine."""
        del suite, packages
        return None

    def interpreter(self, image: str | None = None) -> Interpreter:
        """The Python that users of the world can run."""
        del image
        program = "import platform; print(*platform.python_version_tuple()[:2], sep='.')"
        return Interpreter(subprocess.check_output([_python(), "-I", "-c", program], text=True).strip())

    def open(self, *, image: str | None = None, mounts: Sequence[str] = ()) -> HostPlace:
        """Make a place. Raises PlaceError with a sentence."""
        if image is not None:
            raise PlaceError(f"the host engine has no images, so it can't use {image}: use --engine docker")
        brought = [parse(mount) for mount in mounts]
        # A short one: paths of sockets in it must fit into sun_path.
        claim = leftovers.make_directory("h", "/tmp")
        base = Path(claim.which)
        try:
            base.chmod(0o755)
            for mount in brought:
                _copy(mount, base)
            pipes = Pipes([sys.executable, *OPTIONS, bundle.START], [claim.lock.fileno()])
            agent = bundle.compiled_delivery("harness.inside.agent.main", base=str(base))
            return HostPlace(claim, pipes.pid, AgentConnection(pipes, agent))
        except OSError as error:
            leftovers.remove(claim)
            raise PlaceError(f"{error.filename} could not be brought into the place: {error.strerror}") from None
        except BaseException:
            leftovers.remove(claim)
            raise


class HostPlace(AttachedPlace):
    """A place in a directory of this machine."""

    def __init__(self, claim: Claim, agent: int, connection: AgentConnection) -> None:
        super().__init__("host", connection)
        self._claim = claim
        base = claim.which
        # The world's mounts are in the agent's mount namespace, and its root directory is the place's.
        self._translation = Translation(base, TOPS, f"/proc/{agent}/root" if sys.platform == "linux" else base)
        own = str(Path(_python()).parent)
        self.environment = {"PATH": f"{_tools(base)}{own}:{SYSTEM_PATH}:/usr/sbin:/sbin"}

    def build(self, world: World) -> None:
        """Make the world; see `harness.engines.protocol.Place.build`."""
        super().build(world)
        tops = frozenset(node.path.split("/")[1] for node in world.nodes if node.path.startswith("/"))
        self._translation = Translation(self._translation.base, TOPS | tops - {"etc"}, self._translation.seen)

    def start(
        self,
        command: Sequence[str],
        principal: Principal,
        *,
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        umask: int = 0o022,
    ) -> TranslatedProcess:
        """Start a command as a principal, with the paths of the place in it translated."""
        translation = self._translation
        process = super().start(
            [translation.inward(part) for part in command],
            principal,
            environment={name: translation.inward(value) for name, value in (environment or {}).items()},
            directory=translation.inward(directory),
            umask=umask,
        )
        return TranslatedProcess(process, translation)

    def call(self, program: str, principal: Principal, /, **arguments: Any) -> TranslatedProcess:
        """Call a program as a principal, with the paths of the place in its arguments translated.

        Where ordinary users can't run the agent's Python, which then finds no module as one of them, it's a command.
        """
        if not _runs_for_all():
            process = self.start(bundle.COMMAND, principal)
            process.send(bundle.delivery(program, **arguments))
            return process
        translation = self._translation
        translated = json.loads(translation.inward(json.dumps(arguments)))
        return TranslatedProcess(super().call(program, principal, **translated), translation)

    def close(self) -> None:
        """End everything in the place and the place itself."""
        super().close()
        leftovers.remove(self._claim)


class Translation:
    """From paths of the place to those of the machine and back, wherever they stand in a text.

    `base` is the place's directory as its commands see it, `seen` as this process does.
    """

    def __init__(self, base: str, tops: frozenset[str], seen: str) -> None:
        self.base = base
        self.seen = seen
        names = "|".join(sorted(map(re.escape, tops)))
        self._path = re.compile(rf"(?<![\w./-])/(?:{names})(?![\w.-])[^\s:\"',;)\]]*")

    def inward(self, text: str) -> str:
        """A text for a command: paths of the place become the machine's, unless only the machine has them."""
        return self._path.sub(self._inward, text)

    def _inward(self, match: re.Match[str]) -> str:
        path, seen = match[0], self.seen + match[0]
        known = os.path.lexists(seen) or os.path.isdir(os.path.dirname(seen))
        return self.base + path if known or not os.path.lexists(path) else path

    def outward(self, text: str) -> str:
        """A text of a command: paths of the machine become the place's."""
        return text.replace(self.base, "")


class TranslatedProcess:
    """Implements `harness.engines.protocol.Process` for a command that runs outside of the place's root."""

    def __init__(self, process: Process, translation: Translation) -> None:
        self._process = process
        self._translation = translation
        self.pid = process.pid

    def read_line(self, stream: Literal["stdout", "stderr"] = "stdout", timeout: float = 10.0) -> str:
        """The next line; see `harness.engines.protocol.Process.read_line`."""
        return self._translation.outward(self._process.read_line(stream, timeout))

    def send(self, text: str) -> None:
        """Write to the process's standard input."""
        self._process.send(self._translation.inward(text))

    def close_input(self) -> None:
        """Close the process's standard input."""
        self._process.close_input()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.signal(number)

    def wait(self, timeout: float = 10.0) -> Completed:
        """Wait for the end; see `harness.engines.protocol.Process.wait`."""
        done = self._process.wait(timeout)
        return Completed(done.status, self._translation.outward(done.stdout), self._translation.outward(done.stderr))


def _python() -> str:
    """A Python that every user of this machine can run: the harness's own, or the system's."""
    own = Path(sys.executable).resolve()
    if _runs_for_all():
        return str(own)
    found = shutil.which("python3", path=SYSTEM_PATH)
    if found is None:
        raise PlaceError(f"{own} can't be reached by ordinary users, and there is no other python3 in {SYSTEM_PATH}")
    return found


def _runs_for_all() -> bool:
    """Whether the harness's own Python is one that every user can run."""
    return all(parent.stat().st_mode & 0o001 for parent in Path(sys.executable).resolve().parents)


def _tools(base: str) -> str:
    directories = sorted(Path(base, "opt").glob("*/bin"))
    return "".join(f"{directory}:" for directory in directories)


def _copy(mount: MountOption, base: Path) -> None:
    """Bring something in, such that all may read it."""
    target = Path(f"{base}{mount.target}")
    target.parent.mkdir(parents=True, exist_ok=True)
    source = Path(mount.source)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)
    for path in (target, *target.rglob("*")) if source.is_dir() else (target,):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode & 0o7777 | (0o555 if mode & 0o111 or path.is_dir() else 0o444))
