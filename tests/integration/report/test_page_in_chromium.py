"""The HTML page in a real browser: opened, clicked, operated by keyboard, in light and in dark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness.report.run_html import html_page
from harness.scenarios import find
from harness.trials.run import run_world
from harness.trials.verdict import judge
from harness.world import Attempt
from tests.helpers.browser import chromium
from tests.helpers.places import opened
from tests.helpers.runs import refused, run_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

    from harness.engines.protocol import Engine
    from harness.trials.run import Run

ARTIFACTS = Path(__file__).parents[3] / "artifacts"
CONTRAST = 4.5  # WCAG 2.1, 1.4.3, level AA


@pytest.fixture(scope="module")
def browser(need: Callable[[str, str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(need, tmp_path_factory.mktemp("profile"), "--window-size=1280,1000") as driver:
        yield driver


@pytest.fixture(scope="module")
def run(one_engine: Engine, request: pytest.FixtureRequest) -> Run:
    """A scenario as the kernel decides it, and one claim that is wrong."""
    scenario = find("mysqld-directory")
    with opened(one_engine, request) as place:
        done = run_world(scenario.world, place, "harness run mysqld-directory", scenario.story)
    admitted = done.verdicts[-1]
    careless = Attempt("mysql", "connect", admitted.attempt.path, expect="EACCES")
    return replace(done, verdicts=(*done.verdicts, judge(careless, admitted.decision, admitted.observation)))


@pytest.fixture
def page(browser: Chrome, run: Run, tmp_path: Path) -> Chrome:
    return shown(browser, run, tmp_path)


def shown(browser: Chrome, run: Run, folder: Path) -> Chrome:
    file = folder / "report.html"
    file.write_text(html_page(run), encoding="utf-8")
    browser.get(file.as_uri())
    return browser


def cells(page: Chrome) -> list[WebElement]:
    return page.find_elements(By.CSS_SELECTOR, "td button")


def dialog(page: Chrome) -> WebElement:
    return page.find_element(By.TAG_NAME, "dialog")


def text(page: Chrome, selector: str) -> str:
    return dialog(page).find_element(By.CSS_SELECTOR, selector).text


def focused(page: Chrome) -> WebElement:
    element: WebElement = page.switch_to.active_element
    return element


def test_the_page_needs_no_network_and_breaks_none_of_its_own_rules(page: Chrome) -> None:
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert page.get_log("browser") == []
    assert page.title == "mysqld-directory: who may do what"


def test_a_click_on_a_cell_shows_where_and_why_and_how_to_see_it_again(page: Chrome) -> None:
    refused_cell = cells(page)[0]
    assert refused_cell.text == "✕ EACCES"
    refused_cell.click()
    assert dialog(page).get_attribute("open")
    assert text(page, "h2") == "app connect /run/mysqld/mysqld.sock"
    row = dialog(page).find_element(By.CSS_SELECTOR, ".tree .refuses")
    assert row.text.split() == ["drwx------", "mysql:mysql", "mysqld", "refuses", "here"]
    assert text(page, ".why").startswith("app lacks x on /run/mysqld. ")
    assert text(page, ".command") == "harness run mysqld-directory"
    page.find_element(By.CSS_SELECTOR, "dialog .close").click()
    assert not dialog(page).get_attribute("open")


def test_a_click_beside_the_dialog_closes_it(page: Chrome) -> None:
    cells(page)[0].click()
    corner = ActionBuilder(page)
    corner.pointer_action.move_to_location(5, 5).click()
    corner.perform()
    assert not dialog(page).get_attribute("open")


def test_everything_can_be_reached_and_read_by_keyboard(page: Chrome) -> None:
    keys = webdriver.ActionChains(page)
    for _ in range(10):
        keys.send_keys(Keys.TAB).perform()
        if focused(page).get_attribute("data-verdicts"):
            break
    first, *others = cells(page)
    assert focused(page) == first
    keys.send_keys(Keys.ARROW_DOWN).perform()
    assert focused(page) != first
    assert focused(page) in others
    keys.send_keys(Keys.ARROW_UP).perform()
    assert focused(page) == first
    keys.send_keys(Keys.ARROW_LEFT).perform()
    assert focused(page) == first
    keys.key_down(Keys.CONTROL).send_keys(Keys.END).key_up(Keys.CONTROL).perform()
    assert focused(page) == cells(page)[-1]
    keys.send_keys(Keys.HOME).perform()
    opener = focused(page)
    keys.send_keys(Keys.ENTER).perform()
    assert dialog(page).get_attribute("open")
    assert text(page, ".why")
    keys.send_keys(Keys.ESCAPE).perform()
    assert not dialog(page).get_attribute("open")
    assert focused(page) == opener


def test_only_one_cell_is_a_stop_of_the_tab_key(page: Chrome) -> None:
    webdriver.ActionChains(page).move_to_element(cells(page)[2]).click().send_keys(Keys.ESCAPE).perform()
    assert [cell.get_attribute("tabindex") for cell in cells(page)].count("0") == 1


def test_a_screen_reader_is_told_the_grid_its_heads_and_what_each_cell_says(page: Chrome) -> None:
    table = page.find_element(By.TAG_NAME, "table")
    assert table.aria_role == "grid"
    assert table.accessible_name == "Attempts by user and path"
    assert {head.aria_role for head in table.find_elements(By.CSS_SELECTOR, "thead th")} == {"columnheader"}
    assert {head.aria_role for head in table.find_elements(By.CSS_SELECTOR, "tbody th")} == {"rowheader"}
    assert "app: EACCES, agree" in cells(page)[0].accessible_name
    cells(page)[0].click()
    assert dialog(page).aria_role == "dialog"
    assert dialog(page).accessible_name == "app connect /run/mysqld/mysqld.sock"


def test_only_the_disagreements_are_shown_where_they_are_asked_for(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "input[value='disagree']").send_keys(Keys.SPACE)
    assert [cell.text for cell in cells(page) if cell.is_displayed()] == ["≠ ok"]
    assert len([row for row in page.find_elements(By.CSS_SELECTOR, "tbody tr") if row.is_displayed()]) == 1
    page.find_element(By.CSS_SELECTOR, "input[value='all']").send_keys(Keys.SPACE)
    assert all(cell.is_displayed() for cell in cells(page))


def test_a_claim_that_is_not_met_says_what_it_is_and_what_oracle_and_kernel_say(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "button.disagree").click()
    assert text(page, ".tag.disagree") == "not as the world expects"
    assert "it says EACCES, and oracle and kernel say ok" in text(page, ".difference")


def test_a_hostile_name_is_text_in_the_cell_and_in_the_dialog(browser: Chrome, tmp_path: Path) -> None:
    name = "</script><img src=x onerror=window.taken=1><script>window.taken=1</script>"
    page = shown(browser, run_of(refused(path=f"/run/{name}")), tmp_path)
    cells(page)[0].click()
    assert text(page, "h2") == f"nginx connect /run/{name}"
    assert page.execute_script("return window.taken") is None
    assert page.find_elements(By.TAG_NAME, "img") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_light_and_in_dark(page: Chrome, scheme: str) -> None:
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    ARTIFACTS.mkdir(exist_ok=True)
    assert page.save_screenshot(ARTIFACTS / f"report-{scheme}.png")
    assert (luminance(*ground(page)) > 0.5) == (scheme == "light")
    assert unreadable(page) == []
    cells(page)[0].click()
    assert page.save_screenshot(ARTIFACTS / f"report-{scheme}-cell.png")
    assert unreadable(page) == []


def ground(page: Chrome) -> tuple[float, float, float]:
    red, green, blue = page.execute_script(
        "return getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number)"
    )[:3]
    return red, green, blue


def unreadable(page: Chrome) -> list[str]:
    """Every text whose contrast with what lies behind it is too small."""
    texts: list[list[Any]] = page.execute_script(
        """
        const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
        const behind = (element) => {
          for (; element; element = element.parentElement) {
            const colour = rgb(getComputedStyle(element).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour.slice(0, 3);
          }
          return [255, 255, 255];
        };
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const found = [];
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
          const element = node.parentElement;
          if (!node.data.trim() || !element.checkVisibility() || element.closest("script, .hidden")) continue;
          found.push([node.data.trim(), rgb(getComputedStyle(element).color).slice(0, 3), behind(element)]);
        }
        return found;
        """
    )
    assert len(texts) > 20
    return [said for said, colour, back in texts if contrast(colour, back) < CONTRAST]


def contrast(one: list[float], other: list[float]) -> float:
    lighter, darker = sorted((luminance(*one), luminance(*other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(*colour: float) -> float:
    """Relative luminance of an sRGB colour, 0 to 1 (WCAG 2.1)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_measure_of_contrast_knows_black_on_white_from_grey_on_grey() -> None:
    assert contrast([0, 0, 0], [255, 255, 255]) == pytest.approx(21)
    assert contrast([120, 120, 120], [130, 130, 130]) < CONTRAST
