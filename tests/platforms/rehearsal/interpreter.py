"""A Python installation that starts as another system's would: a copy of this one whose first import is the shim.

Every way of starting it is so, `python3 -I -S` too, since `encodings` is imported before anything else is.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from tests.platforms.rehearsal.typeshed import lacking

SHIM = Path(__file__).parent / "shim"
LINUX_TOOLS = frozenset(
    [
        "apt-get",
        "dpkg",
        "getfacl",
        "ip",
        "mmdebstrap",
        "nsenter",
        "pidof",
        "prlimit",
        "setfacl",
        "setpriv",
        "ss",
        "strace",
        "systemctl",
        "unshare",
    ]
)
"""Programs that the other systems do not have, by which tests would do what cannot be done there."""
LEFT_OUT = shutil.ignore_patterns("test", "tests", "idlelib", "config-*", "site-packages", "lib2to3", "ensurepip")
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"


def make(directory: Path, platform: str) -> Path:
    """Make it in a directory that all users can reach, with this one's installed packages; the interpreter's path."""
    directory.mkdir(mode=0o755)
    for name in ("bin", "proc"):
        (directory / name).mkdir()
    python = directory / "bin" / VERSION
    shutil.copy2(Path(sys.executable).resolve(), python)
    for name in ("python", "python3"):
        (directory / "bin" / name).symlink_to(VERSION)
    library = Path(sysconfig.get_path("stdlib"))
    ours = directory / "lib" / VERSION
    shutil.copytree(library, ours, ignore=LEFT_OUT)
    for shared in library.parent.glob("libpython*.so*"):
        shutil.copy2(shared, directory / "lib")
    (ours / "site-packages").symlink_to(sysconfig.get_path("purelib"))
    shutil.copytree(SHIM, ours / "rehearsal")
    if platform == "darwin":
        (ours / "_scproxy.py").symlink_to("rehearsal/_scproxy.py")
    for built in ours.glob("_sysconfigdata_*_linux_*.py"):
        (ours / built.name.replace("_linux_", f"_{platform}_")).symlink_to(built.name)
    names = lacking(platform)
    (ours / "rehearsal" / "target.py").write_text(f"PLATFORM = {platform!r}\nLACKING = {names!r}\n")
    # What the library itself needs to run on Linux, Windows' Python lacks in part: so that target begins last.
    first = "sitecustomize.py" if platform == "win32" else "encodings/__init__.py"
    with (ours / first).open("a") as file:
        file.write("\nimport rehearsal\nrehearsal.begin()\n")
    for name in ("observatory", "harness"):
        script = directory / "bin" / name
        script.write_text(f"#!{python}\nimport sys\nfrom {name}.cli.main import main\nsys.exit(main())\n")
        script.chmod(0o755)
    _link_tools(directory)
    os.chmod(directory, 0o755)
    return python


def _link_tools(directory: Path) -> None:
    """The machine's programs without Linux's own, and this installation's."""
    tools = directory / "tools"
    tools.mkdir()
    for path in [sysconfig.get_path("scripts"), *os.environ["PATH"].split(":")]:
        for program in Path(path).iterdir() if Path(path).is_dir() else ():
            name = program.name
            python = name.startswith("python") or name in {"observatory", "harness"}
            if not (python or name in LINUX_TOOLS or (tools / name).is_symlink()):
                (tools / name).symlink_to(program)
