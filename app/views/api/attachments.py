"""Files in the REST API: streamed in and out, whole or in ranges."""

import shutil
import tempfile
from typing import Any

from flask import Response, current_app, request
from flask_appbuilder.api import expose
from marshmallow import Schema
from werkzeug.datastructures import FileStorage

from app.errors import Denied, Invalid, Unprocessable, Unsupported
from app.models.attachments import CHUNK_SIZE, ORIGINAL, Attachment
from app.models.todos import Todo
from app.security import viewer
from app.services import attachments, todos, uploads
from app.services.todos_rules import may_change, visible_to
from app.views.api.base import Api, operation
from app.views.api.schemas import ID, Number, Text
from app.views.api.todos_schemas import FileSchema
from app.views.attachments import draw, send
from app.views.widgets import keep

BYTES, FORM = "application/octet-stream", "multipart/form-data"
FORM_BYTES = 64 << 10  # of a form around its file
BINARY = {"type": "string", "format": "binary"}
UPLOAD = {
    BYTES: {"schema": BINARY},
    FORM: {"schema": {"type": "object", "properties": {"file": BINARY}, "required": ["file"]}},
}


class UploadSchema(Schema):
    """Where a file belongs."""

    todo_id = Number(required=True, validate=ID)
    name = Text(200, load_default="", metadata={"description": "Of the file, when it is sent without a form."})


class AttachmentApi(Api):
    """Files of todos, and the results of jobs."""

    resource_name = "attachments"
    class_permission_name = "Attachment"
    openapi_spec_tag = "Files"

    @expose("/", methods=["POST"])
    @operation(
        "Add a file to a todo",
        "add",
        query=UploadSchema,
        content=UPLOAD,
        answer=FileSchema,
        status=201,
        once=True,
        errors=(404,),
    )
    def add(self, query: dict[str, Any]) -> Attachment:
        """Keep a file: its type is found in its content, and nothing of it stays in memory."""
        todo = changeable(query["todo_id"])
        with tempfile.SpooledTemporaryFile(CHUNK_SIZE) as spool:
            file = sent(spool, query["name"])
            name = uploads.clean_name(file.filename or "")
            try:
                kept = keep(file)
            except Invalid as error:
                raise Unprocessable(f"{name} {error.message}.", {"file": [f"{error.message}."]}) from error
        files = attachments.Files(added=[kept])
        todos.update_todo(viewer(), todo, todo.version, files)
        draw(files)
        return kept

    @expose("/<id:file_id>", methods=["GET"])
    @operation("Read the facts about a file", "show", answer=FileSchema)
    def get(self, file_id: int) -> Attachment:
        """Return the facts about a file."""
        return attachments.get(viewer(), file_id, visible_to(viewer()))

    @expose("/<id:file_id>/content", methods=["GET"])
    @operation("Download a file", "show", download={"*/*": {"schema": BINARY}}, errors=(416,))
    def content(self, file_id: int) -> Response:
        """Send the bytes, whole or in ranges (RFC 9110)."""
        return send(attachments.get(viewer(), file_id, visible_to(viewer())), ORIGINAL)

    @expose("/<id:file_id>", methods=["DELETE"])
    @operation("Remove a file from its todo", "delete", errors=(409,))
    def delete(self, file_id: int) -> None:
        """Remove a file; those of jobs go with the job."""
        file = attachments.get(viewer(), file_id, visible_to(viewer()))
        if file.todo_id is None:
            raise Denied("This file does not belong to a todo.")
        todo = changeable(file.todo_id)
        todos.update_todo(viewer(), todo, todo.version, attachments.Files(removed={file_id}))


def changeable(todo_id: int) -> Todo:
    """Return a todo that the viewer may change.

    Raises:
        NotFound: when there is none that the viewer may see.
        Denied: when the viewer may not change it.
    """
    todo = todos.get(viewer(), todo_id)
    if not may_change(viewer(), todo):
        raise Denied("You can see this todo but not change it.")
    return todo


def sent(spool: Any, name: str) -> FileStorage:
    """Return the file that was sent, in a form or as the body itself, which is copied to disk in chunks.

    Raises:
        Unsupported: when the body is neither.
        Unprocessable: when the form has no file, or the body no name.
    """
    limit = current_app.config["MAX_UPLOAD_MB"] << 20
    request.max_content_length = limit + (FORM_BYTES if request.mimetype == FORM else 0)
    if request.mimetype == FORM:
        file = request.files.get("file")
        if file is None or not file.filename:
            raise Unprocessable("Send the file as the field “file” of the form.", {"file": ["Missing."]})
        return file
    if request.mimetype != BYTES:
        raise Unsupported(f"Send {FORM}, or the bytes as {BYTES}.")
    if not name:
        raise Unprocessable("Give the file a name.", {"name": ["Missing."]})
    shutil.copyfileobj(request.stream, spool, CHUNK_SIZE)
    spool.seek(0)
    return FileStorage(spool, filename=name)
