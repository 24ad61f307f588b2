"""A settings file's text with hooks and without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from observatory.hooks import event_names, settings
from observatory.hooks.command import CLIENT_SECONDS, Recipient, hook_command, is_hook_command, socket_of
from observatory.hooks.json_text import MalformedError

if TYPE_CHECKING:
    from collections.abc import Mapping

WANTED = settings.handlers(event_names.listened(None), Recipient("/tmp/o.sock"))
TWO = settings.handlers(("Stop", "PreToolUse"), Recipient("/tmp/o.sock"))


def ours(text: str) -> Mapping[str, list[object]]:
    return settings.installed(text)


def test_every_event_is_listened_to_but_the_one_whose_hook_replaces_what_the_client_does() -> None:
    assert set(event_names.ALL) - set(event_names.listened(None)) == {"WorktreeCreate"}
    assert len(set(event_names.ALL)) == len(event_names.ALL) == 34


def test_each_event_gets_one_hook_which_the_client_ends_after_two_seconds() -> None:
    hooks = json.loads(settings.install("{}", WANTED))["hooks"]
    assert list(hooks) == list(event_names.listened(None))
    for event, groups in hooks.items():
        assert groups == [
            {
                "hooks": [
                    {
                        "type": "command",
                        "command": hook_command(event, Recipient("/tmp/o.sock")),
                        "timeout": CLIENT_SECONDS,
                    }
                ]
            }
        ]


def test_what_was_there_stays_before_what_is_new_and_in_its_own_spelling() -> None:
    text = (
        '{\n\t"model": "opus",   "x": 1.50e+2,\n\t"hooks": {\n\t\t"Stop": [\n\t\t\t{"hooks": '
        '[{"type": "command", "command": "say \\u0041"}]}\n\t\t]\n\t}\n}\n'
    )
    new = settings.install(text, TWO)
    kept = iter(new)
    assert all(character in kept for character in text), "the text is no longer contained in order"
    assert '"x": 1.50e+2' in new
    assert "say \\u0041" in new
    hooks = json.loads(new)["hooks"]
    assert [group["hooks"][0]["command"][:5] for group in hooks["Stop"]] == ["say A", "obser"]
    assert list(hooks) == ["Stop", "PreToolUse"]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}\n',
        '{\r\n  "a": 1\r\n}\r\n',
        '{\n    "hooks": {\n        "Stop": [\n            {\n                "a": 1\n            }\n        ]\n    }}',
        '{"hooks": {"Stop": [{"matcher": "x", "hooks": [{"command": "true"}]}], "Z": []}, "b": [1,2]}',
        '\ufeff{\n\t"a": {}\n}',
    ],
)
def test_installing_and_uninstalling_gives_the_same_text(text: str) -> None:
    assert settings.uninstall(settings.install(text, WANTED)) == text


def test_a_file_with_windows_line_ends_keeps_them() -> None:
    new = settings.install('{\r\n  "a": 1\r\n}\r\n', TWO)
    assert new.count("\n") == new.count("\r\n") > 10


def test_new_lines_are_indented_as_the_file_is() -> None:
    assert '\n\t"hooks": {\n\t\t"Stop": [\n\t\t\t{\n\t\t\t\t"hooks": [' in settings.install('{\n\t"a": 1\n}', TWO)
    assert '\n    "hooks": {\n        "Stop": [' in settings.install('{\n    "a": 1\n}', TWO)


def test_a_hook_that_its_owner_moved_beside_another_is_taken_out_alone() -> None:
    mine = {"type": "command", "command": "true"}
    text = json.dumps(
        {"hooks": {"Stop": [{"matcher": "", "hooks": [mine, TWO["Stop"], mine]}], "PreToolUse": [{"hooks": [mine]}]}},
        indent=1,
    )
    assert json.loads(settings.uninstall(text)) == {
        "hooks": {"Stop": [{"matcher": "", "hooks": [mine, mine]}], "PreToolUse": [{"hooks": [mine]}]}
    }


def test_only_the_groups_that_are_wholly_ours_go() -> None:
    group = {"hooks": [TWO["Stop"]]}
    other = {"hooks": [{"type": "http", "url": "http://localhost/"}]}
    text = json.dumps({"hooks": {"Stop": [group, other, group, other, group]}, "a": 1}, indent=2)
    assert json.loads(settings.uninstall(text)) == {"hooks": {"Stop": [other, other]}, "a": 1}


def test_hooks_of_another_tool_that_speaks_to_a_socket_are_not_ours() -> None:
    text = json.dumps({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "curl --unix-socket /x y"}]}]}})
    assert settings.uninstall(text) == text
    assert ours(text) == {}


def test_what_an_unknown_future_form_holds_is_passed_over() -> None:
    text = json.dumps({"hooks": {"Stop": [7, {"hooks": "soon"}, {"hooks": [3, {"command": 4}]}, {"mcp": True}]}})
    assert settings.uninstall(text) == text
    assert settings.uninstall(settings.install(text, WANTED)) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1,}', "it is not JSON: Expecting property name enclosed in double quotes|Illegal trailing comma"),
        ('{"a": 1} x', "something follows the object, at line 1"),
        ('{"a": NaN}', "it is not JSON: NaN is not JSON"),
        ("[]", "it is JSON, but not an object"),
        ('{"hooks": []}', "its 'hooks' is not an object"),
        ('{"hooks": {"Stop": {}}}', "the hooks of its event 'Stop' are not an array"),
        ('{"hooks": {}, "hooks": {}}', "it has the key 'hooks' twice"),
        ('{"hooks": {"Stop": [], "Stop": []}}', "it has the key 'Stop' twice"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_broken_text_is_refused_with_what_is_wrong_and_where(text: str, says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        settings.install(text, WANTED)


def test_the_socket_of_a_command_can_be_read_back() -> None:
    for socket in ("/tmp/o.sock", "/run/with space/it's; 'x'/\u00e9.sock", '/a"; { b'):
        command = hook_command("Stop", Recipient(socket, (7,)))
        assert is_hook_command(command)
        assert socket_of(command) == socket
    assert socket_of(hook_command("Stop", Recipient(None))) is None
    assert socket_of("true") is None
