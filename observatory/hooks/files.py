"""A settings file, read and written back safely: all of it or nothing, with its owner, its mode and a backup.

A `SettingsChange` is planned first, so that it can be shown, and then made. The backup beside the file holds it as it
is without observatory's hooks; as long as nobody has changed the file since, uninstalling puts just that back.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from observatory.errors import ExitStatus, ObservatoryError
from observatory.hooks import settings
from observatory.hooks.attributes import copy_attributes
from observatory.hooks.diff import unified_diff
from observatory.hooks.json_text import MalformedError
from observatory.hooks.regular_file import read_regular
from observatory.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from observatory.hooks.settings import Handler

BACKUP_SUFFIX = ".before-observatory"


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What is to become of a settings file: its text `before` and `after`, `None` where there is no file.

    `backup` is what the backup is to hold afterwards, `None` for no backup, and only looked at if the text
    changes. `exact` says that an uninstallation puts back what was there before the installation, byte for byte.
    """

    path: Path
    before: str | None
    after: str | None
    backup: str | None
    exact: bool = True

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.before != self.after

    def diff(self) -> str:
        """The change as a unified diff; empty if there is none."""
        name = printable(str(self.path))  # one line, whatever is in it
        was, becomes = (name if text is not None else os.devnull for text in (self.before, self.after))
        return unified_diff(self.before or "", self.after or "", was, becomes)


def settings_path(directory: Path, name: str = "settings.json") -> Path:
    """A settings file in a `.claude` directory: the file itself, where that is a symbolic link to it.

    Raises ObservatoryError where root would follow another user's link, or its own one to another user's file.
    """
    path = directory / name
    try:
        links = [(part, found) for part in (directory, path) if (found := _link(part)) is not None]
        if os.geteuid() != 0:
            return path.resolve(strict=False)
        for part, found in links:
            if found.st_uid != 0:
                raise ObservatoryError(
                    f"{part} is a symbolic link of the user with uid {found.st_uid}, which root does not follow; run "
                    f"this as that user",
                    ExitStatus.NOT_PERMITTED,
                )
        if not links:
            return path  # and not what it leads to, if a link has come into its place by now
        resolved = path.resolve(strict=False)
        with suppress(FileNotFoundError):
            if (owner := resolved.lstat().st_uid) != 0:
                raise ObservatoryError(
                    f"{path} leads to {resolved}, which belongs to uid {owner}; run this as that user, since root "
                    f"changes no other user's file by way of a link",
                    ExitStatus.NOT_PERMITTED,
                )
    except RuntimeError as error:
        raise ObservatoryError(f"{path} can't be followed: {error}") from error
    except OSError as error:
        _refuse(path, error)
    return resolved


def _link(path: Path) -> os.stat_result | None:
    """The status of a symbolic link, `None` for anything else."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found if stat.S_ISLNK(found.st_mode) else None


def plan_install(path: Path, wanted: Mapping[str, Handler], *, flat: bool = False) -> SettingsChange:
    """Plan to install these hooks, in place of observatory's that are there already. `flat` is that of the client.

    Raises ObservatoryError.
    """
    before = _read(path)
    with _named(path):
        ours = settings.installed(before) if before is not None else {}
        if before is not None and ours == {event: [handler] for event, handler in wanted.items()}:
            return SettingsChange(path, before, before, None)
        base = _origin(path, before, ours).text if before is not None and ours else before
        after = settings.install(settings.NEW if base is None else base, wanted, flat=flat)
    return SettingsChange(path, before, after, base)


def plan_uninstall(path: Path) -> SettingsChange:
    """Plan to take observatory's hooks out. Raises ObservatoryError."""
    before = _read(path)
    if before is None:
        return SettingsChange(path, None, None, None)
    with _named(path):
        ours = settings.installed(before)
        if not ours:
            return SettingsChange(path, before, before, None)
        origin = _origin(path, before, ours)
    return SettingsChange(path, before, origin.text, None if origin.exact else _read(backup_path(path)), origin.exact)


def backup_path(path: Path) -> Path:
    """Where the backup of a settings file is."""
    return path.with_name(path.name + BACKUP_SUFFIX)


@dataclass(frozen=True, slots=True)
class Installed:
    """What a settings file has: observatory's hooks by event, and all of its members by their keys."""

    hooks: Mapping[str, list[object]]
    members: Mapping[str, object]


def read_installed(path: Path) -> Installed:
    """What a settings file has; nothing if there is none. Raises ObservatoryError."""
    text = _read(path)
    if text is None:
        return Installed({}, {})
    with _named(path):
        return Installed(settings.installed(text), settings.members(text))


@dataclass(frozen=True, slots=True)
class _Origin:
    """A settings file without observatory's hooks. `exact` if it is the file as it was before them."""

    text: str | None
    exact: bool


