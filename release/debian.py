"""Make the Debian package of what was built, in a container without a network: `python -m release.debian DIRECTORY`.

There is one for each release of Debian, whose Python it is for: `DIRECTORY/debian/*.deb`. `debian/` says how.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import docker
from docker.errors import DockerException

from harness.engines.cache import images
from harness.engines.protocol import PlaceError
from release.tree import install
from release.version import MODULE, ROOT, version

RELEASES = {"bookworm": ("3.11", "deb12"), "trixie": ("3.13", "deb13")}
"""Each release, its Python, and what its packages' versions end in."""
TOOLS = ("debhelper", "dpkg-dev", "fakeroot")
CHANGELOG = """\
claude-observatory ({version}) {release}; urgency=medium

  * What is new is in CHANGELOG.md, and in the notes of the release.

 -- {maintainer}  {date}
"""


def build(made: Path, release: str) -> Path:
    """Make the package of that release; its file. Raises CalledProcessError or the engine's errors."""
    (wheel,) = made.glob("*.whl")
    python, suffix = RELEASES[release]
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        image = images.ensure(client, release, TOOLS)
        architecture = str(client.version()["Arch"])
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        source = Path(temporary) / "source"
        shutil.copytree(ROOT / "debian", source / "debian")
        install(wheel, "core", python, architecture, source / "tree")
        maintainer = re.findall(r"^Maintainer: (.+)$", (source / "debian" / "control").read_text("utf-8"), re.MULTILINE)
        current = f"{version(MODULE.read_text(encoding='utf-8'))}~{suffix}"
        date = format_datetime(datetime.fromtimestamp(_epoch(), UTC))
        text = CHANGELOG.format(version=current, release=release, maintainer=maintainer[0], date=date)
        (source / "debian" / "changelog").write_text(text, encoding="utf-8")
        command = ["docker", "run", "--rm", "--network=none", f"--volume={temporary}:/build", "--workdir=/build/source"]
        command += [image, "dpkg-buildpackage", "--build=binary", "--no-sign", "--no-check-builddeps"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        (package,) = Path(temporary).glob("*.deb")
        (made / "debian").mkdir(exist_ok=True)
        return Path(shutil.copy(package, made / "debian"))


def _epoch() -> int:
    """When what is packaged was made: `$SOURCE_DATE_EPOCH`, or the last commit."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    last = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return int(subprocess.run(last, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    """Make those of all releases, and say where they are."""
    (directory,) = sys.argv[1:]
    try:
        for release in RELEASES:
            print(build(Path(directory), release))
    except (DockerException, PlaceError, subprocess.CalledProcessError) as error:
        print(f"release: the Debian packages could not be made: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
