"""How far the other side has the events: a small file, written anew and renamed, held by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from observatory.errors import ObservatoryError

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Position:
    """The last event that the other side has acknowledged, and all before it: whose database's, its id and its time.

    An id of 0 is none of that database.
    """

    database: str = ""
    id: int = 0
    ts: str = ""


class Cursor:
    """A cursor's file. A context manager: it's this process's alone until its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = Position()
        self.former = ""
        """The database that it was of when it was read; "" if it was of none."""
        self._saved = Position()
        self._lock = -1

    def __enter__(self) -> Cursor:
        """Read it. Raises ObservatoryError."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ObservatoryError(
                f"another observatory forward works with {self.path}; choose another --cursor"
            ) from None
        except OSError as error:
            raise ObservatoryError(
                f"can't use the cursor {self.path}: {error.strerror}; choose another --cursor"
            ) from error
        try:
            self.position = self._saved = msgspec.json.decode(self.path.read_bytes(), type=Position)
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            os.close(self._lock)
            raise ObservatoryError(f"can't read the cursor {self.path}: {error}; remove it to begin again") from error
        self.former = self.position.database
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write it a last time, and let others have it."""
        with contextlib.suppress(ObservatoryError):
            self.save()
        os.close(self._lock)

    def save(self) -> None:
        """Write it, if it has moved. Raises ObservatoryError."""
        if self.position == self._saved:
            return
        try:
            fresh = self.path.with_name(self.path.name + ".new")
            fresh.write_bytes(msgspec.json.encode(self.position) + b"\n")
            fresh.replace(self.path)
        except OSError as error:
            raise ObservatoryError(f"can't write the cursor {self.path}: {error.strerror}") from error
        self._saved = self.position


def default_path(socket_path: str, target: str, host: str) -> Path:
    """Where the cursor of one server and one target is kept if nobody says: in the user's state directory.

    `$STATE_DIRECTORY` (systemd.exec(5)), `$XDG_STATE_HOME/claude-observatory` or `~/.local/state/claude-observatory`.
    """
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    given = os.environ.get("STATE_DIRECTORY")
    directory = Path(given.split(":")[0]) if given else Path(state) / "claude-observatory"
    which = hashlib.sha256(f"{Path(socket_path).absolute()}\0{target}\0{host}".encode()).hexdigest()[:16]
    return directory / f"forward-{which}.json"
