"""harness images: the images that places are made of, listed, or made now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE
from harness.engines.cache.images import SUITES, ensure, images
from harness.engines.protocol import PlaceError
from harness.engines.registry import choose

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`harness images [SUITE ...]`."""
    parser = subparsers.add_parser("images", help="make the images for engines that have images, or list them")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"make those of {', '.join(SUITES)}; none: list all")
    parser.add_argument("--engine", choices=("docker",), default="docker", help="default: docker")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List the images, or make the named ones and print their names."""
    from harness.engines.docker import DockerEngine

    unknown = [suite for suite in options.suites if suite not in SUITES]
    if unknown:
        raise PlaceError(f"no image is made of {unknown[0]!r}; there are {', '.join(SUITES)}")
    engine = choose(options.engine)
    assert isinstance(engine, DockerEngine)
    with engine.connected() as client:
        for suite in options.suites:
            print(ensure(client, suite))
        if not options.suites:
            for image in images(client):
                print(f"{image.suite:10} {image.name:50} {'made' if image.present else 'not made yet'}")
    return AGREE
