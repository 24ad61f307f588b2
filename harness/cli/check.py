"""harness check: attack a server in a place with users, and say what holds and what is broken."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import place_options
from harness.cli.exit_status import AGREE, DISAGREE, USAGE
from harness.engines.registry import choose
from harness.inside.dialects import NAMES

if TYPE_CHECKING:
    from harness.checks.check import CheckResult
    from harness.subjects import Subject

PLACEHOLDERS = ("{socket}", "{directory}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness check SUBJECT` and `harness check -- COMMAND {socket} {mode}`."""
    parser.description = "Attack a server in a place with users: a subject that the harness knows, or any command."
    parser.usage = "harness check [OPTIONS] SUBJECT | -- COMMAND ... {socket} ... {mode} ..."
    parser.add_argument(
        "words",
        nargs="*",
        metavar="SUBJECT | COMMAND",
        help="a known server (without any: they are listed), or after -- a command that serves in the foreground; "
        "{socket}, {mode}, {group} and {state} stand for the socket's path, its mode, its group, a directory of "
        "the server's own",
    )
    place_options.add_options(parser)
    parser.add_argument("--mode", type=_mode, default=0o660, metavar="MODE", help="the socket's mode (default: 0660)")
    parser.add_argument("--as", dest="owner", metavar="USER", help="the user that the server runs as (default: alice)")
    parser.add_argument("--group", metavar="GROUP", help="the socket's group (default: that of the server's user)")
    parser.add_argument("--speaks", choices=NAMES, help="what a command's server speaks (default: nothing)")
    parser.add_argument(
        "--mount",
        action="append",
        default=[],
        metavar="HOST[:PLACE]",
        help="bring a file or directory of this machine into the place, read-only; may be given more than once",
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="CHECK", help="make this check; may be given more than once"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each check")
    parser.add_argument("--html", metavar="FILE", type=Path, help="also write one self-contained HTML page")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check it; 0 if nothing is broken, 1 if anything is."""
    from harness.checks.runner import CheckError, Configuration, check
    from harness.report.checks_terminal import print_result, print_summary
    from harness.report.output_file import expect_writable, write_output
    from harness.report.text import visible

    if not options.words:
        return _list()
    expect_writable(options.html)
    try:
        subject = _subject(options)
        unknown = _unknown_checks(options.only)
        if unknown:
            raise CheckError(unknown)
    except CheckError as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        return USAGE
    engine = choose(options.engine, options.image)
    configuration = Configuration(options.mode, options.owner or subject.owner, options.group or subject.group)
    image = options.image or engine.image_with(subject.suite, subject.packages)
    mounts = (*options.mount, *subject.install(engine, image))
    results: list[CheckResult] = []
    with engine.open(image=image, mounts=mounts) as place:
        try:
            for result in check(place, subject, configuration, _again(options, engine.name), options.only):
                results.append(result)
                if options.json:
                    print(json.dumps(asdict(result)), flush=True)
                else:
                    print_result(result, sys.stdout)
        except CheckError as error:
            print(f"harness: {visible(str(error))}", file=sys.stderr)
            return USAGE
        if not options.json:
            print_summary(results, place.facts, sys.stdout)
        if options.html:
            from harness.report.checks_html import Section, html_page

            section = Section(subject.name, subject.about, tuple(results))
            write_output(options.html, html_page(f"{subject.name}, checked", [section], place.facts))
    return DISAGREE if any(result.verdict == "broken" for result in results) else AGREE


def _subject(options: argparse.Namespace) -> Subject:
    """The subject of that name, or one that is made of the command. Raises CheckError."""
    from harness.checks.runner import CheckError
    from harness.subjects import SUBJECTS
    from harness.subjects.command import CommandSubject

    words: list[str] = options.words
    if len(words) == 1 and not any(place in words[0] for place in PLACEHOLDERS):
        if words[0] not in SUBJECTS:
            raise CheckError(
                f"there is no subject named {words[0]!r}; there are {', '.join(SUBJECTS)}; for a command of your own: "
                "harness check -- COMMAND {socket}"
            )
        if options.speaks:
            raise CheckError(f"{words[0]} speaks what it speaks; --speaks is for a command of your own")
        return SUBJECTS[words[0]]
    if not any(place in word for word in words for place in PLACEHOLDERS):
        raise CheckError(
            f"nothing in {shlex.join(words)!r} says where the socket goes: write {{socket}} where its path belongs"
        )
    return CommandSubject(
        name=words[0].rpartition("/")[2],
        about=shlex.join(words),
        command=tuple(words),
        speaks=options.speaks or "nothing",
    )


def _unknown_checks(only: list[str]) -> str | None:
    from harness.checks import CHECKS

    names = [check.name for check in CHECKS]
    wrong = [name for name in only if name not in names]
    return f"there is no check named {wrong[0]!r}; there are {', '.join(names)}" if wrong else None


def _again(options: argparse.Namespace, engine: str) -> list[str]:
    """The words of a command that asks the same of the same server."""
    words = ["harness", "check", "--engine", engine]
    words += ["--image", options.image] if options.image else []
    words += ["--mode", f"{options.mode:04o}"]
    for option, value in (("--as", options.owner), ("--group", options.group), ("--speaks", options.speaks)):
        words += [option, value] if value else []
    for mount in options.mount:
        words += ["--mount", mount]
    return [*words, *(["--"] if len(options.words) > 1 else []), *options.words]


def _mode(text: str) -> int:
    """An octal mode of one to four digits, the first of four 0, as the observatory takes it."""
    if not re.fullmatch(r"[0-7]{1,3}|0[0-7]{3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a mode: write one to four octal digits, the first of four 0")
    return int(text, 8)


def _list() -> int:
    from harness.subjects import SUBJECTS

    for subject in SUBJECTS.values():
        print(f"{subject.name:28} {subject.about}")
    return AGREE
