"""Files in forms: dropped, taken back, refused, large, interrupted."""

from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.helpers import choose_person, drop, log_in, log_out, png, sign_in, todo
from tests.browser.sites import Site
from tests.browser.watch import Watch

PROGRAM: FilePayload = {"name": "invoice.pdf", "mimeType": "application/pdf", "buffer": b"MZ\x90\x00" + bytes(4000)}
PICTURE: FilePayload = {"name": "good.png", "mimeType": "image/png", "buffer": png()}
SLOW_NETWORK = {
    "offline": False,
    "latency": 0,
    "downloadThroughput": -1,
    "uploadThroughput": 12 << 20,
}  # bytes a second


def test_refused_file_is_named_and_everything_else_is_kept(page: Page, site: Site, watch: Watch):
    site.add_person(first_name="Bartholomew")
    sign_in(page, site.add_person())
    watch.expect(400)
    fill_with(page, "File the invoice", PROGRAM, PICTURE)
    people = page.get_by_role("combobox", name="Assigned to")
    choose_person(people, "Bartholomew")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("invoice.pdf is not an accepted type")
    expect(page.get_by_role("alert")).not_to_contain_text("good.png")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator(".upload-waiting")).to_contain_text("good.png")
    expect(page.get_by_label("Title of the new todo")).to_have_value("File the invoice")
    expect(page.locator(".chip")).to_have_count(1)
    expect(people).to_have_count(1)
    page.get_by_role("button", name="Add").click()
    expect(todo(page, "File the invoice").locator(".file")).to_have_attribute(
        "title", f"good.png, {len(PICTURE['buffer'])} bytes"
    )
    expect(todo(page, "File the invoice").locator(".person")).to_have_count(1)


def test_waiting_file_survives_a_second_refusal_on_the_todos_own_page(page: Page, site: Site, watch: Watch):
    owner = site.add_person()
    number = site.add_todo(owner, "File the invoice")
    sign_in(page, owner)
    watch.expect(400)
    page.goto(f"todos/{number}")
    page.get_by_label("Notes").fill("Both of them")
    for waiting in (["good.png"], ["good.png", "good.png"]):
        page.get_by_label("Files").set_input_files([PROGRAM, PICTURE])
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".upload-waiting")).to_have_count(len(waiting))
        expect(page.get_by_role("alert")).to_contain_text("invoice.pdf is not an accepted type")
    expect(page.get_by_label("Notes")).to_have_value("Both of them")
    page.get_by_role("button", name="Save").click()
    expect(todo(page, "File the invoice").locator(".file")).to_have_count(2)


def test_dropped_file_can_be_taken_back(page: Page, site: Site):
    sign_in(page, site.add_person())
    area = page.get_by_label("Title of the new todo")
    area.fill("Sort the pictures")
    drop(area, ("one.png", "image/png", png()), ("two.png", "image/png", png(50)))
    drop(area, ("three.png", "image/png", png(60)))
    page.get_by_role("button", name="Do not attach two.png").click()
    page.get_by_role("button", name="Add").click()
    files = todo(page, "Sort the pictures").locator(".file")
    expect(files).to_have_count(2)
    assert [files.nth(n).get_attribute("title").split(",")[0] for n in range(2)] == ["one.png", "three.png"]


def test_file_that_would_be_refused_is_told_before_it_is_sent(page: Page, site: Site, tmp_path: Path):
    (tmp_path / "film.txt").write_bytes(bytes((25 << 20) + 1))
    sign_in(page, site.add_person())
    fill_with(page, "Show the film", tmp_path / "film.txt")
    expect(page.get_by_role("alert")).to_have_text("Larger than 25 MB: it would be refused.")
    drop(page.get_by_label("Title of the new todo"), ("page.png", "image/png", b"<html>"))
    expect(page.locator("[data-chosen] li")).to_have_count(2)
    expect(page.locator("[data-chosen] img")).to_have_count(0)


def test_file_is_replaced(page: Page, site: Site):
    owner = site.add_person()
    number = site.add_todo(owner, "Renew the picture")
    sign_in(page, owner)
    page.goto(f"todos/{number}")
    page.get_by_label("Files").set_input_files(PICTURE)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Renew the picture").click()
    page.get_by_text("Replace", exact=True).click()
    page.get_by_label("Replace good.png").set_input_files(PICTURE | {"name": "better.png"})
    page.get_by_role("button", name="Save").click()
    expect(todo(page, "Renew the picture").locator(".file")).to_have_attribute(
        "title", f"better.png, {len(PICTURE['buffer'])} bytes"
    )


