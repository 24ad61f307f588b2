"""What becomes of a body, and of claims in it."""

from __future__ import annotations

import json
from time import thread_time
from typing import TYPE_CHECKING

import pytest

from observatory.events import (
    DEEPEST,
    LONGEST_NAME,
    MANY,
    SHOWN,
    Event,
    compose,
    take_apart,
    timestamp,
    with_process,
)
from observatory.identity import PeerCredentials
from observatory.identity.process import Lineage, ProcessDetails
from observatory.shortening import KEPT

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE = PeerCredentials(4242, 1000, 1000, (1000, 27))
TS = "2025-06-01T12:00:00.000001Z"
TRUSTED = {
    "_id": 7,
    "_ts": TS,
    "_event": "Stop",
    "_peer_pid": 4242,
    "_peer_uid": 1000,
    "_peer_gid": 1000,
    "_peer_groups": [1000, 27],
}


def composed(body: bytes | bytearray, name: str | None = "Stop", peer: PeerCredentials | None = ALICE) -> Event:
    return compose(7, 1_748_779_200_000_001, TS, name, peer, take_apart(body))


def test_of_very_many_groups_the_number_is_told() -> None:
    line = json.loads(composed(b"{}", peer=PeerCredentials(1, 2, 3, None, 65_536)).line)
    assert line["_peer_group_count"] == 65_536
    assert "_peer_groups" not in line
    assert "_peer_group_count" not in json.loads(composed(b"{}", peer=PeerCredentials(1, 2, 3, None)).line)


