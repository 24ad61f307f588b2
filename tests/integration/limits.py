"""What an engine can't show: cases that are left out there, why, and where that is written.

All other cases are run in every engine, with the same verdicts.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from harness.subjects import SUBJECTS


@dataclass(frozen=True, slots=True)
class Limit:
    """Cases (beginnings of their names below `tests/integration`) that an engine can't show."""

    engine: str
    cases: tuple[str, ...]
    why: str
    source: str
    systems: tuple[str, ...] = ()
    """Where this holds, as `sys.platform` has it; nothing: everywhere."""

    def covers(self, nodeid: str, engine: str, system: str = sys.platform) -> bool:
        """Whether this case in this engine is one of them."""
        name = nodeid.removeprefix("tests/integration/").replace(f"[{engine}-", "[").replace(f"[{engine}]", "")
        return self.holds(system) and engine == self.engine and name.startswith(self.cases)

    def holds(self, system: str = sys.platform) -> bool:
        """Whether this is so on this system."""
        return not self.systems or system.startswith(self.systems)


_EXPLAIN = "explain/test_explain.py::test_"
_PLACES = "engines/test_places.py::test_"
_EXPLAIN_ON_THE_SPOT = "scenarios/test_scenarios.py::test_explain_on_the_spot_names_the_same_component_and_cause"
_OF_A_SCENARIO = (
    "scenarios/test_scenarios.py::test_the_kernel_the_oracle_and_the_scenario_say_the_same",
    _EXPLAIN_ON_THE_SPOT,
    "scenarios/test_fixes.py::test_every_fix_that_is_named_turns_the_refusal",
)
_LINUX_ALONE = (
    *("acl-and-chmod", "rootless-docker-nobody", "rundir-after-reboot", "ssh-agent-in-container", "queue-full-behind"),
    *("mounted-socket-replaced", "mounted-directory-outlives-restart", "runtime-directory-deleted", "uwsgi-queue-full"),
    *("x11-abstract-in-sandbox", "socket-without-network", "protect-home-tmpfs", "protect-system-strict"),
    "old-socket-on-read-only",
)
_WITH_FUSE = ("fuse-heeds-modes-and-no-acl", "fuse-mirror", "fuse-without-allow-other")
_COMMAND = "subjects/test_command.py::test_"
_SUBJECT = "subjects/test_subjects.py::test_a_real_server_holds_what_it_holds_and_its_faults_are_seen"

