"""What proves to NATS who one is: read, looked at, and never sent anywhere before that."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nkeys
from nats.aio.client import RawCredentials

from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST: Final = 64 * 1024
"""Bytes of a credentials file, at most."""
_TOKEN: Final = re.compile(rb"BEGIN NATS USER JWT-+\r?\n[A-Za-z0-9_.-]+\r?\n")
_SEED: Final = re.compile(rb"BEGIN USER NKEY SEED-+\r?\n([A-Z2-7]+)\r?\n")


def credential_options(path: str) -> dict[str, Any]:
    """The options of nats-py for a credentials file: of `nsc` (a token and a seed), or with the seed of a key alone.

    Raises ObservatoryError.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LONGEST + 1)
    except OSError as error:
        raise ObservatoryError(
            f"can't read {path}: {error.strerror}",
            ExitStatus.NOT_PERMITTED if isinstance(error, PermissionError) else ExitStatus.FAILED,
        ) from error
    found = _SEED.search(content)
    with_token = found is not None and _TOKEN.search(content) is not None
    seed = found[1] if found is not None and with_token else content.strip()
    try:
        nkeys.from_seed(bytearray(seed)).wipe()
    except Exception as error:
        raise ObservatoryError(
            f"{path} has no NATS credentials in it: neither the token and the seed of a file of nsc's, nor the seed of "
            "a key alone"
        ) from error
    if with_token:
        return {"user_credentials": RawCredentials(content.decode())}
    return {"nkeys_seed_str": seed.decode()}


def warn_of_readers(path: str, log: Callable[[str], None]) -> None:
    """Say it if others than its owner may read or write a credentials file."""
    try:
        mode = stat.S_IMODE(Path(path).stat().st_mode)
    except OSError:
        return  # whoever reads it will say why not
    if mode & 0o077:
        log(f"others may read or write the credentials {path} (mode {mode:04o}): chmod 0600 keeps them to their owner")
