"""Tags: a vocabulary that the whole team shares; which todos have one follows the row rule of todos."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import with_expression

from app.db import hold, take_turns, transaction, utcnow
from app.errors import Conflict, Denied, Invalid, NotFound
from app.extensions import db
from app.models.tags import LONGEST_TAG, Tag, tag_key, todo_tags
from app.models.todos import Todo
from app.models.users import User
from app.services import paging
from app.services.paging import Order, Wanted
from app.services.permissions import can

MOST_TAGS = 20  # of one todo
LOOKUP_SIZE = 20
TAGS_LOCK = 0x7A65  # an arbitrary number that names the lock in PostgreSQL
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_live = select(func.count()).select_from(todo_tags).join(Todo).where(todo_tags.c.tag_id == Tag.id)
WITH_USES = with_expression(Tag.uses, _live.where(Todo.deleted_at.is_(None)).scalar_subquery())


def cleaned(name: str) -> str:
    """Return a tag's name without blanks around it and without the # that some people type.

    Raises:
        Invalid: when it cannot be the name of a tag.
    """
    found = " ".join(name.split()).lstrip("#").strip()
    if not found or re.search("[,;]", found) or CONTROL.search(found):
        raise Invalid("A tag is a word or a few, without commas and semicolons.")
    if len(found) > LONGEST_TAG:
        raise Invalid(f"A tag has at most {LONGEST_TAG} characters: “{found[:LONGEST_TAG]}…” has {len(found)}.")
    return found


def split(text: str) -> list[str]:
    """Return the names in a text that separates them by commas, each once.

    Raises:
        Invalid: when one cannot be the name of a tag, or there are too many.
    """
    names = {tag_key(name): name for name in (cleaned(part) for part in re.split(r"[,;\n]", text) if part.strip())}
    if len(names) > MOST_TAGS:
        raise Invalid(f"A todo has at most {MOST_TAGS} tags.")
    return list(names.values())


def known(names: Iterable[str]) -> list[Tag]:
    """Return those of the tags that exist."""
    keys = {tag_key(name) for name in names}
    return list(db.session.scalars(select(Tag).where(Tag.key.in_(keys)).order_by(Tag.key))) if keys else []


def get(tag_id: int) -> Tag:
    """Return a tag.

    Raises:
        NotFound: when there is none.
    """
    tag = db.session.get(Tag, tag_id, populate_existing=True)
    if tag is None:
        raise NotFound("There is no such tag. It may have been deleted or merged into another one.")
    return tag


@contextmanager
def alone(tag_id: int) -> Iterator[Tag]:
    """Give a tag that nobody else renames, recolours or merges until the block ends; one transaction.

    Raises:
        NotFound: when there is none.
    """
    with transaction():
        _lock()
        yield get(tag_id)


def lookup(query: str) -> Sequence[Tag]:
    """Return a few tags for a search-as-you-type field, those that begin with the text first."""
    key = tag_key(query)
    found = select(Tag).where(Tag.key.contains(key, autoescape=True))
    order = (Tag.key.startswith(key, autoescape=True).desc(), Tag.key)
    return db.session.scalars(found.order_by(*order).limit(LOOKUP_SIZE)).all()


def matching(query: str) -> ColumnElement[bool]:
    """Select tags whose name contains the text literally."""
    return Tag.key.contains(tag_key(query), autoescape=True)


def listed(text: str, wanted: Wanted) -> tuple[list[Tag], str | None]:
    """Return one page of tags for a program, and the cursor of the next."""
    return paging.page(select(Tag).where(matching(text)), {"name": Order(Tag.key, str)}, Tag.id, wanted)


def unused() -> ColumnElement[bool]:
    """Select tags that no todo has, not even one in the trash."""
    return ~exists().where(todo_tags.c.tag_id == Tag.id)


def check_new(viewer: User, names: Sequence[str]) -> None:
    """Refuse names that would make new tags, from those who may not make any.

    Raises:
        Denied: naming them.
    """
    if can(viewer, "can_create", "Tag"):
        return
    keys = {tag.key for tag in known(names)}
    if missing := [name for name in names if tag_key(name) not in keys]:
        raise Denied(f"There is no tag called {', '.join(missing)}, and your role does not let you add one.")


def put(viewer: User, todo: Todo, names: Sequence[str]) -> None:
    """Give a todo exactly these tags, within the present transaction; new ones are made.

    Raises:
        Denied: see `check_new`.
        Invalid: when a name cannot be one.
    """
    wanted = {tag_key(name): name for name in split(",".join(names))}
    if set(wanted) == {tag.key for tag in todo.tags}:
        return
    with db.session.no_autoflush:
        todo.tags = held(viewer, list(wanted.values()))


def held(viewer: User, names: Sequence[str]) -> list[Tag]:
    """Return tags that nobody deletes or merges until the present transaction ends; new ones are made.

    Raises:
        Denied: see `check_new`.
    """
    wanted = {tag_key(name): name for name in names}
    check_new(viewer, list(wanted.values()))
    if set(wanted) - {tag.key for tag in known(wanted.values())}:
        _lock()
    found = _held(wanted)
    return found + [Tag(name=wanted[key]) for key in sorted(set(wanted) - {tag.key for tag in found})]


def made(names: Iterable[str]) -> dict[str, int]:
    """Return key -> id of tags with these names, within the present transaction; those that are missing are made."""
    wanted = {tag_key(name): name for name in names}
    if not wanted:
        return {}
    if set(wanted) - {tag.key for tag in known(wanted.values())}:
        _lock()
    found = {tag.key: tag for tag in _held(wanted)}
    new = [Tag(name=wanted[key]) for key in sorted(set(wanted) - set(found))]
    db.session.add_all(new)
    db.session.flush()
    return {tag.key: tag.id for tag in (*found.values(), *new)}


def _lock() -> None:
    """Let one transaction at a time make tags, until it ends: whoever waits finds what the other one made."""
    take_turns(db.session(), TAGS_LOCK)


def _held(keys: Iterable[str]) -> list[Tag]:
    """Return the tags with these keys; nobody deletes or merges them until the transaction ends."""
    hold(db.session())
    found = select(Tag).where(Tag.key.in_(list(keys))).order_by(Tag.key)
    return list(db.session.scalars(found.with_for_update(read=True, key_share=True)))


def save(tag: Tag, name: str, colour: str) -> None:
    """Add a tag, or rename or recolour one.

    Raises:
        Invalid: when the name cannot be one.
        Conflict: when another tag has it.
    """
    name = cleaned(name)
    try:
        with transaction() as session:
            _lock()
            renamed = tag.id is not None and tag.name != name
            tag.name, tag.colour = name, colour
            session.add(tag)
            session.flush()
            if renamed:
                _touch([tag.id])
    except IntegrityError as error:
        raise Conflict(f"There is a tag called {name} already. To make one of both, choose them and merge.") from error


def merge(tags: Sequence[Tag], into: Tag) -> int:
    """Put `into` on all todos that have one of the other tags, which are deleted then; one transaction.

    Returns:
        How many todos have another tag now.
    """
    old = [tag.id for tag in tags if tag.id != into.id]
    with transaction() as session:
        hold(db.session())
        rows = select(Tag).where(Tag.id.in_([*old, into.id])).order_by(Tag.id).with_for_update()
        held = {tag.id: tag for tag in session.scalars(rows.execution_options(populate_existing=True))}
        if into.id not in held:
            raise Conflict("Somebody deleted the tag that was to be kept. Reload the list and choose again.")
        changed = _touch(old)
        having = select(todo_tags.c.todo_id).where(todo_tags.c.tag_id == into.id)
        moved = select(todo_tags.c.todo_id).where(todo_tags.c.tag_id.in_(old), todo_tags.c.todo_id.not_in(having))
        if new := [{"todo_id": pk, "tag_id": into.id} for pk in session.scalars(moved.distinct())]:
            session.execute(insert(todo_tags), new)
        _take_off(old)
        for pk in old:
            if pk in held:
                session.delete(held[pk])
    return changed


def delete_tags(tags: Sequence[Tag]) -> None:
    """Delete tags and take them off all todos."""
    ids = [tag.id for tag in tags]
    with transaction() as session:
        _lock()
        _touch(ids)
        _take_off(ids)
        for tag in tags:
            session.delete(tag)


def _take_off(tag_ids: Sequence[int]) -> None:
    """Take tags off all todos; the audit trail would not see the database do it."""
    db.session.execute(delete(todo_tags).where(todo_tags.c.tag_id.in_(tag_ids)))


def _touch(tag_ids: Sequence[int]) -> int:
    """Let the forms of todos that are open now be stale: they would bring the old name back."""
    having = select(todo_tags.c.todo_id).where(todo_tags.c.tag_id.in_(tag_ids))
    new = {"version": Todo.version + 1, "updated_at": utcnow()}
    statement = update(Todo).where(Todo.id.in_(having)).values(new)
    return int(db.session.execute(statement.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]
