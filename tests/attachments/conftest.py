"""The two doors for uploads: the forms of the user pages and those of the generated admin."""

import html
import io
import re
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from app.extensions import db
from app.models import Attachment, AttachmentChunk, Todo, User
from tests.conftest import Client

File = tuple[bytes, str]


class Door:
    """The forms of one UI, as a person uses them."""

    def __init__(self, client: Client, person: User, add_path: str, edit_path: str) -> None:
        self.client, self.person, self.add_path, self.edit_path = client, person, add_path, edit_path

    def add(self, *files: File, **fields: Any) -> Any:
        """Send the form for a new todo."""
        return self.send(self.add_path, files, {"title": "Plants"} | fields)

    def edit(self, todo: Todo, *files: File, **fields: Any) -> Any:
        """Send the form of a todo."""
        facts = {"title": todo.title, "version": str(todo.version)}
        return self.send(self.edit_path.format(todo.id), files, facts | fields)

    def send(self, path: str, files: Sequence[File], fields: dict[str, Any]) -> Any:
        """Send a form with files; names of fields may have "_" where the form has "-"."""
        facts = {name.replace("_", "-") if "attachments" in name else name: value for name, value in fields.items()}
        data = {"owner": self.person.username, "attachments": [upload(*file) for file in files]} | facts
        return submit(self.client, path, data)


def upload(data: bytes, name: str) -> FileStorage:
    """Return a file as a form sends it, declared to be an image whatever it is."""
    return FileStorage(io.BytesIO(data), name, content_type="image/png")


def submit(client: Client, path: str, fields: dict[str, Any]) -> Any:
    """Send a form with files; Werkzeug's client by itself leaves a temporary file open for each large one."""
    boundary, body = encode_multipart({"csrf_token": client.token()} | fields)
    return client.post(path, data=body, content_type=f"multipart/form-data; boundary={boundary}")


@pytest.fixture(params=("site", "admin"))
def door(request: pytest.FixtureRequest, login: Any, cast: Any) -> Door:
    """Each of the two doors in turn: Alice at the user pages, Max the manager in the admin."""
    if request.param == "site":
        return Door(login("alice"), cast.alice, "/todos", "/todos/{}")
    return Door(login("max"), cast.max, "/admin/todos/add", "/admin/todos/edit/{}")


def stored() -> list[Attachment]:
    """Return all files in the order of their ids, read afresh."""
    db.session.rollback()
    statement = select(Attachment).order_by(Attachment.id)
    return list(db.session.scalars(statement.execution_options(populate_existing=True)))


def chunk_count() -> int:
    """Return how many pieces of files the database holds."""
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(AttachmentChunk)) or 0


def waiting_in(page: str) -> list[str]:
    """Return the ids of the uploads that wait in the form of a page."""
    return re.findall(r'name="attachments-waiting" value="(\d+)"', page)


def readable(answer: Any) -> str:
    """Return a page with its entities resolved."""
    return html.unescape(answer.text)
