"""`pytest --harness-shard` and `harness merge`: the parts are the whole, and whoever lacks one hears of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from harness.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PARTS = 3
SUITE = """
import pytest

@pytest.mark.parametrize("number", range(8))
def test_of_eight(number) -> None:
    if number == 6:
        pytest.skip("not this one")
    assert number != 5, "five is wrong"
"""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The JUnit files of a suite that was run in three parts, each in another order."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_suite.py").write_text(SUITE)
    files = [folder / f"{part}.xml" for part in range(1, PARTS + 1)]
    for part, file in enumerate(files, 1):
        words = [
            "-q",
            "-p",
            "randomly",
            "-p",
            "harness.pytest_plugin",
            "--harness-engine",
            "docker",
            "--harness-shard",
            f"{part}/{PARTS}",
            f"--junitxml={file}",
        ]
        subprocess.run([sys.executable, "-m", "pytest", *words], cwd=folder, capture_output=True, check=False)
    return files


def names(*files: Path) -> list[str]:
    return sorted(str(case.get("name")) for file in files for case in ElementTree.parse(file).iter("testcase"))


def test_each_test_is_in_one_part_whatever_the_order(parts: list[Path]) -> None:
    assert names(*parts) == [f"test_of_eight[{number}]" for number in range(8)]
    assert {len(names(part)) for part in parts} == {2, 3}


def test_the_parts_are_counted_together_and_what_failed_is_told(
    parts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, junit = tmp_path / "all.html", tmp_path / "all.xml"
    assert main(["merge", *map(str, parts), "--html", str(page), "--junit", str(junit)]) == 1
    said = capsys.readouterr().out
    assert said.endswith("\n7 tests in 3 parts: 1 failed, 1 skipped\n")
    assert "test_suite::test_of_eight[5]  (tests in docker, part " in said
    assert "AssertionError: five is wrong" in said
    assert "7 tests in 3 parts: 1 failed, 1 skipped." in page.read_text()
    assert "AssertionError: five is wrong" in page.read_text()
    suites = ElementTree.parse(junit).getroot()
    assert sum(int(suite.get("failures", "")) for suite in suites) == len(list(suites.iter("failure"))) == 1


def test_a_part_that_is_missing_is_named(parts: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", str(parts[0]), str(parts[2])]) == 2
    assert capsys.readouterr().err == "harness: of the 3 parts of the tests in docker these are missing: 2\n"


def test_a_part_that_is_there_twice_is_named(parts: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", *map(str, parts), str(parts[0])]) == 2
    assert "part 1 of the tests in docker is there more than once: " in capsys.readouterr().err


SUMMARY = {"attempts": 700, "disagreements": 0, "seconds": 1.5, "engine": "docker", "kernel": "6.1", "seed": 4}
DISAGREEMENT = {"world": "disagreement-1.toml", "differences": ["the oracle <says> ok"], "toml": 'name = "least"\n'}


def sweep(file: Path, shard: str, *found: Mapping[str, object], **other: object) -> Path:
    summary = {**SUMMARY, "shard": shard, "disagreements": len(found), **other}
    file.write_text("".join(json.dumps(line) + "\n" for line in (*found, summary)))
    return file


def test_parts_of_a_sweep_are_put_together_with_the_worlds_that_disagree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [sweep(tmp_path / "1", "1/2"), sweep(tmp_path / "2", "2/2", DISAGREEMENT)]
    page = tmp_path / "all.html"
    assert main(["merge", *map(str, files), "--html", str(page)]) == 1
    said = capsys.readouterr().out
    assert said.endswith("\n1,400 attempts in 2 parts: 1 failed, 0 skipped\n")
    assert (
        'the oracle <says> ok  (sweep with seed 4 in docker, part 2/2)\n  the oracle <says> ok\n  name = "least"'
        in said
    )
    assert "the oracle &lt;says&gt; ok" in page.read_text()
    assert "<says>" not in page.read_text()


def test_whatever_agrees_everywhere_is_a_success(tmp_path: Path) -> None:
    assert main(["merge", str(sweep(tmp_path / "1", "1/1"))]) == 0


def test_parts_of_different_wholes_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [sweep(tmp_path / "1", "1/2"), sweep(tmp_path / "2", "2/3")]
    assert main(["merge", *map(str, files)]) == 2
    assert "are of different wholes" in capsys.readouterr().err
    other = sweep(tmp_path / "3", "2/2", seed=5)
    assert main(["merge", str(files[0]), str(other)]) == 2
    assert "of the 2 parts of the sweep with seed 4 in docker these are missing: 2" in capsys.readouterr().err


def suite(counts: str, *cases: str) -> str:
    properties = '<property name="engine" value="host"/><property name="shard" value="1/1"/>'
    return f"<testsuite {counts}><properties>{properties}</properties>{''.join(cases)}</testsuite>"


CONTRADICTS = "harness: {}/part contradicts itself, so it is not used: it counts {}; make this part anew\n"
FAILED = '<testcase classname="a" name="b"><failure>c</failure></testcase>'
CONTRADICTIONS = {
    suite('tests="100" failures="5" errors="7"'): "5 failures, and has 0",
    suite('tests="1" failures="0"', FAILED): "0 failures, and has 1",
    suite('tests="1" failures="1" errors="1"', FAILED): "1 errors, and has 0",
    suite('tests="1" skipped="1"', FAILED): "1 skipped, and has 0",
    suite('tests="100"'): "100 tests, and has none",
}


@pytest.mark.parametrize(("content", "said"), CONTRADICTIONS.items(), ids=CONTRADICTIONS.values())
def test_a_suite_that_counts_other_tests_than_it_has_is_refused(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "part").write_text(content)
    assert main(["merge", str(tmp_path / "part")]) == 2
    assert capsys.readouterr() == ("", CONTRADICTS.format(tmp_path, said))


@pytest.mark.parametrize(
    ("found", "counts", "said"),
    [
        ((DISAGREEMENT,), {"disagreements": 0}, "0 disagreements, and has 1"),
        ((), {"disagreements": 3}, "3 disagreements, and has 0"),
        ((DISAGREEMENT,), {"attempts": 0}, "1 disagreements in 0 attempts"),
    ],
)
def test_a_sweep_that_counts_other_disagreements_than_it_has_is_refused(
    found: tuple[Mapping[str, object], ...],
    counts: Mapping[str, object],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["merge", str(sweep(tmp_path / "part", "1/1", *found, **counts))]) == 2
    assert capsys.readouterr() == ("", CONTRADICTS.format(tmp_path, said))


def test_of_a_sweep_with_many_disagreements_all_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", str(sweep(tmp_path / "part", "1/1", *[DISAGREEMENT] * 20, disagreements=31))]) == 1
    assert capsys.readouterr().out.endswith("\n700 attempts in 1 parts: 31 failed, 0 skipped\n")


UNUSUAL = """
import pytest, unittest

