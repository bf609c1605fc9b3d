"""Tags on todos: made while typing, shared by the team, on nobody's todos but those one may change."""

import threading
from contextvars import Context

import pytest
from sqlalchemy import delete, select

from app.db import transaction, utcnow
from app.errors import Conflict, Denied, Invalid
from app.extensions import db
from app.models import Tag, Todo
from app.models.tags import COLOURS
from app.services import tags, todos
from app.services.permissions import load_user
from tests.factories import create_tag, create_todo, create_user


def names(todo: Todo) -> list[str]:
    db.session.expire_all()
    return [tag.name for tag in todo.tags]


def stored() -> set[str]:
    return set(db.session.scalars(select(Tag.name)))


def test_tags_are_made_while_typing_without_javascript(login, cast):
    client = login("alice")
    client.send("/todos", {"title": "Paint", "priority": 2, "tag_names": " home ,#Garden, the  long way;home"})
    todo = db.session.scalar(select(Todo))
    assert names(todo) == ["Garden", "home", "the long way"]
    page = client.get("/todos").text
    assert 'href="/todos?tag=the+long+way">the long way</a>' in page or "tag=the%20long%20way" in page


def test_generated_form_makes_tags_too_and_shows_them_in_its_list(login, cast):
    client = login("ada")
    client.send("/admin/todos/add", {"title": "Paint", "priority": 2, "owner": "ada", "tag_names": "home, urgent"})
    assert names(db.session.scalar(select(Todo))) == ["home", "urgent"]
    page = client.get("/admin/todos/list/").text
    assert ">home</span>" in page
    assert ">urgent</span>" in page


@pytest.mark.parametrize("same", ["HOME", " home ", "Home"])
def test_case_and_blanks_make_no_second_tag(login, cast, same):
    create_tag("home", create_todo(cast.bob, "Other"))
    login("alice").send("/todos", {"title": "Paint", "priority": 2, "tag_names": same})
    assert stored() == {"home"}


def test_case_of_other_alphabets_makes_no_second_tag(login, cast):
    client = login("alice")
    for name in ("Übung", "ÜBUNG", "übung", "U\u0308bung", "Straße", "STRASSE", "Σίσυφος", "ΣΊΣΥΦΟΣ"):
        client.send("/todos", {"title": "Paint", "priority": 2, "tag_names": name})
    assert stored() == {"Übung", "Straße", "Σίσυφος"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * 51, "at most 50 characters"),
        (",".join(map(str, range(21))), "at most 20 tags"),
        ("a\x01b", "word"),
        ("#", "word"),
    ],
)
def test_refused_tags_stay_in_the_form_with_the_reason(login, cast, text, why):
    answer = login("alice").send("/todos", {"title": "Paint", "priority": 2, "tag_names": text})
    assert answer.status_code == 400
    assert why in answer.text
    assert 'value="Paint"' in answer.text
    assert stored() == set()


def test_fifty_characters_and_twenty_tags_are_enough(login, cast):
    text = ",".join(f"{number:02}".ljust(50, "x") for number in range(20))
    assert login("alice").send("/todos", {"title": "Paint", "priority": 2, "tag_names": text}).status_code == 302
    assert len(names(db.session.scalar(select(Todo)))) == 20


def test_form_that_fails_for_another_reason_keeps_the_tags_and_makes_none(login, cast):
    answer = login("alice").send("/todos", {"title": "", "priority": 2, "tag_names": "home, garden"})
    assert 'value="home, garden"' in answer.text
    assert stored() == set()


def test_assignee_may_tag_and_stranger_and_viewer_may_not(login, cast):
    todo = create_todo(cast.alice, assignees=[cast.bob])
    for name, status in (("bob", 302), ("charlie", 404), ("vera", 403)):
        form = {"title": "T", "priority": 2, "assignees": "bob", "tag_names": f"by {name}", "version": todo.version}
        assert login(name).send(f"/todos/{todo.id}", form).status_code == status
        db.session.expire_all()
    assert names(todo) == ["by bob"]
    assert stored() == {"by bob"}


