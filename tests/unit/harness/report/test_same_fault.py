"""Pairs of what checks said of broken servers in two runs: the same fault, or a worse one."""

from __future__ import annotations

import pytest

from harness.report.same_fault import faults, without_what_differs

STEPPED = "at stop {} of a start taken step by step, when the mode was {}"
SAME = [
    ("under umask 022 stranger got in during start 4 at full speed", "4", "61"),
    (
        f"under umask 000 kin got past the permissions {STEPPED.format(12, '0666')} and its name still .s.12, and",
        "12",
        "7",
    ),
    ("25 descriptors, after 500 connections 525, after 1000 1025", "25", "31"),
    (
        "the stranger opened 1152 connections to a server with 1024 descriptors; member did not get in (closed )",
        "52",
        "9",
    ),
    (
        "the stranger opened 90 connections to a server with 1024 descriptors; member waited 5.123 s for an answer",
        "3",
        "8",
    ),
    ("with 100 half requests of the stranger open, member got no answer within 5 s (closed)", "100", "93"),
    ("after 12 s it still runs, though the name belongs to another user's server", "12", "4"),
    (
        "its client sent 27 bytes to whoever took the name; ; its client ended with status 1 and said: at 12:00:07",
        "7",
        "8",
    ),
    ("it ended with status 0, it said: 2030-01-02 12:00:59.0123 [512] taken: nobody learns that", "12", "77"),
    ("after a crash the server ended before it answered; it said: pid 71: Errno 98", "71", "72"),
    ("stranger by payload has pid 71, the server says 72", "7", "8"),
    ("alice's pid has no translation in the server's namespaces, and it says 71", "71", "9"),
    ("root was served as {'pid': 71, 'uid': 0}, and should be refused", "71", "9"),
    ("forked's connector is {'pid': 71, 'comm': 'x'}, the server describes process 71 (x)", "71", "9"),
    ("nameless-7 was served, but the server does not say whom it saw; and 17 more", "7", "9"),
    ("of the programs that it started, sh (pid 71) got a connection as descriptor 7", "7", "9"),
    ("a program that it started got 5 (socket:[571]); 5 (pipe:[5])", "5", "6"),
]
WORSE = [
    ("0660 is asked for by the umask, it has 0666; stranger should get EACCES and got ok", "0666", "0777"),
    ("0660 is asked for, it has 0640; member should get ok and got EACCES", "0640", "0600"),
    ("0444 is its own, it has 0444", "has 0444", "has 0000"),
    ("group adm (1600) is asked for, it has 1500", "1500", "0"),
    ("owner root (0) is asked for, it has 1500", "1500", "1503"),
    ("tcp:localhost:7531 has no mode: of those whom 0660 keeps out, these got in: stranger", "7531", "80"),
    (f"under umask 022 stranger got in {STEPPED.format(12, '0666')}", "0666", "0777"),
    (f"under umask 022 stranger got in {STEPPED.format(12, '0666')}", "022", "000"),
    ("0660 should be the mode; it is 0640 under umask 027, 0600 under umask 077", "0640", "0644"),
    ("a regular file: /run/check/way/in/server.sock: mode 0640 became 0600, uid 1503 became 1500", "0600", "0666"),
    ("a regular file: /run/check/way/in/server.sock: mode 0640 became 0600, uid 1503 became 1500", "e 1500", "e 0"),
    ("its start changed /run/check/way from 0700 to 0755", "0755", "0777"),
    ("stranger by payload has effective uid 1503, the server says 1500", "1500", "0"),
    ("member has the groups [1500, 1502], the server says [1502]", "[1502]", "[0]"),
    ("root was served as {'pid': 71, 'uid': 1500}, and should be refused", "1500", "0"),
    ("stranger asked (GET /events?user=1500) and got secret-of-alice", "1500", "0"),
    ("alice could unlink /run/check/1/server.sock", "check/1", "check/2"),
    ("it ended with status 1, it said nothing: nobody learns that the name is taken", "1", "0"),
    ("under umask 777 the server ended before it answered; it said: it has mode 0600", "0600", "0666"),
    ("under umask 777 the server ended before it answered; it said: not for uid 1500", "1500", "0"),
    ("member did not get in (refused 503)", "503", "200"),
]


@pytest.mark.parametrize(("why", "old", "new"), SAME)
def test_what_differs_from_run_to_run_makes_no_other_fault(why: str, old: str, new: str) -> None:
    assert why.replace(old, new) != why
    assert without_what_differs(why.replace(old, new)) == without_what_differs(why)


@pytest.mark.parametrize(("why", "old", "new"), WORSE)
def test_a_fault_that_became_worse_is_another(why: str, old: str, new: str) -> None:
    assert why.replace(old, new) != why
    assert faults(why.replace(old, new), {}) - faults(why, {})


def test_what_was_not_said_for_its_length_is_compared_too() -> None:
    first, second = "root has effective uid 0, the server says 7", "root has effective uid 0, the server says unknown"
    assert faults(f"{first}; and 1 more", {"faults": [first, second]}) == {first, second}


def test_what_a_run_had_no_time_for_is_no_fault() -> None:
    assert faults("a directory: x is gone; no time was left for a symlink to nothing", {}) == {"a directory: x is gone"}
