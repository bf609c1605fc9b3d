"""The people one works with: who is shown, and which of their todos."""

import re

import pytest

from app.db import transaction
from tests.factories import create_todo, create_user


@pytest.fixture
def gone(cast):
    """Somebody who left."""
    user = create_user("gone")
    with transaction():
        user.active = False
    return user


def usernames(client, path="/users/lookup"):
    """Return who is offered as one types."""
    return [person["value"] for person in client.get(path).json]


def test_members_see_colleagues_without_their_addresses(login, cast):
    client = login("alice")
    page = client.get("/users").text
    assert "Bob Member" in page
    assert "Ada Admin" in page
    person = client.get(f"/users/{cast.bob.id}").text
    assert "Bob Member" in person
    assert "bob@example.org" not in page + person


def test_who_reads_the_people_list_sees_addresses(login, cast):
    assert "bob@example.org" in login("max").get(f"/users/{cast.bob.id}").text


def test_who_left_is_seen_only_by_those_who_read_the_people_list(login, gone):
    assert "Gone Member" not in login("alice").get("/users").text
    assert login("alice").get(f"/users/{gone.id}").status_code == 404
    assert "Inactive" in login("max").get(f"/users/{gone.id}").text


def test_lookup_offers_nobody_who_left(login, gone):
    for name in ("alice", "ada"):
        assert usernames(login(name), "/users/lookup?q=gone") == []


def test_lookup_offers_names_and_nothing_else(login, cast):
    found = login("alice").get("/users/lookup?q=bob").json
    assert found == [{"value": "bob", "label": "Bob Member", "hint": "bob"}]


def test_lookup_is_limited(login):
    for number in range(25):
        create_user(f"someone{number:02}")
    assert len(usernames(login("alice"), "/users/lookup?q=someone")) == 20


def test_lookup_is_literal(login):
    for query in ("%", "_", "\\", "'", "%25", "bob%", "b_b"):
        assert login("alice").get("/users/lookup", query_string={"q": query}).json == []


def test_only_visible_todos_of_others_are_shown(login, cast):
    create_todo(cast.bob, "Bob alone")
    create_todo(cast.bob, "Bob and Alice", assignees=[cast.alice])
    create_todo(cast.bob, "Bob was done", assignees=[cast.alice], complete=True)
    for path in ("/users", f"/users/{cast.bob.id}"):
        page = login("alice").get(path).text
        assert "Bob and Alice" in page
        assert "Bob alone" not in page
        assert "Bob was done" not in page
        assert "Bob and Alice" not in login("charlie").get(path).text
        assert "Bob alone" in login("vera").get(path).text


def test_pages_of_people_follow_each_other_without_gap(login):
    for number in range(60):
        create_user(f"someone{number:02}")
    client, path, seen = login("alice"), "/users?q=someone", []
    while path:
        page = client.get(path).text
        seen += re.findall(r"Someone(\d\d) Member", page)
        following = re.search(r'href="([^"]+)">Next page', page)
        path = following[1].replace("&amp;", "&") if following else None
    assert sorted(set(seen)) == [f"{number:02}" for number in range(60)]


def test_impossible_ids_are_nobody(login):
    client, found = login("alice"), {}
    for pk in ("0", str(2**31), str(2**63), "9" * 5000, "-1", "x", "1.5"):
        found[pk[:20]] = client.get(f"/users/{pk}").status_code
    assert found == dict.fromkeys(found, 404)


@pytest.mark.parametrize("path", ["/users", "/users/lookup", "/todos", "/admin/todos/list/", "/admin/users/list/"])
def test_odd_searches_do_no_harm(login, path):
    client, found = login("ada"), {}
    for query in ("q=%00", "q=a%00", "after=%00", "q=%ff", "q=" + "x" * 5000, "q=%F0%9F%A6%A6", "q=%ED%A0%80"):
        found[query[:20]] = client.get(f"{path}?{query}").status_code
    assert set(found.values()) <= {200, 400}, found
