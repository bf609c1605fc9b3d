"""How much space one person and one todo may fill with files.

Both checks come after the write and look at what is really there, behind a lock: of two uploads that meet at the edge,
the second sees the first and is rolled back.
"""

from flask import current_app
from sqlalchemy import ColumnElement, func, or_, select

from app.errors import Invalid
from app.extensions import db
from app.models.attachments import Attachment
from app.models.jobs import Job
from app.models.todos import Todo
from app.models.users import User

MEGABYTE = 1 << 20
IMPORT = "todos.check_import"  # the job that keeps an imported file


def check_person(user_id: int) -> None:
    """Refuse what exceeds the space of one person, counting all that the person uploaded and nobody removed.

    Raises:
        Invalid: with the end of a sentence that begins with the name of the file.
    """
    limit = current_app.config["USER_QUOTA_MB"]
    # an update of the person's row has to wait, but neither a login elsewhere that only reads it nor a new reference
    db.session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    imports = select(Job.id).where(Job.owner_id == user_id, Job.name == IMPORT)
    uploaded = or_(Attachment.job_id.is_(None), Attachment.job_id.in_(imports))
    mine = (Attachment.uploaded_by_id == user_id) & uploaded  # what other jobs made is their result
    if _bytes(mine) > limit * MEGABYTE:
        raise Invalid(f"does not fit into your {limit} MB: remove files that you do not need")


def check_todo(todo_id: int) -> None:
    """Refuse what exceeds the space of one todo.

    Raises:
        Invalid: with a whole sentence.
    """
    db.session.execute(select(Todo.id).where(Todo.id == todo_id).with_for_update(key_share=True))
    check_size(_bytes(Attachment.todo_id == todo_id))


def check_size(size: int) -> None:
    """Refuse files of one todo that are too large together.

    Args:
        size: of all of them, in bytes.

    Raises:
        Invalid: with a whole sentence.
    """
    limit = current_app.config["TODO_QUOTA_MB"]
    if size > limit * MEGABYTE:
        raise Invalid(f"The files of a todo may have {limit} MB together, these have {size / MEGABYTE:,.1f} MB.")


def _bytes(which: ColumnElement[bool]) -> int:
    """Return the size of files together, in bytes."""
    return int(db.session.scalar(select(func.coalesce(func.sum(Attachment.size), 0)).where(which)) or 0)
