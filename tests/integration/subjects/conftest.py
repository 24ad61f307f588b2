"""Places for subjects: each with the image that has the subject's packages, made when first needed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.engines.protocol import Engine, Place
    from harness.subjects import Subject

    Check = Callable[..., "Done"]


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


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def check(one_engine: Engine, capsys: pytest.CaptureFixture[str]) -> Check:
    """`harness check` with these words, in this process: to import all that it needs takes longer than most checks."""

    def run(*words: str) -> Done:
        try:
            status: object = main(["check", "--engine", one_engine.name, *words])
        except SystemExit as ended:
            status = ended.code
        assert isinstance(status, int)
        said = capsys.readouterr()
        return Done(status, said.out, said.err)

    return run
