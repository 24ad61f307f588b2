"""The image in which a subject finds its packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import images

if TYPE_CHECKING:
    from harness.place import Engine
    from harness.subjects.model import Subject


def image_for(subject: Subject, engine: Engine) -> str | None:
    """The name of an image with the subject's packages, made now if the engine lacks it; `None` where there are no images.

    Raises PlaceError if it can't be made.
    """
    client = getattr(engine, "client", None)
    return None if client is None else images.ensure(client, subject.suite, subject.packages)
