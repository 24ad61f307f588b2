"""Which engine runs, what is said of it, and what `--mount` takes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

import harness.engines.registry
from harness.engines.mount_option import MountOption, parse
from harness.engines.protocol import PlaceError
from harness.engines.registry import choose

if TYPE_CHECKING:
    from pathlib import Path


class Fake:
    def __init__(self, name: str, reason: str | None) -> None:
        self.name = name
        self.reason = reason

    def available(self) -> str | None:
        return self.reason


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Why each engine does not work here; change it before choosing."""
    reasons: dict[str, str | None] = {"docker": None, "namespace": None}
    monkeypatch.setattr(harness.engines.registry, "engine", lambda name: Fake(name, reasons[name]))
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