def test_progress_is_shown_while_a_large_file_is_sent(page: Page, site: Site, tmp_path: Path):
    (tmp_path / "log.txt").write_bytes(b"0123456789abcde\n" * (20 << 16))
    sign_in(page, site.add_person())
    fill_with(page, "Read the log", tmp_path / "log.txt")
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW_NETWORK)
    progress = page.get_by_role("progressbar", name="Upload")
    expect(progress).to_be_hidden()
    page.get_by_role("button", name="Add").click()
    expect(progress).to_be_visible()
    page.wait_for_function(
        "() => { const bar = document.querySelector('.upload-progress'); return bar && bar.value > 20 }"
    )
    expect(todo(page, "Read the log").locator(".file")).to_have_attribute("title", "log.txt, 20 MB")


def test_interrupted_upload_keeps_text_and_files(page: Page, site: Site, watch: Watch):
    sign_in(page, site.add_person())
    watch.expect("net::ERR_INTERNET_DISCONNECTED")
    fill_with(page, "Send it from the train", PICTURE)
    page.context.set_offline(True)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("The upload was interrupted.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Add").click()
    expect(todo(page, "Send it from the train").locator(".file")).to_have_count(1)


@pytest.mark.parametrize("button", ["Restore and save", "Save as a new todo"])
def test_text_and_files_for_a_todo_deleted_in_another_tab_are_saved(page: Page, site: Site, watch: Watch, button: str):
    watch.expect(409, 400)
    number = open_and_delete_elsewhere(page, site)
    page.get_by_label("Notes").fill("Green")
    page.get_by_label("Files").set_input_files(PICTURE)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1, name="Your text is not saved yet")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_label("Files").set_input_files(PICTURE | {"name": "second.png"})
    page.get_by_role("button", name=button).click()
    expect(todo(page, "Paint the fence").locator(".file")).to_have_count(2)
    page.get_by_role("link", name="Paint the fence").click()
    expect(page.get_by_label("Notes")).to_have_value("Green")
    assert (f"todos/{number}" in page.url) == (button == "Restore and save")


def test_refused_file_on_the_rescue_page_shows_the_restored_todo(page: Page, site: Site, watch: Watch):
    watch.expect(409, 400)
    open_and_delete_elsewhere(page, site)
    page.get_by_label("Files").set_input_files(PICTURE)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".upload-waiting")).to_have_count(1)
    page.get_by_label("Files").set_input_files(PROGRAM)
    page.get_by_role("button", name="Restore and save").click()
    expect(page.get_by_role("heading", level=1, name="Paint the fence")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("invoice.pdf is not an accepted type")
    page.get_by_role("button", name="Save").click()
    expect(todo(page, "Paint the fence").locator(".file")).to_have_count(1)


def test_session_that_ended_in_another_tab_costs_neither_text_nor_files(page: Page, site: Site, watch: Watch):
    watch.expect(400, 404)  # the colleague may not see the todo
    owner, colleague = site.add_person(), site.add_person(first_name="Somebody")
    number = site.add_todo(owner, "Paint the fence")
    sign_in(page, owner)
    page.goto(f"todos/{number}")
    page.get_by_label("Notes").fill("Green")
    page.get_by_label("Files").set_input_files(PICTURE)
    other = page.context.new_page()
    other.goto("todos")
    log_out(other)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("You were logged out. Log in in another tab, then save again")
    log_in(other, colleague)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else is logged in now.")
    log_out(other)
    log_in(other, owner)
    page.get_by_role("button", name="Save").click()
    expect(todo(page, "Paint the fence").locator(".file")).to_have_count(1)
    page.get_by_role("link", name="Paint the fence").click()
    expect(page.get_by_label("Notes")).to_have_value("Green")


def open_and_delete_elsewhere(page: Page, site: Site) -> int:
    """Open a todo of one's own, delete it in another tab, and return its number."""
    owner = site.add_person()
    number = site.add_todo(owner, "Paint the fence")
    sign_in(page, owner)
    page.goto(f"todos/{number}")
    other = page.context.new_page()
    other.goto(f"todos/{number}")
    other.get_by_role("button", name="Delete").click()
    expect(other.get_by_role("status")).to_contain_text("1 todo deleted.")
    other.close()
    return number


def fill_with(page: Page, title: str, *files: FilePayload | Path) -> None:
    page.get_by_label("Title of the new todo").fill(title)
    page.get_by_text("Due date, tags, people, files").click()
    page.get_by_label("Files").set_input_files(list(files))
