"""A member's whole way through the site, from registering to a new password."""

import csv
import io
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.helpers import drop, log_in, log_out, offered, sign_in, tab_to, todo, wait_for_thumbnail
from tests.browser.sites import ONE_SITE, Site

PASSWORD = "violet tractor hums at dawn"
NEW_PASSWORD = "quiet otters paint the harbour"


def test_member_goes_from_registration_to_a_new_password(page: Page, site: Site, photo: bytes, tmp_path: Path):
    colleague = site.add_person(first_name="Zacharias", last_name="Quince")
    name = f"nora{next(site.numbers)}"
    register(page, name)
    log_out(page)
    log_in(page, name, PASSWORD)
    add_with_photo(page, photo)
    tick_find_and_reopen(page)
    edit_by_keyboard(page)
    rows = export(page, tmp_path)
    assert [(row["title"], row["due_on"], row["owner"], row["assignees"]) for row in rows] == [
        ("Repair the red bicycle", "2031-12-24", name, colleague)
    ]
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("searchbox").fill("Zacharias Q")
    page.get_by_role("button", name="Search").click()
    card = page.locator(".person-card").filter(has_text=colleague)
    expect(card).to_contain_text("Repair the red bicycle")
    change_name_and_password(page)
    log_out(page)
    log_in(page, name, NEW_PASSWORD)


def register(page: Page, name: str) -> None:
    page.goto("./")
    page.get_by_role("main").get_by_role("link", name="Register").click()
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    for label, value in {
        "First name": "Nora",
        "Last name": "Newcomer",
        "Username": name,
        "Email": f"{name}@example.org",
        "Password": PASSWORD,
    }.items():
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("status")).to_contain_text("Welcome, Nora")


def add_with_photo(page: Page, photo: bytes) -> None:
    page.get_by_label("Title of the new todo").fill("Repair the bicycle")
    drop(page.get_by_label("Title of the new todo"), ("IMG_0815.JPG", "image/jpeg", photo))
    preview = page.locator("[data-chosen]")
    expect(preview).to_contain_text("IMG_0815.JPG")
    expect(preview.locator("img")).to_be_visible()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_contain_text("Added “Repair the bicycle”.")
    thumbnail = todo(page, "Repair the bicycle").get_by_role("img", name="IMG_0815.JPG")
    wait_for_thumbnail(page, thumbnail)
    drawn = page.request.get(thumbnail.evaluate("(image) => image.src")).body()
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.size == (240, 320)
        assert not image.getexif()
    thumbnail.click()
    shown = page.get_by_role("img", name="IMG_0815.JPG")
    expect(shown).to_have_attribute("src", re.compile(r"/files/\d+/preview$"))
    assert shown.evaluate("(image) => image.decode().then(() => image.naturalHeight)") > 320
    page.go_back()


def tick_find_and_reopen(page: Page) -> None:
    page.evaluate("() => { window.isSamePage = true }")
    row = todo(page, "Repair the bicycle")
    tick = row.locator(".tick")
    tick.click()
    expect(tick).to_have_attribute("aria-pressed", "true")
    expect(row).to_contain_class("complete")
    assert page.evaluate("() => window.isSamePage") is True
    page.get_by_role("link", name="Done", exact=True).click()
    todo(page, "Repair the bicycle").locator(".tick").click()
    expect(todo(page, "Repair the bicycle").locator(".tick")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("link", name="Open", exact=True).click()
    expect(todo(page, "Repair the bicycle")).to_be_visible()


def edit_by_keyboard(page: Page) -> None:
    tab_to(page.get_by_role("link", name="Repair the bicycle", exact=True))
    page.keyboard.press("Enter")
    tab_to(page.get_by_label("Title"))
    page.keyboard.press("Control+A")
    page.keyboard.type("Repair the red bicycle")
    tab_to(page.get_by_label("Due"))
    page.keyboard.type("12242031")
    people = page.get_by_role("combobox", name="Assigned to")
    tab_to(people)
    page.keyboard.type("zach")
    expect(offered(page)).to_contain_text("Zacharias Quince")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_contain_text("Zacharias Quince")
    tab_to(page.get_by_role("button", name="Save"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Saved “Repair the red bicycle”.")


def export(page: Page, folder: Path) -> list[dict[str, str]]:
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Export").click()
    link = page.get_by_role("link", name="Download todos-")
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(folder / "todos.csv")
    with (folder / "todos.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def change_name_and_password(page: Page) -> None:
    page.locator(".topbar-user summary").click()
    page.get_by_role("link", name="Profile").click()
    page.get_by_label("Last name").fill("Nightingale")
    page.get_by_role("button", name="Save the profile").click()
    expect(page.get_by_role("status")).to_contain_text("Your profile is saved.")
    expect(page.locator(".topbar-name")).to_have_text("Nora Nightingale")
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is changed.")


@ONE_SITE
def test_one_checkbox_chooses_all_on_the_page(page: Page, site: Site):
    owner = site.add_person("Admin")
    for title in ("Sow", "Reap"):
        site.add_todo(owner, f"{title} {owner}")
    sign_in(page, owner)
    for address, one in (("todos", page.locator(".choose")), ("admin/todos/list/", page.locator("[name=rowid]"))):
        page.goto(address)
        page.locator("[data-choose-all]").check()
        assert one.count() >= 2
        for number in range(one.count()):
            expect(one.nth(number)).to_be_checked()
