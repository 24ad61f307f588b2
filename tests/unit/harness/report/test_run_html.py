from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from harness.report.run_html import html_page
from harness.scenarios import Story
from tests.helpers.runs import admitted, refused, run_of

if TYPE_CHECKING:
    from harness.trials.run import Run

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<!--"


class Elements(HTMLParser):
    """What a browser would see: tags with attributes, and the text in scripts, styles and cells."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_asks_for_nothing_from_anywhere(run: Run) -> None:
    document = html_page(run)
    assert not re.search(r"(?:src|href|url|import|fetch)\s*[=(]", document.replace("data-verdicts=", ""))
    assert "://" not in document


def test_the_policy_admits_the_pages_own_style_and_script_and_nothing_else(run: Run) -> None:
    page = Elements(html_page(run))
    (policy,) = [meta["content"] for meta in page.named("meta") if meta.get("http-equiv")]
    assert policy is not None
    assert "default-src 'none'" in policy
    for tag in ("style", "script"):
        text = page.texts[tag][-1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]


def test_each_cell_is_a_button_that_says_who_what_and_how_it_ended(disagreeing: Run) -> None:
    cells = [button for button in Elements(html_page(disagreeing)).named("button") if "data-verdicts" in button]
    assert [(cell["class"], cell["aria-label"]) for cell in cells] == [
        ("allowed", "ali, connect /run/app/app.sock: ok, agree"),
        ("disagree", "nginx, connect /run/app/app.sock: ok, disagree"),
    ]
    assert [cell["tabindex"] for cell in cells] == ["0", "-1"]


def test_a_page_tells_what_is_not_as_the_world_expects_from_disagreements() -> None:
    page = html_page(run_of(admitted(expect="EACCES")))
    (cell,) = (button for button in Elements(page).named("button") if "data-verdicts" in button)
    assert cell["aria-label"] == "connect /run/app/app.sock, ali: ok, not as the world expects"
    assert "<b>1 not as the world expects</b>" in page


def test_the_longer_side_of_the_matrix_goes_down() -> None:
    page = html_page(run_of(*(admitted(path=f"/run/{number}") for number in range(3))))
    heads = [one for one in Elements(page).named("th") if one["scope"] == "col"]
    assert [one["class"] for one in heads[1:]] == ["user"]


def test_the_story_of_a_scenario_is_told() -> None:
    page = Elements(html_page(run_of(refused(), story=Story("It fails.", "The <mode>.", "Another."))))
    assert page.texts["dd"] == ["It fails.", "The <mode>.", "Another."]


@given(st.one_of(st.just(HOSTILE), st.text(st.characters(exclude_categories=()), min_size=1, max_size=20)))
def test_no_name_becomes_markup(name: str) -> None:
    honest = html_page(run_of(refused(path="/run/x"), admitted("u")))
    document = html_page(run_of(refused(path=f"/run/{name}"), admitted(f"{name}")))
    shape = [tag for tag, _ in Elements(honest).tags if tag != "wbr"]
    assert [tag for tag, _ in Elements(document).tags if tag != "wbr"] == shape
    assert document.encode()


def test_the_scripts_data_says_what_the_verdicts_say(run: Run) -> None:
    data = json.loads(Elements(html_page(run)).texts["script"][0])
    refusal = data["verdicts"][1]
    trail = data["trails"][refusal["trail"]]
    assert trail[refusal["at"]]["name"] == "ali"
    assert trail[refusal["at"]]["mode"] == "drwxr-x---+"
    assert refusal["why"] == "nginx lacks x on /home/ali: uid 33 is not the owner 1000."
    assert data["reproduce"] == "harness run home.toml --engine namespace"
    assert data["verdicts"][0]["trail"] == refusal["trail"]
