"""The one-box search: every word of it literally, in whatever belongs to a todo; what fits best comes first.

A scan, not an index: PostgreSQL's trigrams are an extension that not every host has, and SQLite has none. The row rule
narrows it first, so only those who see all todos search all of them.
"""

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, literal, or_, select, true

from app.db import folded
from app.models.attachments import Attachment
from app.models.tags import Tag, tag_key, todo_tags
from app.models.todos import Todo, todo_assignees
from app.models.users import User

MOST_WORDS = 8


def words(query: str) -> list[str]:
    """Return the words of a query in lower case, as many as are looked for."""
    return query.lower().split()[:MOST_WORDS]


def matching(query: str) -> ColumnElement[bool]:
    """Select todos where every word stands in title, notes, tags, names of people or names of files."""
    found = (or_(_in(Todo.title, word), _in(Todo.notes, word), *_beside(word)) for word in words(query))
    return and_(true(), *found)


def rank(query: str) -> ColumnElement[int]:
    """Return how well a todo that matches fits, 0 the best.

    The title as a whole, its beginning, the beginning of a word of it, anywhere in it; then tags, people, files, notes.
    """
    text, title = " ".join(words(query)), folded(Todo.title)
    beside = list(zip(*(_beside(word) for word in words(query)), strict=True)) or [(true(),)] * 3
    return case(
        (title == text, 0),
        (title.startswith(text, autoescape=True), 1),
        ((literal(" ") + title).contains(f" {text}", autoescape=True), 2),
        (and_(true(), *(_in(Todo.title, word) for word in words(query))), 3),
        *((or_(*anywhere), 4 + place) for place, anywhere in enumerate(beside)),
        else_=7,
    )


def _in(column: SQLColumnExpression[str], word: str) -> ColumnElement[bool]:
    """Tell whether a text contains a word, whatever the case of the letters."""
    return folded(column).contains(word, autoescape=True)


def _beside(word: str) -> tuple[ColumnElement[bool], ...]:
    """Select todos with a word in their tags, in names of their people, in names of their files."""
    tags = select(todo_tags.c.todo_id).join(Tag).where(Tag.key.contains(tag_key(word), autoescape=True))
    names = (User.first_name + " " + User.last_name, User.username)
    people = select(User.id).where(or_(*(_in(name, word) for name in names)))
    assigned = select(todo_assignees.c.todo_id).where(todo_assignees.c.user_id.in_(people))
    files = select(Attachment.todo_id).where(Attachment.todo_id.is_not(None), _in(Attachment.name, word))
    return Todo.id.in_(tags), or_(Todo.owner_id.in_(people), Todo.id.in_(assigned)), Todo.id.in_(files)
