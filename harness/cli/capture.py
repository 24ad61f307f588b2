"""harness capture: the part of this machine that decides over one attempt, as a world to be run elsewhere."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import attempt_options
from harness.cli.exit_status import AGREE, DISAGREE, USAGE
from harness.world import WorldError, dumps, problems

if TYPE_CHECKING:
    import argparse

    from harness.live.judgement import Judgement
    from harness.world import World


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness capture PATH -o FILE`."""
    parser.add_argument("path", metavar="PATH", help=attempt_options.PATH_MEANS)
    attempt_options.add_options(parser)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the world file to write")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the world; 0 if that was possible."""
    from harness.live.capture import captured
    from harness.live.judgement import find
    from harness.report.output_file import write_output
    from harness.report.text import visible

    found = attempt_options.looked_up(options)
    if found is None:
        return USAGE
    actor, seen = found
    judgement = find(actor, seen)
    if not judgement.conclusive:
        print(f"harness: nothing was captured: {visible(judgement.notes[-1])}", file=sys.stderr)
        return DISAGREE
    world = captured(actor, seen, judgement)
    for problem in problems(world):
        raise WorldError(
            f"{visible(seen.attempt.path)} can't be expressed in a world file: {visible(problem.sentence)}"
        )
    if not (judgement.tellable and _says_the_same(world, judgement)):
        why = visible(judgement.decision.why)
        print(
            f"harness: nothing was captured, since a world file can't express what decides here: {why}", file=sys.stderr
        )
        return DISAGREE
    write_output(options.output, dumps(world))
    left_open = (f"{one.layer} was not looked at: {one.why}" for one in judgement.left_open)
    for note in (*judgement.notes, *left_open):
        print(f"harness: note: {visible(note)}", file=sys.stderr)
    outcome = judgement.decision.outcome
    told = outcome if outcome == "ok" else f"{outcome} at {visible(judgement.decision.at)}"
    print(f"{told}; run it anywhere: {visible(shlex.join(['harness', 'run', str(options.output)]))}")
    return AGREE


def _says_the_same(world: World, judgement: Judgement) -> bool:
    """Whether what decides here decides in the world too."""
    from harness.oracle import decide, linux

    decision = decide(world, world.attempts[0], linux(world.sysctls))
    same = decision.outcome == judgement.decision.outcome
    return same and (decision.outcome == "ok" or decision.at == judgement.decision.at)
