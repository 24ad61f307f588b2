"""harness check: attack a server in a place with users, and say what holds and what is broken."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from harness.cli import check_options, place_options
from harness.cli.exit_status import AGREE, DISAGREE, TERMINATED, USAGE
from harness.cli.interrupts import TerminatedError, put_off, terminable
from harness.cli.outputs import say_unwritten
from harness.engines.registry import choose
from harness.subjects.option_words import option, option_words

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from harness.checks.check import CheckResult
    from harness.engines.protocol import Engine, Facts, Place
    from harness.report.output_file import OutputError
    from harness.subjects.description import Described

FILES = ("html", "junit", "sarif", "markdown")
PLACEHOLDERS = ("{socket}", "{directory}")
OF_A_KNOWN_SUBJECT = frozenset({"mode", "user", "group", "patience", "starts"})


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness check SUBJECT`, `harness check subject.toml`, `harness check -- COMMAND {socket} {mode}`."""
    parser.description = (
        "Attack a server in a place with users: one that the harness knows, one that a subject file describes, or any "
        "command."
    )
    parser.usage = "harness check [OPTIONS] SUBJECT | FILE.toml | -- COMMAND ... {socket} ... {mode} ..."
    parser.add_argument(
        "words",
        nargs="*",
        metavar="SUBJECT | FILE.toml | COMMAND",
        help="a known server (without any: they are listed), a subject file, or after -- a command; {socket}, "
        "{directory}, {mode} (0660), {mode3} (660), {umask}, {group}, {user} and {state} stand for the socket's path "
        "and directory, its mode, group and owner, and a directory of the server's own",
    )
    place_options.add_options(parser)
    check_options.add_options(parser)
    parser.add_argument(
        "--only", action="append", default=[], metavar="CHECK", help="make this check; may be given more than once"
    )
    parser.add_argument("--init", action="store_true", help="write a subject file for the command to standard output")
    parser.add_argument(
        "--baseline",
        metavar="FILE",
        type=Path,
        help="what --json wrote earlier: what was broken then fails no run",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each check")
    parser.add_argument("--html", metavar="FILE", type=Path, help="also write one self-contained HTML page")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="also write JUnit XML")
    parser.add_argument("--sarif", metavar="FILE", type=Path, help="also write SARIF 2.1.0")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="also write a Markdown table")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check it; 0 if nothing is broken or only what is known, 1 if anything is, 143 if SIGTERM ended it before."""
    from harness.checks.runner import CheckError
    from harness.report.text import visible
    from harness.subjects.description import DescriptionError

    if not options.words:
        return _list()
    try:
        described = _described(options)
        if wrong := _unknown_checks([*options.only, *described.expected]):
            raise CheckError(wrong)
        with terminable():
            return _check(options, described)
    except TerminatedError:
        return TERMINATED
    except (CheckError, DescriptionError) as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        return USAGE


def _check(options: argparse.Namespace, described: Described) -> int:
    """Raises CheckError if it can't be checked."""
    from harness.checks.runner import CheckError
    from harness.engines.side_by_side import MOST, places
    from harness.report import checks_baseline
    from harness.report.checks_terminal import print_summary
    from harness.report.output_file import expect_writable
    from harness.subjects.command import CommandSubject
    from harness.subjects.machine import equipped, missing, out_of_reach
    from harness.testbed.cast import OWNER_ID
    from harness.world import ROOT, Principal

    expect_writable(*(getattr(options, name) for name in FILES))
    baseline = {} if options.baseline is None else checks_baseline.load(options.baseline)
    subject = described.subject
    own = isinstance(subject, CommandSubject)
    if own:
        subject = equipped(subject)
    engine = choose(options.engine, options.image or described.image)
    image = options.image or described.image or engine.image_with(subject.suite, subject.packages)
    most = len(options.only) or MOST
    with places(engine, image=image, mounts=subject.install(engine, image), most=most) as opened:
        place, before = opened[0], monotonic()
        who = ROOT if described.owner == "root" else Principal(OWNER_ID, OWNER_ID)
        if own and (lacking := missing(place, subject.command, who, subject.packages, subject.directory)) is not None:
            raise CheckError(lacking)
        try:
            if options.init:
                from harness.checks.first_description import first_description

                print(first_description(place, described, subject, check_options.given(options)), end="")
                return AGREE
            results, failed = _results(
                options, replace(described, subject=subject), opened, baseline, _again(options, engine)
            )
        except CheckError as error:
            lacking = out_of_reach(place, subject.command, who, subject.directory, _base(options)) if own else None
            raise CheckError(f"{error}; {lacking}" if lacking else str(error)) from None
        if not options.json:
            print_summary(results, place.facts, monotonic() - before, sys.stdout)
    return say_unwritten(failed) or (DISAGREE if any(result.fails for result in results) else AGREE)


