"""What works in a browser without JavaScript."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.helpers import log_in, log_out, png, todo
from tests.browser.sites import Site


@pytest.fixture
def plain_page(new_page: Callable[..., Page]) -> Page:
    return new_page(java_script_enabled=False)


def test_todos_are_added_ticked_edited_and_deleted_without_javascript(plain_page: Page, site: Site):
    page, colleague = plain_page, site.add_person()
    log_in(page, site.add_person())
    page.get_by_label("Title of the new todo").fill("Water the plants")
    page.get_by_text("Due date, tags, people, files").click()
    page.get_by_label("Assigned to").fill(colleague)
    page.get_by_label("Files").set_input_files({"name": "plant.png", "mimeType": "image/png", "buffer": png()})
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("Added “Water the plants”.")
    expect(todo(page, "Water the plants").locator(".file")).to_have_count(1)
    expect(todo(page, "Water the plants").locator(".person")).to_have_count(1)
    todo(page, "Water the plants").get_by_role("button", name="Complete").click()
    expect(page.get_by_role("status")).to_contain_text("Completed “Water the plants”.")
    page.get_by_role("link", name="Done", exact=True).click()
    expect(page.get_by_role("checkbox", name="Choose “Water the plants”")).to_be_visible()
    expect(page.get_by_text("All on this page")).to_be_hidden()  # it takes a script
    page.get_by_role("link", name="Water the plants").click()
    page.get_by_label("Title").fill("Water the garden")
    page.get_by_role("checkbox", name="Remove").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Done", exact=True).click()
    expect(todo(page, "Water the garden").locator(".file")).to_have_count(0)
    todo(page, "Water the garden").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("1 todo deleted.")
    expect(todo(page, "Water the garden")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_have_text("1 todo restored.")
    expect(todo(page, "Water the garden")).to_be_visible()
    log_out(page)


def test_several_are_chosen_and_exported_without_javascript(plain_page: Page, site: Site):
    page, owner = plain_page, site.add_person()
    for title in ("First", "Second", "Third"):
        site.add_todo(owner, title)
    log_in(page, owner)
    for title in ("First", "Third"):
        todo(page, title).get_by_role("checkbox").check()
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("heading", name="Export 2 todos")).to_be_visible()
    page.get_by_role("button", name="Export").click()
    for _ in range(60):
        if page.get_by_text("2 todos").count():
            break
        page.wait_for_timeout(200)
        page.get_by_role("link", name="Reload this page").click()
    expect(page.get_by_role("link", name="Download todos-")).to_be_visible()
