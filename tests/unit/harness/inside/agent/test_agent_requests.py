"""The agent's table of requests: everything that the harness can ask is in it, and everything else is refused."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness.inside import loader
from harness.inside.agent.loop import HANDLERS, Agent

MESSAGES = Path(loader.__file__).with_name("messages.py")


@pytest.fixture
def agent() -> Agent:
    return Agent()


def test_there_is_a_handler_for_each_request_and_for_nothing_else() -> None:
    declared = [
        field.annotation.slice.value
        for node in ast.parse(MESSAGES.read_text()).body
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id == "do"
        if isinstance(field.annotation, ast.Subscript) and isinstance(field.annotation.slice, ast.Constant)
    ]
    assert declared
    assert list(HANDLERS) == declared


def test_an_unknown_request_is_refused_with_a_sentence(agent: Agent) -> None:
    assert agent.answer({"id": 7, "do": "serve"}) == {
        "id": 7,
        "failed": "the agent knows no request 'serve', only build, attempt, grid, start, call, input, signal",
    }


def test_a_refusal_is_its_own_sentence(agent: Agent) -> None:
    assert agent.answer({"id": 1, "do": "signal", "process": 3, "number": 15}) == {
        "id": 1,
        "failed": "the process has ended already",
    }


def test_an_agent_that_fails_says_how_and_lives_on(agent: Agent) -> None:
    answer = agent.answer({"id": 1, "do": "attempt"})
    assert answer == {"id": 1, "failed": "the agent failed: KeyError: 'paths'"}
    nothing = {"id": 2, "do": "attempt", "principals": [], "paths": [], "attempts": []}
    assert agent.answer(nothing) == {"id": 2, "done": []}
