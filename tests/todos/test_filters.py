"""Fixed and named filters: what they show, where, at what date, under which address."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from app.db import transaction
from app.extensions import db
from app.models import Attachment, AttachmentChunk, SavedFilter
from app.services import todos_selection, users
from app.services.todos_lists import SHOWN, Filter, due_counts, page
from app.services.todos_selection import Selection
from tests.factories import create_filter, create_todo


def titles(viewer, **wanted) -> set[str]:
    return {todo.title for todo in page(viewer, Filter(**wanted))[0]}


@pytest.fixture
def week(cast):
    """Alice's todos around today, one of Bob's that is hers too, and one that is not."""
    day = users.today(cast.alice)
    for title, days in (("late", -1), ("now", 0), ("soon", 1), ("never", None)):
        create_todo(cast.alice, title, due_on=None if days is None else day + timedelta(days))
    create_todo(cast.alice, "finished", due_on=day - timedelta(3), complete=True)
    create_todo(cast.bob, "shared", due_on=day - timedelta(5), assignees=[cast.alice])
    create_todo(cast.charlie, "foreign", due_on=day - timedelta(1))


@pytest.mark.parametrize(
    ("show", "wanted"),
    [
        ("open", {"late", "now", "soon", "never", "shared"}),
        ("mine", {"late", "now", "soon", "never"}),
        ("assigned", {"shared"}),
        ("today", {"now"}),
        ("overdue", {"late", "shared"}),
        ("upcoming", {"soon"}),
        ("done", {"finished"}),
        ("any", {"late", "now", "soon", "never", "shared", "finished"}),
    ],
)
def test_fixed_filters_show_what_they_say_on_both_lists(login, cast, viewer, week, show, wanted):
    assert titles(viewer("alice"), show=show) == wanted
    listed = login("alice").get(f"/admin/todos/list/?show={show}").text
    assert set(re.findall(r'aria-label="Choose (\w+)"', listed)) == wanted


def test_scope_of_everybody_is_for_those_who_see_all(login, cast, viewer, week):
    assert titles(viewer("vera"), show="overdue", scope="all") == {"late", "shared", "foreign"}
    assert titles(viewer("alice"), show="overdue", scope="all") == {"late", "shared"}
    assert "Everybody" not in login("alice").get("/todos").text


def test_counts_are_those_of_the_lists(login, cast, viewer, week):
    alice = viewer("alice")
    counts = {name: db.session.scalar(select(one)) for name, one in due_counts(alice, "mine").items()}
    assert counts == {"today": 1, "overdue": 2}
    text = login("alice").get("/todos").text
    assert re.search(r'Overdue <span class="count count-late">2<', text)


def test_export_takes_what_the_filter_shows(viewer, cast, week):
    assert len(todos_selection.ids(viewer("alice"), Selection(wanted=Filter(show="overdue")))) == 2


@pytest.mark.parametrize("show", SHOWN)
@pytest.mark.parametrize("query", ["", "number"])
def test_pages_of_every_list_follow_each_other(cast, viewer, monkeypatch, show, query):
    monkeypatch.setattr("app.services.todos_lists.PAGE_SIZE", 2)
    alice, day = viewer("alice"), users.today(cast.alice)
    for number in range(10):
        owner, helpers = (cast.alice, []) if number % 2 else (cast.bob, [cast.alice])
        due = day + timedelta((number % 4) - 2) if number % 5 else None
        create_todo(owner, f"Number {number}", due_on=due, complete=number % 3 == 0, assignees=helpers)
    whole = set(todos_selection.ids(alice, Selection(wanted=Filter(show=show, query=query))))
    seen, after = [], ""
    while True:
        found, after = page(alice, Filter(show=show, query=query, after=after))
        seen += [todo.id for todo in found]
        if not after:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) == whole


@pytest.mark.parametrize("after", ["x", "9_9", f"2030-01-01_1_{10**30}", "2030-01-01_1_1_1"])
def test_damaged_cursor_is_refused(login, after):
    assert login("alice").get(f"/todos?after={after}").status_code == 400


ZONES = [
    # the instant, the zone, the date there
    ("2026-03-10T11:00:00", "Pacific/Kiritimati", date(2026, 3, 11)),
    ("2026-03-10T09:59:00", "Pacific/Kiritimati", date(2026, 3, 10)),
    ("2026-03-10T10:59:00", "Pacific/Pago_Pago", date(2026, 3, 9)),
    ("2026-03-10T11:00:00", "Pacific/Pago_Pago", date(2026, 3, 10)),
    # the clock goes forward and back in Berlin and New York, and Samoa skipped a whole day
    ("2026-03-28T22:59:00", "Europe/Berlin", date(2026, 3, 28)),
    ("2026-03-29T21:59:00", "Europe/Berlin", date(2026, 3, 29)),
    ("2026-03-29T22:00:00", "Europe/Berlin", date(2026, 3, 30)),
    ("2026-10-25T22:59:00", "Europe/Berlin", date(2026, 10, 25)),
    ("2026-10-25T23:00:00", "Europe/Berlin", date(2026, 10, 26)),
    ("2026-11-01T04:59:00", "America/New_York", date(2026, 11, 1)),
    ("2026-11-02T04:59:00", "America/New_York", date(2026, 11, 1)),
    ("2011-12-30T10:00:00", "Pacific/Apia", date(2011, 12, 31)),
    ("2026-03-10T23:59:00", "No/Such_Zone", date(2026, 3, 10)),
]


@pytest.mark.parametrize(("instant", "zone", "day"), ZONES)
def test_today_is_that_of_the_viewer(cast, viewer, monkeypatch, instant, zone, day):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromisoformat(instant).replace(tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr("app.services.users.datetime", Clock)
    with transaction():
        cast.alice.time_zone = zone
    for title, days in (("late", -1), ("now", 0), ("soon", 1)):
        create_todo(cast.alice, title, due_on=day + timedelta(days))
    alice = viewer("alice")
    assert users.today(alice) == day
    found = {show: titles(alice, show=show) for show in ("overdue", "today", "upcoming")}
    assert found == {"overdue": {"late"}, "today": {"now"}, "upcoming": {"soon"}}


def test_address_of_a_list_is_short_and_keeps_its_state(login, cast):
    create_todo(cast.alice, "Paint", complete=True)
    page = login("alice").get("/todos?show=done&tag=home&q=paint&x=1&after=").text
    links = re.findall(r'class="item[^>]*href="([^"]+)"', page)
    assert [link.replace("&amp;", "&") for link in links] == [
        *(f"/todos?show={show}&tag=home&q=paint" for show in list(SHOWN)[:-1]),
        "/todos?tag=home&q=paint",  # a search looks everywhere unless it is told
    ]


def test_list_is_saved_under_a_name_renamed_and_deleted(login, cast):
    client = login("alice")
    answer = client.send(
        "/filters?show=overdue&tag=home&q=a%26b&scope=mine&after=9&evil=1", {"name": "  My  late ones "}
    )
    assert answer.location == "/todos?show=overdue&tag=home&q=a%26b"
    saved = db.session.scalar(select(SavedFilter))
    assert saved.name == "My late ones"
    assert 'aria-current="page" href="/todos?show=overdue&amp;tag=home&amp;q=a%26b">My late ones</a>' in (
        client.get(answer.location).text
    )
    client.send(f"/filters/{saved.id}", {"name": "Late"})
    assert ">Late</a>" in client.get("/todos").text
    client.send(f"/filters/{saved.id}/delete")
    assert db.session.scalar(select(SavedFilter)) is None


@pytest.mark.parametrize(("name", "status"), [("", 400), ("x" * 51, 400), ("a\x01b", 400), ("Late", 409)])
def test_refused_name_stays_in_the_form_with_the_state_of_the_list(login, cast, name, status):
    create_filter(cast.alice, "Late")
    answer = login("alice").send("/filters?show=today", {"name": name})
    assert answer.status_code == status
    assert 'action="/filters?show=today"' in answer.text
    if status == 409:
        assert 'value="Late"' in answer.text


def test_number_of_filters_is_bounded(login, cast):
    for number in range(30):
        create_filter(cast.alice, f"Filter {number}")
    assert login("alice").send("/filters?show=today", {"name": "One more"}).status_code == 400


def test_filters_are_ones_own(login, cast):
    theirs = create_filter(cast.bob, "Private to Bob")
    client = login("alice")
    assert "Private to Bob" not in client.get("/todos").text + client.get("/filters").text
    assert client.send(f"/filters/{theirs.id}", {"name": "Mine"}).status_code == 404
    assert client.send(f"/filters/{theirs.id}/delete").status_code == 404


SEARCHED = {
    # title -> further facts; what is searched for is "ödland"
    "Ödland": {},
    "ÖDLAND kaufen": {},
    "Das Ödland": {},
    "Verödlandung": {},
    "by tag": {"tag": "Kein ödland"},
    "by person": {"person": "Ödland"},
    "by file": {"file": "plan-ÖDLAND.png"},
    "by notes": {"notes": "hier ist ödland"},
}


@pytest.fixture
def searched(cast):
    """Todos that fit from best to worst, due in the opposite order, beside those that nobody may find."""
    from app.db import utcnow
    from tests.factories import create_tag, create_user

    person = create_user("oe", last_name="Ödland")
    for place, (title, more) in enumerate(SEARCHED.items()):
        facts = {"due_on": date(2030, 1, 20 - place), "notes": more.get("notes", "")}
        todo = create_todo(cast.alice, title, assignees=[person] if "person" in more else [], **facts)
        if "tag" in more:
            create_tag(more["tag"], todo)
        if "file" in more:
            create_file(todo, more["file"])
    create_todo(cast.alice, "Ödland im Papierkorb", deleted_at=utcnow())
    create_todo(cast.charlie, "Fremdes Ödland")


def create_file(todo, name: str) -> None:
    facts = {"content_type": "image/png", "size": 1, "sha256": "0" * 64}
    with transaction() as session:
        file = Attachment(todo=todo, name=name, **facts)
        session.add(file)
        session.flush()
        session.add(AttachmentChunk(attachment_id=file.id, variant=0, position=0, data=b"x"))


@pytest.mark.parametrize("query", ["ödland", "ÖDLAND", " Ödland "])
def test_search_finds_all_letters_in_all_that_belongs_to_a_todo_the_best_first(login, cast, searched, query):
    page = login("alice").get("/todos", query_string={"q": query}).text
    found = re.findall(r'aria-label="Choose “([^”]+)”', page)
    assert found == list(SEARCHED)
    assert "<mark>ÖDLAND</mark> kaufen" in page
    assert "plan-<mark>ÖDLAND</mark>.png" in page
    assert "<mark>Ödland</mark> (oe)" in page
    assert "(alice)" not in page  # whoever is not what was searched for is not named as a hit
    listed = login("alice").get("/admin/todos/list/", query_string={"q": query}).text
    assert set(re.findall(r'aria-label="Choose ([^"]+)"', listed)) - {"all rows"} == set(SEARCHED)


def test_search_wants_every_word_wherever_it_stands(viewer, cast, searched):
    alice = viewer("alice")
    assert titles(alice, query="kaufen ödland", show="any") == {"ÖDLAND kaufen"}
    assert titles(alice, query="person ödland", show="any") == {"by person"}
    assert titles(alice, query="alice ödland", show="any") == set(SEARCHED)  # she owns them
    assert titles(alice, query="tag kein nowhere", show="any") == set()


@pytest.mark.parametrize("query", ["%", "_", "\\", "/", "100%", "a_c", "[a]", "'", '"', "--", "*"])
def test_search_is_literal(viewer, cast, query):
    create_todo(cast.alice, f"With {query} within")
    create_todo(cast.alice, "1000 abc of everything else")
    assert titles(viewer("alice"), query=query, show="any") == {f"With {query} within"}


def test_search_looks_at_done_ones_too_unless_it_is_told(login, cast):
    create_todo(cast.alice, "Paint the door")
    create_todo(cast.alice, "Paint the fence", complete=True)
    client = login("alice")
    assert {"door", "fence"} <= set(re.findall(r"the (\w+)”", client.get("/todos?q=paint").text))
    assert "the fence" not in client.get("/todos?q=paint&show=open").text
    assert "the door" not in client.get("/todos?q=paint&show=done").text


def test_long_search_is_cut_and_not_refused(login, cast):
    assert login("alice").get("/todos?q=" + "word+" * 500).status_code == 200


def test_unused_tags_are_listed_alone(login, cast):
    from tests.factories import create_tag

    create_tag("used", create_todo(cast.alice))
    create_tag("forgotten")
    page = login("max").get("/admin/tags/list/?show=unused").text
    assert "Choose forgotten" in page
    assert "Choose used" not in page


def test_list_reads_the_tags_of_its_page_only(login, cast):
    from tests.conftest import count_queries

    create_todo(cast.alice)
    client = login("alice")
    with count_queries() as statements:
        client.get("/todos")
    assert any("todo_tags" in one for one in statements)
    assert not [one for one in statements if "JOIN (todo_tags" in one]  # SQLite reads the whole of a join in brackets
