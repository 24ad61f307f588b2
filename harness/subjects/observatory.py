"""The observatory, by its command line and nothing else."""

from __future__ import annotations

import compileall
import importlib.util
from dataclasses import dataclass
from importlib.metadata import requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.cache.images import tree_of
from harness.engines.protocol import PlaceError
from harness.subjects.subject import Subject

if TYPE_CHECKING:
    from harness.engines.protocol import Engine

DISTRIBUTION = "claude-observatory"
SOURCE = "/opt/observatory/source"
LIBRARIES = "/opt/observatory/libraries"


@dataclass(frozen=True)
class Observatory(Subject):
    """The server of hook events of this distribution."""

    def install(self, engine: Engine, image: str | None) -> tuple[str, ...]:
        """Bring in the package as it is installed here, and its dependencies for the place's Python."""
        found = importlib.util.find_spec("observatory")
        if found is None or found.origin is None:
            raise PlaceError("the observatory is not installed here: pip install claude-observatory")
        libraries = tree_of([f"{name}=={version(name)}" for name in _dependencies()], engine, image=image)
        source = Path(found.origin).parent
        # Places have it read-only, so that each start there would compile what nobody has imported here yet.
        compileall.compile_dir(source, quiet=2)
        return (f"{source}:{SOURCE}/observatory", f"{libraries}:{LIBRARIES}")


def _dependencies() -> list[str]:
    """The names of what the distribution needs without any extra."""
    names = []
    for requirement in requires(DISTRIBUTION) or []:
        name, _, marker = requirement.partition(";")
        if "extra" not in marker:
            names.append(name.strip().partition(">")[0].partition("=")[0].partition("<")[0].strip())
    return names


OBSERVATORY = Observatory(
    name="observatory",
    about="the server of hook events of this project",
    command=(
        *("python3", "-m", "observatory", "serve", "--socket", "{socket}", "--mode", "{mode}"),
        *("--group", "{group}"),
    ),
    speaks="hooks",
    client=("python3", "-m", "observatory", "events", "--socket", "{socket}", "--server-user", "{owner}"),
    environment={"PYTHONPATH": f"{SOURCE}:{LIBRARIES}", "PYTHONDONTWRITEBYTECODE": "1"},
)
