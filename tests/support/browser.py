"""Real Chromium, one for all tests of a module; each test has a context of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import find_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SHOTS = Path(os.environ.get("LIBRA_SCREENSHOTS") or Path(__file__).parents[2] / ".screenshots")
"""Where pictures of the pages go, for a person to look at."""
WAIT = 60_000.0  # milliseconds
# Without them it asks for updates and looks for other hosts, which no test may.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)


@contextmanager
def open_browser() -> "Iterator[Browser]":
    """Headless."""
    from playwright.sync_api import sync_playwright

    path = find_program("chromium", package="chromium")
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def open_page(browser: "Browser", *, phone: bool = False, scripts: bool = True) -> "Iterator[Page]":
    """A phone is dark, for something has to be. What a page complains about is a failure."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 800},
        color_scheme="dark" if phone else "light",
        java_script_enabled=scripts,
        reduced_motion="reduce",
    )
    context.set_default_timeout(WAIT)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    expected = ("status of 4", "status of 503")  # the test has looked at it
    assert [text for text in faults if not any(word in text for word in expected)] == []


def shoot(page: "Page", name: str) -> None:
    """The whole page."""
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """While it is there the thread has an event loop that turns, so no longer than its module needs it."""
    with open_browser() as opened:
        yield opened
