"""The options that say where a world is built: `--engine`, `--image`, `--throwaway`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from harness.engines.host import THROWAWAY
from harness.engines.registry import ENGINES

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


def add_options(parser: argparse.ArgumentParser) -> None:
    """An engine, an image, and leave for the host engine to make users' processes and files on this very machine."""
    parser.add_argument(
        "--engine",
        default=os.environ.get("HARNESS_ENGINE", "auto").partition(",")[0],
        metavar="ENGINE",
        help=f"auto, {', '.join(ENGINES)} (default: the first of $HARNESS_ENGINE, else auto)",
    )
    parser.add_argument("--image", metavar="NAME", help="the image to build the world in, for engines that have images")
    parser.add_argument(
        "--throwaway",
        action=_Throwaway,
        nargs=0,
        dest=argparse.SUPPRESS,
        help="this machine may be thrown away afterwards: permits --engine host",
    )
