"""The image in which a subject finds its packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.engines.cache import images

if TYPE_CHECKING:
    from harness.engines.protocol import Engine
    from harness.subjects.subject import Subject


def image_for(subject: Subject, engine: Engine) -> str | None:
    """The name of an image with the subject's packages, made now if the engine lacks it; `None` without images.

    Raises PlaceError if it can't be made.
    """
    connected = getattr(engine, "connected", None)
    if connected is None:
        return None
    with connected() as client:
        return images.ensure(client, subject.suite, subject.packages)
