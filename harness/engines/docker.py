"""The docker engine: one container for each place, through testcontainers.

The container's first process is the guard (`harness.inside.agent.guard`), which ends with the agent; the agent comes on
the container's standard input and ends with that. So a harness that is killed takes its containers along, with no
reaper.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import struct
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig, Mount

from harness.engines import bundle, leftovers
from harness.engines.agent_connection import AgentConnection
from harness.engines.attached import AttachedPlace
from harness.engines.cache import images
from harness.engines.mount_option import parse
from harness.engines.protocol import Interpreter, PlaceError
from harness.inside.delivery import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from docker.models.containers import Container
    from testcontainers.core.container import DockerContainer

CAPABILITIES = ("DAC_READ_SEARCH", "LINUX_IMMUTABLE", "SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN")
"""Beside Docker's own: to read any path, for flags of nodes, to mount, to look at processes, and for a daemon as a
subject."""
DEVICE = "/dev/fuse"
"""What FUSE mounts of a world are made with, where this machine has it."""
CONFINEMENT = ("seccomp=unconfined", "apparmor=unconfined")
"""Docker's filters refuse mount(2) and more; they are no part of what a world describes."""
DEFAULT = "unix:///var/run/docker.sock"
"""Where Docker's API is unless DOCKER_HOST says otherwise."""
MARK = "io.github.claude-observatory.harness"
"""The label of every container that is a place."""
CLAIM = f"{MARK}.claim"
"""The label that says which claim it was made under (`harness.engines.leftovers`)."""


class DockerEngine:
    """Places in containers of the Docker engine that the environment names."""

    name = "docker"
    limits: Mapping[str, Any] = MappingProxyType({})
    """What every container of this engine is made with."""

    def __init__(self) -> None:
        self._version: str | None = None  # of the API: an engine that is asked for it runs three programs first

    @contextlib.contextmanager
    def connected(self) -> Iterator[docker.DockerClient]:
        """The engine's API, as long as it is needed. Raises PlaceError if none answers, or for what it refuses."""
        self._reach()
        try:
            client = docker.from_env(**self._access())
            self._version = client.api.api_version
        except DockerException as error:
            raise PlaceError(f"no {self.name} engine answers: {_why(error)}") from None
        try:
            yield client
        except (APIError, DockerException) as error:
            raise PlaceError(f"the {self.name} engine says: {_why(error)}") from None
        finally:
            client.close()

    def _access(self) -> dict[str, Any]:
        """How docker's library reaches the engine."""
        return {"environment": self.environment(), "timeout": 600, "version": self._version}

    def _reach(self) -> None:
        """Raise PlaceError if nobody listens on the API's Unix socket: docker's library leaves its own open then."""
        kind, _, path = self.environment().get("DOCKER_HOST", DEFAULT).partition("://")
        if kind == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(path)
                except OSError as error:
                    raise PlaceError(f"no {self.name} engine answers at {path}: {error.strerror or error}") from None

    def environment(self) -> dict[str, str]:
        """Where the API is, as docker's library reads it from the environment; a rootless engine of the user's too."""
        own = _rootless()
        return dict(os.environ) if own is None else {**os.environ, "DOCKER_HOST": own}

    def options(self) -> dict[str, Any]:
        """How a place's container differs from Docker's usual ones."""
        return {
            "auto_remove": True,
            "cap_add": list(CAPABILITIES),
            "entrypoint": [],
            "log_config": LogConfig(type="none"),  # what the agent says is for us alone
            # Nothing but a loopback interface of its own, for which the engine has nothing to do.
            "network_mode": "none",
            "network_disabled": True,
            "security_opt": list(CONFINEMENT),
            "stdin_open": True,
            "user": "0:0",
            "devices": [DEVICE] if os.path.exists(DEVICE) else [],
            **self.limits,
        }

    def command(self) -> list[str]:
        """The command-line client."""
        own = _rootless()
        return ["docker"] if own is None else ["docker", "--host", own]

    def available(self) -> str | None:
        """`None` if an engine answers, else what to install or change."""
        try:
            with self.connected() as client:
                client.ping()
        except PlaceError as error:
            return f"{error}; install docker.io and start dockerd, or set DOCKER_HOST"
        return None

    def image_with(self, suite: str, packages: Sequence[str]) -> str:
        """An image of a Debian release with these packages, made now if it is not there. Raises PlaceError."""
        with self.connected() as client:
            return images.ensure(client, suite, packages)

    def interpreter(self, image: str | None = None) -> Interpreter:
        """The Python in an image. Raises PlaceError if there is none."""
        with self.connected() as client:
            name = self._image(client, image)
            digest = str(client.images.get(name).id)
            said = images.told(f"python-{digest.partition(':')[2]}", lambda: self._python(client, name))
        version, machine = said.split()
        return Interpreter(version, f"{machine}-manylinux_2_28")

    def _python(self, client: docker.DockerClient, name: str) -> str:
        """The version and the machine of an image's Python, in its own words. Raises PlaceError."""
        program = "import platform; print('.'.join(platform.python_version_tuple()[:2]), platform.machine())"
        limits: dict[str, Any] = {"network_mode": "none", "network_disabled": True, "entrypoint": "", **self.limits}
        try:
            said: bytes = client.containers.run(name, ["python3", "-c", program], remove=True, **limits)
        except APIError as error:
            raise PlaceError(f"the image {name} can't be asked for its Python: {_why(error)}") from None
        return said.decode()

    def open(self, *, image: str | None = None, mounts: Sequence[str] = ()) -> AttachedPlace:
        """Make a place. Raises PlaceError with a sentence."""
        binds = [parse(mount) for mount in mounts]
        with self.connected() as client:
            name = self._image(client, image)
            self._clear(client)
        # Our containers end by themselves; Ryuk would be one more image to pull.
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - it reads the environment when loaded

        container = DockerContainer(name, docker_client_kw=self._access())
        container.with_command(["python3", *OPTIONS, bundle.self_contained("harness.inside.agent.guard")])
        # Unlike a volume, a mount is refused where the engine does not see its source: that would be made, and empty.
        mounted = [Mount(bind.target, bind.source, type="bind", read_only=True) for bind in binds]
        token = secrets.token_hex(8)
        container.with_kwargs(**self.options(), mounts=mounted, labels={MARK: "place", CLAIM: token})
        # From creation until the agent is there, the container does not end with this process.
        claim = leftovers.claim(self._kind(), token)
        try:
            container.start()
            transport = Attachment(container)
        except (APIError, DockerException) as error:
            _discard(container)
            claim.release()
            raise PlaceError(f"the {self.name} engine could not make a place of {name}: {_why(error)}") from None
        entrance = [*self.command(), "exec", "--interactive", *_terminal(), transport.container]
        try:
            agent = bundle.delivery("harness.inside.agent.main", brought=[bind.target for bind in binds])
            return AttachedPlace(self.name, AgentConnection(transport, agent), entrance)
        except BaseException:
            transport.close()
            raise
        finally:
            claim.release()

    def _kind(self) -> str:
        """What claims say: containers of the engine at this address."""
        return f"container {self.environment().get('DOCKER_HOST', DEFAULT)}"

    def _clear(self, client: docker.DockerClient) -> None:
        """Take away the containers that a harness made which was killed before it could start them."""
        for left in leftovers.dead(self._kind()):
            found = client.containers.list(all=True, filters={"label": f"{CLAIM}={left.which}"})
            for container in found:
                with contextlib.suppress(NotFound, APIError):  # it is on its way out by itself
                    container.remove(force=True, v=True)
            if found or left.is_late():
                left.release()
            else:
                left.leave()  # the engine may still be making it

    def _image(self, client: docker.DockerClient, image: str | None) -> str:
        if image is None or image in images.SUITES:
            return images.ensure(client, image or images.SUITES[0], images.OF_PLACES)
        try:
            client.images.get(image)
        except ImageNotFound:
            raise PlaceError(
                f"the {self.name} engine has no image named {image}: pull it, or name one of {', '.join(images.SUITES)}"
            ) from None
        return image


