"""How many tokens each answer of a model took, as the client wrote them down.

A transcript has a line for each block of an answer (its words, each tool that it uses), and each such line has the
whole answer's usage; while an answer streams, earlier lines may have less of its output. A session that was resumed as
another one (`--fork-session`) has the earlier one's lines again. So an answer is told by the ids of its message and of
its request, and counts once, with the largest output that was written down. What the client asks for itself, a title
say, is in no transcript.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

SYNTHETIC: Final = "<synthetic>"
"""The model of messages that the client itself wrote: of an error, or of an interruption."""
NAME: Final = 200
"""Characters of a name that is shown."""


class CacheWrites(msgspec.Struct, frozen=True):
    """Tokens that were written to the cache, by how long they stay there."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class ServerTools(msgspec.Struct, frozen=True):
    """Tools that the service itself ran."""

    web_search_requests: int | None = None


class Tokens(msgspec.Struct, frozen=True):
    """The tokens of one request, or of one step of it, as the Messages API tells them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheWrites | None = None
    type: str = "message"

    @property
    def cache_writes(self) -> int:
        """Tokens written to the cache."""
        return self.cache_creation_input_tokens or 0

    @property
    def cache_writes_1h(self) -> int:
        """Those of them that stay for an hour; the client counts all others as of five minutes."""
        hour = 0 if self.cache_creation is None else self.cache_creation.ephemeral_1h_input_tokens
        return min(max(hour, 0), self.cache_writes)

    @property
    def cache_reads(self) -> int:
        """Tokens read from the cache."""
        return self.cache_read_input_tokens or 0

    @property
    def prompt(self) -> int:
        """All tokens that the model was given."""
        return self.input_tokens + self.cache_writes + self.cache_reads


class Usage(Tokens, frozen=True):
    """What an answer took."""

    server_tool_use: ServerTools | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: list[Tokens] | None = None

    @property
    def web_searches(self) -> int:
        """Searches that the service made."""
        return 0 if self.server_tool_use is None else self.server_tool_use.web_search_requests or 0


class _Message(msgspec.Struct, frozen=True):
    model: str
    usage: Usage
    id: str | None = None


class _Line(msgspec.Struct, frozen=True, rename="camel"):
    session_id: str
    timestamp: str
    message: _Message
    type: str = ""
    uuid: str = ""
    request_id: str | None = None
    agent_id: str | None = None
    attribution_agent: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """One answer of a model: whose, in which session, by which agent, and when.

    `agent` is a subagent's id, `None` for the main agent; `agent_type` is its type, where that was written down.
    """

    owner: int
    session: str
    agent: str | None
    agent_type: str | None
    model: str
    time: datetime
    usage: Usage


_decode: Final = msgspec.json.Decoder(_Line).decode


class Reader:
    """Answers out of the lines of transcripts, each once. The transcripts come in the order in which they began."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str | None], Answer] = {}
        self.unread = 0
        """Lines that say what an answer took in a form that is not known, or were too long to be read."""

    def read(self, owner: int, lines: Iterable[bytes]) -> None:
        """Take the lines of one transcript."""
        for line in lines:
            if not line:
                self.unread += 1
            elif b'"usage"' in line and b'"assistant"' in line:
                self._take(owner, line)

    def _take(self, owner: int, line: bytes) -> None:
        try:
            found = _decode(line)
            time = datetime.fromisoformat(found.timestamp)
        except (msgspec.DecodeError, ValueError, RecursionError):
            # A user's message or a tool's result may have both words in it.
            self.unread += b'"type":"assistant"' in line
            return
        message = found.message
        if found.type != "assistant" or message.model == SYNTHETIC or _negative(message.usage):
            return
        key = (message.id or found.uuid, found.request_id)
        before = self._answers.get(key)
        if before is not None:
            if message.usage.output_tokens > before.usage.output_tokens:
                self._answers[key] = msgspec.structs.replace(before, usage=message.usage)
            return
        self._answers[key] = Answer(
            owner,
            found.session_id[:NAME],
            None if found.agent_id is None else found.agent_id[:NAME],
            None if found.attribution_agent is None else found.attribution_agent[:NAME],
            message.model[:NAME],
            time if time.tzinfo is not None else time.replace(tzinfo=UTC),
            message.usage,
        )

    def answers(self) -> list[Answer]:
        """All that were found."""
        return list(self._answers.values())


def _negative(usage: Usage) -> bool:
    return min(usage.input_tokens, usage.output_tokens, usage.cache_writes, usage.cache_reads, usage.web_searches) < 0
