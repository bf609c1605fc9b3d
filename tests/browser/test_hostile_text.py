"""Hostile text stays text: in pages, and in what scripts draw."""

from playwright.sync_api import Page, expect

from tests.browser.helpers import choose_person, drop, png, sign_in
from tests.browser.scenes import build
from tests.browser.sites import ONE_SITE, Site
from tests.browser.watch import Watch

HOSTILE = """"'><img src=x onerror=alert(1)><script>alert(2)</script>"""
NAME = f"{HOSTILE.replace('/', '')}.png"
pytestmark = ONE_SITE


def test_hostile_text_stays_text_on_every_page(page: Page, site: Site, watch: Watch):
    views = build(site, HOSTILE, HOSTILE, NAME)
    watch.expect(404)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    for username, paths in views.items():
        sign_in(page, username)
        for path in paths:
            page.goto(path)
    assert [url for url in requested if url.endswith("/x")] == []


def test_hostile_text_stays_text_in_what_scripts_draw(page: Page, site: Site):
    site.add_person(first_name=f"Ottokar{HOSTILE}")
    sign_in(page, site.add_person())
    area = page.get_by_label("Title of the new todo")
    area.fill(HOSTILE)
    drop(area, (NAME, "image/png", png()))
    expect(page.locator(".upload-name")).to_contain_text("<img src=x onerror=alert(1)>")
    choose_person(page.get_by_role("combobox", name="Assigned to"), "Ottokar")
    expect(page.locator(".chip")).to_contain_text("<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_contain_text(HOSTILE)
    page.locator("[data-todo]").get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-todo]")).to_contain_text(HOSTILE)
