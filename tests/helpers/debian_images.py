"""Images that are Debian's packages and nothing else, made once and kept by the engine."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import docker
from docker.errors import ImageNotFound

from harness.engines.cache.directory import debian, locked

if TYPE_CHECKING:
    from collections.abc import Sequence

OPTIONS = ('--aptopt=Acquire::Check-Valid-Until "false"',)
"""A mirror's list of sid may be older than the week for which it is valid."""


def image_of(suite: str, packages: Sequence[str]) -> str:
    """The image of a release with these packages, made now if the engine lacks it."""
    digest = hashlib.sha256(" ".join((suite, *packages)).encode()).hexdigest()[:12]
    name, tag = "claude-observatory-pythons", f"{suite}-{digest}"
    with contextlib.closing(docker.from_env(timeout=600)) as client, locked(f"image-{tag}"):
        try:
            client.images.get(f"{name}:{tag}")
        except ImageNotFound:
            archive = Path(f"/var/tmp/{name}-{tag}.tar")
            try:
                debian(suite, archive, "minbase", packages, OPTIONS)
                said = client.api.import_image_from_file(str(archive), repository=name, tag=tag)
                assert "error" not in json.loads(said.splitlines()[-1]), said
            finally:
                archive.unlink(missing_ok=True)
    return f"{name}:{tag}"
