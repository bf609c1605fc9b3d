"""Narrow windows, large type and long words: no page scrolls sideways."""

import pytest
from playwright.sync_api import Page

from tests.browser.helpers import sign_in
from tests.browser.scenes import ANONYMOUS_PAGES, build
from tests.browser.sites import ONE_SITE, Site
from tests.browser.watch import Watch

# a phone, a small phone, a window of 1280 pixels enlarged to 200 %, and that window itself
WIDTHS = (390, 320, 640, 1280)
# what sticks out of a page that scrolls, and fields that one would have to scroll a part of the page for
WIDER = """() => {
  const doesScroll = document.documentElement.scrollWidth > innerWidth;
  const outside = (element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1;
  const found = document.querySelectorAll(doesScroll ? "body *" : "form input, form select, form textarea");
  const texts = [...found].filter(outside).slice(0, 3).map((element) => element.outerHTML.slice(0, 100));
  return doesScroll ? [...texts, document.documentElement.scrollWidth] : texts;
}"""
pytestmark = ONE_SITE


@pytest.mark.parametrize(
    ("text", "name", "file_name"),
    [
        ("Water the plants on the balcony", "Marguerite", "balcony.png"),
        ("W" * 200, "M" * 64, f"{'W' * 196}.png"),
    ],
    ids=["ordinary", "long words"],
)
def test_no_page_scrolls_sideways(page: Page, site: Site, watch: Watch, text: str, name: str, file_name: str):
    views = build(site, text, name, file_name)
    watch.expect(404)
    found = [problem for path in ANONYMOUS_PAGES for problem in too_wide(page, path)]
    for username, paths in views.items():
        sign_in(page, username)
        for path in paths:
            found += too_wide(page, path)
    assert not found, "\n".join(found)


def too_wide(page: Page, path: str) -> list[str]:
    """Return the widths of the window at which a page scrolls sideways, and what is too wide."""
    page.goto(path)
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if wide := page.evaluate(WIDER):
            found.append(f"{path} at {width}: {wide}")
    return found
