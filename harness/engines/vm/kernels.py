"""Debian's kernels, and a small file system to boot them with: made of Debian's packages once, and kept."""

from __future__ import annotations

import hashlib
import io
import re
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from harness.engines import bundle
from harness.engines.cache.directory import cache, debian, locked, say
from harness.engines.cache.images import PACKAGES
from harness.engines.protocol import PlaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KERNELS = {"bullseye": "5.10", "bookworm": "6.1", "trixie": "6.12", "sid": ""}
"""Debian's releases and the versions of their kernels; sid's moves on."""
MODULES = ("landlock", "yama", "apparmor", "selinux", "bpf")
"""The security modules that a kernel can be told to ask (its option lsm=); all of Debian's have all of them."""
TOOLS = "sid"
"""The release of AppArmor's and SELinux's compilers: the newest, which know what the newest kernel asks."""
PARSER, COMPILER = "usr/sbin/apparmor_parser", "usr/bin/secilc"
TOOL_FILES = re.compile(
    rf"(?:\./)?(?:{PARSER}|{COMPILER}|usr/lib/x86_64-linux-gnu/"
    r"(?:ld-linux-x86-64|libapparmor|libc|libm|libgcc_s|libstdc\+\+|libsepol|libzstd|libbz2)[.-][^/]*)"
)
"""The compilers with their libraries, which the machine's own release has in older versions."""
USERLAND = "bookworm"
"""The release that the file system is made of, whatever the kernel."""
IMAGE = re.compile(r"(?:\./)?(?:boot/vmlinuz-[^/]+|usr/lib/modules/[^/]+/vmlinuz)")
"""Where a kernel is in Debian's packages: under /boot, and since forky beside its modules."""
SKIPPED = re.compile(
    r"usr/share/(doc|man|locale|i18n|zoneinfo|perl|perl5|info|lintian|bash-completion)/|usr/lib/[^/]+/(perl|gconv)"
    r"|usr/(lib|libexec)/(apt|dpkg|systemd)/|var/(lib|cache)/|usr/bin/perl|boot/|dev/|.*/libapt-|.*/libdb-|.*/__pycache__/.*opt-"
)
"""Parts of Debian's minimal system that no place needs: what is left is half as large."""
_ANY_AGE: Final = ("--aptopt=Acquire::Check-Valid-Until false",)
"""An old snapshot of a mirror is as good: the signature counts, not its age."""


def chosen(image: str) -> tuple[str, tuple[str, ...]]:
    """The release of a name such as `sid` or `sid:landlock,apparmor`, and which security modules its kernel is to ask.

    Without any, the kernel asks those that Debian has built it to ask. Raises PlaceError.
    """
    suite, _, names = image.partition(":")
    modules = tuple(name for name in names.split(",") if name)
    unknown = sorted(set(modules) - set(MODULES))
    if unknown:
        raise PlaceError(f"no security module is known by the name {unknown[0]!r}; there are {', '.join(MODULES)}")
    if "apparmor" in modules and "selinux" in modules:
        raise PlaceError("a kernel asks AppArmor or SELinux, not both: name one")
    return suite, modules


def kernel(suite: str) -> Path:
    """The kernel of one of Debian's releases. Raises PlaceError if it can't be had."""
    if suite not in KERNELS:
        raise PlaceError(f"no kernel is known by the name {suite!r}; there are {', '.join(KERNELS)}")

    def make(packages: Path, taken: Path) -> None:
        debian(suite, packages, "extract", ("linux-image-amd64",), _ANY_AGE)
        taken.write_bytes(_find(packages, IMAGE))

    return _kept(suite, f"kernel-{suite}", f"fetching the kernel of {suite}", make)


def _kept(name: str, lock: str, saying: str, make: Callable[[Path, Path], None]) -> Path:
    """A file of the cache. Where it is not there `make` is told where packages may be put, and where to make it."""
    made = cache() / "kernels" / name
    with locked(lock):
        if not made.exists():
            say(saying)
            made.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=made.parent, prefix=".making-") as temporary:
                taken = Path(temporary) / "taken"
                make(Path(temporary) / "packages.tar", taken)
                taken.rename(made)
    return made


def _find(archive: Path, wanted: re.Pattern[str]) -> bytes:
    with tarfile.open(archive) as tar:
        for member in tar:
            if wanted.fullmatch(member.name) and (file := tar.extractfile(member)) is not None:
                return file.read()
    raise PlaceError(f"there is no kernel in Debian's packages: {wanted.pattern} was not found")