class Attachment:
    """The streams of a container, in which its agent speaks: an `agent_connection.Transport`."""

    def __init__(self, container: DockerContainer) -> None:
        self._container = container
        wrapped: Container = container.get_wrapped_container()
        self.container = str(wrapped.id)
        api = container.get_docker_client().client.api
        # Whatever is read here was written after this: until something comes the guard is silent.
        asked = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        # For a Unix socket docker's library wraps the socket in a file object, of which only the socket is of use.
        file: Any = api.attach_socket(self.container, asked)
        self._file = file
        self._socket: socket.socket = file if isinstance(file, socket.socket) else file._sock
        self._socket.settimeout(None)
        self._said = b""

    def read(self) -> bytes:
        """What the agent wrote; what it wrote on standard error is kept for `diagnosis`.

        The engine puts both into one stream of frames: one byte for the stream, three zeros, four for the length.
        """
        while len(header := self._receive(8)) == 8:
            stream, length = struct.unpack(">BxxxI", header)
            data = self._receive(length)
            if stream == 1:
                return data
            self._said = (self._said + data)[-4096:]
        return b""

    def _receive(self, length: int) -> bytes:
        data = b""
        while len(data) < length and (piece := self._socket.recv(length - len(data))):
            data += piece
        return data

    def write(self, data: bytes) -> None:
        """Pass everything on."""
        self._socket.sendall(data)

    def close(self) -> None:
        """Let go of the agent, and see that the container is gone."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self._socket.close()
        _discard(self._container)

    def diagnosis(self) -> str:
        """What was written on standard error."""
        return self._said.decode(errors="replace")


def _rootless() -> str | None:
    """The address of the user's own rootless engine, if it is there and nothing else is named or open to the user."""
    path = f"{os.environ.get('XDG_RUNTIME_DIR', '')}/docker.sock"
    system = DEFAULT.removeprefix("unix://")
    if "DOCKER_HOST" in os.environ or os.access(system, os.W_OK) or not os.access(path, os.W_OK):
        return None
    return f"unix://{path}"


def _terminal() -> tuple[str, ...]:
    """Who has a terminal gets one inside."""
    return ("--tty",) if sys.stdin.isatty() else ()


def _discard(container: DockerContainer) -> None:
    with contextlib.suppress(NotFound, APIError):  # it is on its way out by itself
        container.stop()
    container.get_docker_client().client.close()


def _why(error: Exception) -> str:
    text = getattr(error, "explanation", None) or str(error)
    return (str(text).strip().splitlines() or [type(error).__name__])[-1]
