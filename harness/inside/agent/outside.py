"""The machine's own root, where the agent has taken a directory of it as the root of its place.

That is so on a machine without namespaces: users then try inside, commands are run outside, and so is looked at what
the kernel tells of processes.
"""

from __future__ import annotations

import codecs
import importlib
import os


class Outside:
    """The root that was left, kept open; none where the place has a root of its own."""

    descriptor: int | None = None
    base = ""
    """What is the root directory of the place, as the machine's own root calls it."""

    @classmethod
    def leave(cls, base: str) -> None:
        """Make `base` the root directory of this process."""
        # From inside, Python could not load what is needed later.
        importlib.import_module("shutil")
        for name in ("ascii", "utf-8"):
            codecs.lookup(name)
        cls.descriptor = os.open("/", os.O_RDONLY)
        cls.base = base
        os.chroot(base)
        os.chdir("/")

    @classmethod
    def name(cls, path: str) -> str:
        """A path of the place as it is called after `enter`."""
        return cls.base + path

    @classmethod
    def reached(cls, path: str) -> Reached:
        """A path of the machine's own root as a system call takes it within a `with`."""
        return Reached(path, cls.descriptor)

    @classmethod
    def open(cls, path: str, flags: int = os.O_RDONLY) -> int:
        """Open a path of the machine's own root. Raises OSError."""
        return os.open(path.lstrip("/") if cls.descriptor is not None else path, flags, dir_fd=cls.descriptor)

    @classmethod
    def enter(cls) -> None:
        """Go back to the machine's own root, if it was left."""
        if cls.descriptor is not None:
            os.fchdir(cls.descriptor)
            os.chroot(".")

    @classmethod
    def read(cls, path: str) -> str:
        """A text file of the kernel's, such as those in /proc. Raises FileNotFoundError where there is none."""

        with open(path, encoding="utf-8", errors="surrogateescape", opener=cls.open) as file:
            return file.read()


class Reached:
    """What `Outside.reached` gives; a class, since each start of a place would wait for `contextlib`."""

    def __init__(self, path: str, root: int | None) -> None:
        self._path = path
        self._root = root

    def __enter__(self) -> str:
        if self._root is None:
            return self._path
        os.fchdir(self._root)
        return self._path.lstrip("/")

    def __exit__(self, *_: object) -> None:
        if self._root is not None:
            os.chdir("/")