def userland() -> Path:
    """The file system, as a cpio archive for a kernel. Raises PlaceError if it can't be made."""
    digest = hashlib.sha256()
    for part in (USERLAND, *PACKAGES, SKIPPED.pattern, init()):
        digest.update(part.encode() + b"\0")

    def make(packages: Path, taken: Path) -> None:
        debian(USERLAND, packages, "minbase", PACKAGES)
        with taken.open("wb") as file, tarfile.open(packages) as tar:
            _convert(tar, Archive(file))

    name = f"userland-{digest.hexdigest()[:12]}"
    return _kept(name, "userland", "making a file system for virtual machines", make)


def tools() -> Path:
    """The compilers of policies, as a cpio archive that puts them in /opt/modules. Raises PlaceError."""

    def make(packages: Path, taken: Path) -> None:
        debian(TOOLS, packages, "extract", ("apparmor", "secilc"), _ANY_AGE)
        with taken.open("wb") as file, tarfile.open(packages) as tar:
            _take_tools(tar, Archive(file))

    return _kept("tools", "kernel-tools", "fetching the compilers of AppArmor and SELinux", make)


def _take_tools(tar: tarfile.TarFile, archive: Archive) -> None:
    for folder in ("opt", "opt/modules"):
        archive.add(folder, stat.S_IFDIR | 0o755)
    for member in tar:
        if not TOOL_FILES.fullmatch(member.name):
            continue
        name = f"opt/modules/{member.name.rpartition('/')[2]}"
        if member.issym():
            archive.add(name, stat.S_IFLNK | 0o777, member.linkname.rpartition("/")[2].encode())
        elif (file := tar.extractfile(member)) is not None:
            archive.add(name, stat.S_IFREG | member.mode, file.read())
    archive.end()


def init() -> str:
    """The machine's first program, which is run by its name."""
    return "#!/usr/bin/python3 -IS\n" + bundle.self_contained("harness.inside.agent.init")


def _convert(tar: tarfile.TarFile, archive: Archive) -> None:
    archive.add("init", stat.S_IFREG | 0o755, init().encode())
    archive.add("dev", stat.S_IFDIR | 0o755)
    for member in tar:
        name = member.name.removeprefix("./").rstrip("/")
        if name in {"", ".", "dev"} or SKIPPED.match(name + ("/" if member.isdir() else "")):
            continue
        if member.isdir():
            archive.add(name, stat.S_IFDIR | member.mode)
        elif member.issym():
            archive.add(name, stat.S_IFLNK | 0o777, member.linkname.encode())
        elif member.isfile() or member.islnk():
            file = tar.extractfile(member)
            archive.add(name, stat.S_IFREG | member.mode, b"" if file is None else file.read())
    archive.end()


def tree_archive(source_path: str, target: str) -> bytes:
    """A file or directory of this machine at a path of the machine to be booted, all of it root's and readable."""
    held = io.BytesIO()
    archive = Archive(held)
    inside = target.strip("/")
    above = ""
    for part in inside.split("/")[:-1]:
        above = f"{above}/{part}".strip("/")
        archive.add(above, stat.S_IFDIR | 0o755)
    for path in _walk(Path(source_path)):
        name = f"{inside}/{path.relative_to(source_path)}".removesuffix("/.")
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            archive.add(name, mode, str(path.readlink()).encode())
        elif stat.S_ISDIR(mode):
            archive.add(name, stat.S_IFDIR | 0o755)
        elif stat.S_ISREG(mode):
            archive.add(name, stat.S_IFREG | (0o755 if mode & 0o111 else 0o644), path.read_bytes())
    archive.end()
    return held.getvalue()


def _walk(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        yield from sorted(path.rglob("*"))


class Archive:
    """A cpio archive in the form that Linux unpacks at boot: `newc`, described in the kernel's buffer-format.rst."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._count = 0

    def add(self, name: str, mode: int, data: bytes = b"") -> None:
        """One file, all of root's; a symlink's data is its text."""
        self._count += 1
        encoded = name.encode(errors="surrogateescape") + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self._count, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._write(header + encoded)
        self._write(data)

    def end(self) -> None:
        """Nothing follows."""
        self.add("TRAILER!!!", 0)

    def _write(self, data: bytes) -> None:
        self._file.write(data + b"\0" * (-len(data) % 4))
