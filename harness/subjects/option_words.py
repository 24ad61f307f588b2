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


def option(key: str) -> str:
    """What the option for a key is called."""
    return "--" + OPTIONS.get(key, key).replace("_", "-")


def option_words(table: Mapping[str, Any]) -> Iterator[str]:
    """The options that say what the table says, but for its command."""
    for key, value in table.items():
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
