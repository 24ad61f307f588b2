"""A description of a server as the options of `harness check`, for a command that asks the same again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OPTIONS = {
    "user": "as",
    "directory": "chdir",
    "doors": "door",
    "accounts": "account",
    "mounts": "mount",
    "environment": "env",
}
"""Keys of a subject file whose options are called otherwise."""
FOR_PEOPLE = frozenset({"name", "about", "expected"})
"""Keys that change nothing of what is done, and have no option."""
OF_THE_IMAGE = frozenset({"image", "suite", "packages"})
"""Keys for which `--image` stands, which is no word about the server."""


def option(key: str) -> str:
    """What the option for a key is called."""
    return "--" + OPTIONS.get(key, key).replace("_", "-")


def option_words(table: Mapping[str, Any]) -> Iterator[str]:
    """The options that say what the table says, but for its command and its image."""
    for key, value in table.items():
        if key in FOR_PEOPLE | OF_THE_IMAGE:
            continue
        if key == "own_check":
            yield from (option(key), ",".join(value))
        elif key == "environment":
            yield from (word for name, text in value.items() for word in (option(key), f"{name}={text}"))
        elif isinstance(value, bool):
            yield from [option(key)] if value else []
        elif isinstance(value, (list, tuple)):
            yield from (word for each in value for word in (option(key), str(each)))
        elif key != "command":
            yield from (option(key), f"{value:g}" if isinstance(value, (int, float)) else str(value))
