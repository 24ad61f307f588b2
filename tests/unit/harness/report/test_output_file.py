from __future__ import annotations

import os
import resource
import stat
from functools import partial
from pathlib import Path

import pytest

from harness.report.output_file import OutputError, WriteError, expect_writable, write_output, write_outputs


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_new_file_has_what_was_written_and_the_mode_of_any_new_file(tmp_path: Path) -> None:
    write_output(tmp_path / "page.html", "caf\xe9\n")
    (tmp_path / "other").touch()
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "caf\xe9\n"
    assert (tmp_path / "page.html").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert names(tmp_path) == ["other", "page.html"]


def test_a_file_of_ours_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("a longer text than the next one")
    file.chmod(0o640)
    linked = tmp_path / "linked"
    linked.hardlink_to(file)
    write_output(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert linked.read_text() == "a longer text than the next one"


def test_a_relative_name_is_one_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    write_output(Path("a"), "a")
    write_output(Path("../b"), "b")
    assert (names(tmp_path), names(tmp_path / "below")) == (["b", "below"], ["a"])


def test_a_directory_may_be_reached_by_symlinks_of_our_own(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "absolute").symlink_to(tmp_path / "real")
    (tmp_path / "relative").symlink_to("absolute/deep/../deep")
    write_output(tmp_path / "relative" / "x", "x")
    assert (tmp_path / "real" / "deep" / "x").read_text() == "x"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("symlink", "it is a symlink, which is not followed"),
        ("dangling", "it is a symlink, which is not followed"),
        ("directory", "what is there is not a regular file"),
        ("fifo", "what is there is not a regular file"),
    ],
)
def test_what_is_no_file_of_ours_is_refused_and_left_as_it_is(tmp_path: Path, kind: str, said: str) -> None:
    target, file = tmp_path / "target", tmp_path / "x"
    if kind != "dangling":
        target.write_text("precious")
    if kind == "directory":
        file.mkdir()
    elif kind == "fifo":
        os.mkfifo(file)
    else:
        file.symlink_to(target)
    before = names(tmp_path)
    with pytest.raises(OutputError, match=f"^{file} is not written: {said}$"):
        write_output(file, "new")
    assert names(tmp_path) == before
    assert kind == "dangling" or target.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_users_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("theirs")
    os.chown(file, 64001, 64001)
    with pytest.raises(OutputError, match="what is there belongs to uid 64001"):
        write_output(file, "new")
    assert file.read_text() == "theirs"


def test_a_directory_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=f"^{tmp_path}/none/x can't be written: No such file or directory$"):
        write_output(tmp_path / "none" / "x", "new")


def test_what_could_not_be_written_to_its_end_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "x"
    file.write_text("old")
    monkeypatch.setattr("harness.report.output_file.os.rename", full)
    with pytest.raises(OutputError, match=f"^{file} can't be written: No space left on device$"):
        write_output(file, "new")
    assert (names(tmp_path), file.read_text()) == (["x"], "old")


def test_a_file_for_which_there_is_no_room_is_named_and_what_was_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(WriteError, match=rf"^{file} can't be written: File too large$"):
            write_output(file, "x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (names(tmp_path), file.read_text()) == (["page.html"], "before")


def test_where_nothing_can_be_written_is_said_beforehand(tmp_path: Path) -> None:
    expect_writable(None, tmp_path / "new")
    assert names(tmp_path) == []
    for wrong in (tmp_path / "none" / "x", tmp_path, Path(), Path("/"), Path("/proc/x"), tmp_path / ("x" * 300)):
        with pytest.raises(OutputError) as refused:
            expect_writable(wrong)
        assert not isinstance(refused.value, WriteError)


def test_a_name_that_is_no_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=r"^\. is not written: it is a directory's name, and no file's$"):
        write_output(Path(), "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_that_is_not_ours_to_write_is_said_beforehand(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match="x can't be written: Permission denied"):
        expect_writable(tmp_path / "x")


def test_no_output_is_written_in_the_place_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for one, other in (("x", "x"), ("./x", "x"), ("real/../x", "x"), ("link/x", "real/x"), ("x", str(tmp_path / "x"))):
        with pytest.raises(OutputError, match=f"^{other} is not written: two outputs have this name; give each a name"):
            expect_writable(Path(one), None, Path(other))
    expect_writable(Path("x"), Path("real/x"), Path("y"))


def test_what_can_be_written_is_written_whatever_became_of_the_others(tmp_path: Path) -> None:
    texts = {tmp_path / "none" / "x": "lost", tmp_path / "one": "1", tmp_path: "lost", tmp_path / "two": "2"}
    failed = write_outputs([(None, str), *((file, partial(str, text)) for file, text in texts.items())])
    assert [str(error) for error in failed] == [
        f"{tmp_path}/none/x can't be written: No such file or directory",
        f"{tmp_path} is not written: what is there is not a regular file",
    ]
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["1", "2"]
