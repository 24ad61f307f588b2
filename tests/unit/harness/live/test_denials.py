"""What the kernel's records of denials are told of: this process or path, in these minutes."""

from __future__ import annotations

import time

import pytest

from harness.live.denials import RECENT, matching

NOW = 1_795_963_300.0
APPARMOR = (
    '6,1064,61103598,-;audit: type=1400 audit(1795963245.432:3): apparmor="DENIED" operation="connect" class="file" '
    'profile="app" name="/run/s" pid=106 comm="app" requested_mask="w" denied_mask="w" fsuid=33 ouid=0\n'
)
SELINUX = (
    'type=AVC msg=audit(1795963246.100:77): avc:  denied  { write } for  pid=106 comm="app" name="s" '
    'dev="tmpfs" ino=9 scontext=u:r:web_t tcontext=u:r:var_run_t tclass=sock_file permissive=0'
)
LANDLOCK = (
    "type=UNKNOWN[1423] msg=audit(1795963247.100:78): domain=1a2b blockers=fs.resolve_unix "
    'path="/run/s" dev="tmpfs" ino=9'
)
GRANTED = 'audit: type=1400 audit(1795963245.432:9): apparmor="ALLOWED" operation="connect" name="/run/s" pid=106'


@pytest.mark.parametrize("record", [APPARMOR, SELINUX, LANDLOCK])
def test_a_denial_of_the_process_or_the_path_is_told_with_its_time(record: str) -> None:
    (said,) = matching([record], 106, "/run/s", NOW)
    second = int(record.partition("audit(")[2].partition(".")[0])
    assert said.startswith(f"recorded at {time.strftime('%H:%M:%S', time.localtime(second))}: ")
    assert "enied" in said.lower() or "blockers=" in said
    assert "\n" not in said


def test_what_is_old_or_about_others_or_was_allowed_is_not_told() -> None:
    for record in (APPARMOR, SELINUX, LANDLOCK):
        assert list(matching([record], 106, "/run/s", NOW + RECENT)) == []
        assert list(matching([record], 10, "/run/other", NOW)) == []
    assert list(matching([GRANTED, "nothing", ""], 106, "/run/s", NOW)) == []


def test_what_is_in_both_logs_is_told_once() -> None:
    assert len(list(matching([APPARMOR, APPARMOR.partition(";")[2]], 106, "/x", NOW))) == 1