def test_ids_of_tags_are_not_taken_from_a_form(login, cast):
    todo, tag = create_todo(cast.alice), create_tag("secret")
    form = {
        "title": "T",
        "priority": 2,
        "version": 1,
        "tag_names": "",
        "tags": tag.id,
        "tag_ids": tag.id,
        "tag": tag.id,
    }
    login("alice").send(f"/todos/{todo.id}", form)
    assert names(todo) == []


def test_role_without_the_right_uses_what_there_is_and_makes_nothing(app, cast, viewer):
    create_tag("home")
    alice = viewer("alice")
    alice.permissions = alice.permissions - {("can_create", "Tag")}
    todo = todos.create(alice, title="Paint", tag_names=["HOME"])
    assert names(todo) == ["home"]
    with pytest.raises(Denied, match="no tag called garden"):
        todos.create(alice, title="Dig", tag_names=["home", "garden"])
    assert stored() == {"home"}
    assert len(db.session.scalars(select(Todo)).all()) == 1


def test_change_of_tags_alone_is_a_new_version(login, cast):
    todo = create_todo(cast.alice, "Paint")
    form = {"title": "Paint", "priority": 2, "version": 1}
    assert login("alice").send(f"/todos/{todo.id}", form | {"tag_names": "home"}).status_code == 302
    db.session.expire_all()
    assert todo.version == 2
    stale = login("alice").send(f"/todos/{todo.id}", form | {"tag_names": "garden"})
    assert stale.status_code == 409
    assert "home" in stale.text
    assert 'value="garden"' in stale.text
    assert names(todo) == ["home"]


def test_save_without_a_change_is_no_new_version(login, cast):
    todo = create_todo(cast.alice, "Paint")
    create_tag("home", todo)
    db.session.expire_all()
    form = {"title": "Paint", "priority": 2, "version": todo.version, "tag_names": "HOME"}
    before = todo.version
    assert login("alice").send(f"/todos/{todo.id}", form).status_code == 302
    db.session.expire_all()
    assert todo.version == before


def test_list_filtered_by_tags_shows_those_that_have_all(login, cast):
    both, one, other = (create_todo(cast.alice, title) for title in ("Both of them", "Only one", "Another"))
    create_tag("home", both, one)
    create_tag("garden", both, other)
    theirs = create_todo(cast.charlie, "Not mine")
    create_tag("theirs", theirs)
    client = login("alice")
    page = client.get("/todos?tag=HOME").text
    assert "Both of them" in page
    assert "Only one" in page
    assert "Another" not in page
    page = client.get("/todos?tag=home&tag=garden").text
    assert "Both of them" in page
    assert "Only one" not in page
    assert "Not mine" not in client.get("/todos?tag=theirs&scope=all").text
    assert "is tagged nothing" in client.get("/todos?tag=nothing").text


def test_lookup_offers_what_begins_with_the_text_first_and_takes_it_literally(login, cast):
    for name in ("At home", "Homework", "100%", "1000"):
        create_tag(name)
    client = login("vera")
    assert [tag["value"] for tag in client.get("/tags/lookup?q=HOME").json] == ["Homework", "At home"]
    assert [tag["value"] for tag in client.get("/tags/lookup?q=0%25").json] == ["100%"]


def test_rename_shows_everywhere_and_refuses_a_name_that_is_taken(login, cast):
    todo = create_todo(cast.alice)
    tag = create_tag("home", todo)
    create_tag("garden")
    client = login("max")
    answer = client.send(f"/admin/tags/edit/{tag.id}", {"name": "GARDEN", "colour": "red"})
    assert answer.status_code == 409
    assert "choose them and merge" in answer.text
    client.send(f"/admin/tags/edit/{tag.id}", {"name": "House", "colour": "pink"})
    assert names(todo) == ["House"]
    assert tag.colour == "pink"


def test_form_that_was_open_during_a_rename_does_not_bring_the_old_name_back(login, cast):
    todo = create_todo(cast.alice, "Paint")
    tag = create_tag("home", todo)
    db.session.expire_all()
    form = {"title": "Paint", "priority": 2, "version": todo.version, "tag_names": "home"}
    tags.save(tag, "House", "red")
    assert login("alice").send(f"/todos/{todo.id}", form).status_code == 409
    assert stored() == {"House"}


