"""Impatient people: double clicks, the Back button, sessions that ended."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from app.db import transaction, utcnow
from app.services import notifications
from tests.browser.helpers import drop, log_out, png, sign_in, todo
from tests.browser.sites import ONE_SITE, Site, find
from tests.browser.watch import Watch
from tests.factories import create_job


@pytest.mark.parametrize("with_file", [False, True], ids=["text only", "with a file"])
def test_double_click_adds_one_todo(page: Page, site: Site, with_file: bool):
    sign_in(page, site.add_person())
    page.get_by_label("Title of the new todo").fill("Only once")
    if with_file:
        drop(page.get_by_label("Title of the new todo"), ("dot.png", "image/png", png()))
    page.get_by_role("button", name="Add").dblclick()
    expect(page.get_by_role("status")).to_contain_text("Added “Only once”.")
    page.reload()
    expect(todo(page, "Only once")).to_have_count(1)


@ONE_SITE
def test_form_can_be_sent_again_after_going_back(page: Page, site: Site):
    sign_in(page, site.add_person())
    for title in ("First", "Second"):
        page.get_by_label("Title of the new todo").fill(title)
        page.get_by_role("button", name="Add").click()
        expect(todo(page, title)).to_be_visible()
        page.go_back()
    page.reload()
    expect(page.locator("[data-todo]")).to_have_count(2)


def test_back_button_shows_nothing_private_after_logging_out(page: Page, site: Site):
    owner = site.add_person()
    number = site.add_todo(owner, "Buy the secret present")
    sign_in(page, owner)
    page.goto(f"todos/{number}")
    expect(page.get_by_role("heading", name="Buy the secret present")).to_be_visible()
    log_out(page)
    for _ in range(2):
        page.go_back()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        assert "Buy the secret present" not in page.content()


@ONE_SITE
def test_bell_rings_without_reloading(page: Page, site: Site):
    owner, helper = site.add_person(), site.add_person()
    page.clock.install()
    sign_in(page, owner)
    expect(page.get_by_role("link", name="Notifications", exact=True)).to_be_visible()
    with site.app.app_context(), transaction():
        notifications.tell([find(owner).id], "assigned", by=find(helper), todo_id=site.add_todo(helper, "New"))
    page.clock.fast_forward(21_000)
    expect(page.get_by_role("link", name="Notifications, 1 unread")).to_have_text("1")


@ONE_SITE
def test_tick_after_the_session_ended_leads_to_the_login_page(page: Page, site: Site, watch: Watch):
    # the page tells the server no time zone: the answer could bring the session back
    owner = site.add_person(time_zone_known=True)
    site.add_todo(owner, "Too late")
    sign_in(page, owner)
    watch.expect(400, 401)
    page.context.clear_cookies()
    todo(page, "Too late").locator(".tick").click()
    expect(page.get_by_text("go back and send it again")).to_be_visible()


@ONE_SITE
def test_what_was_written_while_the_session_ended_can_be_sent_after_going_back(page: Page, site: Site, watch: Watch):
    owner = site.add_person(time_zone_known=True)  # see above
    number = site.add_todo(owner, "Long letter")
    sign_in(page, owner)
    page.goto(f"todos/{number}")
    page.get_by_label("Notes").fill("Dear all")
    page.context.clear_cookies()
    watch.expect(400)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Log in if you have to, go back and send it again.")).to_be_visible()
    sign_in(page.context.new_page(), owner)
    page.go_back()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1, name="My todos")).to_be_visible()
    page.goto(f"todos/{number}")
    expect(page.get_by_label("Notes")).to_have_value("Dear all")


@ONE_SITE
def test_page_of_a_job_leads_to_the_login_page_when_the_session_ended(page: Page, site: Site, watch: Watch):
    owner = site.add_person(time_zone_known=True)
    sign_in(page, owner)
    with site.app.app_context():
        job = create_job(find(owner), "running", lease_expires_at=utcnow() + timedelta(hours=1))
        page.goto(f"jobs/{job.id}")
    expect(page.get_by_text("Running")).to_be_visible()
    watch.expect(401)
    page.context.clear_cookies()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


@ONE_SITE
def test_files_that_anybody_may_keep_carry_no_session(page: Page, site: Site):
    sign_in(page, site.add_person())
    for path in ("static/css/site.css", "static/appbuilder/js/ab.js"):
        answer = page.request.get(path)
        assert answer.ok
        assert "set-cookie" not in answer.headers, path
