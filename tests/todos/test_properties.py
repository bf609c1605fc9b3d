"""What holds for whatever three people do in whatever order, and for whichever todos they have."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from app.db import utcnow
from app.errors import NotFound
from app.extensions import db
from app.models import Attachment, Todo, User
from app.services import calendars, exports, todos, undo
from app.services.permissions import load_user
from app.tokens import feed_token
from tests.factories import create_attachment, create_todo
from tests.todos.test_two_editors import fields, opened

FEW = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
EDITORS = ("alice", "bob", "max")  # the owner, an assignee, a manager
TYPED = {
    "title": st.sampled_from(["One", "Two", "Three"]),
    "notes": st.sampled_from(["", "First", "Second"]),
    "priority": st.sampled_from(["0", "1", "2"]),
    "due_on": st.sampled_from(["", "2030-01-02", "2031-01-02"]),
}


def row(todo_id: int) -> Any:
    """Return a todo as it is in the database now."""
    db.session.rollback()
    return db.session.get(Todo, todo_id, populate_existing=True)


class Editors(RuleBasedStateMachine):
    """Three people open, edit and save one todo; each remembers what their page shows."""

    login: Any
    cast: Any

    @initialize()
    def begin(self) -> None:
        """Add a todo that nobody has open."""
        self.todo_id = create_todo(self.cast.alice, "Zero", assignees=[self.cast.bob]).id
        self.browsers = {who: self.login(who) for who in EDITORS}
        self.pages: dict[str, dict[str, Any]] = {}
        self.seen: dict[str, dict[str, str]] = {}

    def path(self, who: str) -> str:
        """Return the form that somebody uses: the manager the generated one."""
        return f"/admin/todos/edit/{self.todo_id}" if who == "max" else f"/todos/{self.todo_id}"

    def stored(self) -> dict[str, str]:
        """Return the fields as a form would show them."""
        found = row(self.todo_id)
        values = {"title": found.title, "notes": found.notes, "priority": found.priority, "due_on": found.due_on or ""}
        return {name: str(value) for name, value in values.items()}

    @rule(who=st.sampled_from(EDITORS))
    def open(self, who: str) -> None:
        """Look at the todo."""
        self.pages[who], self.seen[who] = opened(self.browsers[who], self.path(who)), self.stored()

    @precondition(lambda self: self.pages)
    @rule(data=st.data(), edits=st.fixed_dictionaries({}, optional=TYPED))
    def save(self, data: Any, edits: dict[str, str]) -> None:
        """Save what the page has, with some fields typed anew, and some choices made."""
        who = data.draw(st.sampled_from(sorted(self.pages)))
        form = self.pages[who] | edits
        for name in [name for name in form if name.startswith("take-")]:
            form[name] = data.draw(st.sampled_from(["mine", "theirs"]))
        form["priority"] = "".join(form["priority"])
        theirs = {name for name in TYPED if form.get(f"take-{name}") == "theirs"}
        wanted = {name: self.seen[who][name] if name in theirs else form[name] for name in TYPED}
        before = self.stored()
        answer = self.browsers[who].send(self.path(who), form)
        if answer.status_code == 302:
            assert before == self.seen[who], "something was overwritten that the page did not show"
            assert self.stored() == wanted
            del self.pages[who]
            return
        assert answer.status_code == 409
        assert self.stored() == before
        page = fields(answer.text)
        assert {name: "".join(page[name]) for name in TYPED} == wanted, "something typed is not on the page any more"
        assert {name for name in TYPED if f"take-{name}" in page} == {n for n in TYPED if wanted[n] != before[n]}
        self.pages[who], self.seen[who] = page, before


def test_interleaved_edits_of_three_people_lose_no_field_silently(login, cast):
    machine = type("Interleaved", (Editors,), {"login": staticmethod(login), "cast": cast})
    run_state_machine_as_test(machine, settings=settings(FEW, max_examples=8, stateful_step_count=10))


class Bin(RuleBasedStateMachine):
    """Two people delete, restore, complete and undo; a model of a few lines says where each todo should be."""

    cast: Any

    @initialize()
    def begin(self) -> None:
        """Add todos with people and files."""
        self.people = {name: load_user(getattr(self.cast, name).id) for name in ("alice", "max")}
        owners = (self.cast.alice, self.cast.charlie)
        self.ids = [create_todo(owner, f"T{i}", assignees=[self.cast.bob]).id for i, owner in enumerate(owners)]
        for todo_id in self.ids:
            create_attachment(db.session.get(Todo, todo_id))
        self.mine = {"alice": self.ids[:1], "max": self.ids}
        self.model = {todo_id: {"complete": False, "deleted_by": None, "version": 1} for todo_id in self.ids}
        self.steps: list[tuple[str, int, dict[int, dict[str, Any]]]] = []

    def act(self, who: str, chosen: set[int], outcome: Any, **values: Any) -> None:
        """Let the model do what a service did, and compare the ids."""
        fits = [i for i in self.ids if i in chosen and i in self.mine[who] and self.fits(self.model[i], values)]
        assert outcome.ids == fits
        before = {i: dict(self.model[i]) for i in fits}
        for i in fits:
            self.model[i] |= values | {"version": self.model[i]["version"] + 1}
        assert (outcome.step_id is None) == (not fits)
        if fits:
            self.steps.append((who, outcome.step_id, before))

    @staticmethod
    def fits(state: dict[str, Any], values: dict[str, Any]) -> bool:
        """Tell whether an action changes a todo that is so."""
        if "complete" in values:
            return state["deleted_by"] is None and state["complete"] != values["complete"]
        return (state["deleted_by"] is None) == (values["deleted_by"] is not None)

    WHO = st.sampled_from(["alice", "max"])
    SOME = st.sets(st.integers(0, 1), min_size=1)

    def chosen(self, some: set[int]) -> set[int]:
        """Return the ids of the chosen places."""
        return {self.ids[place] for place in some}

    @rule(who=WHO, some=SOME)
    def delete(self, who: str, some: set[int]) -> None:
        """Delete some."""
        outcome = todos.delete_todos(self.people[who], sorted(self.chosen(some)))
        self.act(who, self.chosen(some), outcome, deleted_by=self.people[who].id)

    @rule(who=WHO, some=SOME)
    def restore(self, who: str, some: set[int]) -> None:
        """Restore some."""
        outcome = todos.restore(self.people[who], sorted(self.chosen(some)))
        self.act(who, self.chosen(some), outcome, deleted_by=None)

    @rule(who=WHO, some=SOME, complete=st.booleans())
    def complete(self, who: str, some: set[int], complete: bool) -> None:
        """Complete or reopen some."""
        outcome = todos.set_complete(self.people[who], sorted(self.chosen(some)), complete)
        self.act(who, self.chosen(some), outcome, complete=complete)

    @precondition(lambda self: self.steps)
    @rule(back=st.integers(1, 3))
    def undo(self, back: int) -> None:
        """Undo one of the latest steps; nobody else can."""
        place = max(0, len(self.steps) - back)
        who, step_id, before = self.steps[place]
        with pytest.raises(NotFound):
            undo.take_back(self.people["max" if who == "alice" else "alice"], step_id)
        fits = [i for i, was in before.items() if self.model[i]["version"] == was["version"] + 1]
        assert undo.take_back(self.people[who], step_id).count == len(fits)
        for i in fits:
            self.model[i] = before[i] | {"version": self.model[i]["version"] + 1}
        del self.steps[place]

    @invariant()
    def is_where_it_should_be(self) -> None:
        """Compare all with the model; people and files are never touched."""
        for todo_id, state in getattr(self, "model", {}).items():
            found = row(todo_id)
            assert (found.complete, found.deleted_by_id, found.version) == tuple(state.values())
            assert (found.deleted_at is None) == (state["deleted_by"] is None)
            assert [user.username for user in found.assignees] == ["bob"]
            assert db.session.scalar(select(Attachment.id).where(Attachment.todo_id == todo_id))


def test_delete_restore_and_undo_in_any_order_end_where_they_should(cast):
    machine = type("InAnyOrder", (Bin,), {"cast": cast})
    run_state_machine_as_test(machine, settings=settings(FEW, max_examples=8, stateful_step_count=15))


NAMES = ("alice", "bob", "vera", "max")
ONE = st.fixed_dictionaries(
    {
        "owner": st.sampled_from(NAMES),
        "assignees": st.sets(st.sampled_from(NAMES), max_size=2),
        "complete": st.booleans(),
        "deleted": st.booleans(),
    }
)


def listed(client: Any, path: str, ids: dict[int, Any]) -> set[int]:
    """Return which of the todos a page names."""
    text = client.get(path).text
    return {todo_id for todo_id in ids if f"Door {todo_id}." in text}


def calendar_of(app: Any, user: User) -> str:
    """Return the address of somebody's calendar feed."""
    calendars.renew(user)
    return f"/calendar/{feed_token(calendars.of_user(user))}.ics"


