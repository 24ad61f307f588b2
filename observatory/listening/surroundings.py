"""What is around a socket: who could take its name away, and put another socket there; how many may wait for it.

Clients find a server by its path. Whoever may write in the directory may rename or remove what's in it, unless it is
sticky; the directory's owner may always; and the same for each directory above. (A client is safe only if it asks
who the server is, as `observatory`'s own do.)
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

_SOMAXCONN: Final = Path("/proc/sys/net/core/somaxconn")


def longest_queue() -> int | None:
    """How many connections the kernel lets wait for one socket at most (listen(2)); `None` where it does not say."""
    try:
        return int(_SOMAXCONN.read_text("ascii"))
    except (OSError, ValueError):
        return None


def risks(path: str, trusted: frozenset[int]) -> list[str]:
    """One sentence for each directory above `path` in which others than the `trusted` uids could replace things.

    Mode bits only: an ACL that gives more is seen as the group bits, which are then its mask.
    """
    found = []
    directory = Path(os.path.realpath(Path(path).parent))
    for place in (directory, *directory.parents):
        try:
            status = place.stat()
        except OSError:
            continue
        mode = stat.S_IMODE(status.st_mode)
        others = " and ".join(who for who, bit in (("its group", 0o020), ("everyone", 0o002)) if mode & bit)
        if status.st_uid not in trusted:
            found.append(f"uid {status.st_uid} owns {place} and could put another socket in the place of {path}")
        elif others and not mode & stat.S_ISVTX:
            found.append(
                f"{others} may write in {place} (mode {mode:04o}, not sticky) and could put another socket in the"
                f" place of {path}"
            )
    return found
