"""Each answer counts once, with all that it took; what is no answer counts nothing, and what can't be read is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from observatory.transcripts.usage import Reader

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_lines_of_one_answer_count_once_with_its_last_output(line: Callable[..., bytes]) -> None:
    reader = Reader()
    reader.read(7, [line(usage={"output_tokens": 1}), line(), line(usage={"output_tokens": 12})])
    (answer,) = reader.answers()
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 40)
    assert (answer.usage.cache_writes, answer.usage.cache_writes_1h, answer.usage.cache_reads) == (2000, 1500, 3000)
    assert (answer.owner, answer.session[:8], answer.agent) == (7, "0f988d6d", None)
    assert answer.time == datetime(2026, 11, 29, 10, 38, 1, 950000, UTC)


def test_an_answer_that_another_session_took_over_stays_with_the_first(line: Callable[..., bytes]) -> None:
    reader = Reader()
    reader.read(7, [line(1)])
    reader.read(7, [line(1, sessionId="forked"), line(2, sessionId="forked")])
    assert [answer.session[:8] for answer in reader.answers()] == ["0f988d6d", "forked"]


def test_one_message_of_two_requests_is_two_answers(line: Callable[..., bytes]) -> None:
    reader = Reader()
    reader.read(7, [line(1), line(1, requestId="req_other")])
    assert len(reader.answers()) == 2


def test_answers_without_ids_are_told_by_their_lines(line: Callable[..., bytes]) -> None:
    def bare(uuid: str) -> bytes:
        return line(1, uuid=uuid, requestId=None).replace(b'"id":"msg_1",', b"")

    reader = Reader()
    reader.read(7, [bare("a"), bare("b"), bare("b")])
    assert len(reader.answers()) == 2


def test_a_subagents_answers_name_it(line: Callable[..., bytes]) -> None:
    reader = Reader()
    reader.read(7, [line(1, agentId="accb867d", attributionAgent="Explore", isSidechain=True)])
    assert [(answer.agent, answer.agent_type) for answer in reader.answers()] == [("accb867d", "Explore")]


def test_what_the_client_wrote_itself_took_nothing(line: Callable[..., bytes]) -> None:
    reader = Reader()
    said = b'{"type":"user","message":{"role":"user","content":"an \\"assistant\\" and its \\"usage\\""}}\n'
    reader.read(7, [line(1, model="<synthetic>"), said, line(2, type="user")])
    assert (reader.answers(), reader.unread) == ([], 0)


@pytest.mark.parametrize("usage", [{"input_tokens": -1}, {"cache_read_input_tokens": -(10**9)}])
def test_nobody_has_tokens_to_give_back(line: Callable[..., bytes], usage: dict[str, int]) -> None:
    reader = Reader()
    reader.read(7, [line(usage=usage)])
    assert reader.answers() == []


def test_more_than_all_writes_do_not_stay_for_an_hour(line: Callable[..., bytes]) -> None:
    reader = Reader()
    reader.read(7, [line(usage={"cache_creation": {"ephemeral_1h_input_tokens": 9999}})])
    assert reader.answers()[0].usage.cache_writes_1h == 2000


@pytest.mark.parametrize(
    "change",
    [
        (b'"input_tokens":100', b'"input_tokens":"many"'),
        (b"2026-11-29T10:38:01.950Z", b"yesterday"),
        (b'"sessionId":', b'"session":'),
        (b'"usage":{', b'"usage":[{'),
    ],
)
def test_an_answer_in_another_form_is_told(line: Callable[..., bytes], change: tuple[bytes, bytes]) -> None:
    reader = Reader()
    reader.read(7, [line().replace(*change), b""])
    assert (reader.answers(), reader.unread) == ([], 2)
