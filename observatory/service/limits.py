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

ACCEPTS_PER_TURN: Final = 4096
"""Connections accepted in one turn at most: all who can wait, where nobody has changed net.core.somaxconn."""
REQUESTS_PER_TURN: Final = 64
"""Requests of one connection that are taken up in one turn at most."""
BYTES_PER_READ: Final = 128 * 1024
"""Bytes of a body read from one connection in one turn at most."""
BYTES_TO_PARSE: Final = 16 * 1024
"""Bytes read at once at most of which it isn't known that they are of one body: each few of them may be a request."""

PART_OF_TURN: Final = 1280 * 1024
"""What one user's connections may cost in a turn, and what one connection costs more. It's counted in bytes, and all
else as so many bytes as take as long:"""
CONNECTION_COST: Final = 6 * 1024
"""looking at a connection,"""
PARSING_COST: Final = 1024
"""parsing a request,"""
REQUEST_COST: Final = 8 * 1024
"""doing what it asks for,"""
TELLING_COST: Final = 512
"""asking a follower whether it's told of an event,"""
BODY_COST: Final = 64
"""for each byte, taking a body apart that can't be taken as it was sent,"""
BYTES_A_SECOND: Final = 640_000_000
"""and of a longer one what it has really taken of the processor."""

MEMORY: Final = 256 * 1024 * 1024
"""Bytes of incomplete requests and unsent answers, of all users together; see `Quota`."""
FOLLOWER_BUFFER: Final = 1024 * 1024
"""Bytes that a follower may leave unread, besides what the kernel holds."""
DRAIN_BYTES: Final = 64 * 1024 * 1024
"""Bytes read and thrown away after a refusal, so that a peer which is still sending gets to read why."""

FEW_GROUPS: Final = 32
"""Groups of a peer that count for nothing."""
GROUP_SIZE: Final = 40
"""Bytes for which each of more groups counts."""

RESERVED_DESCRIPTORS: Final = 320
"""Descriptors that connections leave free: the readers' of the output socket, the database's."""
ACCEPT_PAUSE: Final = 0.05
"""Seconds until accepting is tried again when there were no descriptors left."""
INDEX_DELAY: Final = 0.5
"""Seconds after which the last events are indexed, if no more come."""
