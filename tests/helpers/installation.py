"""Observatory as it is brought into a place: its source, and the libraries that it imports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.cache.images import tree

if TYPE_CHECKING:
    from harness.engines.protocol import Engine

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "observatory"
INSIDE = "/opt/observatory"


def libraries(engine: Engine) -> Path:
    """What observatory imports, installed for the machines of an engine."""
    return tree(ROOT / "locks" / "core.txt", engine)


def mounts(libraries: Path | str, source: Path | str = SOURCE) -> tuple[str, str]:
    """What brings both into a place."""
    return f"{libraries}:{INSIDE}/libraries", f"{source}:{INSIDE}/source/observatory"


def environment(home: str = "/home/alice", source: str = "source") -> dict[str, str]:
    """In which `python3 -m observatory` is found in there, by default the one that `mounts` brings."""
    return {
        "HOME": home,
        "PYTHONPATH": f"{INSIDE}/{source}:{INSIDE}/libraries",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
