"""A real browser on real servers, and a watch over all that happens in it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.helpers import camera_photo
from tests.browser.sites import DATABASE_OF, Site, serve
from tests.browser.watch import Watch
from tools.browser import NoBrowser, launch

WAIT = 10_000  # milliseconds
expect.set_options(timeout=WAIT)


@pytest.fixture(scope="package")
def sites(new_database: Callable[[str], str], scratch: Path) -> Iterator[Callable[[str], Site]]:
    """Returns a function that starts the site under a prefix, once."""
    started: dict[str, Site] = {}
    with ExitStack() as stack:

        def start(prefix: str) -> Site:
            if prefix not in started:
                started[prefix] = stack.enter_context(serve(prefix, new_database(DATABASE_OF[prefix]), scratch))
            return started[prefix]

        yield start


@pytest.fixture(params=DATABASE_OF, ids=["no prefix", "prefix"])
def site(request: pytest.FixtureRequest, browser: Browser, sites: Callable[[str], Site]) -> Site:
    """The site; every test that uses it runs without prefix on SQLite, and under a prefix on PostgreSQL."""
    return sites(request.param)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except NoBrowser as error:
            pytest.fail(str(error)) if os.environ.get("REQUIRE_BROWSER") else pytest.skip(str(error))
        yield browser
        browser.close()


@pytest.fixture
def watch(site: Site) -> Iterator[Watch]:
    """What must not happen on any page of the test; if it does, the test fails at its end."""
    watch = Watch(urlsplit(site.url).netloc)
    yield watch
    assert not watch.problems, "\n".join(watch.problems)


@pytest.fixture
def new_page(browser: Browser, site: Site, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Returns a function that opens a page of a browser of its own, with Playwright's options for contexts."""
    with ExitStack() as stack:

        def make(**options: Any) -> Page:
            options = {"base_url": f"{site.url}/", "locale": "en-US", "timezone_id": "Europe/Berlin"} | options
            context = browser.new_context(**options)
            stack.callback(context.close)
            context.set_default_timeout(WAIT)
            watch.attach(context)
            return context.new_page()

        yield make


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()


@pytest.fixture(scope="package")
def photo() -> bytes:
    """A JPEG as a phone makes it: 12 megapixels, held upright, with the place where it was taken."""
    return camera_photo()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """Show the servers' logs with a failed test."""
    report = yield
    site = getattr(item, "funcargs", {}).get("site")
    if report.failed and isinstance(site, Site):
        report.sections.append(("Logs of the site", site.tail()))
    return report