def _results(
    options: argparse.Namespace,
    described: Described,
    opened: Sequence[Place],
    baseline: Mapping[str, set[str]],
    again: Sequence[str],
) -> tuple[list[CheckResult], list[OutputError]]:
    """Make the checks, print each result and write all of them, however the run ends: what it came to no end with as
    `not known`. Beside the results, why a file was not written.
    """
    from harness.checks.runner import Configuration, check, chosen, unfinished
    from harness.report import checks_baseline
    from harness.report.checks_terminal import Progress

    place, *others = opened
    configuration = Configuration(described.mode, described.owner, described.group)
    progress = Progress(sys.stderr, len(chosen(options.only)))
    results: list[CheckResult] = []
    try:
        for found in check(place, described.subject, configuration, again, options.only, progress.begin, others):
            if any(each.check == found.check for each in results):
                continue  # who is interrupted gets all that was found, and may have this one already
            results.append(checks_baseline.mark(found, described.expected, baseline))
            progress.clear()
            _print(options, results[-1])
    except BaseException as error:
        if results or isinstance(error, KeyboardInterrupt):
            with put_off():
                left = unfinished(results, again, options.only)
                failed = _write_files(options, described, [*results, *left], place.facts)
                progress.clear()
                say_unwritten(failed)
                print(
                    f"harness: the run ended before {len(left)} of its checks did; nothing is known of what they ask",
                    file=sys.stderr,
                )
                if options.json:
                    for each in left:
                        _print(options, each)
        raise
    with put_off():
        return results, _write_files(options, described, results, place.facts)


def _print(options: argparse.Namespace, result: CheckResult) -> None:
    from harness.report.checks_terminal import print_result

    if options.json:
        print(json.dumps(asdict(result)), flush=True)
    else:
        print_result(result, sys.stdout)


def _write_files(
    options: argparse.Namespace, described: Described, results: list[CheckResult], facts: Facts
) -> list[OutputError]:
    """Write what was found; why a file was not written."""
    from harness.report import checks_html, checks_junit, checks_markdown, checks_sarif
    from harness.report.output_file import write_outputs

    name, about = described.subject.name, described.subject.about
    section = checks_html.Section(name, about, tuple(results))
    file = options.words[0] if options.words[0].endswith(".toml") else name
    location = os.path.relpath(file) if "/" in file else file
    return write_outputs(
        [
            (options.html, lambda: checks_html.html_page(f"{name}, checked", [section], facts)),
            (options.junit, lambda: checks_junit.junit(name, results, facts)),
            (options.sarif, lambda: checks_sarif.sarif(name, location, results)),
            (options.markdown, lambda: checks_markdown.markdown(name, results)),
        ]
    )


def _described(options: argparse.Namespace) -> Described:
    """The server that is meant: a file's, a known one, or a command. Raises DescriptionError."""
    from harness.subjects import SUBJECTS
    from harness.subjects.description import DescriptionError, load

    words: list[str] = options.words
    given = check_options.given(options)
    alone = len(words) == 1 and not any(place in words[0] for place in PLACEHOLDERS)
    if alone and words[0].endswith(".toml"):
        if given:
            raise DescriptionError(f"{words[0]} says what the server is: write {', '.join(given)} there")
        return load(Path(words[0]))
    if alone and words[0] in SUBJECTS:
        return _known(options, words[0])
    if alone and not any(key in given for key in ("socket", "activated")):
        raise DescriptionError(
            f"there is no subject named {words[0]!r}; there are {', '.join(SUBJECTS)}; for a command of your own: "
            "harness check -- COMMAND {socket}"
        )
    return check_options.described_by(options)


def _base(options: argparse.Namespace) -> Path:
    """What the paths of a description are relative to: where its file is, or where we are."""
    words: list[str] = options.words
    return Path(words[0]).parent if len(words) == 1 and words[0].endswith(".toml") else Path()


def _known(options: argparse.Namespace, name: str) -> Described:
    """A server that the harness knows, with what little can be said of it. Raises DescriptionError."""
    from harness.subjects import SUBJECTS
    from harness.subjects.description import NUMBERS, Described, DescriptionError, account, check_number, mode_of

    subject = SUBJECTS[name]
    given = check_options.given(options)
    for key in given:
        if key not in OF_A_KNOWN_SUBJECT:
            raise DescriptionError(
                f"{name} is started with options of its own; {option(key)} is for a command of your own"
            )
    if "group" in given and not subject.takes_group:
        raise DescriptionError(f"{name} can't be told a group for its socket, so --group would have no effect")
    owner = account(given["user"], "--as") if "user" in given else subject.owner
    group = account(given["group"], "--group") if "group" in given else subject.group
    for key in NUMBERS.keys() & given:
        check_number(key, given[key])
    subject = replace(
        subject, patience=given.get("patience", subject.patience), starts=given.get("starts", subject.starts)
    )
    return Described(subject, mode_of(given.get("mode", "0660")), owner, group)


def _unknown_checks(only: list[str]) -> str | None:
    from harness.checks import CHECKS

    names = [check.name for check in CHECKS]
    wrong = [name for name in only if name not in names]
    return f"there is no check named {wrong[0]!r}; there are {', '.join(names)}" if wrong else None


def _again(options: argparse.Namespace, engine: Engine) -> list[str]:
    """The words of a command that asks the same of the same server."""
    words = ["harness", "check", "--engine", engine.name]
    words += ["--image", options.image] if options.image else []
    words += option_words(check_options.given(options))
    alone = len(options.words) == 1 and not any(place in options.words[0] for place in PLACEHOLDERS)
    return [*words, *([] if alone else ["--"]), *options.words]


def _list() -> int:
    from harness.subjects import SUBJECTS

    for subject in SUBJECTS.values():
        print(f"{subject.name:28} {subject.about}")
    return AGREE
