"""What the invented people of the demo say about their todos, and the tags they put on them."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from sqlalchemy import insert, select

from app.db import utcnow
from app.models.comments import Comment, comment_mentions
from app.models.saved_filters import SavedFilter
from app.models.tags import Tag, tag_key, todo_tags
from app.models.users import User
from app.services.demo_words import TAGS, remark

FILTERS = {"Late and urgent": "show=overdue&tag=urgent", "Waiting for somebody": "tag=waiting", "House": "tag=house"}


def add(session: Any, rng: Random, ids: Sequence[int], rows: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> None:
    """Put tags on most todos of the demo, in the present transaction."""
    known = {tag.key: tag.id for tag in session.scalars(select(Tag))}
    new = [{"name": name, "key": tag_key(name), "colour": colour} for name, (colour, _) in TAGS.items()]
    if missing := [row for row in new if row["key"] not in known]:
        session.execute(insert(Tag), missing)
    known = {tag.key: tag.id for tag in session.scalars(select(Tag))}
    pairs = []
    for todo_id, row, kind in zip(ids, rows, kinds, strict=True):
        fitting = [name for name, (_, of) in TAGS.items() if kind in of or not of]
        chosen = set(rng.sample(fitting, rng.choices(range(3), (25, 50, 25))[0]))
        chosen |= {"urgent"} if row["priority"] == 0 else set()
        pairs += [{"todo_id": todo_id, "tag_id": known[tag_key(name)]} for name in sorted(chosen)]
    session.execute(insert(todo_tags), pairs)


def discuss(
    session: Any, rng: Random, todos: Sequence[tuple[int, Mapping[str, Any], Sequence[int]]], admin: int
) -> None:
    """Let the people of some todos talk about them, and the admin keep a few filters.

    Args:
        session: of the present transaction.
        rng: what chance decides by.
        todos: id, row and assignees of those that are talked about.
        admin: whose filters they are.
    """
    now = utcnow()
    names = {pk: name for pk, name in session.execute(select(User.id, User.username))}  # noqa: C416, rows are no pairs to mypy
    rows, mentions = [], []
    for todo_id, todo, assigned in todos:
        people = [todo["owner_id"], *assigned]
        at = todo["created_at"]
        for _ in range(rng.randint(1, 4)):
            at += (now - at) * rng.uniform(0.1, 0.5)
            author, other = rng.choice(people), rng.choice(people)
            mentions.append([other] if other != author and rng.random() < 0.5 else [])
            text = "".join(f"@{names[pk]} " for pk in mentions[-1]) + remark(rng)
            rows.append({"todo_id": todo_id, "author_id": author, "body": text, "created_at": at})
    ids = session.scalars(insert(Comment).returning(Comment.id, sort_by_parameter_order=True), rows).all()
    pairs = [{"comment_id": pk, "user_id": user} for pk, users in zip(ids, mentions, strict=True) for user in users]
    session.execute(insert(comment_mentions), pairs)
    own = set(session.scalars(select(SavedFilter.name).where(SavedFilter.owner_id == admin)))
    kept = [{"owner_id": admin, "name": name, "query": query} for name, query in FILTERS.items() if name not in own]
    if kept:
        session.execute(insert(SavedFilter), kept)
