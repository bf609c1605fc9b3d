"""The list of todos for end users."""

from tests.factories import create_attachment, create_todo


def test_member_sees_own_and_assigned_todos(login, cast):
    create_todo(cast.alice, "Mine alone")
    create_todo(cast.charlie, "Shared with me", assignees=[cast.alice])
    create_todo(cast.charlie, "Nothing of mine")
    page = login("alice").get("/todos").text
    assert "Mine alone" in page
    assert "Shared with me" in page
    assert "Nothing of mine" not in page


def test_member_asking_for_all_still_sees_only_the_visible(login, cast):
    create_todo(cast.charlie, "Nothing of mine")
    assert "Nothing of mine" not in login("alice").get("/todos?scope=all").text


def test_viewer_sees_all_but_gets_no_form(login, cast):
    create_todo(cast.charlie, "Theirs")
    page = login("vera").get("/todos?scope=all").text
    assert "Theirs" in page
    assert 'name="title"' not in page


def test_list_is_in_order_of_due_date_and_priority(login, cast):
    from datetime import date

    create_todo(cast.alice, "Someday urgent", priority=0)
    create_todo(cast.alice, "Later", due_on=date(2030, 1, 2))
    create_todo(cast.alice, "Soon, low", due_on=date(2030, 1, 1), priority=3)
    create_todo(cast.alice, "Soon, high", due_on=date(2030, 1, 1), priority=1)
    page = login("alice").get("/todos").text
    places = [page.index(title) for title in ("Soon, high", "Soon, low", "Later", "Someday urgent")]
    assert places == sorted(places)


def test_pages_follow_each_other_without_gap_or_repetition(login, cast):
    import re

    for number in range(120):
        create_todo(cast.alice, f"Todo number {number:03}.")
    client, path, seen = login("alice"), "/todos", []
    while path:
        page = client.get(path).text
        seen += re.findall(r"todo-title\" href=\"[^\"]*\">Todo number (\d+)\.", page)
        following = re.search(r'href="([^"]+)">Next page', page)
        path = following[1].replace("&amp;", "&") if following else None
    assert sorted(seen) == [f"{number:03}" for number in range(120)]


def test_done_pages_follow_each_other(login, cast, viewer):
    from app.services.todos_lists import Filter, page

    for number in range(60):
        create_todo(cast.alice, f"Done {number}", complete=True)
    alice = viewer("alice")
    first, cursor = page(alice, Filter(show="done"))
    second, end = page(alice, Filter(show="done", after=cursor))
    assert len({todo.id for todo in first + second}) == 60
    assert end == ""


def test_damaged_cursor_is_refused(login):
    assert login("alice").get("/todos?after=nonsense").status_code == 400


def test_search_is_literal(login, cast):
    create_todo(cast.alice, "100% done")
    create_todo(cast.alice, "1000 things", notes="with_underscore")
    client = login("alice")
    assert "100% done" in client.get("/todos?q=100%25").text
    assert "1000 things" not in client.get("/todos?q=100%25").text
    assert "1000 things" in client.get("/todos?q=H_UNDER").text
    assert "100% done" not in client.get("/todos?q=H_UNDER").text


def test_empty_lists_explain_themselves(login):
    client = login("alice")
    assert "Nothing open" in client.get("/todos").text
    assert "Nothing done yet" in client.get("/todos?show=done").text
    assert "has all of “zebra”" in client.get("/todos?q=zebra").text


def test_no_list_reads_the_bytes_of_files(login, cast):
    from tests.conftest import count_queries

    create_attachment(create_todo(cast.alice))
    client = login("alice")
    with count_queries() as statements:
        client.get("/todos")
    assert not [statement for statement in statements if "attachment_chunks" in statement]
