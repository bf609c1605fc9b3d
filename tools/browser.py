"""The installed browser, for the tests and the pictures."""

import shutil

from playwright.sync_api import Browser, Playwright

# the first has no window to paint at all: its pages are the same, for two thirds of the processor time
NAMES = ("chromium-headless-shell", "chromium", "google-chrome", "chromium-browser", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
]


class NoBrowser(Exception):
    """Nothing is installed that could show a page."""


def launch(playwright: Playwright) -> Browser:
    """Start it without a window.

    Raises:
        NoBrowser: when there is none.
    """
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
    raise NoBrowser(f"There is no browser: install one of {', '.join(NAMES)}.")
