"""Two people edit the same todo in two browsers: the second chooses field by field, and loses nothing."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.helpers import png, sign_in
from tests.browser.sites import Site, find
from tests.browser.watch import Watch
from tests.factories import create_todo


def test_second_of_two_editors_keeps_and_takes_field_by_field(new_page: Callable[..., Page], site: Site, watch: Watch):
    watch.expect(409)
    has_script = bool(site.app.config["SCRIPT_NAME"])  # once with and once without JavaScript
    mine = new_page(java_script_enabled=has_script, viewport={"width": 390, "height": 844})
    theirs = new_page()
    owner, colleague = site.add_person(), site.add_person()
    with site.app.app_context():
        number = create_todo(find(owner), "Buy paint", notes="White", assignees=[find(colleague)]).id
    for page, name in ((mine, owner), (theirs, colleague)):
        sign_in(page, name)
        page.goto(f"todos/{number}")
    theirs.get_by_label("Title").fill("Buy blue paint")
    theirs.get_by_label("Notes").fill("Two buckets")
    theirs.get_by_label("Priority").select_option("Urgent")
    theirs.get_by_role("button", name="Save").click()
    expect(theirs.get_by_role("status")).to_contain_text("Saved “Buy blue paint”.")
    mine.get_by_label("Title").fill("Buy red paint")
    mine.get_by_label("Notes").fill("One bucket")
    mine.get_by_label("Files").set_input_files({"name": "red.png", "mimeType": "image/png", "buffer": png()})
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("alert").first).to_contain_text("Somebody changed this todo while you were editing it.")
    title = mine.get_by_role("group", name="Title: yours or theirs")
    expect(title).to_contain_text("Before: Buy paint")
    expect(title.locator(".choice-theirs")).to_have_text("Buy blue paint")
    expect(mine.get_by_label("Title", exact=True)).to_have_value("Buy red paint")
    expect(mine.get_by_text("red.png")).to_be_visible()
    priority = mine.get_by_role("group", name="Priority: yours or theirs")
    expect(priority.get_by_role("radio", name="Take theirs")).to_be_checked()
    notes = mine.get_by_role("group", name="Notes: yours or theirs")
    notes.get_by_role("radio", name="Take theirs").check()
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("status")).to_contain_text("Saved “Buy red paint”.")
    mine.goto(f"todos/{number}")
    expect(mine.get_by_label("Title")).to_have_value("Buy red paint")
    expect(mine.get_by_label("Notes")).to_have_value("Two buckets")
    expect(mine.get_by_label("Priority")).to_have_value("0")
    expect(mine.get_by_role("link", name="red.png")).to_be_visible()
