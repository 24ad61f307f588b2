"""Claude Code itself, started by two users of one place. The Messages API is a stand-in; the client is not.

The client is not part of this repository: `nox -s client` installs it from npm into .cache/claude-code, and
CLAUDE_CODE names another installation. Its environment holds what `Person.environment` names and nothing else, and its
home is the place's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httptools
import msgspec
import pytest

from harness.engines.namespace import NamespaceEngine
from harness.world import Node, User, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.engines.attached import AttachedPlace
    from harness.engines.protocol import Completed, Process

ROOT = Path(__file__).parents[2]
CLIENT = Path(os.environ.get("CLAUDE_CODE", ROOT / ".cache" / "claude-code"))
"""Where npm has put the client: a directory that has node_modules in it."""
INSIDE = "/opt/observatory"
PROGRAMS = "/opt/claude-code"
CLAUDE = f"{PROGRAMS}/claude"
"""The client's program. Newer ones come as a package for each platform, which npm's script would put in their place."""
KEY = "a-key-that-opens-nothing"
ASKING = ("--permission-mode", "default")
"""Has the client ask its user for permission, as newer ones do not of themselves."""
SOCKET = "/run/observatory/o.sock"
WHERE = ("--socket", SOCKET, "--server-user", "audit")
"""The options that name the auditor's server, and trust it."""

WORLD = World(
    name="two-users-and-an-auditor",
    about="alice and bob work; audit runs the server that records them, and whose socket both may reach.",
    users=(
        User("root", 0, 0),
        User("alice", 1500, 1500),
        User("bob", 1501, 1501),
        User("audit", 1600, 1600),
        User("mallory", 1700, 1700),
    ),
    nodes=(
        Node("/home/alice", "directory", "alice", "alice", 0o700),
        Node("/home/bob", "directory", "bob", "bob", 0o700),
        Node("/home/audit", "directory", "audit", "audit", 0o700),
        Node("/home/mallory", "directory", "mallory", "mallory", 0o700),
        Node("/run/observatory", "directory", "audit", "audit", 0o755),
        Node("/tmp", "directory", "root", "root", 0o1777),
    ),
)


@pytest.fixture(scope="session")
def place() -> Iterator[AttachedPlace]:
    """A place with the client, the observatory and the stand-in of the Messages API in it."""
    engine = NamespaceEngine()
    why = engine.available()
    program = next(CLIENT.glob("node_modules/@anthropic-ai/claude-code-*/claude"), None)
    if program is None:
        why = f"there is no Claude Code in {CLIENT}: `nox -s client` installs it"
    if why is not None:
        # Where everything is installed, its absence is a failure.
        (pytest.fail if "CI" in os.environ else pytest.skip)(why)
    assert program is not None
    packages = [Path(str(module.__file__)).parent for module in (httptools, msgspec)]
    mounts = [
        f"{program.parent}:{PROGRAMS}",
        f"{ROOT / 'observatory'}:{INSIDE}/observatory",
        f"{ROOT / 'harness'}:{INSIDE}/harness",
        f"{ROOT / 'contrib' / 'claude-plugin'}:/opt/claude-plugin",
        f"{ROOT}:/opt/repository",
        f"{Path(__file__).with_name('messages_api.py')}:/opt/messages_api.py",
        f"{Path(__file__).with_name('terminal.py')}:/opt/terminal.py",
        *(f"{package}:{INSIDE}/{package.name}" for package in packages),
    ]
    with engine.open(mounts=mounts) as opened:
        yield opened


