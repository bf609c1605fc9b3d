"""Comments: whoever sees a todo may comment on it, if their role lets them comment at all."""

import re
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import aliased, contains_eager, joinedload, selectinload
from sqlalchemy.orm.exc import StaleDataError

from app.db import transaction, utcnow
from app.errors import Conflict, Denied, Invalid, NotFound
from app.extensions import db
from app.models.comments import LONGEST_COMMENT, Comment, comment_mentions
from app.models.todos import Todo
from app.models.users import User
from app.services import notifications, paging
from app.services.paging import Order, Wanted
from app.services.permissions import can
from app.services.todos_rules import readers_of, visible_to

EDITABLE = timedelta(minutes=15)
MOST_MENTIONS = 20
# not within a word, an address of mail or a path
MENTION = re.compile(r"(?:(?<=[\s(\[{\"'“‘,;:])|^)@([\w.@+-]+)")
STALE = "You changed this comment in another window meanwhile. Nothing you typed is lost: saving again replaces it."


def may_comment(viewer: User) -> bool:
    """Tell whether the viewer's role lets them comment on what they see."""
    return can(viewer, "can_add", "Comment")


def may_edit(viewer: User, comment: Comment) -> bool:
    """Tell whether a comment is the viewer's own and still young enough to be changed or deleted."""
    own = comment.author_id == viewer.id and may_comment(viewer)
    return own and utcnow() - comment.created_at < EDITABLE


def live(todo_id: int) -> ColumnElement[bool]:
    """Select the comments on a todo that are not deleted."""
    return (Comment.todo_id == todo_id) & Comment.deleted_at.is_(None)


def before(todo_id: int, instant: datetime | None, limit: int) -> list[Comment]:
    """Return the latest comments on a todo, or those before an instant, the latest first."""
    latest = select(Comment).where(live(todo_id)).order_by(Comment.created_at.desc(), Comment.id.desc())
    if instant is not None:
        latest = latest.where(Comment.created_at < instant)
    # with joinedload SQLite reads the mentions of all comments: it joins them to people first
    one, mentioned = aliased(Comment, latest.limit(limit).subquery()), aliased(User)
    statement = select(one).outerjoin(comment_mentions, comment_mentions.c.comment_id == one.id)
    statement = statement.outerjoin(mentioned, mentioned.id == comment_mentions.c.user_id)
    statement = statement.options(joinedload(one.author), contains_eager(one.mentions.of_type(mentioned)))
    in_order = statement.order_by(one.created_at.desc(), one.id.desc(), mentioned.username)
    return list(db.session.scalars(in_order).unique())


def listed(todo: Todo, wanted: Wanted) -> tuple[list[Comment], str | None]:
    """Return one page of comments for a program, and the cursor of the next."""
    statement = select(Comment).where(live(todo.id)).options(joinedload(Comment.author))
    return paging.page(statement, {"id": Order(Comment.id, int)}, Comment.id, wanted)


def own(viewer: User, comment_id: int, deleted: bool = False) -> Comment:
    """Return a comment that the viewer may change.

    Raises:
        NotFound: when there is none on a todo that the viewer may see.
        Denied: when it is somebody else's, or too old.
    """
    statement = select(Comment).join(Todo).where(visible_to(viewer), Comment.id == comment_id)
    statement = statement.options(
        joinedload(Comment.author), selectinload(Comment.mentions), contains_eager(Comment.todo)
    )
    hidden = Comment.deleted_at.is_not(None) if deleted else Comment.deleted_at.is_(None)
    comment = db.session.scalar(statement.where(hidden))
    if comment is None:
        raise NotFound("There is no such comment. It may have been deleted.")
    if not may_edit(viewer, comment):
        minutes = int(EDITABLE.total_seconds() // 60)
        raise Denied(f"You can change your own comments only, for {minutes} minutes. Write another one instead.")
    return comment


def add(viewer: User, todo: Todo, body: str) -> Comment:
    """Comment on a todo that the viewer sees, and tell those who are mentioned.

    Raises:
        Denied: when the viewer's role does not let them comment.
        Invalid: when the text is empty or too long.
    """
    if not may_comment(viewer):
        raise Denied("Your role does not let you comment.")
    comment = Comment(todo=todo, author=viewer, body=checked(body))
    with transaction() as session:
        session.add(comment)
        _mention(viewer, comment)
    return comment


def edit(viewer: User, comment: Comment, version: str | int | None, body: str) -> None:
    """Change the text of one's own comment, of which the viewer read `version`.

    Raises:
        Invalid: when the text is empty or too long.
        Conflict: when it was changed in another window.
    """
    body = checked(body)
    if str(version) != str(comment.version):
        raise Conflict(STALE)
    try:
        with transaction():
            if comment.body != body:
                comment.body, comment.edited_at = body, utcnow()
                _mention(viewer, comment)
    except StaleDataError as error:
        raise Conflict(STALE) from error


def remove(viewer: User, comment_id: int) -> Comment:
    """Delete one's own comment; see `own` for what is refused."""
    comment = own(viewer, comment_id)
    with transaction():
        comment.deleted_at = utcnow()
    return comment


def restore(viewer: User, comment_id: int) -> Comment:
    """Take back the deletion of one's own comment; see `own` for what is refused."""
    comment = own(viewer, comment_id, deleted=True)
    with transaction():
        comment.deleted_at = None
    return comment


def purge_deleted(days: int) -> int:
    """Delete for ever what was deleted so many days ago, and return how many comments there were."""
    old = Comment.deleted_at < utcnow() - timedelta(days=days)
    with transaction() as session:
        return session.execute(delete(Comment).where(old)).rowcount  # type: ignore[attr-defined]


def checked(body: str) -> str:
    """Return a text as it is stored.

    Raises:
        Invalid: when it is empty, too long or holds what PostgreSQL does not store.
    """
    body = body.replace("\r\n", "\n").strip()
    if not body:
        raise Invalid("Write something first.")
    if len(body) > LONGEST_COMMENT:
        raise Invalid(f"A comment has at most {LONGEST_COMMENT:,} characters; this one has {len(body):,}.")
    if "\x00" in body:
        raise Invalid("There are invisible control characters in this text. Type it anew.")
    return body


def mention_keys(text: str) -> list[str]:
    """Return what a @username may stand for, in lower case: a name may end with a full stop, a sentence too."""
    return list(dict.fromkeys((text.lower(), text.lower().rstrip(".-+@"))))


def unheard(comment: Comment) -> list[str]:
    """Return the names that a text mentions in vain, since nobody of that name sees the todo."""
    heard = {user.username.lower() for user in comment.mentions}
    names = dict.fromkeys(MENTION.findall(comment.body))
    return [name.rstrip(".-+@") for name in names if heard.isdisjoint(mention_keys(name))]


def _mention(viewer: User, comment: Comment) -> None:
    """Find out who is mentioned, as far as they may see the todo, and tell those who were not told before."""
    db.session.flush()
    keys = {key for name in MENTION.findall(comment.body)[:MOST_MENTIONS] for key in mention_keys(name)}
    found = select(User).where(func.lower(User.username).in_(keys), readers_of(comment.todo_id))
    comment.mentions = list(db.session.scalars(found.order_by(User.username))) if keys else []
    ids = [user.id for user in comment.mentions]
    notifications.tell(ids, "mentioned", key=f"comment:{comment.id}", by=viewer, todo_id=comment.todo_id)
