"""What `observatory cost` adds up is what the client itself says that it took, to the token and to the cent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.conftest import WHERE

if TYPE_CHECKING:
    from tests.client.conftest import Person

OPUS, HAIKU = "claude-opus-4-8", "claude-haiku-4-5"
COUNTS = {
    "inputTokens": ("input_tokens",),
    "outputTokens": ("output_tokens",),
    "cacheReadInputTokens": ("cache_read_tokens",),
    "cacheCreationInputTokens": ("cache_write_5m_tokens", "cache_write_1h_tokens"),
    "webSearchRequests": ("web_searches",),
}
"""What the client says of a model, and what it is here."""


def turn(person: Person, model: str, *arguments: str, **asked: str) -> dict[str, Any]:
    """What the client says at the end of a turn."""
    said = ("--output-format", "json", "--model", model, *arguments, "--allowedTools", "Agent", "Task")
    done = person.turn(f"do:{json.dumps(asked)}", *said)
    assert done.status == 0, done
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def cost(person: Person, *arguments: str) -> list[dict[str, Any]]:
    """What the command says, and last the whole."""
    return [json.loads(line) for line in person.observatory("cost", "--json", *WHERE, *arguments).splitlines()]


def by_model(said: list[dict[str, Any]]) -> dict[str, tuple[list[int], float]]:
    rows: dict[str, tuple[list[int], float]] = {}
    for result in said:
        for model, usage in result["modelUsage"].items():
            counts, dollars = rows.get(model, ([0] * len(COUNTS), 0.0))
            rows[model] = (
                [a + usage[name] for a, name in zip(counts, COUNTS, strict=True)],
                dollars + usage["costUSD"],
            )
    return rows


@pytest.mark.usefixtures("server", "hooked")
def test_tokens_and_dollars_are_those_of_the_client(alice: Person, audit: Person) -> None:
    first = turn(alice, OPUS, bash="echo one")
    with_agent = turn(alice, OPUS, agent="Look around.")
    resumed = turn(alice, HAIKU, "--resume", first["session_id"], bash="echo two")
    forked = turn(alice, HAIKU, "--resume", first["session_id"], "--fork-session", bash="echo three")
    assert len({first["session_id"], with_agent["session_id"], forked["session_id"]}) == 3
    # A newer client goes on counting where the session that it resumes has ended; an older one begins anew.
    goes_on = OPUS in resumed["modelUsage"]
    expected = by_model([with_agent, forked] if goes_on else [first, with_agent, resumed, forked])
    *rows, whole = cost(alice, "--by", "model")
    assert {row["model"] for row in rows} == {OPUS, HAIKU} == set(expected)
    for row in rows:
        counts, dollars = expected[row["model"]]
        assert [sum(row[name] for name in names) for names in COUNTS.values()] == counts
        assert row["cost_usd"] == pytest.approx(dollars, abs=1e-9)
    assert whole["cost_usd"] == pytest.approx(sum(dollars for _, dollars in expected.values()), abs=1e-9)
    usage = [result["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] for result in (first, resumed, forked)]
    of_agent = with_agent["modelUsage"][OPUS]  # see `messages_api.usage`
    answers = (of_agent["cacheCreationInputTokens"] - of_agent["inputTokens"]) // 1900
    assert answers >= 3, "two of its own, one of the agent"
    assert whole["cache_write_1h_tokens"] == sum(usage) + 1500 * answers
    sessions = {row["session"]: row["cost_usd"] for row in cost(alice, "--by", "session")[:-1]}
    assert sessions == pytest.approx(
        {
            first["session_id"]: resumed["total_cost_usd"] + (0 if goes_on else first["total_cost_usd"]),
            with_agent["session_id"]: with_agent["total_cost_usd"],
            forked["session_id"]: forked["total_cost_usd"] - (resumed["total_cost_usd"] if goes_on else 0),
        }
    )
    agents = [row for row in cost(alice, "--by", "agent", "--session", with_agent["session_id"])[:-1] if row["agent"]]
    assert [(row["agent_type"], row["answers"]) for row in agents] == [("general-purpose", 1)]
    # The auditor's server names these transcripts to the auditor, who may not read them: its rights are its own.
    refused = audit.run_observatory("cost", *WHERE)
    assert refused.status == 1
    assert "Permission denied" in refused.stderr
    assert OPUS not in refused.stdout
