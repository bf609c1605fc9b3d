"""What axe finds on every page, as it comes and with its menus open."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.helpers import choose_person, offered, sign_in
from tests.browser.scenes import ANONYMOUS_PAGES, build
from tests.browser.sites import ONE_SITE, Site
from tests.browser.watch import Watch

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# what others' markup does and we cannot change: (page, rule, part of the element)
OTHERS = (
    # Swagger UI draws itself: its list of servers has a label beside it only, and its colours are its own
    ("swagger", "select-name", "<select>"),
    ("swagger", "color-contrast", 'class="opblock-summary-method"'),
    ("swagger", "color-contrast", 'class="url"'),
)
pytestmark = ONE_SITE


def test_axe_finds_nothing_on_any_page(page: Page, site: Site, watch: Watch):
    views = build(site, "Water the plants on the balcony", "Marguerite", "balcony.png")
    watch.expect(404)
    found: list[str] = []
    for path in ANONYMOUS_PAGES:
        found += violations(page, path)
    for username, paths in views.items():
        sign_in(page, username)
        for path in paths:
            found += violations(page, path)
    assert not found, "\n\n".join(found)


def test_axe_finds_nothing_in_what_opens(page: Page, site: Site, watch: Watch):
    watch.expect(400)
    site.add_person(first_name="Euphemia", last_name="One")
    site.add_person(first_name="Euphemia", last_name="Two")
    sign_in(page, site.add_person("Admin"))
    page.locator(".topbar-user summary").click()
    page.get_by_text("Due date, tags, people, files").click()
    page.get_by_label("Due").fill("2031-01-01")
    choose_person(page.get_by_role("combobox", name="Assigned to"), "Euphemia One")
    page.get_by_role("combobox", name="Assigned to").press_sequentially("euph")
    expect(offered(page)).to_have_count(1)
    page.get_by_label("Files").set_input_files({"name": "x.exe", "mimeType": "", "buffer": b"MZ\x90\x00"})
    found = violations(page)
    page.get_by_label("Title of the new todo").fill("Refused")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_have_count(2)
    found += violations(page)
    page.goto("admin/todos/list/")
    page.get_by_text("Filters", exact=True).click()
    found += violations(page)
    assert not found, "\n\n".join(found)


def violations(page: Page, path: str = "") -> list[str]:
    """Return what breaks the rules on a page, or on the present one as it is."""
    if path:
        page.goto(path)
    if path.startswith("swagger"):
        expect(page.locator(".opblock").first).to_be_visible()
    results = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{path or page.url}: {rule['id']}, {rule['impact']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in results
        for node in rule["nodes"]
        if not is_others(path, rule, node)
    ]


def is_others(path: str, rule: dict[str, Any], node: dict[str, Any]) -> bool:
    return any(path.startswith(page) and rule["id"] == name and part in node["html"] for page, name, part in OTHERS)
