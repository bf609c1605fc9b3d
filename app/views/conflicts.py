"""Stale saves: what a form showed, what somebody saved meanwhile, and what the viewer typed, side by side.

A form of a row carries what each field had when it was drawn: that is the common ancestor when the save comes too
late, and for rows without a version number it is how lateness is found out.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import render_template, request
from markupsafe import Markup
from sqlalchemy.exc import InvalidRequestError
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, HiddenField, PasswordField, SelectField, SelectMultipleField

from app.db import take_turns, transaction
from app.errors import NotFound, Stale
from app.views.widgets import PeopleField, TagsField, UploadField

CHANGED = "Somebody changed this while you were editing it. Nothing of yours is lost: choose what to keep and save."
FORMS_LOCK = 0x70D09  # an arbitrary number that names the lock in PostgreSQL
Values = dict[str, list[str]]  # field -> what a browser would send of it


class CarriedField(HiddenField):
    """A hidden field that belongs to the form and not to the row: it keeps what was sent, whatever the row has."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.type = "HiddenField"  # templates look at the name

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Take what was sent, never what the row has now."""
        self.data = valuelist[0] if valuelist else None

    def populate_obj(self, obj: Any, name: str) -> None:
        """Leave the row alone."""


class Choice:
    """Renders a field as a choice between what the viewer typed and what somebody saved meanwhile."""

    def __init__(self, inner: Any, before: str | None, theirs: str, changed_by: str) -> None:
        self.inner, self.before, self.theirs, self.changed_by = inner, before, theirs, changed_by

    def __call__(self, field: Field, **kwargs: Any) -> Markup:
        """Return the field's HTML."""
        typed = self.inner(field, **kwargs)
        return Markup(render_template("widgets/choice.html", field=field, choice=self, typed=typed))  # noqa: S704


def values(form: Any) -> Values:
    """Return what the fields of a form have, as a browser would send it."""
    return {field.name: _values(field) for field in form if not isinstance(field, HiddenField | PasswordField)}


def _values(field: Any) -> list[str]:
    """Return what one field has; people, tags and files in an order of their own."""
    if isinstance(field, UploadField):
        return sorted(f"{file.id} {file.name}" for file in field.current)
    if isinstance(field, PeopleField):
        return [", ".join(sorted(user.username for user in field.data or []))]
    if isinstance(field, TagsField):
        return [", ".join(sorted(field.data or [], key=str.casefold))]
    if isinstance(field, BooleanField):
        return ["y"] if field.data else []
    if isinstance(field, SelectMultipleField):
        return sorted(str(value) for value in field.data or [])
    if isinstance(field, SelectField):
        return [str(field.data)]
    return [str(field._value())]


def of_row(form: Any, row: Any) -> Values:
    """Return what the form would show of the row now."""
    return values(type(form)(formdata=None, obj=row))


def remember(form: Any) -> None:
    """Let a form carry what it shows."""
    form.shown.data = json.dumps(values(form))


def shown(form: Any) -> Values:
    """Return what a form showed when it was drawn; what is damaged counts as not known."""
    try:
        found = json.loads(form.shown.data or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: [str(text) for text in texts] for name, texts in found.items() if isinstance(texts, list)}


def resolve(form: Any, row: Any) -> None:
    """Give those fields of a sent form what somebody else saved of which the viewer says so."""
    theirs = shown(form)
    for field in form:
        if request.form.get(f"take-{field.name}") == "theirs" and field.name in theirs:
            data = MultiDict([(field.name, text) for text in theirs[field.name]])
            field.process(data, getattr(row, field.name, None))


@contextmanager
def unchanged(form: Any, row: Any) -> Iterator[None]:
    """Save a row without a version number within the block, unless it is not what the form showed any more.

    Such forms are saved one at a time: of two that are sent at once, the second sees what the first one did.

    Raises:
        Stale: see above.
        NotFound: when somebody deleted it.
    """
    with transaction() as session:
        take_turns(session, FORMS_LOCK)
        try:
            session.refresh(row)
        except InvalidRequestError as error:
            raise NotFound("Somebody deleted this meanwhile. What you typed is still here, to be copied.") from error
        if (before := shown(form)) and before != of_row(form, row):
            raise Stale(CHANGED)
        yield


def compare(form: Any, row: Any) -> None:
    """Turn the fields of a stale form that differ from the row into choices; saved again, it is based on the row."""
    before, theirs, mine = shown(form), of_row(form, row), values(form)
    for field in form:
        name = field.name
        ancestor = before.get(name)
        if isinstance(field, UploadField):
            field.changes = _changes(theirs[name] if ancestor is None else ancestor, theirs[name])
        elif name in mine and mine[name] != theirs[name]:
            former = None if ancestor is None else _readable(field, ancestor)
            changed_by = {str(mine[name]): "them", str(theirs[name]): "you"}.get(str(ancestor), "both")
            field.widget = Choice(field.widget, former, _readable(field, theirs[name]), changed_by)
    form.shown.data = json.dumps(theirs)


def _readable(field: Any, texts: list[str]) -> str:
    """Return values as people read them."""
    if isinstance(field, BooleanField):
        return "Yes" if texts else "No"
    if isinstance(field, SelectField):
        labels = {str(choice[0]): str(choice[1]) for choice in field.iter_choices()}
        texts = [labels.get(text, text) for text in texts]
    return ", ".join(texts)


def _changes(before: list[str], now: list[str]) -> str:
    """Say which files came and went."""
    said = {"Added": set(now) - set(before), "Removed": set(before) - set(now)}
    names = {word: ", ".join(sorted(one.partition(" ")[2] for one in some)) for word, some in said.items()}
    return " ".join(f"{word} meanwhile: {found}." for word, found in names.items() if found)
