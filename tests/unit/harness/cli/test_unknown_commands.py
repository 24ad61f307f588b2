"""Who mistypes a subcommand is told the nearest one."""

from __future__ import annotations

import pytest

from harness.cli.main import main


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("explan", "there is no command 'explan'; did you mean explain?"),
        ("scenario", "there is no command 'scenario'; did you mean scenarios?"),
        ("zzz", "there is no command 'zzz'; there are run, check, scenarios,"),
    ],
)
def test_an_unknown_subcommand_is_answered_with_the_nearest(
    word: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([word])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err