@dataclass
class Person:
    """A user of the place, what is started as that user, and with what environment."""

    place: AttachedPlace
    name: str
    api: str

    @property
    def uid(self) -> int:
        return WORLD.user(self.name).uid

    @property
    def home(self) -> str:
        return f"/home/{self.name}"

    @property
    def environment(self) -> dict[str, str]:
        """All that the client gets: a key that opens nothing, the stand-in's address, and no other traffic."""
        return {
            "HOME": self.home,
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": self.api,
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_TELEMETRY": "1",
        }

    def start(self, command: list[str], environment: Mapping[str, str] | None = None) -> Process:
        return self.place.start(command, WORLD.principal(self.name), environment=environment, directory=self.home)

    def claude(self, *arguments: str, program: Sequence[str] = (), more: Mapping[str, str] | None = None) -> Process:
        """Start the client in an environment with `more` in it and nothing else."""
        variables = [f"{name}={value}" for name, value in {**self.environment, **(more or {})}.items()]
        return self.start(["env", "-i", *variables, *program, CLAUDE, *arguments])

    def settle(self) -> None:
        """Have the client take this user for one who has used it before, and trusts the home."""
        known = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "customApiKeyResponses": {"approved": [KEY[-20:]]},
            "projects": {self.home: {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}},
            "messageIdleNotifThresholdMs": 1000,
        }
        self.write(".claude.json", json.dumps(known))

    def terminal(self) -> Process:
        """Start the client on a terminal, in its own home, past the questions that it asks a new user."""
        self.settle()
        return self.claude(*ASKING, program=("python3", "/opt/terminal.py"), more={"TERM": "xterm"})

    def turn(
        self, prompt: str, *arguments: str, timeout: float = 60, more: Mapping[str, str] | None = None
    ) -> Completed:
        """One session that takes one turn, its prompt on the standard input as far as it is long."""
        process = self.claude("-p", *arguments, "--allowedTools", "Bash", more=more)
        process.send(prompt)
        process.close_input()
        return process.wait(timeout)

    def observatory(self, *arguments: str, status: int = 0) -> str:
        """Run a command of observatory's; its standard output."""
        done = self.run_observatory(*arguments)
        assert done.status == status, f"{arguments}: {done.status}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run_observatory(self, *arguments: str) -> Completed:
        process = self.start_observatory(*arguments)
        process.close_input()
        return process.wait(30)

    def start_observatory(self, *arguments: str) -> Process:
        environment = {"HOME": self.home, "PYTHONPATH": INSIDE, "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PATH"] = f"{self.place.environment['PATH']}:{PROGRAMS}"
        return self.start(["python3", "-m", "observatory", *arguments], environment)

    def ask(self, command: str, *arguments: str) -> list[dict[str, Any]]:
        """What a command that prints JSON lines says of the auditor's server."""
        said = self.observatory(command, "--json", *WHERE, *arguments)
        return [json.loads(line) for line in said.splitlines()]

    def state(self) -> str | None:
        """The state of this user's only session; `None` before its first event."""
        states = [str(session["state"]) for session in self.ask("sessions")]
        assert len(states) <= 1
        return states[0] if states else None

    def write(self, path: str, text: str) -> None:
        done = self.start(["sh", "-c", 'cat > "$1"', "sh", path])
        done.send(text)
        done.close_input()
        assert done.wait().status == 0

    def read(self, path: str) -> str:
        done = self.start(["cat", path])
        done.close_input()
        return done.wait().stdout


@pytest.fixture
def people(place: AttachedPlace) -> Iterator[dict[str, Person]]:
    """Everybody, in a place as new, with the stand-in running."""
    place.build(WORLD)
    api = place.start(["python3", "/opt/messages_api.py"], WORLD.principal("mallory"))
    address = api.read_line()
    try:
        yield {user.name: Person(place, user.name, address) for user in WORLD.users}
    finally:
        api.signal(signal.SIGKILL)
        api.wait()


@pytest.fixture
def alice(people: dict[str, Person]) -> Person:
    return people["alice"]


@pytest.fixture
def bob(people: dict[str, Person]) -> Person:
    return people["bob"]


@pytest.fixture
def audit(people: dict[str, Person]) -> Person:
    return people["audit"]


@pytest.fixture
def mallory(people: dict[str, Person]) -> Person:
    return people["mallory"]


@contextlib.contextmanager
def running(process: Process) -> Iterator[Process]:
    """End a process, whatever happens."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.signal(signal.SIGKILL)
        process.wait()


@pytest.fixture
def server(audit: Person) -> Iterator[Process]:
    """The auditor's server, whose socket everybody may reach."""
    process = audit.start_observatory("serve", "--socket", SOCKET, "--mode", "0666")
    with running(process):
        while "listening on" not in process.read_line("stderr"):
            pass
        yield process


@pytest.fixture
def hooked(alice: Person, bob: Person) -> None:
    """Hooks in both homes, which send to the auditor's socket."""
    for person in (alice, bob):
        person.observatory("install-hooks", "--global", *WHERE)
