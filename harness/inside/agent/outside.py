"""The machine's own root, where the agent has taken a directory of it as the root of its place.

That is so on a machine without namespaces: users then try inside, commands are run outside, and so is looked at what
the kernel tells of processes.
"""

from __future__ import annotations

import codecs
import os


class Outside:
    """The root that was left, kept open; none where the place has a root of its own."""

    descriptor: int | None = None

    @classmethod
    def leave(cls, base: str) -> None:
        """Make `base` the root directory of this process."""
        for name in ("ascii", "utf-8"):
            codecs.lookup(name)  # from inside, Python could not load them
        cls.descriptor = os.open("/", os.O_RDONLY)
        os.chroot(base)
        os.chdir("/")

    @classmethod
    def enter(cls) -> None:
        """Go back to the machine's own root, if it was left."""
        if cls.descriptor is not None:
            os.fchdir(cls.descriptor)
            os.chroot(".")

    @classmethod
    def read(cls, path: str) -> str:
        """A text file of the kernel's, such as those in /proc. Raises FileNotFoundError where there is none."""

        def opener(name: str, flags: int) -> int:
            return os.open(name.lstrip("/") if cls.descriptor is not None else name, flags, dir_fd=cls.descriptor)

        with open(path, encoding="utf-8", errors="surrogateescape", opener=opener) as file:
            return file.read()
