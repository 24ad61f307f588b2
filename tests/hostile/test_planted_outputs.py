"""Root's harness writes its reports, and prints names, where another user has planted something."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli import sweep
from harness.cli.exit_status import AGREE, USAGE
from harness.cli.main import main
from harness.live import network_namespace
from harness.report import output_file
from harness.world import World, complete, load
from tests.hostile.harness_as_root import (
    MALLORY,
    asked,
    mallory,
)

if TYPE_CHECKING:
    import socket

PLANT = r"""
import os, sys
what, target, path = sys.argv[1:]
os.umask(0)
if what == "link":
    os.symlink(target, path)
elif what == "fifo":
    os.mkfifo(path, 0o666)
elif what == "file":
    open(path, "w").write("theirs")
elif what == "directory":
    os.symlink(os.path.dirname(target), os.path.dirname(path))
print("ready", flush=True)
sys.stdin.read()
"""


PRECIOUS = "precious\n"


def precious(open_directory: Path) -> Path:
    """A file of root's that nobody else may write."""
    folder = open_directory / "own"
    folder.mkdir(mode=0o755)
    file = folder / "w.toml"
    file.write_text(PRECIOUS)
    return file


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("link", "it is a symlink, which is not followed"),
        ("fifo", "what is there is not a regular file"),
        ("file", f"what is there belongs to uid {MALLORY}"),
        ("directory", f"a symlink on the way to it is uid {MALLORY}'s, who may lead it anywhere"),
    ],
)
@pytest.mark.parametrize("sticky", [0o777, 0o1777])
def test_nothing_is_captured_into_what_another_user_has_planted(
    what: str, said: str, sticky: int, open_directory: Path, dead_socket: str
) -> None:
    open_directory.chmod(sticky)
    target = precious(open_directory)
    output = open_directory / "planted" / "w.toml" if what == "directory" else open_directory / "w.toml"
    with mallory(PLANT, what, str(target), str(output)):
        before = sorted(os.listdir(open_directory))
        done = asked("capture", dead_socket, "--operation", "stat", "-o", str(output))
        assert (done.returncode, done.stderr) == (USAGE, f"harness: {output} is not written: {said}\n")
        assert (target.read_text(), sorted(os.listdir(open_directory))) == (PRECIOUS, before)
        if what == "file":
            assert output.read_text() == "theirs"


@pytest.mark.parametrize("what", ["link", "directory"])
def test_without_the_guard_a_capture_is_written_into_roots_own_file(
    what: str, open_directory: Path, dead_socket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a directory that is not sticky, where fs.protected_symlinks does nothing."""
    monkeypatch.setattr(output_file, "write_output", lambda file, text: file.write_text(text))
    target = precious(open_directory)
    output = open_directory / "planted" / "w.toml" if what == "directory" else open_directory / "w.toml"
    with mallory(PLANT, what, str(target), str(output)):
        assert main(["capture", dead_socket, "--operation", "stat", "-o", str(output)]) == AGREE
        assert target.read_text() != PRECIOUS


JUNIT = """<testsuites><testsuite name="pytest" time="1"><properties><property name="engine" value="host"/>
<property name="shard" value="1/1"/></properties><testcase classname="a" name="b"/></testsuite></testsuites>"""


@pytest.mark.parametrize("option", ["--html", "--junit"])
def test_no_report_is_written_into_what_another_user_has_planted(
    option: str,
    open_directory: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    part = tmp_path / "part.xml"
    part.write_text(JUNIT)
    target = precious(open_directory)
    output = open_directory / "report"
    with mallory(PLANT, "link", str(target), str(output)):
        assert main(["merge", str(part), option, str(output)]) == USAGE
        assert capsys.readouterr().err == f"harness: {output} is not written: it is a symlink, which is not followed\n"
        assert target.read_text() == PRECIOUS
        monkeypatch.setattr(output_file, "expect_writable", lambda *_: None)
        monkeypatch.setattr(output_file, "write_output", lambda file, text: file.write_text(text))
        assert main(["merge", str(part), option, str(output)]) == AGREE
        assert target.read_text() != PRECIOUS


def test_no_world_of_a_sweep_is_saved_into_what_another_user_has_planted(
    open_directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = precious(open_directory)
    monkeypatch.chdir(open_directory)
    with mallory(PLANT, "link", str(target), f"{open_directory}/disagreement-1.toml"):
        found = sweep.Found(as_json=False)
        for name in ("one", "two"):
            found.add(complete(World(name)), [name])
        out, err = capsys.readouterr()
        assert err == "harness: disagreement-1.toml is not written: it is a symlink, which is not followed\n"
        assert 'name = "one"' in out
        assert "harness run disagreement-2.toml" in out
        assert load(Path("disagreement-2.toml")).name == "two"
        assert target.read_text() == PRECIOUS


MOVES_THE_CURSOR = "\x1b[2J\r\x9b3J\u202e\u2028"


def refuse() -> socket.socket:
    raise FileNotFoundError(2, "No such file or directory")


def test_no_name_that_another_user_chose_reaches_the_terminal_as_it_is(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = f"{open_directory}/{MOVES_THE_CURSOR}"
    plant = (
        "import os, socket, sys; os.umask(0); os.mkdir(sys.argv[1]); s = socket.socket(socket.AF_UNIX); "
        "s.bind(sys.argv[1] + '/s'); s.listen(); os.symlink('s' + sys.argv[1][-1], sys.argv[1] + '/l'); "
        "open('/proc/self/comm', 'w').write(sys.argv[1][-7:]); os.chdir(sys.argv[1]); "
        "print('ready', flush=True); sys.stdin.read()"
    )
    with mallory(plant, folder) as pid:
        commands = [
            ["explain", f"{folder}/s"],
            ["explain", f"{folder}/l"],
            ["explain", f"{folder}/s", "--pid", str(pid)],
            ["explain", f"{folder}/s", "--uid", "7", "--operation", "unlink"],
            ["capture", f"{folder}/s", "-o", f"{open_directory}/{MOVES_THE_CURSOR}.toml"],
            ["capture", f"{folder}/s", "-o", f"{open_directory}/{MOVES_THE_CURSOR}/none/x"],
        ]
        for command in commands:
            main(command)
        monkeypatch.setattr(network_namespace, "_open_socket", refuse)
        for command in commands:
            main(command)
        said = "".join(capsys.readouterr())
        assert "\\x1b[2J\\r\\x9b3J\\u202e\\u2028" in said
        assert all(character == "\n" or character.isprintable() for character in said)


def test_an_output_has_no_more_rights_than_any_file(open_directory: Path, dead_socket: str) -> None:
    done = asked("capture", dead_socket, "--operation", "stat", "-o", f"{open_directory}/w.toml")
    assert done.returncode == AGREE, done.stderr
    status = (open_directory / "w.toml").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode) & 0o022) == (0, 0)
