"""Images for engines that have images, and installed trees of Python packages for the Pythons in places.

Both are made once, kept under a name that is a digest of what went in, and locked against others who make the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.cache.directory import UNUSED, cache, debian, last_line, locked, say
from harness.engines.extras import lacking
from harness.engines.leftovers import temporary_directory
from harness.engines.protocol import PlaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import docker

    from harness.engines.protocol import Engine

SUITES = ("bookworm", "trixie")
"""The Debian releases that images are made of: Python 3.11 and 3.13."""
PACKAGES = ("python3", "acl", "util-linux", "passwd", "procps", "curl")
OF_PLACES = ("bindfs",)
"""What the image of a place has beside that, where nobody has named another: for FUSE mounts of a world."""
REPOSITORY = "claude-observatory-harness"


def name_of(suite: str, extra: Sequence[str] = ()) -> str:
    """The name of the image of a suite with extra packages: it changes with everything that goes in."""
    digest = hashlib.sha256()
    for part in (suite, *PACKAGES, *extra, *UNUSED, dockerfile().read_text(encoding="utf-8")):
        digest.update(part.encode() + b"\0")
    return f"{REPOSITORY}:{suite}-{digest.hexdigest()[:12]}"


def dockerfile() -> Path:
    """The Dockerfile: in the installed package, or in the repository beside it."""
    here = Path(__file__).parents[2]
    installed = here / "containers" / "Dockerfile"
    return installed if installed.exists() else here.parent / "containers" / "Dockerfile"


def ensure(client: docker.DockerClient, suite: str = SUITES[0], extra: Sequence[str] = ()) -> str:
    """The name of a suite's image, which is made now if the engine lacks it, with progress on standard error.

    `extra` are Debian packages to have on top of what every place needs. Raises PlaceError if it can't be made.
    """
    name = name_of(suite, extra)
    if not present(client, name):
        base = ensure(client, suite) if extra else None
        with locked(f"image-{name.partition(':')[2]}"):
            if not present(client, name):
                _build(client, name, base or _base(client, suite), extra)
    return name


def told(name: str, ask: Callable[[], str]) -> str:
    """What never changes and takes a container to be told, from when it was asked for first."""
    made = cache() / "told" / name
    if not made.exists():
        with locked(name):
            made.parent.mkdir(parents=True, exist_ok=True)
            text = ask()
            making = made.with_suffix(".making")
            making.write_text(text, encoding="utf-8")
            making.rename(made)
    return made.read_text(encoding="utf-8")


def tree(requirements: Path, engine: Engine, *, image: str | None = None) -> Path:
    """A directory with the packages of a requirements file, installed for the Python in an engine's places.

    It is made on this machine, without running anything in a place, and kept. Raises PlaceError if it can't be made.
    """
    interpreter = engine.interpreter(image)
    what = f"{interpreter.version} {interpreter.platform} {_compiles_for(interpreter.version)}\0"
    digest = hashlib.sha256(what.encode() + requirements.read_bytes())
    made = cache() / "trees" / f"{requirements.stem}-{interpreter.version}-{digest.hexdigest()[:12]}"
    if not made.exists():
        with locked(made.name):
            if not made.exists():
                _install(requirements, interpreter.version, interpreter.platform, made)
    return made


def tree_of(packages: Sequence[str], engine: Engine, *, image: str | None = None) -> Path:
    """Such a directory with these packages, each `NAME==VERSION`. Raises PlaceError if it can't be made."""
    with temporary_directory("harness-") as temporary:
        requirements = temporary / f"{packages[0].partition('==')[0]}.txt"
        requirements.write_text("".join(f"{package}\n" for package in packages), encoding="utf-8")
        return tree(requirements, engine, image=image)


def _install(requirements: Path, version: str, platform: str | None, made: Path) -> None:
    uv = _uv()
    say(f"installing {requirements.name} for Python {version}")
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=".making-") as temporary:
        target = Path(temporary) / "tree"
        command = [uv, "pip", "install", "--quiet", "--no-config", "--target", str(target)]
        command += ["--python-version", version, "--only-binary", ":all:", "--requirement", str(requirements)]
        command += [] if platform is None else ["--python-platform", platform]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PlaceError(
                f"{requirements} could not be installed for Python {version} of the place: {last_line(done.stderr)}"
            )
        if _compiles_for(version):
            # Places have it read-only, so that each start there would compile it anew.
            subprocess.run([sys.executable, "-m", "compileall", "-q", "-j0", str(target)], check=False)
        target.chmod(0o755)
        target.rename(made)


def _compiles_for(version: str) -> bool:
    """Whether what this Python compiles is what that one reads."""
    return sys.implementation.name == "cpython" and version == f"{sys.version_info.major}.{sys.version_info.minor}"


def _uv() -> str:
    """The program uv: the library's, else the one on the path. Raises PlaceError."""
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - only who makes a tree needs it

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
        if found is None:
            raise PlaceError(f"packages for the Python of a place: this {lacking('uv')}") from None
        return found


def _base(client: docker.DockerClient, suite: str) -> str:
    """A Debian to build on: the registry's if one answers, else one made of Debian's packages."""
    from docker.errors import APIError, DockerException  # noqa: PLC0415 - docker's library is large

    official = f"debian:{suite}-slim"
    try:
        if not present(client, official):
            say(f"pulling {official}")
            client.images.pull("debian", f"{suite}-slim")
    except (APIError, DockerException) as error:
        say(f"no registry gave {official} ({last_line(str(error))}): making a base of Debian's packages")
    else:
        return official
    base = f"{REPOSITORY}-base:{name_of(suite).partition(':')[2]}"
    with temporary_directory("harness-") as temporary:
        archive = temporary / "base.tar"
        debian(suite, archive, "minbase", PACKAGES)
        repository, _, tag = base.partition(":")
        said = client.api.import_image_from_file(str(archive), repository=repository, tag=tag)
        # Podman's API imports under the tag `latest`, whatever is asked for.
        client.api.tag(json.loads(said.splitlines()[-1])["status"], repository, tag)
    return base


def _build(client: docker.DockerClient, name: str, base: str, extra: Sequence[str]) -> None:
    from docker.errors import APIError, BuildError  # noqa: PLC0415 - docker's library is large

    say(f"building {name} on {base}")
    try:
        client.images.build(
            path=str(dockerfile().parent),
            tag=name,
            buildargs={"BASE": base, "PACKAGES": " ".join((*PACKAGES, *extra))},
            network_mode="host",
            rm=True,
            forcerm=True,
        )
    except (APIError, BuildError) as error:
        raise PlaceError(f"the image {name} could not be built: {last_line(str(error))}") from None
    say(f"built {name}")


def present(client: docker.DockerClient, name: str) -> bool:
    """Whether the engine has an image of this name."""
    from docker.errors import ImageNotFound  # noqa: PLC0415 - docker's library is large

    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True