LIMITS = (
    Limit(
        "host",
        (
            f"{_EXPLAIN}a_component_that_may_not_be_looked_at_is_named",
            f"{_EXPLAIN}a_process_with_a_root_of_its_own_is_looked_at_from_outside",
            f"{_EXPLAIN}a_process_without_the_group_is_told_what_starts_it_with_all_its_groups",
            f"{_EXPLAIN}a_read_only_mount_refuses_who_makes_a_name_there",
            f"{_EXPLAIN}explain_changes_nothing_and_connects_to_nobody",
            f"{_EXPLAIN}ids_and_groups_are_taken_as_they_are_given",
            f"{_EXPLAIN}the_smallest_fix_is_named_first",
            f"{_EXPLAIN}the_tree_shows_modes_and_owners_and_marks_what_refuses",
            f"{_EXPLAIN}the_users_of_a_machine_are_told_what_the_kernel_will_tell_them",
            f"{_EXPLAIN}what_something_is_mounted_upon_can_not_be_unlinked",
            "explain/test_documents.py::test_a_document_shows_what_the_command_says_in_a_world",
        ),
        "commands run outside of the place's root, so `harness explain` sees the machine's own users and directories",
        "harness/engines/host.py",
    ),
    Limit(
        "host",
        (
            f"{_EXPLAIN_ON_THE_SPOT}[log-from-chroot",
            f"{_EXPLAIN_ON_THE_SPOT}[path-one-byte-too-long",
            f"{_EXPLAIN_ON_THE_SPOT}[symlink-in-tmp-protected",
            f"{_EXPLAIN_ON_THE_SPOT}[symlink-in-tmp-unprotected",
        ),
        "a command sees the place's directory before its paths: they are longer; absolute links and other roots miss",
        "harness/engines/host.py; symlink(7)",
    ),
    Limit(
        "host",
        ("scenarios/test_shell.py",),
        "a shell that has the place as its root directory would need programs in there, and there are none",
        "harness/engines/host.py; chroot(2)",
    ),
    Limit(
        "host",
        ("identity/", "explain/", _EXPLAIN_ON_THE_SPOT),
        "these cases are about what Linux alone tells (namespaces, /proc); the tests of identity itself run there",
        "docs/platforms.md; unix(7), LOCAL_PEERCRED",
        ("darwin", "freebsd"),
    ),
    *(
        Limit(
            engine,
            tuple(f"{_SUBJECT}[{name}-" for name, subject in SUBJECTS.items() if subject.packages),
            "without images there is no machine with the packages of a subject",
            f"harness/engines/{module}.py; docs/subjects.md",
        )
        for engine, module in (("namespace", "namespace"), ("host", "host"), ("vm", "vm/engine"))
    ),
    Limit(
        "host",
        ("subjects/",),
        "the checks read a server's descriptors and children from /proc",
        "harness/testbed/testbed.py; proc(5)",
        ("darwin", "freebsd"),
    ),
    *(
        Limit(
            engine,
            ("test_killed.py::test_a_container_that_was_never_started_goes_with_the_next_start",),
            "only dockerd keeps containers that were made and never started, as the test lists them",
            "harness/engines/docker.py",
        )
        for engine in ("namespace", "podman", "vm", "host")
    ),
    *(
        Limit(
            engine,
            ("test_killed.py::test_a_directory_of_the_machine_goes_with_the_next_start",),
            "its places make no directory on this machine",
            "harness/engines/host.py",
        )
        for engine in ("namespace", "podman", "vm", "docker")
    ),
    Limit(
        "host",
        (
            *(
                f"scenarios/test_{test}[{name}"
                for test in (
                    "scenarios.py::test_the_kernel_the_oracle_and_the_scenario_say_the_same",
                    "fixes.py::test_every_fix_that_is_named_turns_the_refusal",
                )
                for name in (*_LINUX_ALONE, *_WITH_FUSE)
            ),
            f"{_PLACES}a_directory_that_took_the_name_of_one_of_the_places_own_leaves_no_acl",
            f"{_PLACES}every_engine_observes_the_same",
            f"{_PLACES}a_world_leaves_nothing_for_the_next_one",
            f"{_PLACES}both_sides_name_the_same_process",
            f"{_PLACES}abstract_names_are_the_place_s_own_except_on_the_host",
            f"{_PLACES}a_process_has_the_capabilities_that_were_named_even_after_an_exec",
            f"{_PLACES}root_has_the_place_s_capabilities",
            f"{_PLACES}processes_of_an_earlier_world_end_with_it",
            f"{_PLACES}what_is_changed_through_a_worlds_mount_is_not_given_back_to_what_is_below_it",
            f"{_PLACES}what_was_changed_and_moved_away_is_not_given_back_to_what_came_in_its_place",
        ),
        "these worlds have what Linux alone has: capabilities, POSIX ACLs, mounts, abstract names, seqpacket sockets",
        "harness/oracle/kernels.py; bsd/kern/uipc_usrreq.c; acl(3)",
        ("darwin", "freebsd"),
    ),
    Limit(
        "host",
        ("subjects/test_odd_servers.py",),
        "these servers change their socket's mode before bind, and ask for credentials by SO_PEERCRED, as on Linux",
        "tests/integration/subjects/odd.py",
        ("darwin", "freebsd"),
    ),
    Limit(
        "vm",
        tuple(f"{test}[{name}" for test in _OF_A_SCENARIO for name in _WITH_FUSE),
        "FUSE mounts are bindfs's, and the machine has Python and busybox",
        "harness/inside/agent/fuse.py; harness/engines/vm/engine.py",
    ),
    Limit(
        "vm",
        (f"{_EXPLAIN}what_something_is_mounted_upon_can_not_be_unlinked",),
        "nothing is mounted upon a file of a machine of its own",
        "harness/inside/agent/init.py",
    ),
    Limit(
        "vm",
        (f"{_SUBJECT}[observatory-creation-window",),
        "a start takes longer there than the check waits for it: every instruction is emulated",
        "harness/checks/creation_window.py",
    ),
    Limit(
        "vm",
        (
            f"{_COMMAND}a_server_in_another_language_is_checked_by_its_command_alone",
            f"{_COMMAND}a_server_of_which_nothing_is_broken_ends_the_command_with_0",
            "explain/test_documents.py::test_a_document_shows_what_the_command_says_here[checks.md",
        ),
        "the machine has Python and busybox, and the server of these cases is written in Perl",
        "harness/engines/vm/engine.py",
    ),
    Limit(
        "vm",
        ("scenarios/test_shell.py", f"{_EXPLAIN}a_process_with_a_root_of_its_own_is_looked_at_from_outside"),
        "a machine's only line is the agent's, and its processes are none of this machine's",
        "harness/engines/vm/engine.py",
    ),
)
