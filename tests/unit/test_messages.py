"""Each sentence that the products can print is explained, or is listed as one that needs no more."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness.cli.main
import observatory.cli.main
from tests.helpers.program import program

ROOT = Path(__file__).parents[2]
for beside in ("messages", "outputs", "schemas"):  # which the next one imports
    program(ROOT / "docs" / f"{beside}.py")
GENERATE = program(ROOT / "docs" / "generate.py")
MESSAGES = GENERATE.messages
EXPLAINED = MESSAGES.headings((ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"))


def test_no_sentence_is_explained_twice() -> None:
    assert len(set(EXPLAINED)) == len(EXPLAINED) > 30


def test_every_sentence_is_explained_or_listed_and_no_other() -> None:
    said = GENERATE.sentences()
    assert set(EXPLAINED) - {each for sources in said.values() for found in sources.values() for each in found} == set()
    committed = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
    assert committed == GENERATE.explained_by_themselves(said), "make it anew: python docs/generate.py"


@pytest.mark.parametrize("path", [*MESSAGES.NEVER_PRINTED])
def test_what_is_left_out_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_a_sentence_is_found_whoever_says_it(tmp_path: Path) -> None:
    (tmp_path / "harness" / "cli").mkdir(parents=True)
    (tmp_path / "harness" / "cli" / "module.py").write_text(
        '"""What it is for, which nobody is told."""\n'
        "def ask(name, more, parser):\n"
        '    if name:\n        raise WorldError(f"there is no {name!r} in `it`" + more)\n'
        '    parser.add_argument("--only", help="what the reference of the commands has")\n'
        '    print(f"harness: not done: {more}", file=sys.stderr)\n'
        '    name.execute("select what is in a table")\n'
        "    log(f\"warning: this will not last{f', since {more} is full' if more else str()}\")\n"
        '    return held("nobody got in there", why={"a key": "two words"}) or "<p>No attempt was made.</p>"\n'
    )
    assert next(iter(MESSAGES.messages(tmp_path, "harness").values())) == (
        "No attempt was made.",
        "nobody got in there",
        "not done: …",
        "since … is full",
        "there is no … in 'it'…",
        "warning: this will not last…",
    )


def test_a_module_whose_sentences_nobody_has_placed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "harness" / "new").mkdir(parents=True)
    (tmp_path / "harness" / "new" / "module.py").write_text('SAID = "nobody has placed this"\n')
    with pytest.raises(LookupError, match=r"harness/new/module\.py"):
        MESSAGES.messages(tmp_path, "harness")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["harness", "sweep", "--worlds"], "argument …: expected one argument"),
        (["harness", "completion", "csh"], "argument …: invalid choice: … (choose from …)"),
        (["observatory", "install-hooks", "--global", "--project"], "argument …: not allowed with argument …"),
        (["harness", "explain", "--uid", "few"], "argument …: invalid … value: …"),
        (["harness", "check", "--mo", "x"], "ambiguous option: … could match …"),
        (["observatory", "install-hooks"], "one of the arguments … is required"),
        (["harness", "shell", "home-0750"], "the following arguments are required: …"),
        (["harness", "scenarios", "more"], "unrecognized arguments: …"),
    ],
)
def test_what_argparse_says_of_a_command_line_is_listed(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        {"harness": harness, "observatory": observatory}[words[0]].cli.main.main(words[1:])
    printed = capsys.readouterr().err.splitlines()[-1].partition(": error: ")[2]
    place = 0
    assert expected in MESSAGES.USAGE_ERRORS
    for part in expected.split(MESSAGES.PART):
        assert part in printed[place:]
        place = printed.index(part, place) + len(part)
