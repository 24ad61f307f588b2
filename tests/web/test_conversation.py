"""A session as a conversation: what was said and done, beside what the kernel proves; and its replay."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.observatory_server import ObservatoryServer
    from tests.web.conftest import Page, Web

SESSION = "0a1b2c3d-1111-4222-8333-444455556666"
NASTY = "<img src=x onerror=document.title='hit'>"


def told() -> Iterator[tuple[str, dict[str, Any]]]:
    """A session with two turns, a subagent, a failure, a question of permission, and words."""
    bash = {"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "npm test"}}
    agent = {"agent_id": "a1", "agent_type": "Explore"}
    grep = {**agent, "tool_name": "Grep", "tool_use_id": "t2", "tool_input": {"pattern": "retry"}}
    push = {"tool_name": "Bash", "tool_use_id": "t3", "tool_input": {"command": "git push"}}
    yield "SessionStart", {"source": "startup"}
    yield "UserPromptSubmit", {"prompt": "Make the retry test less flaky"}
    yield "PreToolUse", bash
    yield "PostToolUseFailure", {**bash, "error": f"Exit code 1: 3 failed {NASTY}", "duration_ms": 81234}
    yield "SubagentStart", agent
    yield "PreToolUse", grep
    yield "PostToolUse", {**grep, "tool_response": {"stdout": "src/retry.py:12"}, "duration_ms": 85}
    yield "SubagentStop", {**agent, "last_assistant_message": "It waits without a limit."}
    yield "MessageDisplay", {"delta": "The cause is "}
    yield "MessageDisplay", {"delta": "the cache."}
    yield "Stop", {"last_assistant_message": "The cause is the cache."}
    yield "UserPromptSubmit", {"prompt": "Push it"}
    yield "PreToolUse", push
    yield "PermissionRequest", push


@pytest.fixture
def talk(server: ObservatoryServer, web: Web, page: Page) -> Page:
    """The page with that session, and its latest event opened."""
    where = {"session_id": SESSION, "cwd": "/home/mia/it's here", "transcript_path": "/home/mia/.claude/x.jsonl"}
    server.hooks().say_all((name, {**where, **fields}) for name, fields in told())
    server.hooks().say("Stop", session_id="another", cwd="/x")
    page.open(web.link)
    page.wait_for_rows(15)
    page.run(
        "[...document.querySelectorAll('.row:not([hidden])')].find((row) => row.innerText.includes('git push')).click()"
    )
    page.wait("return Boolean(document.querySelector('.drawer .go'))")
    return page


def opened(page: Page) -> None:
    page.run("document.querySelector('.drawer .go button').click()")
    page.wait("return document.querySelectorAll('#conversation .step').length > 5")


def steps(page: Page) -> list[list[Any]]:
    """Each step in sight: how deep, its heading, its text, what came of it."""
    script = """const depth = (node) => node ? (node.matches?.('.steps') ? 1 : 0) + depth(node.parentElement) : 0;
    const all = [...document.querySelectorAll('#conversation .step')];
    const seen = all.filter((step) => !step.hidden && step.offsetParent);
    const text = (step, part) => step.querySelector(`:scope > ${part}`)?.textContent ?? '';
    return seen.map((step) => [depth(step), text(step, '.head b'), text(step, '.text'), text(step, '.head .took'),
      step.classList.contains('failed'), step.classList.contains('open')])"""
    return list(page.run(script))


def test_turns_agents_tools_and_words_are_told_in_their_order(talk: Page) -> None:
    opened(talk)
    seen = [[depth, head, text] for depth, head, text, *_ in steps(talk)]
    assert seen == [
        [1, "SessionStart", "startup"],
        [1, "Prompt", "Make the retry test less flaky"],
        [2, "Bash", "npm test"],
        [2, "Agent Explore", ""],
        [3, "Grep", "retry"],
        [2, "Says", "The cause is the cache."],
        [1, "Prompt", "Push it"],
        [2, "Bash", "git push"],
        [2, "Asks Bash", "git push"],
    ]
    by_head = {(head, text): (took, failed, still) for _, head, text, took, failed, still in steps(talk)}
    assert by_head["Bash", "npm test"] == ("1m21s", True, False)
    assert by_head["Grep", "retry"] == ("85ms", False, False)
    assert by_head["Bash", "git push"] == ("", False, True)
    assert talk.run("return document.title") != "hit"
    assert NASTY in talk.run("return document.querySelector('#conversation .step.tool.failed pre').textContent")


def test_beside_it_stands_who_the_kernel_says_it_was(talk: Page, server: ObservatoryServer) -> None:
    opened(talk)
    (event,) = [event for event in server.events() if event["_event"] == "PermissionRequest"]
    assert f"(uid {event['_peer_uid']})" in talk.text("#conversation .proved")
    who = talk.run(
        "return [...document.querySelectorAll('#conversation .step.wait .who')].map((each) => each.textContent)"
    )
    assert who == [f"uid {event['_peer_uid']} · pid {event['_peer_pid']}"]


def test_an_event_leads_to_the_session_in_a_terminal(talk: Page) -> None:
    command = f"cd '/home/mia/it'\\''s here' && claude --resume {SESSION}"
    assert talk.text(".drawer .go code") == command
    talk.run("window.copied = []; navigator.clipboard.writeText = async (text) => void window.copied.push(text)")
    talk.run("document.querySelectorAll('.drawer .go button')[1].click()")
    talk.wait("return document.querySelectorAll('.drawer .go button')[1].textContent === 'Copied'")
    assert talk.run("return window.copied") == [command]
    opened(talk)
    assert talk.text("#conversation .resume code") == command


@pytest.mark.parametrize(
    ("session", "directory", "transcript", "expected"),
    [
        ("x; rm -rf ~", "/x", None, None),
        ("--help", "/x", None, None),
        ("s1", "relative", None, "claude --resume s1"),
        ("s1", "/x\nrm -rf ~", None, "claude --resume s1"),
        ("s1", "/x\u202e", None, "claude --resume s1"),
        ("s1", "/$(x)", None, "cd '/$(x)' && claude --resume s1"),
        ("s1", "/x", "/home/me/.codex/sessions/x.jsonl", "cd '/x' && codex resume s1"),
        ("s1", "/x", "/home/me/.gemini/tmp/x", None),
    ],
)
def test_nothing_is_offered_that_a_shell_takes_for_more_than_words(
    web: Web, page: Page, session: str, directory: str, transcript: str | None, expected: str | None
) -> None:
    page.open(web.link)
    found = page.chromium.execute_async_script(
        """const [session, directory, transcript, done] = arguments;
        import('/page/resume.js').then((module) => done(module.resumeCommand(session, directory, transcript)))""",
        *(session, directory, transcript),
    )
    assert found == expected


def test_a_replay_shows_what_had_happened_by_then(talk: Page) -> None:
    opened(talk)

    def to(index: int) -> list[list[Any]]:
        talk.run(
            """const slider = document.querySelector('.replay input'); slider.value = arguments[0];
            slider.dispatchEvent(new Event('input'))""",
            index,
        )
        return steps(talk)

    assert [head for _, head, *_ in to(0)] == ["SessionStart"]
    _, head, text, took, failed, still = to(2)[-1]
    assert (head, text, took, failed, still) == ("Bash", "npm test", "", False, True)
    *_, took, failed, still = to(3)[-1]
    assert (took, failed, still) == ("1m21s", True, False)
    assert "event 4 of 14" in talk.run("return document.querySelector('.replay input').getAttribute('aria-valuetext')")
    to(13)
    talk.run("document.querySelector('.replay button').click()")
    talk.wait("return document.querySelector('.replay input').value === '13'")
    talk.wait("return document.querySelector('.replay button').textContent === 'Replay'")
    assert len(steps(talk)) == 9


def test_the_keyboard_opens_and_closes_it(talk: Page) -> None:
    talk.press("c")
    talk.wait("return document.querySelector('#conversation').open")
    talk.wait("return document.querySelectorAll('#conversation .step').length > 5")
    talk.press("\ue00c")  # Escape
    talk.wait("return !document.querySelector('#conversation').open")
    assert talk.run("return !document.querySelector('.drawer').hidden")


def test_another_users_session_of_the_same_id_is_another(web: Web, talk: Page) -> None:
    answer = talk.chromium.execute_async_script(
        """const done = arguments[arguments.length - 1];
        import('/page/stream.js').then(({ ask }) => ask('conversation', { session: arguments[0], uid: 4999 }))
          .then(() => done('found'), (error) => done(error.message))""",
        SESSION,
    )
    assert answer == "No event of that session is kept any more."
    (complaint,) = talk.chromium.get_log("browser")
    assert "404" in complaint["message"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["wide", "narrow"])
def test_everybody_can_read_it(talk: Page, dark: bool, phone: bool) -> None:
    talk.dark(dark)
    talk.size(*((390, 844) if phone else (1440, 900)), phone=phone)
    opened(talk)
    talk.run("for (const each of document.querySelectorAll('#conversation details')) each.open = true")
    axe = (files("axe_core_python") / "axe.min.js").read_text()
    talk.chromium.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
    found = talk.chromium.execute_async_script("axe.run({ resultTypes: ['violations'] }).then(arguments[0])")
    assert [f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]] == []
    assert talk.run("return document.documentElement.scrollWidth <= innerWidth")
    assert talk.run("const talk = document.querySelector('.talk'); return talk.scrollWidth <= talk.clientWidth")
    talk.keep_picture(f"conversation-{'narrow' if phone else 'wide'}-{'dark' if dark else 'light'}")
