"""Rows for tests; each function needs only what the test is about."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import select
from werkzeug.security import generate_password_hash

from app.db import transaction, utcnow
from app.extensions import db
from app.models import ApiKey, Attachment, AttachmentChunk, Comment, Job, SavedFilter, Tag, Todo, User
from app.services import api_keys

PASSWORD = "plain horse battery staple"
# one cheap hash for all: scrypt as in production would take a tenth of a second for each user
HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:1")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738"
    "550000000049454e44ae426082"
)


def create_user(username: str = "dora", role: str = "Member", **fields: Any) -> User:
    """Add a user with one role."""
    return _added(_user(username, db.session.scalar(select(Role).where(Role.name == role)), **fields))


def create_users(roles: dict[str, str]) -> dict[str, User]:
    """Add users, username -> role, in one transaction: most tests begin with it."""
    found = {role.name: role for role in db.session.scalars(select(Role).where(Role.name.in_(roles.values())))}
    people = {username: _user(username, found[role]) for username, role in roles.items()}
    with transaction() as session:
        session.add_all(people.values())
    return people


def _user(username: str, role: Role, **fields: Any) -> User:
    facts = {"first_name": username.capitalize(), "last_name": role.name, "email": f"{username}@example.org"}
    return User(username=username, roles=[role], password=HASH, active=True, **(facts | fields))


def create_todo(owner: User, title: str = "Water the plants", **fields: Any) -> Todo:
    """Add a todo."""
    return _added(Todo(owner=owner, title=title, **fields))


def create_tag(name: str = "home", *todos: Todo, colour: str = "green") -> Tag:
    """Add a tag, on these todos."""
    tag = _added(Tag(name=name, colour=colour))
    for todo in todos:
        todo.tags = [*todo.tags, tag]
        _added(todo)
    return tag


def create_comment(todo: Todo, author: User, body: str = "Which plants?", **fields: Any) -> Comment:
    """Add a comment."""
    return _added(Comment(todo=todo, author=author, body=body, **fields))


def create_filter(owner: User, name: str = "Late", query: str = "show=overdue") -> SavedFilter:
    """Add a named filter."""
    return _added(SavedFilter(owner_id=owner.id, name=name, query=query))


def create_attachment(
    todo: Todo | None = None, data: bytes = PNG, name: str = "dot.png", kind: str = "image/png", **fields: Any
) -> Attachment:
    """Add a file with its bytes in one chunk."""
    digest = hashlib.sha256(data).hexdigest()
    row = Attachment(todo=todo, name=name, content_type=kind, size=len(data), sha256=digest, **fields)
    _added(row)
    _added(AttachmentChunk(attachment_id=row.id, variant=0, position=0, data=data))
    return row


def create_job(owner: User | None, status: str = "queued", name: str = "todos.export", **fields: Any) -> Job:
    """Add a job."""
    if status == "running":
        fields = {"attempt": 1, "started_at": utcnow()} | fields
    return _added(
        Job(owner=owner, name=name, status=status, args=fields.pop("args", {"selection": {"ids": []}}), **fields)
    )


def create_key(user: User, scope: str = "write", **fields: Any) -> str:
    """Add an API key and return its secret."""
    secret = api_keys.PREFIX + secrets.token_urlsafe(32)
    facts = {"prefix": secret[: api_keys.SHOWN], "digest": api_keys.digest_of(secret)}
    facts |= {"expires_at": utcnow() + timedelta(days=30)} | fields
    _added(ApiKey(user_id=user.id, name=f"{scope} key", scope=scope, **facts))
    return secret


def bearer(token: str) -> dict[str, str]:
    """Return the header by which a program shows a token."""
    return {"Authorization": f"Bearer {token}"}


def _added(row: Any) -> Any:
    with transaction() as session:
        session.add(row)
        session.flush()  # its number is known within a transaction of the caller, too
    return row
