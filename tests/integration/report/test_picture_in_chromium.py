"""The pictures of a run's page that the documents show: `nox -s pictures` puts them there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from selenium.webdriver.common.by import By

from harness.report.run_html import html_page
from harness.scenarios import find
from harness.trials.run import run_world
from tests.helpers.browser import chromium
from tests.helpers.places import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from harness.engines.protocol import Engine

ARTIFACTS = Path(__file__).parents[3] / "artifacts"


def test_the_pictures_show_who_gets_in_and_one_refusal(
    one_engine: Engine, need: Callable[[str, str], str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scenario = find("squatting-in-tmp")
    with opened(one_engine, request) as place:
        done = run_world(scenario.world, place, "harness run squatting-in-tmp", scenario.story)
    assert done.agree
    file = tmp_path / "report.html"
    file.write_text(html_page(done), encoding="utf-8")
    ARTIFACTS.mkdir(exist_ok=True)
    with chromium(need, tmp_path / "profile", "--window-size=1280,860", "--hide-scrollbars") as page:
        page.get(file.as_uri())
        assert page.save_screenshot(ARTIFACTS / "report.png")
        page.find_elements(By.CSS_SELECTOR, "td button.refused")[1].click()
        page.execute_script("document.activeElement.blur()")
        dialog = page.find_element(By.TAG_NAME, "dialog")
        assert dialog.find_element(By.CSS_SELECTOR, ".why").text
        assert dialog.screenshot(str(ARTIFACTS / "report-cell.png"))
