"""Which engine runs, what is said of it, and what `--mount` takes."""

from __future__ import annotations

import contextlib
import importlib
import logging
import re
import sys
from typing import TYPE_CHECKING, Literal

import pytest

import harness.engines.registry
from harness.engines.docker import DockerEngine
from harness.engines.extras import is_installed
from harness.engines.mount_option import MountOption, parse
from harness.engines.namespace import NamespaceEngine
from harness.engines.protocol import Completed, PlaceError
from harness.engines.registry import choose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.world import Principal

Sight = Literal["yes", "none can be made", "refuses", "an empty directory"]


class Fake:
    """`sees`: whether its places see this machine's files; else the engine refuses, or has an empty directory there."""

    def __init__(self, name: str, reason: str | None, no_image: str | None, sees: Sight) -> None:
        self.name = name
        self.reason = reason
        self.no_image = no_image
        self.sees = sees

    def available(self) -> str | None:
        return self.reason

    def image_with(self, suite: str, packages: Sequence[str]) -> str:
        if self.no_image is not None:
            raise PlaceError(self.no_image)
        return suite

    @contextlib.contextmanager
    def open(self, *, image: str | None = None, mounts: Sequence[str] = ()) -> Iterator[Fake]:
        if self.sees == "none can be made":
            raise PlaceError("unable to apply caps")
        if self.sees == "refuses":
            raise PlaceError(f"no such source: {parse(mounts[0]).source}")
        yield self

    def run(self, command: Sequence[str], principal: Principal) -> Completed:
        return Completed(0 if self.sees == "yes" else 1, "", "")


@pytest.fixture
def sight() -> dict[str, Sight]:
    """What places of an engine see, if not this machine's files."""
    return {}


@pytest.fixture
def imageless() -> dict[str, str]:
    """Why an engine can't give an image, if it can't."""
    return {}


@pytest.fixture
def engines(
    monkeypatch: pytest.MonkeyPatch, imageless: dict[str, str], sight: dict[str, Sight]
) -> dict[str, str | None]:
    """Why each engine does not work here; change it before choosing."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    reasons: dict[str, str | None] = {"docker": None, "namespace": None}
    monkeypatch.setattr(
        harness.engines.registry,
        "engine",
        lambda name: Fake(name, reasons[name], imageless.get(name), sight.get(name, "yes")),
    )
    return reasons


def test_auto_takes_docker_if_an_engine_answers_and_says_so(
    engines: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert choose("auto").name == "docker"
    assert "docker" in caplog.text


def test_auto_takes_namespace_else_and_says_why(
    engines: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    engines["docker"] = "nothing answers at the socket"
    with caplog.at_level(logging.WARNING):
        assert choose("auto").name == "namespace"
    assert "namespace" in caplog.text
    assert "nothing answers at the socket" in caplog.text


def test_auto_goes_on_where_docker_answers_and_can_give_no_image(
    engines: dict[str, str | None], imageless: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    imageless["docker"] = "no registry, no mmdebstrap"
    with caplog.at_level(logging.WARNING):
        assert choose("auto").name == "namespace"
    assert "no registry, no mmdebstrap" in caplog.text
    assert choose("docker").name == "docker"  # whoever asked for it hears of it when a place is made
    assert choose("auto", "an image of one's own").name == "docker"


def test_auto_goes_on_where_docker_is_another_machine_s(
    engines: dict[str, str | None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://far")
    with caplog.at_level(logging.WARNING):
        assert choose("auto").name == "namespace"
    assert "DOCKER_HOST is ssh://far" in caplog.text
    assert choose("docker").name == "docker"
    for near in ("unix:///run/user/1000/docker.sock", "tcp://127.0.0.1:2375"):
        monkeypatch.setenv("DOCKER_HOST", near)
        assert choose("auto").name == "docker"


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ("none can be made", "unable to apply caps"),
        ("refuses", "does not see the files of this machine"),
        ("an empty directory", "does not see the files of this machine"),
    ],
)
def test_auto_goes_on_where_no_place_of_docker_s_is_of_use(
    engines: dict[str, str | None],
    sight: dict[str, Sight],
    seen: Sight,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sight["docker"] = seen
    with caplog.at_level(logging.WARNING):
        assert choose("auto").name == "namespace"
    assert why in caplog.text
    assert choose("docker").name == "docker"


@pytest.mark.parametrize("library", ["docker", "testcontainers"])
def test_auto_goes_on_without_the_libraries_of_docker_and_says_how_to_get_them(
    library: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(harness.engines.registry, "is_installed", lambda name: name != library)
    monkeypatch.setattr(NamespaceEngine, "available", lambda _self: None)
    why = f"the docker engine needs {library}, which is not installed: pip install 'claude-observatory[docker]'"
    with caplog.at_level(logging.WARNING):
        assert choose("auto").name == "namespace"
    assert why in caplog.text
    with pytest.raises(PlaceError, match=re.escape(why)):
        choose("docker")


def test_a_directory_that_bears_the_name_of_a_library_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lookalike").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not is_installed("lookalike")
    (tmp_path / "lookalike" / "__init__.py").touch()
    importlib.invalidate_caches()
    assert is_installed("lookalike")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")
def test_the_user_s_own_rootless_engine_is_meant_where_no_other_is_open_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, system = tmp_path / "docker.sock", tmp_path / "system.sock"
    monkeypatch.setattr("harness.engines.docker.DEFAULT", f"unix://{system}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    engine = DockerEngine()
    assert "DOCKER_HOST" not in engine.environment()
    own.touch()
    assert engine.environment()["DOCKER_HOST"] == f"unix://{own}"
    assert engine.command() == ["docker", "--host", f"unix://{own}"]
    system.touch()
    assert "DOCKER_HOST" not in engine.environment()
    assert engine.command() == ["docker"]
    system.unlink()
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere")
    assert engine.environment()["DOCKER_HOST"] == "unix:///elsewhere"


def test_no_engine_at_all_is_one_sentence_with_every_reason(engines: dict[str, str | None]) -> None:
    engines.update(docker="install docker.io", namespace="install util-linux")
    with pytest.raises(PlaceError, match=r"install docker\.io; install util-linux"):
        choose("auto")


def test_an_engine_that_was_asked_for_is_never_replaced_by_another(engines: dict[str, str | None]) -> None:
    engines["docker"] = "install docker.io"
    with pytest.raises(PlaceError, match=r"^install docker\.io$"):
        choose("docker")


def test_an_unknown_engine_is_answered_with_the_known_ones() -> None:
    with pytest.raises(PlaceError, match=r"no engine named 'lxc'; there are auto, docker"):
        choose("lxc")


def test_a_mount_is_at_the_same_path_unless_another_is_named(tmp_path: Path) -> None:
    assert parse(str(tmp_path)) == MountOption(str(tmp_path), str(tmp_path))
    assert parse(f"{tmp_path}:/opt/x/") == MountOption(str(tmp_path), "/opt/x")


@pytest.mark.parametrize(("target", "wrong"), [("opt", "absolute"), ("/", "absolute")])
def test_a_mount_needs_an_absolute_path_below_the_root(tmp_path: Path, target: str, wrong: str) -> None:
    with pytest.raises(PlaceError, match=wrong):
        parse(f"{tmp_path}:{target}")


def test_a_mount_of_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=r"there is no .*/nothing on this machine"):
        parse(f"{tmp_path}/nothing")
