"""A real headless Chromium, for the tests that look at pages."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from selenium import webdriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def chromium(need: Callable[[str, str], str], profile: Path | str, *more: str) -> Iterator[Chrome]:
    """A browser with a profile of its own, options beside the usual ones, and its console's log kept."""
    options = webdriver.ChromeOptions()
    for option in (*OPTIONS, *more, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.binary_location = need("chromium", "chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(need("chromedriver", "chromium-driver")))
    try:
        yield driver
    finally:
        driver.quit()
