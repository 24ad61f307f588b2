"""harness images: the images that places are made of, listed, or made now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE
from harness.engines.cache.images import OF_PLACES, SUITES, name_of, present
from harness.engines.error import PlaceError
from harness.engines.registry import choose
from harness.subjects import SUBJECTS

if TYPE_CHECKING:
    import argparse

IMAGES = {suite: (suite, OF_PLACES) for suite in SUITES} | {
    name: (subject.suite, subject.packages) for name, subject in SUBJECTS.items()
}
"""The Debian release and the packages of each image, by the name of the release or of the subject that needs it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness images [NAME ...]`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"make those of {', '.join(IMAGES)}; none: list all")
    parser.add_argument("--engine", choices=("docker",), default="docker", help="default: docker")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List the images, or make the named ones, with what their subjects need beside them, and print their names."""
    from harness.engines.docker import DockerEngine

    unknown = [name for name in options.names if name not in IMAGES]
    if unknown:
        raise PlaceError(f"no image is named {unknown[0]!r}; there are {', '.join(IMAGES)}")
    engine = choose(options.engine)
    assert isinstance(engine, DockerEngine)
    for name in options.names:
        image = engine.image_with(*IMAGES[name])
        if name in SUBJECTS:
            SUBJECTS[name].install(engine, image)
        print(f"{name:20} {image}", flush=True)
    if not options.names:
        with engine.connected() as client:
            for name, (suite, packages) in IMAGES.items():
                image = name_of(suite, packages)
                print(f"{name:20} {image:50} {'made' if present(client, image) else 'not made yet'}")
    return AGREE
