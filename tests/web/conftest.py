"""The page of a real server, and a real browser that looks at it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver

from tests.helpers import browser
from tests.helpers.directories import short_directory
from tests.helpers.observatory_command import started
from tests.helpers.observatory_server import ObservatoryServer, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver import Chrome

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
WORK = """return new Promise((done) => setTimeout(() => {
  JSON.parse(JSON.stringify(Array.from({length: 60000}, (_, n) => ({n, text: 'event ' + n}))));
  done();
}))"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_directory() as made:
        yield made


@pytest.fixture
def server() -> Iterator[ObservatoryServer]:
    with serving(stdout=subprocess.DEVNULL) as running:
        yield running


class Web:
    """A running `observatory web`."""

    def __init__(self, server: ObservatoryServer, *options: str) -> None:
        self.process = started("web", "--socket", server.path, *options, stdout=subprocess.PIPE)
        self.link = self.next_link()
        self.port = int(re.findall(r":(\d+)/", self.link)[0])

    def next_link(self) -> str:
        """The next link that it prints."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"http://\S+", line):
                return found[0]
        raise AssertionError("observatory web printed no link")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
            self.process.communicate()
        return self.process.wait()


@pytest.fixture
def web(server: ObservatoryServer) -> Iterator[Web]:
    running = Web(server)
    yield running
    running.end()


@pytest.fixture(scope="session")
def chromium(need: Callable[[str, str], str]) -> Iterator[Chrome]:
    with (
        tempfile.TemporaryDirectory(prefix="chromium-") as profile,
        browser.chromium(need, profile, "--hide-scrollbars") as driver,
    ):
        driver.set_script_timeout(60)
        yield driver


class Page:
    """The page in the browser: what a person sees and does."""

    def __init__(self, chromium: Chrome) -> None:
        self.chromium = chromium

    def open(self, link: str) -> None:
        self.chromium.get(link)
        self.wait("return document.getElementById('link')?.dataset.state === 'live'")

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        self.chromium.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone},
        )

    def dark(self, on: bool) -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self.chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def zone(self, name: str) -> None:
        """What the browser takes for its machine's time zone; that machine's own if it is empty."""
        self.chromium.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": name})

    def run(self, script: str, *arguments: Any) -> Any:
        return self.chromium.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any, seconds: float = 15) -> float:
        """Wait, frame by frame, until the script's body returns true; how many milliseconds that took."""
        waited = self.chromium.execute_async_script(
            """const [body, given, limit, done] = arguments, start = performance.now();
            const look = new Function(body);
            (function frame() {
              const passed = performance.now() - start;
              if (look.apply(null, given)) done(passed);
              else if (passed > limit) done(null);
              else setTimeout(frame, 4);
            })();""",
            script,
            list(arguments),
            seconds * 1000,
        )
        assert waited is not None, (
            f"in {seconds} s it did not come to: {script}; the page says: {self.text('body')[:600]}"
        )
        return float(waited)

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def rows(self) -> list[str]:
        """What the list shows of each event in sight, newest first."""
        script = """return [...document.querySelectorAll('.row:not([hidden])')].sort((a, b) => a.index - b.index)
          .map((row) => [...row.children].slice(1).map((cell) => cell.textContent).join(' | '))"""
        return list(self.run(script))

    def wait_for_rows(self, count: int) -> None:
        self.wait("return document.querySelectorAll('.row:not([hidden])').length === arguments[0]", count)

    def press(self, *keys: str) -> None:
        webdriver.ActionChains(self.chromium).send_keys(*keys).perform()

    def choose(self, name: str, value: str) -> None:
        self.run(
            """const input = document.getElementById(arguments[0]); input.value = arguments[1];
            input.dispatchEvent(new Event('change'))""",
            name,
            value,
        )

    def find(self, text: str) -> None:
        self.run(
            "const t = document.getElementById('text'); t.value = arguments[0]; t.dispatchEvent(new Event('input'))",
            text,
        )

    def open_first(self) -> None:
        self.run("document.querySelector('.row:not([hidden])').click()")
        self.wait("return Boolean(document.querySelector('.drawer .proved'))")

    def begin_counting(self) -> None:
        """Count what the page takes of the processor; another test may have counted something else in this browser."""
        self.chromium.execute_cdp_cmd("Performance.disable", {})
        self.chromium.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})

    def spent(self) -> float:
        """Milliseconds that the page's script and layout have taken since then."""
        metrics = self.metrics()
        return 1000 * sum(metrics[name] for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"))

    def unit(self) -> float:
        """How many milliseconds of the processor a unit of work takes in the page now, some 17 on an idle machine."""
        before = self.spent()
        self.run(WORK)
        return self.spent() - before

    def metrics(self) -> dict[str, float]:
        """What the browser counts of the page since then."""
        found = self.chromium.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return {metric["name"]: float(metric["value"]) for metric in found}

    def keep_picture(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        assert self.chromium.save_screenshot(str(ARTIFACTS / f"{name}.png"))


@pytest.fixture
def page(chromium: Chrome) -> Iterator[Page]:
    """A browser without a page, as wide as a desk's. A page that complains of anything fails its test."""
    seen = Page(chromium)
    seen.size(1440, 900)
    seen.dark(False)
    seen.zone("")
    chromium.get_log("browser")
    yield seen
    complaints = [entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
    chromium.execute_script("try { localStorage.clear() } catch {}")
    chromium.delete_all_cookies()
    chromium.get("about:blank")
    assert not [line for line in complaints if "ERR_" not in line], complaints


def is_root() -> bool:
    return os.geteuid() == 0
