"""Places for subjects: each with the image that has the subject's packages, made when first needed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.subjects import SUBJECTS
from harness.subjects.images import image_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.place import Engine, Place
    from harness.subjects import Subject


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what can't be asked: an engine without images has no packages of a subject."""
    kept, left = [], []
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        name = parameters.get("subject", "")
        needs_image = name in SUBJECTS and bool(SUBJECTS[name].packages)
        (left if needs_image and parameters.get("engine") == "namespace" else kept).append(item)
    if left:
        items[:] = kept
        config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session")
def place_of(engine: Engine) -> Iterator[Callable[[Subject], Place]]:
    """The place of a subject, shared by the tests of this worker."""
    with contextlib.ExitStack() as stack:
        opened: dict[tuple[str | None, tuple[str, ...]], Place] = {}

        def find(subject: Subject) -> Place:
            image = image_for(subject, engine)
            mounts = subject.install(engine, image)
            if (image, mounts) not in opened:
                opened[image, mounts] = stack.enter_context(engine.open(image=image, mounts=mounts))
            return opened[image, mounts]

        yield find