@settings(FEW, max_examples=8)
@given(name=st.sampled_from(NAMES), drawn=st.lists(ONE, min_size=1, max_size=6))
def test_every_door_shows_the_same_todos(login, cast, name, drawn):
    for old in db.session.scalars(select(Todo)):
        db.session.delete(old)
    made = {}
    for one in drawn:
        people = [getattr(cast, who) for who in one["assignees"]]
        facts = {"complete": one["complete"], "assignees": people, "due_on": date(2030, 1, 31)}
        todo = create_todo(getattr(cast, one["owner"]), "Door", **facts)
        todo.title, todo.deleted_at = f"Door {todo.id}.", utcnow() if one["deleted"] else None
        made[todo.id] = one | {"with": {one["owner"], *one["assignees"]}}
    db.session.commit()
    client, sees_all = login(name), name in ("vera", "max")
    alive = {i for i, one in made.items() if not one["deleted"]}
    mine = {i for i in alive if name in made[i]["with"]}
    visible = alive if sees_all else mine
    for done in (False, True):
        state = {i for i in made if made[i]["complete"] == done}
        for query in ("", "&q=door"):
            address = f"/todos?show={'done' if done else 'open'}{query}"
            assert listed(client, address, made) == mine & state
            assert listed(client, f"{address}&scope=all", made) == visible & state
    assert listed(client, "/admin/todos/list/?psize_TodoAdmin=100", made) == visible
    assert listed(client, "/admin/todos/list/?q=door", made) == visible
    for search in ("", "?text=door"):
        assert {one["id"] for one in client.get(f"/api/v1/todos/{search}").json["result"]} == visible
    assert {i for i in made if client.get(f"/api/v1/todos/{i}").status_code == 200} == visible
    assert listed(client, calendar_of(client.application, getattr(cast, name)), made) == mine
    assert {row.id for row in exports.rows(load_user(getattr(cast, name).id), list(made))} == visible
    for person in NAMES:
        theirs = {i for i in visible if person in made[i]["with"] and not made[i]["complete"]}
        assert listed(client, f"/users/{getattr(cast, person).id}", made) == theirs
    assert {i for i in made if client.get(f"/todos/{i}").status_code == 200} == visible
    trashed = {i for i in made if made[i]["deleted"] and (name == "max" or made[i]["owner"] == name)}
    if name != "vera":
        assert listed(client, "/trash?scope=all", made) == trashed
        assert listed(client, "/admin/trash/list/", made) == trashed
