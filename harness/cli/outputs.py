"""What a command says of the files that it could not write."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness.cli.ending import OUTPUT_LOST
from harness.cli.exit_status import USAGE
from harness.report.output_file import WriteError
from harness.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.output_file import OutputError


def say_unwritten(failed: Sequence[OutputError]) -> int:
    """A sentence for each; the exit status, which is 0 if there are none."""
    for error in failed:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
    if any(isinstance(error, WriteError) for error in failed):
        return OUTPUT_LOST
    return USAGE if failed else 0
