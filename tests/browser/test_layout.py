"""Narrow windows, large type and long words: no page scrolls sideways."""

import pytest
from playwright.sync_api import Page, expect

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
# on paper: what is still there to be pressed, and the links that Bootstrap prints with their addresses
PRESSED = """() => [...document.querySelectorAll(".topbar, .admin-nav, .btn, .button, summary, input[type=file]")]
  .filter((element) => element.checkVisibility()).map((element) => element.outerHTML.slice(0, 100))"""
ADDRESSES = """() => [...document.querySelectorAll("main a[href]")]
  .filter((link) => !["none", "normal"].includes(getComputedStyle(link, "::after").content)).map((link) => link.href)"""
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


def test_paper_shows_the_rows_and_nothing_to_press(page: Page, site: Site):
    owner = site.add_person("Admin")
    number = site.add_todo(owner, "Water the plants")
    sign_in(page, owner)
    page.emulate_media(media="print")
    for path in ("todos", f"todos/{number}", "admin/todos/list/"):
        page.goto(path)
        expect(page.locator("main").get_by_text("Water the plants").first).to_be_visible()
        assert page.evaluate(PRESSED) == []
        assert page.evaluate(ADDRESSES) == []


def test_list_that_is_shown_stands_in_sight_on_a_phone(page: Page, site: Site):
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, site.add_person("Admin"))
    for address in ("todos?show=done", "admin/permissions/list/"):
        page.goto(address)
        expect(page.locator(".tabs .active, .admin-nav [aria-current]")).to_be_in_viewport(ratio=0.9)