@pytest.mark.parametrize("colour", ["#ff0000", "", "mauve"])
def test_colours_are_those_of_the_palette(login, cast, colour):
    assert login("ada").send("/admin/tags/add", {"name": "home", "colour": colour}).status_code == 400
    assert stored() == set()


def test_merge_moves_all_todos_once_and_deletes_the_others(login, cast):
    first, second, third = (create_todo(cast.alice, title) for title in ("1", "2", "3"))
    kept = create_tag("home", first, second)
    old = [create_tag("Zuhause", second, third), create_tag("at home", third)]
    path = "/admin/tags/merge?" + "&".join(f"id={tag.id}" for tag in [kept, *old])
    assert "Keep" in login("max").get(path).text
    assert login("max").send(path, {"into": old[0].id + 1000}).status_code == 400
    answer = login("max").send(path, {"into": kept.id}, follow_redirects=True)
    assert "Merged 3 tags into home; 2 todos changed." in answer.text
    assert stored() == {"home"}
    assert [names(todo) for todo in (first, second, third)] == [["home"]] * 3


def test_merge_of_one_tag_or_of_unknown_ones_is_refused(login, cast):
    tag = create_tag("home")
    assert login("max").get(f"/admin/tags/merge?id={tag.id}").status_code == 400
    assert login("max").get(f"/admin/tags/merge?id={tag.id}&id=99999").status_code == 404


def test_merge_into_a_tag_that_is_gone_changes_nothing(app, cast):
    todo = create_todo(cast.alice)
    kept, old = create_tag("home"), create_tag("old", todo)
    db.session.expunge(kept)
    with transaction() as session:
        session.execute(delete(Tag).where(Tag.id == kept.id))
    with pytest.raises(Conflict, match="Somebody deleted"):
        tags.merge([kept, old], kept)
    assert names(todo) == ["old"]


def test_deleted_tag_is_gone_from_its_todos(login, cast):
    todo = create_todo(cast.alice)
    tag = create_tag("home", todo)
    login("max").send(f"/admin/tags/delete/{tag.id}")
    assert names(todo) == []


def test_list_of_tags_counts_todos_but_not_those_in_the_trash(app, cast):
    create_tag("home", create_todo(cast.alice), create_todo(cast.bob, deleted_at=utcnow()))
    create_tag("unused")
    found = db.session.scalars(select(Tag).options(tags.WITH_USES).execution_options(populate_existing=True))
    assert {tag.name: tag.uses for tag in found} == {"home": 1, "unused": 0}
    assert db.session.scalars(select(Tag.name).where(tags.unused())).all() == ["unused"]


def test_two_people_who_make_the_same_tag_at_once_get_one(app, cast):
    people = [create_user(f"w{number}").id for number in range(4)]
    start, failed = threading.Barrier(len(people)), []

    def work(user_id: int) -> None:
        with app.app_context():
            try:
                person = load_user(user_id)
                db.session.rollback()
                start.wait(10)
                todos.create(load_user(user_id), title=f"Of {person.id}", tag_names=["zeta", "New", "alpha"])
            except Exception as error:  # noqa: BLE001, what failed in a thread is looked at below
                failed.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=Context().run, args=(work, pk)) for pk in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert stored() == {"zeta", "New", "alpha"}
    assert [names(todo) for todo in db.session.scalars(select(Todo))] == [["alpha", "New", "zeta"]] * len(people)


def test_new_tags_have_one_of_the_colours(app, cast, viewer):
    todo = todos.create(viewer("alice"), title="Paint", tag_names=["one", "two", "three"])
    assert {tag.colour for tag in todo.tags} <= set(COLOURS) - {"grey"}


def test_names_are_checked_whichever_door_they_come_by(app, cast, viewer):
    for name in ("x" * 51, "\x00"):
        with pytest.raises(Invalid):
            todos.create(viewer("alice"), title="Paint", tag_names=[name])
