"""The exit statuses of the `harness` command, beside those of `harness.cli.ending`."""

from __future__ import annotations

AGREE = 0
"""All attempts agree, all checks hold."""
DISAGREE = 1
"""An attempt disagrees, or a check fails."""
USAGE = 2
"""The command line or the world is wrong."""
UNAVAILABLE = 69
"""No engine works here: EX_UNAVAILABLE of sysexits.h."""
TERMINATED = 143
"""By SIGTERM, as a shell tells it, where a command writes first what it has found."""
