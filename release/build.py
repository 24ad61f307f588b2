"""Build what is published from the last commit: twice, to see that it comes out alike; and its SBOM and its notes.

`python -m release.build DIRECTORY` writes the sdist, the wheel, `sbom.cdx.json` (CycloneDX, of all extras), `notes.md`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

from release.version import CHANGELOG, MODULE, ROOT, VersionError, notes, version

UMASKS = (0o022, 0o077)
"""The builds differ in where, when and under which umask they are made, and must not differ in anything else."""


class BuildError(Exception):
    """Why nothing was built: one sentence."""


def build(made: Path) -> None:
    """Write the sdist and the wheel that is made of it. Raises BuildError if two builds differ."""
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        both = [_built(Path(temporary) / f"{umask:o}", umask) for umask in UMASKS]
        first, second = ({file.name: digest(file) for file in one.iterdir()} for one in both)
        if first != second:
            raise BuildError(f"two builds of one commit differ: {first} and {second}")
        made.mkdir(parents=True, exist_ok=True)
        for file in both[0].iterdir():
            shutil.copyfile(file, made / file.name)
            print(f"{first[file.name]}  {file.name}")


def digest(file: Path) -> str:
    """The file's SHA-256."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _built(directory: Path, umask: int) -> Path:
    """One build of the last commit, in a checkout of its own."""
    before = os.umask(umask)
    try:
        checkout, out = directory / "checkout", directory / "out"
        subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(checkout)], check=True)
        last = ["git", "-C", str(checkout), "log", "-1", "--format=%ct"]
        epoch = subprocess.run(last, check=True, capture_output=True, text=True).stdout.strip()
        command = [find_uv_bin(), "build", "--quiet", "--no-build-isolation", "--python", sys.executable]
        subprocess.run(
            [*command, "--out-dir", str(out), str(checkout)], check=True, env={**os.environ, "SOURCE_DATE_EPOCH": epoch}
        )
        (out / ".gitignore").unlink(missing_ok=True)
    finally:
        os.umask(before)
    return out


def bill_of_materials(made: Path) -> None:
    """Write the SBOM of an environment with the built wheel and all its extras, in the versions of the lock."""
    (wheel,) = made.glob("*.whl")
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        python = Path(temporary) / "bin" / "python"
        uv = [find_uv_bin(), "--quiet"]
        subprocess.run([*uv, "venv", "--python", sys.executable, temporary], check=True)
        install = [*uv, "pip", "install", "--python", str(python)]
        subprocess.run([*install, "--require-hashes", "-r", str(ROOT / "locks" / "all.txt")], check=True)
        subprocess.run([*install, "--no-deps", str(wheel)], check=True)
        bom = ["--output-reproducible", "--output-format", "JSON", "--output-file", str(made / "sbom.cdx.json")]
        subprocess.run(["cyclonedx-py", "environment", *bom, str(python)], check=True)


def check_tag(current: str) -> None:
    """Raise BuildError if `$TAG`, by which a workflow was started, is not that of the version."""
    tag = os.environ.get("TAG", f"v{current}")
    if tag != f"v{current}":
        raise BuildError(f"the tag is {tag}, and the version is {current}: `nox -s bump`, commit, and tag that commit")


def main() -> int:
    """Build into the named directory."""
    (directory,) = sys.argv[1:]
    made = Path(directory)
    shutil.rmtree(made, ignore_errors=True)
    try:
        current, changelog = version(MODULE.read_text(encoding="utf-8")), CHANGELOG.read_text(encoding="utf-8")
        check_tag(current)
        # Before `nox -s bump` has dated them, the notes are those of what is not released yet.
        section = notes(changelog, current if "TAG" in os.environ or f"## [{current}]" in changelog else "Unreleased")
        build(made)
        bill_of_materials(made)
        (made / "notes.md").write_text(section, encoding="utf-8")
    except (BuildError, VersionError, subprocess.CalledProcessError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