@pytest.fixture
def torn():
    yield
    raise OSError("torn")

def test_well(torn): pass
def test_wrong(torn): assert False
def test_skipped(torn): pytest.skip("not this one")

@pytest.mark.xfail(strict=True)
def test_unexpected(): pass

class TestMany(unittest.TestCase):
    def test_subtests(self):
        for number in range(9):
            with self.subTest(number=number):
                self.assertLess(number, 7)
"""


def test_whatever_pytest_counts_is_no_contradiction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_unusual.py").write_text(UNUSUAL)
    words = ["-q", "-p", "harness.pytest_plugin", "--harness-engine", "docker", "--harness-shard", "1/1"]
    command = [sys.executable, "-m", "pytest", *words, "--junitxml=part"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert main(["merge", str(tmp_path / "part")]) == 1
    assert capsys.readouterr().out.endswith(" tests in 1 parts: 6 failed, 0 skipped\n")


NO_SUMMARIES: dict[str, tuple[object, ...]] = {
    "attempts": (-1, 0.9, "7", True, None, float("inf"), 10**400),
    "seconds": (-1, "7", float("nan"), float("inf"), 10**400),
    "disagreements": (-1,),
    "seed": (0.5,),
    "shard": (1,),
    "engine": (1,),
}
NO_PARTS = (
    *("", "x", "[]", '{"attempts": 1}', "<a>", "<testsuites/>", "<testsuites><testsuite/></testsuites>"),
    *(suite(f'{count}="{value}"') for count in ("tests", "failures") for value in ("-1", "0.9", "x")),
    *(suite(f'time="{value}"') for value in ("-1", "nan", "inf", "x")),
    *(json.dumps({**SUMMARY, "shard": "1/1", key: value}) for key in NO_SUMMARIES for value in NO_SUMMARIES[key]),
)


@pytest.mark.parametrize("content", NO_PARTS, ids=range(len(NO_PARTS)))
def test_a_file_that_is_no_part_gets_one_sentence(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "part").write_text(content)
    assert main(["merge", str(tmp_path / "part")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith(
        "is neither a JUnit file of `pytest --harness-shard` nor what `harness sweep --json` wrote to its end\n"
    )
    assert main(["merge", str(tmp_path / "nothing")]) == 2
    assert "nothing can't be read: No such file or directory" in capsys.readouterr().err
