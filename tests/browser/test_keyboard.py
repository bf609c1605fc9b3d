"""The keyboard alone."""

from playwright.sync_api import Page, expect

from tests.browser.helpers import offered, sign_in, tab_to, todo
from tests.browser.sites import ONE_SITE, Site
from tests.browser.watch import Watch

pytestmark = ONE_SITE


def test_todo_is_added_ticked_edited_and_deleted_by_keyboard(page: Page, site: Site):
    sign_in(page, site.add_person())
    press = page.keyboard.press
    tab_to(page.get_by_label("Title of the new todo"))
    page.keyboard.type("Feed the cat")
    press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Added “Feed the cat”.")
    tab_to(todo(page, "Feed the cat").locator(".tick"))
    press("Space")
    expect(todo(page, "Feed the cat").locator(".tick")).to_have_attribute("aria-pressed", "true")
    tab_to(page.get_by_role("link", name="Feed the cat"))
    press("Enter")
    tab_to(page.get_by_label("Title"))
    press("End")
    page.keyboard.type(" twice")
    press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Saved “Feed the cat twice”.")
    tab_to(page.get_by_role("link", name="Done", exact=True))
    press("Enter")
    tab_to(todo(page, "Feed the cat twice").get_by_role("button", name="Delete"))
    press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 todo deleted.")
    tab_to(page.get_by_role("button", name="Undo"))
    press("Enter")
    expect(todo(page, "Feed the cat twice")).to_be_visible()


def test_tick_keeps_the_focus(page: Page, site: Site):
    owner = site.add_person()
    site.add_todo(owner, "Feed the cat")
    sign_in(page, owner)
    tick = todo(page, "Feed the cat").locator(".tick")
    tab_to(tick)
    for pressed in ("true", "false"):
        page.keyboard.press("Space")
        expect(tick).to_have_attribute("aria-pressed", pressed)
        expect(tick).to_be_focused()


def test_first_tab_leads_past_the_top_bar(page: Page, site: Site):
    sign_in(page, site.add_person())
    page.goto("todos")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_account_menu_opens_closes_and_logs_out(page: Page, site: Site):
    sign_in(page, site.add_person())
    account = page.locator(".topbar-user summary")
    tab_to(account)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Profile")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Profile")).to_be_hidden()
    expect(account).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page.get_by_role("button", name="Log out", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_chips_are_chosen_walked_and_removed_by_keyboard(page: Page, site: Site):
    for last_name in ("Abel", "Baker"):
        site.add_person(first_name="Wilhelmina", last_name=last_name)
    sign_in(page, site.add_person())
    tab_to(page.get_by_text("Due date, tags, people, files"))
    page.keyboard.press("Enter")
    people = page.get_by_role("combobox", name="Assigned to")
    tab_to(people)
    page.keyboard.type("wilhelmina")
    expect(offered(page)).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(offered(page).and_(page.get_by_role("option", selected=True))).to_contain_text("Baker")
    page.keyboard.press("Enter")
    page.keyboard.type("wilhelmina")
    expect(offered(page)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(offered(page)).to_have_count(0)
    page.keyboard.press("Control+A")
    page.keyboard.press("Backspace")
    expect(page.locator(".chip")).to_have_count(1)
    page.keyboard.press("Backspace")
    expect(page.locator(".chip")).to_have_count(0)


def test_unknown_name_in_a_people_field_is_said_and_kept(page: Page, site: Site, watch: Watch):
    sign_in(page, site.add_person())
    watch.expect(400)
    page.get_by_label("Title of the new todo").fill("For somebody")
    page.get_by_text("Due date, tags, people, files").click()
    page.get_by_role("combobox", name="Assigned to").fill("nobody.at.all")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("There is nobody called nobody.at.all.")
    expect(page.get_by_label("Title of the new todo")).to_have_value("For somebody")
    page.get_by_role("button", name="Remove nobody.at.all").click()
    page.get_by_role("button", name="Add").click()
    expect(todo(page, "For somebody")).to_be_visible()


def test_tags_are_made_and_chosen_while_typing(page: Page, site: Site):
    owner = site.add_person()
    site.add_todo(owner, "Feed the cat")
    sign_in(page, owner)
    page.get_by_role("link", name="Feed the cat").click()
    tags, chips = page.get_by_role("combobox", name="Tags"), page.locator(".chip")
    tab_to(tags)
    page.keyboard.type("Homework,Garden")
    page.keyboard.press("Enter")  # makes what was typed a tag, and does not send the form
    expect(chips).to_have_count(2)
    tab_to(page.get_by_role("button", name="Save"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Saved “Feed the cat”.")
    page.get_by_role("link", name="Feed the cat").click()
    expect(chips).to_have_text(["Garden×", "Homework×"])
    tab_to(tags)
    page.keyboard.type("Home")
    expect(offered(page).first).to_contain_text("Home")
    page.keyboard.press("Enter")  # never takes the longer name that is there
    expect(chips.last).to_have_text("Home×")
