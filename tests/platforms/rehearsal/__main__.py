"""Rehearse: for each target the suites of its jobs, which must pass, and deliberate faults, which must be caught."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.platforms.rehearsal import faults, interpreter
from tests.platforms.rehearsal.artefacts import ARTEFACTS, left_out
from tests.platforms.rehearsal.run import Rehearsal
from tests.platforms.rehearsal.suites import SUITES, TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]


def main(arguments: Sequence[str]) -> int:
    """Rehearse some targets, or all of them; 0 if all is as it should be."""
    parser = argparse.ArgumentParser(prog="nox -s rehearsal --", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)} (default: all)")
    options, pytest = parser.parse_known_args(arguments)
    targets = [name for name in options.targets if name in TARGETS] or list(TARGETS)
    pytest += [name for name in options.targets if name not in TARGETS]
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        print(
            "a rehearsal needs root on Linux, and util-linux's unshare: it hides /proc and becomes the users of a world"
        )
        return 69
    failed = [target for target in targets if not _rehearse(target, pytest)]
    print(
        f"rehearsed: {', '.join(targets)}; " + (f"not as they should be: {', '.join(failed)}" if failed else "all pass")
    )
    return 1 if failed else 0


def _rehearse(target: str, chosen: Sequence[str]) -> bool:
    with tempfile.TemporaryDirectory(prefix=f"{target}-", dir="/tmp") as temporary:
        Path(temporary).chmod(0o755)
        rehearsal = Rehearsal(target, interpreter.make(Path(temporary, "python"), TARGETS[target]))
        print(f"== {target}: as {TARGETS[target]}", flush=True)
        for artefact in ARTEFACTS:
            if target in artefact.targets:
                print(f"   left out: {', '.join(artefact.cases)}: {artefact.why}", flush=True)
        passed = True
        workers = f"-n{(os.cpu_count() or 1) + 1}" if target != "win32" else "-n0"
        for suite in [tuple(chosen)] if chosen else SUITES[target]:
            passed &= rehearsal.pytest("-q", workers, *left_out(target), *suite, directory=ROOT) == 0
        if not chosen:
            passed &= faults.all_caught(rehearsal, ROOT, Path(temporary))
        return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
