"""Images and trees are made once, under a name that changes with what goes in."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound

from harness.engines.cache import images
from harness.engines.protocol import Interpreter, PlaceError


class FakeEngine:
    """A Docker client without an engine: it knows images by name, and has a registry or none."""

    def __init__(self, *, registry: bool) -> None:
        self.registry = registry
        self.known: set[str] = set()
        self.built: list[dict[str, Any]] = []
        self.images = SimpleNamespace(get=self.get, pull=self.pull, build=self.build)
        self.api = SimpleNamespace(import_image_from_file=self.load, tag=self.tag)

    def get(self, name: str) -> None:
        if name not in self.known:
            raise ImageNotFound(name)

    def pull(self, repository: str, tag: str) -> None:
        if not self.registry:
            raise APIError("no such host")
        self.known.add(f"{repository}:{tag}")

    def load(self, path: str, repository: str, tag: str) -> str:
        """As podman does it: the tag is `latest`."""
        self.known.add(f"{repository}:latest")
        return '{"status": "sha256:1234"}\n'

    def tag(self, image: str, repository: str, tag: str) -> None:
        assert image == "sha256:1234"
        self.known.add(f"{repository}:{tag}")

    def build(self, **options: Any) -> None:
        self.built.append(options)
        self.known.add(options["tag"])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run; each succeeds."""
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return ran


def test_a_registry_that_answers_gives_the_base(commands: list[list[str]]) -> None:
    engine: Any = FakeEngine(registry=True)
    name = images.ensure(engine, "bookworm")
    assert engine.built[0]["buildargs"]["BASE"] == "debian:bookworm-slim"
    assert (engine.built[0]["tag"], commands) == (name, [])


def test_without_a_registry_the_base_is_made_of_debian_s_packages(
    commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    engine: Any = FakeEngine(registry=False)
    images.ensure(engine, "trixie")
    (command,) = commands
    assert command[0] == "mmdebstrap"
    assert "trixie" in command
    assert f"--include={','.join(images.PACKAGES)}" in command
    assert engine.built[0]["buildargs"]["BASE"] in engine.known
    assert "no registry gave debian:trixie-slim" in capsys.readouterr().err


def test_without_a_registry_and_mmdebstrap_it_is_said_what_to_install(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    engine: Any = FakeEngine(registry=False)
    with pytest.raises(PlaceError, match="apt-get install mmdebstrap"):
        images.ensure(engine)


def test_an_image_is_made_once_however_many_workers_ask(commands: list[list[str]]) -> None:
    engine: Any = FakeEngine(registry=True)
    workers = [threading.Thread(target=images.ensure, args=(engine, "bookworm")) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(engine.built) == 1


def test_the_name_of_an_image_changes_with_what_goes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    before = images.name_of("bookworm")
    assert before.startswith("claude-observatory-harness:bookworm-")
    assert before != images.name_of("trixie").replace("trixie", "bookworm")
    monkeypatch.setattr(images, "PACKAGES", (*images.PACKAGES, "vim"))
    assert images.name_of("bookworm") != before


def engine_with(version: str, platform: str | None = None) -> Any:
    return SimpleNamespace(interpreter=lambda image=None: Interpreter(version, platform))


def test_a_tree_is_made_for_the_python_of_the_place_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        target = command[command.index("--target") + 1]
        (tmp_path / target).mkdir()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(images, "_compiles_for", lambda version: False)
    requirements = tmp_path / "core.txt"
    requirements.write_text("msgspec==1\n")
    engine = engine_with("3.13", "x86_64-manylinux_2_28")
    made = images.tree(requirements, engine)
    assert made.is_dir()
    assert "3.13" in ran[0]
    assert "x86_64-manylinux_2_28" in ran[0]
    assert images.tree(requirements, engine) == made
    assert len(ran) == 1
    requirements.write_text("msgspec==2\n")
    assert images.tree(requirements, engine) != made
    assert images.tree(requirements, engine_with("3.11")) != made


def test_a_tree_for_this_very_python_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places have it read-only, and could not keep what they compile."""
    really_run = subprocess.run

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if "--target" not in command:
            return really_run(command, **options)
        target = Path(command[command.index("--target") + 1])
        target.mkdir()
        (target / "module.py").write_text("pass\n")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    requirements = tmp_path / "core.txt"
    requirements.write_text("msgspec==1\n")
    major, minor = sys.version_info[:2]
    for version, compiled in ((f"{major}.{minor}", 1), (f"{major}.{minor + 1}", 0)):
        assert len(list(images.tree(requirements, engine_with(version)).glob("__pycache__/module.*.pyc"))) == compiled


def test_a_tree_that_cannot_be_made_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **_: subprocess.CompletedProcess(command, 1, "", "resolving\nno version of msgspec"),
    )
    requirements = tmp_path / "core.txt"
    requirements.write_text("msgspec==99\n")
    with pytest.raises(PlaceError, match=r"core\.txt could not be installed .* no version of msgspec"):
        images.tree(requirements, engine_with("3.11"))
    assert not list((tmp_path / "claude-observatory-harness" / "trees").iterdir())


def test_what_an_image_tells_is_asked_for_once_and_again_if_it_was_not_told() -> None:
    answers: list[PlaceError | str] = [PlaceError("it has no Python"), "3.11 x86_64\n"]
    asked = iter(answers)

    def ask() -> str:
        answer = next(asked)
        if isinstance(answer, PlaceError):
            raise answer
        return answer

    with pytest.raises(PlaceError):
        images.told("python-1234", ask)
    assert images.told("python-1234", ask) == "3.11 x86_64\n"
    assert images.told("python-1234", ask) == "3.11 x86_64\n"
