"""Cases that fail in the rehearsal for what it is, and not for what the target is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artefact:
    """Cases (beginnings of their names) that are left out, and why a real system of that kind would not fail them."""

    cases: tuple[str, ...]
    why: str
    targets: tuple[str, ...] = ("darwin",)


ARTEFACTS = (
    Artefact(
        (
            "tests/integration/report/test_page_in_chromium.py",
            "tests/integration/report/test_picture_in_chromium.py",
        ),
        "the browser is Linux's, and needs /proc",
    ),
    Artefact(
        ("tests/unit/test_command_references.py::test_bash_completes_commands_and_options",),
        "bash reads a command's output by a name in /dev/fd, which on Linux leads into /proc",
    ),
    Artefact(
        (
            (
                "tests/unit/harness/subjects/test_machine.py::"
                "test_what_is_not_in_the_place_is_said_with_the_way_to_bring_it_in"
            ),
        ),
        "the machine's programs are found in a directory of links, without Linux's own",
    ),
    Artefact(
        ("tests/unit/observatory/identity/test_identity_import.py::test_a_heavy_import_would_be_seen",),
        "the library's modules that Linux needs were imported before its names were taken away",
        ("win32",),
    ),
)


def left_out(target: str) -> list[str]:
    """Pytest's options that leave them out."""
    return [f"--deselect={case}" for each in ARTEFACTS if target in each.targets for case in each.cases]
