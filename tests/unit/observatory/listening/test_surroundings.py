"""Who could put another socket in a socket's place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from observatory.listening.surroundings import risks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ME = frozenset({0, os.geteuid()})


@pytest.fixture
def below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories whose ancestors are beyond reproach, whatever the machine's are."""
    import observatory.listening.surroundings as module

    class Below(type(tmp_path)):  # type: ignore[misc]
        @property
        def parents(self) -> Sequence[Any]:
            return [path for path in super().parents if path.is_relative_to(tmp_path)]

    monkeypatch.setattr(module, "Path", Below)
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("mode", [0o700, 0o711, 0o755, 0o1777, 0o1775, 0o2750])
def test_a_directory_where_only_its_owner_can_replace_things_is_no_risk(below: Path, mode: int) -> None:
    (below / "d").mkdir()
    (below / "d").chmod(mode)
    assert risks(str(below / "d" / "s"), ME) == []


@pytest.mark.parametrize(
    ("mode", "who"),
    [(0o777, "its group and everyone"), (0o775, "its group"), (0o757, "everyone"), (0o773, "its group and everyone")],
)
def test_a_directory_where_others_may_write_is_named_with_its_mode(below: Path, mode: int, who: str) -> None:
    (below / "d").mkdir()
    (below / "d").chmod(mode)
    (risk,) = risks(str(below / "d" / "s"), ME)
    assert risk.startswith(f"{who} may write in {below / 'd'} (mode {mode:04o}, not sticky)")


def test_a_directory_further_up_is_named_too(below: Path) -> None:
    (below / "a/b").mkdir(parents=True)
    (below / "a").chmod(0o777)
    (risk,) = risks(str(below / "a/b/s"), ME)
    assert f"may write in {below / 'a'} " in risk


def test_a_directory_of_someone_else_is_named_even_if_it_is_sticky(below: Path) -> None:
    (below / "d").mkdir()
    (below / "d").chmod(0o1777)
    found = risks(str(below / "d" / "s"), frozenset({os.geteuid() + 1}))
    assert found[0].startswith(f"uid {os.geteuid()} owns {below / 'd'} and could put another socket")


def test_links_are_followed_to_where_the_socket_really_is(below: Path) -> None:
    (below / "real").mkdir()
    (below / "real").chmod(0o777)
    (below / "link").symlink_to("real")
    (risk,) = risks(str(below / "link" / "s"), ME)
    assert str(below / "real") in risk
