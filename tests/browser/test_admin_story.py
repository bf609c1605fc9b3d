"""An admin's whole way through the generated screens."""

import csv
from datetime import date
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.helpers import choose_person, sign_in
from tests.browser.sites import ONE_SITE, Site
from tests.browser.watch import Watch


def test_admin_works_through_the_generated_screens(page: Page, site: Site, watch: Watch, tmp_path: Path):
    word = f"kettle{next(site.numbers)}"
    owner, colleague = site.add_person(), site.add_person(first_name="Quirin")
    for what in ("Descale the", "Buy a", "Clean the"):
        site.add_todo(owner, f"{what} {word}")
    site.add_todo(owner, f"Nothing like {word.upper()}x", notes="", priority=0)
    sign_in(page, site.add_person("Admin"))
    page.get_by_role("link", name="Admin", exact=True).click()
    search(page, word)
    everything = [f"Nothing like {word.upper()}x", f"Clean the {word}", f"Buy a {word}", f"Descale the {word}"]
    expect(titles(page)).to_have_text(everything)
    set_filter(page, "Title", "contains", f"the {word}")
    expect(titles(page)).to_have_text([f"Clean the {word}", f"Descale the {word}"])
    page.get_by_role("columnheader", name="Title").get_by_role("link").click()
    page.wait_for_url("**_od_TodoAdmin=asc*")
    expect(titles(page)).to_have_text([f"Clean the {word}", f"Descale the {word}"])
    page.get_by_role("columnheader", name="Title").get_by_role("link").click()
    expect(titles(page)).to_have_text([f"Descale the {word}", f"Clean the {word}"])
    edit(page, f"Clean the {word}", f"Polish the {word}")
    complete_two(page, word)
    rows = export_two(page, word, tmp_path)
    assert {(row["title"], row["complete"]) for row in rows} == {
        (f"Buy a {word}", "yes"),
        (f"Descale the {word}", "yes"),
    }
    assign_two(page, word, "Quirin")
    assert row(page, f"Buy a {word}").get_by_text(colleague).count() == 1
    delete_and_undo(page, watch, f"Polish the {word}")


@ONE_SITE
def test_admin_filters_by_a_date(page: Page, site: Site):
    word, owner = f"kettle{next(site.numbers)}", site.add_person()
    for title, day in (("Early", date(2030, 1, 1)), ("Late", date(2030, 3, 1))):
        site.add_todo(owner, f"{title} {word}", due_on=day)
    sign_in(page, site.add_person("Admin"))
    page.goto("admin/todos/list/")
    set_filter(page, "Due", "after", "2030-02-01")
    expect(titles(page).filter(has_text=f"Late {word}")).to_have_count(1)
    expect(titles(page).filter(has_text=f"Early {word}")).to_have_count(0)


def test_admin_adds_a_person_copies_a_role_and_looks_at_permissions(page: Page, site: Site):
    name = f"newcomer{next(site.numbers)}"
    sign_in(page, site.add_person("Admin"))
    page.goto("admin/users/add")
    for label, value in {"Username": name, "First Name": "Ingrid", "Last Name": "Inger"}.items():
        page.get_by_label(label).fill(value)
    page.get_by_label("Email").fill(f"{name}@example.org")
    page.get_by_label("Member", exact=True).check()
    page.get_by_label("Password").fill("violet tractor hums at dawn")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Person added.")
    search(page, name)
    expect(row(page, name)).to_contain_text("Ingrid Inger")
    page.get_by_role("link", name="Roles", exact=True).click()
    row(page, "Viewer").get_by_role("link", name="Show").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status")).to_contain_text("Added Viewer copy.")
    page.get_by_label("Name").fill(f"Reader {name}")
    page.get_by_role("button", name="Save").click()
    expect(row(page, f"Reader {name}")).to_contain_text("see all")
    page.get_by_role("link", name="Permissions", exact=True).click()
    search(page, "can_see_all")
    found = {tuple(text.split()) for text in page.locator("div.table-responsive tbody tr").all_inner_texts()}
    assert {("can_see_all", "Todo"), ("can_see_all", "Job")} <= found
    assert {permission for permission, _ in found} == {"can_see_all"}


def test_swagger_page_tries_the_todos_out(page: Page, site: Site):
    admin = site.add_person("Admin")
    site.add_todo(admin, "Shown by the API")
    sign_in(page, admin)
    page.goto("swagger/v1")
    operation = page.locator("#operations-Todos-todos_get_list")
    operation.click()
    operation.get_by_role("button", name="Try it out").click()
    with page.expect_response("**/api/v1/todos/**") as answer:
        operation.get_by_role("button", name="Execute").click()
    assert answer.value.url.startswith(f"{site.url}/api/v1/todos/")
    assert answer.value.status == 200
    assert "Shown by the API" in {found["title"] for found in answer.value.json()["result"]}


def row(page: Page, text: str) -> Locator:
    return page.locator("div.table-responsive tbody tr").filter(has=page.get_by_role("cell", name=text, exact=True))


def titles(page: Page) -> Locator:
    return page.locator("div.table-responsive td:nth-child(3)")


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    page.locator(".admin-search").get_by_role("button", name="Search").click()
    expect(page.get_by_role("searchbox")).to_have_value(text)


def set_filter(page: Page, column: str, how: str, what: str) -> None:
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label(f"How “{column}” is compared").select_option(how)
    page.get_by_label(column, exact=True).fill(what)
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**_flt_*")


def edit(page: Page, title: str, new: str) -> None:
    row(page, title).get_by_role("link", name="Edit").click()
    page.get_by_label("Title").fill(new)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Todo saved.")


def choose_two(page: Page, word: str, action: str) -> None:
    page.goto("admin/todos/list/")
    search(page, word)
    for title in (f"Buy a {word}", f"Descale the {word}"):
        row(page, title).get_by_role("checkbox").check()
    page.locator(".admin-tools").get_by_role("button", name=action).click()


def complete_two(page: Page, word: str) -> None:
    choose_two(page, word, "Complete")
    expect(page.get_by_role("status")).to_contain_text("2 todos completed.")
    for title in (f"Buy a {word}", f"Descale the {word}"):
        expect(row(page, title).get_by_role("cell", name="Yes", exact=True)).to_be_visible()


def export_two(page: Page, word: str, folder: Path) -> list[dict[str, str]]:
    choose_two(page, word, "Export …")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download todos-").click()
    download.value.save_as(folder / "todos.csv")
    with (folder / "todos.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def assign_two(page: Page, word: str, name: str) -> None:
    choose_two(page, word, "Assign to …")
    expect(page.get_by_role("heading", name="Assign 2 todos")).to_be_visible()
    choose_person(page.get_by_role("combobox", name="Assign to"), name)
    page.get_by_role("button", name="Assign").click()
    expect(page.get_by_role("status")).to_contain_text("2 todos assigned.")


def delete_and_undo(page: Page, watch: Watch, title: str) -> None:
    watch.accept(f"Delete {title}?")
    row(page, title).get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("1 todo deleted.")
    expect(row(page, title)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("1 todo restored.")
    expect(row(page, title)).to_be_visible()
