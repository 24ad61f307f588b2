"""The limits of the service, which docs/server.md states: times, sizes, and one user's part of a turn."""

from __future__ import annotations

from typing import Final

DEADLINE: Final = 10.0
"""Seconds that a request may take, from its connection or from the end of the one before it to its last byte; also
that a peer may take nothing of an answer."""
END_GRACE: Final = 2.0
"""Seconds that requests which have begun get to complete when the server ends."""
TURN_BUDGET: Final = 0.005
"""Seconds of a turn that go to readers at most, and to those who have said more than one turn takes."""

ACCEPTS_PER_TURN: Final = 64
"""Connections accepted in one turn at most."""
REQUESTS_PER_TURN: Final = 64
"""Requests of one connection that are taken up in one turn at most."""
BYTES_PER_READ: Final = 128 * 1024
"""Bytes read from one connection in one turn at most."""
USER_BYTES_PER_TURN: Final = 1024 * 1024
"""Bytes that are read from one user's connections in one turn, and those of one connection more."""
CONNECTION_COST: Final = 16 * 1024
"""Bytes for which a connection counts besides."""
REQUEST_COST: Final = 1024
"""Bytes for which a request counts besides."""

MEMORY: Final = 256 * 1024 * 1024
"""Bytes of incomplete requests and unsent answers, of all users together; see `Quota`."""
FOLLOWER_BUFFER: Final = 1024 * 1024
"""Bytes that a follower may leave unread, besides what the kernel holds."""
DRAIN_BYTES: Final = 32 * 1024 * 1024
"""Bytes read and thrown away after a refusal, so that a peer which is still sending gets to read why."""

RESERVED_DESCRIPTORS: Final = 320
"""Descriptors that connections leave free: the readers' of the output socket, the database's."""
ACCEPT_PAUSE: Final = 0.05
"""Seconds until accepting is tried again when there were no descriptors left."""
INDEX_DELAY: Final = 0.5
"""Seconds after which the last events are indexed, if no more come."""