@pytest.mark.parametrize(
    "unit",
    [b"[],", b'{"a":1},', b"1,", b'"","",'],
)
def test_a_large_body_with_very_many_values_is_kept_as_text(unit: bytes) -> None:
    few, many = (b'{"_x":1,"session_id":"s","y":[%b0]}' % (unit * count) for count in (MANY // 3, MANY + 1))
    assert composed(few).session == "s"
    assert json.loads(composed(many).line)["_raw"] == many.decode()


def test_a_large_text_may_have_very_many_commas_and_brackets() -> None:
    body = json.dumps({"session_id": "s", "x": '[{"a",' * MANY}).encode()
    event = composed(body)
    assert event.session == "s"
    assert event.line.endswith(body[1:])


def test_in_a_large_body_with_very_many_escapes_no_half_of_a_character_is_mended() -> None:
    few, many = (b'{"h":"\\ud800","x":"%b"}' % (b"\\n" * count) for count in (MANY - 1, MANY))
    assert json.loads(composed(few).line)["h"] == "\ufffd"
    assert json.loads(composed(many).line)["_raw"] == many.decode()


def test_bytes_that_are_no_text_are_shown_and_of_very_many_it_is_shown_that_they_were() -> None:
    assert json.loads(composed(b"\xff" * 2).line)["_raw"] == r"\xff\xff"
    assert json.loads(composed(b"\xff" * SHOWN).line)["_raw"] == r"\xff" * SHOWN
    assert json.loads(composed(b"\xff" * (SHOWN + 1)).line)["_raw"] == "\ufffd" * (SHOWN + 1)


@pytest.mark.parametrize("name", ["x", "session_id"])
@pytest.mark.parametrize("own", [b"", b'"_x":1,'], ids=["as it was sent", "less a field"])
@pytest.mark.parametrize("unit", [b"[],", b'{"a":1},', b"1,", b'"",', b"1.5e300,", b'"\\ud800",', b"[[[[]]]],"])
def test_no_body_takes_much_longer_to_take_apart_than_another(name: str, own: bytes, unit: bytes) -> None:
    body = b'{%b"%b":[%b0]}' % (own, name.encode(), unit * (120_000 // len(unit)))
    other = b"[%b0]" % (b"[]," * 40_000)

    def seconds(read: Callable[[], object]) -> float:
        begun = thread_time()
        read()
        return thread_time() - begun

    # Where something else takes the processor now and then, the least of a few says it; mostly the first does. It is
    # one to five times that of decoding, by the machine; where each value was visited it was 13 to 70 times.
    times: list[tuple[float, float]] = []
    while len(times) < 5:
        times.append((seconds(lambda: take_apart(body, KEPT)), seconds(lambda: json.loads(other))))
        if min(ours for ours, _ in times) < 10 * min(decoding for _, decoding in times):
            return
    pytest.fail(f"of {len(times)} times the least was more than ten times that of decoding: {times}")


def fields(body: bytes, name: str | None = "Stop", peer: PeerCredentials | None = ALICE) -> dict[str, object]:
    """The line's fields, in their order, besides those of the server."""
    line = composed(body, name, peer).line
    assert b"\n" not in line
    assert b"\r" not in line
    found: dict[str, object] = json.loads(line)
    for trusted in ("_id", "_ts", "_event", "_peer_pid", "_peer_uid", "_peer_gid"):
        assert trusted in found
    return {name: value for name, value in found.items() if name not in TRUSTED}


def test_the_server_s_fields_come_first_and_then_the_client_s() -> None:
    assert list(json.loads(composed(b'{"b":1,"a":2}').line).items()) == [*TRUSTED.items(), ("b", 1), ("a", 2)]


def test_the_process_comes_last_and_is_the_server_s_word_whatever_it_calls_itself() -> None:
    curl = ProcessDetails(4242, 1000, 'a","x":"', "/bin/curl", None, 41, 40, "/user.slice", 7)
    shell = ProcessDetails(41, 1000, "caf\\xe9\n", None, "/bin/sh", 40, 40, None, 6)
    told = with_process(composed(b'{"a":1,"_peer_process":"mine"}'), Lineage(curl, (shell,)))

    assert b"\n" not in told.line
    assert list(json.loads(told.line).items()) == [
        *TRUSTED.items(),
        ("a", 1),
        (
            "_peer_process",
            {
                "pid": 4242,
                "comm": 'a","x":"',
                "command": "/bin/curl",
                "cgroup": "/user.slice",
                "ancestors": [{"pid": 41, "comm": "caf\\xe9\n"}],
            },
        ),
    ]


def test_what_is_not_known_of_the_process_is_absent() -> None:
    told = with_process(composed(b"{}"), Lineage(ProcessDetails(4242, 1000, "curl", None, None, None, 1, None, 7), ()))

    assert json.loads(told.line)["_peer_process"] == {"pid": 4242, "comm": "curl", "ancestors": []}


def test_an_empty_object_adds_nothing() -> None:
    assert json.loads(composed(b" { } ").line) == TRUSTED


@pytest.mark.parametrize(
    "forged",
    [
        b'{"_peer_uid":0,"a":1}',
        b'{"a":1,"_peer_uid":0}',
        b'{"\\u005fpeer_uid":0,"a":1}',
        b'{"a":1,"\\u005Fpeer_uid":0,"_peer_uid":0}',
        b'{"_":1,"__":2,"_id":0,"_ts":"never","_event":"x","_peer_groups":[0],"_session_pid":1,"a":1}',
        b'{\n"_peer_uid" : 0,\r\n\t"a":1}',
    ],
)
def test_no_claim_of_a_client_gets_beside_the_server_s_fields(forged: bytes) -> None:
    assert json.loads(composed(forged).line) == {**TRUSTED, "a": 1}


def test_an_underscore_inside_is_a_client_s_own_business() -> None:
    said = {"a": {"_peer_uid": 0}, "b_": ["_"], "c": "_peer_uid"}
    assert fields(json.dumps(said).encode()) == said


def test_what_is_json_and_no_object_is_kept_as_a_value() -> None:
    for value in ([1, {"_a": 2}], "text", 12, 1.5, True, None):
        assert fields(json.dumps(value).encode()) == {"_value": value}


@pytest.mark.parametrize("body", [b"", b"not json", b'{"a":1', b"{'a':1}", b'{"a":1}x', b'{"a":NaN}', b'{"a":01}'])
def test_what_is_not_json_is_kept_as_text(body: bytes) -> None:
    assert fields(body) == {"_raw": body.decode()}


def test_bytes_that_are_no_text_are_kept_as_escapes() -> None:
    assert fields(b'{"a":"\xff"}') == {"_raw": '{"a":"\\xff"}'}
    assert fields(b'\x00\x80{"_peer_uid":0}') == {"_raw": '\x00\\x80{"_peer_uid":0}'}


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert fields(b'{"a":"x\\ud83d","b":1}') == {"a": "x\ufffd", "b": 1}
    assert fields(b'{"a":"\\uDE00 \\ud83d\\ude00 \\\\ud83d"}') == {"a": "\ufffd \U0001f600 \\ud83d"}


def test_nesting_without_end_is_kept_as_text() -> None:
    body = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert fields(body) == {"_raw": body.decode()}


@pytest.mark.parametrize("body", [b'["\\"]", [[{}]]]', b"[" + b"[]," * 200 + b"[]]", b'["' + b"[" * 200 + b'"]'])
def test_only_what_is_within_each_other_counts_as_deep(body: bytes) -> None:
    assert fields(body) == {"_value": json.loads(body)}


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_as_deep_as_every_reader_can_take_is_json_and_deeper_is_text(opening: bytes, closing: bytes) -> None:
    deepest, deeper = (opening * depth + b"1" + closing * depth for depth in (DEEPEST, DEEPEST + 1))
    assert "_raw" not in fields(deepest)
    assert fields(deeper) == {"_raw": deeper.decode()}


def test_a_body_on_several_lines_becomes_one_line() -> None:
    assert fields(b'{\n  "a": [1,\r\n 2],\n  "b": "x\\ny"\n}\n') == {"a": [1, 2], "b": "x\ny"}


def test_a_body_on_one_line_is_kept_byte_for_byte() -> None:
    inside = b'"z" : 1e5,"n":123456789012345678901234567890,"u":"\\u00e9\xc3\xa9","d":1,"d":2'
    assert composed(b"{" + inside + b"}").line.endswith(b"," + inside + b"}")
    assert composed(bytearray(b"{" + inside + b"}")).line.endswith(b"," + inside + b"}")


def test_a_name_is_the_target_s_else_the_body_s_else_unknown() -> None:
    body = b'{"hook_event_name":"PreToolUse"}'
    assert composed(body, "Stop").name == "Stop"
    assert composed(body, None).name == "PreToolUse"
    assert composed(b"{}", None).name == "Unknown"
    assert composed(b"[]", None).name == "Unknown"
    assert composed(b'{"hook_event_name":""}', None).name == "Unknown"
    assert composed(b'{"hook_event_name":{"a":1}}', None).name == "Unknown"
    assert json.loads(composed(body, 'a"\\\n\x00').line)["_event"] == 'a"\\\n\x00'


def test_a_name_without_end_is_cut() -> None:
    assert composed(b"{}", "x" * 100_000).name == "x" * LONGEST_NAME


def test_session_and_tool_are_taken_from_the_body_if_they_are_text() -> None:
    assert (composed(b'{"session_id":"s","tool_name":"Bash"}').session, composed(b'{"tool_name":"Bash"}').tool) == (
        "s",
        "Bash",
    )
    odd = composed(b'{"session_id":1,"tool_name":["Bash"]}')
    assert (odd.session, odd.tool) == (None, None)
    assert fields(b'{"session_id":1}') == {"session_id": 1}
    assert composed(b'{"session_id":"%b"}' % (b"s" * (LONGEST_NAME + 1))).session is None


def test_what_the_kernel_did_not_know_is_null_and_never_anyone() -> None:
    line = json.loads(composed(b"{}", peer=PeerCredentials(None, None, 0, None)).line)
    assert (line["_peer_pid"], line["_peer_uid"], line["_peer_gid"]) == (None, None, 0)
    assert "_peer_groups" not in line
    assert composed(b"{}", peer=PeerCredentials(1, None, 0, None)).uid is None
    nothing = json.loads(composed(b"{}", peer=None).line)
    assert (nothing["_peer_pid"], nothing["_peer_uid"], nothing["_peer_gid"]) == (None, None, None)


def test_root_and_no_groups_are_facts_and_not_unknown() -> None:
    line = json.loads(composed(b"{}", peer=PeerCredentials(1, 0, 0, ())).line)
    assert (line["_peer_uid"], line["_peer_gid"], line["_peer_groups"]) == (0, 0, [])


def test_timestamps_are_rfc_3339_in_utc() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000000Z"
    assert timestamp(1_748_779_200_000_001) == "2025-06-01T12:00:00.000001Z"
    assert timestamp(1_748_779_199_999_999) == "2025-06-01T11:59:59.999999Z"
