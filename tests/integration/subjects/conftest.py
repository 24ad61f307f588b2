"""Places for subjects: each with the image that has the subject's packages, made when first needed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.engines.protocol import Engine, Place
    from harness.subjects import Subject


@pytest.fixture(scope="session")
def place_of(engine: Engine) -> Iterator[Callable[[Subject], Place]]:
    """The place of a subject, shared by the tests of this worker."""
    with contextlib.ExitStack() as stack:
        opened: dict[tuple[str | None, tuple[str, ...]], Place] = {}

        def find(subject: Subject) -> Place:
            image = engine.image_with(subject.suite, subject.packages)
            mounts = subject.install(engine, image)
            if (image, mounts) not in opened:
                opened[image, mounts] = stack.enter_context(engine.open(image=image, mounts=mounts))
            return opened[image, mounts]

        yield find
