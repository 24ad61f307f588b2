"""`--throwaway`: leave to the host engine to make users' processes and files on this very machine."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from harness.engines.host import THROWAWAY

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Throwaway(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        del parser, namespace, values, option_string
        os.environ[THROWAWAY] = "1"


def add_throwaway(parser: argparse.ArgumentParser) -> None:
    """The option that permits the host engine."""
    parser.add_argument(
        "--throwaway",
        action=_Throwaway,
        nargs=0,
        dest=argparse.SUPPRESS,
        help="this machine may be thrown away afterwards: permits --engine host",
    )