def _origin(path: Path, text: str, ours: Mapping[str, list[object]]) -> _Origin:
    """What the file was before `ours` were installed, if installing them again gives just this text."""
    backup = _read(backup_path(path))
    single = {event: hooks[0] for event, hooks in ours.items()}
    with suppress(MalformedError):
        base = settings.NEW if backup is None else backup
        if any(settings.install(base, single, flat=flat) == text for flat in (False, True)):
            return _Origin(backup, True)
    return _Origin(settings.uninstall(text), False)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except MalformedError as error:
        raise ObservatoryError(f"{path} was not touched: {error}; mend it, then run this again") from error


def _read(path: Path) -> str | None:
    try:
        return read_regular(path).decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise ObservatoryError(
            f"{path} was not touched: its byte {error.start} is not UTF-8; mend it, then run this again"
        ) from error
    except OSError as error:
        _refuse(path, error)


def make(change: SettingsChange) -> None:
    """Make a planned change. Raises ObservatoryError, and then the file is as it was."""
    if not change.changes:
        return
    directory = change.path.parent
    try:
        if change.after is not None:
            _make_directory(directory)
        with _Directory(directory) as place:
            place.expect(change)  # before the backup is written: it would show the text to whoever owns the directory
            like = place.status(change.path.name)
            backup = backup_path(change.path).name
            kept = _read(backup_path(change.path))
            if change.backup is not None and change.backup != kept:
                place.write(backup, change.backup, like, change.path)
            if change.after is None:
                place.expect(change)
                os.unlink(change.path.name, dir_fd=place.descriptor)
            else:
                place.write(change.path.name, change.after, like, change.path, change)
            if change.backup is None and kept is not None:
                with suppress(FileNotFoundError):
                    os.unlink(backup, dir_fd=place.descriptor)
    except OSError as error:
        _refuse(change.path, error)


def _make_directory(path: Path) -> None:
    try:
        path.mkdir()
    except FileExistsError:
        return
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


class _Directory:
    """A directory held open, so that nobody can put another in its place between two steps."""

    def __init__(self, path: Path) -> None:
        # Root does not follow a link here: `settings_path` has followed those that may be.
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.owner = os.fstat(self.descriptor)

    def __enter__(self) -> _Directory:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def status(self, name: str) -> os.stat_result | None:
        """The file's own status, not that of a link's target; `None` if there is no such file."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def expect(self, change: SettingsChange) -> None:
        """Raise ObservatoryError if the file is no longer what the change was planned on."""
        try:
            now: bytes | None = read_regular(change.path.name, directory=self.descriptor)
        except FileNotFoundError:
            now = None
        if now != (None if change.before is None else change.before.encode()):
            raise ObservatoryError(f"{change.path} was changed by someone else meanwhile; run this again")

    def write(
        self, name: str, text: str, like: os.stat_result | None, model: Path, change: SettingsChange | None = None
    ) -> None:
        """Put a file of that text there, all at once, as `like` is the status of `model`: owner, mode, attributes.

        With a change, only if the file is still what that was planned on.
        """
        temporary = f".{name}.{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o666 if like is None else 0o600, dir_fd=self.descriptor)
        try:
            with os.fdopen(descriptor, "wb") as file:
                self._own(descriptor, like, model)
                file.write(text.encode())
                file.flush()
                os.fsync(descriptor)
            if change is not None:
                self.expect(change)
            os.replace(temporary, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except BaseException:
            os.unlink(temporary, dir_fd=self.descriptor)
            raise
        os.fsync(self.descriptor)

    def _own(self, descriptor: int, like: os.stat_result | None, model: Path) -> None:
        now = os.fstat(descriptor)
        wanted = like
        if wanted is None:
            # Root makes a file in another user's directory: it becomes that user's, like the directory.
            if os.geteuid() != 0 or self.owner.st_uid == 0:
                return
            wanted = self.owner
        if (now.st_uid, now.st_gid) != (wanted.st_uid, wanted.st_gid):
            try:
                os.fchown(descriptor, wanted.st_uid, wanted.st_gid)
            except PermissionError:
                raise ObservatoryError(
                    f"{model} belongs to uid {wanted.st_uid}, gid {wanted.st_gid}, which uid {os.geteuid()} can't "
                    f"keep; run this as its owner",
                    ExitStatus.NOT_PERMITTED,
                ) from None
        if like is not None:
            copy_attributes(model, descriptor)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _refuse(path: Path, error: OSError) -> NoReturn:
    reason = error.strerror or str(error)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        raise ObservatoryError(
            f"{path} can't be read or written: {reason}; look at `ls -ld {path.parent} {path}`",
            ExitStatus.NOT_PERMITTED,
        ) from error
    raise ObservatoryError(f"{path} can't be read or written: {reason}") from error
