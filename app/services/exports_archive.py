"""Todos with their attachments as a ZIP archive, written as the files are read."""

import shutil
import zipfile
from types import TracebackType
from typing import IO

from sqlalchemy import ColumnElement, func, select

from app.errors import TooLarge
from app.extensions import db
from app.models.attachments import CHUNK_SIZE, Attachment
from app.models.todos import Todo
from app.services import attachments
from app.services.exports import File
from app.services.uploads import clean_name

MOST_BYTES = 2 << 30  # of attachments in one archive: it becomes rows of the database


def check_size(which: ColumnElement[bool]) -> None:
    """Refuse more attachments than fit.

    Raises:
        TooLarge: when the files of these todos have more than `MOST_BYTES` together.
    """
    files = select(func.coalesce(func.sum(Attachment.size), 0)).where(
        Attachment.todo_id.in_(select(Todo.id).where(which))
    )
    if (size := db.session.scalar(files) or 0) > MOST_BYTES:
        most = MOST_BYTES / (1 << 30)
        raise TooLarge(
            f"The attachments have {size / (1 << 30):,.1f} GB together, more than {most:,.1f}. Choose fewer todos."
        )


class Archive(File):
    """A file of todos, and beside it their attachments, named by the todo's id, their own and their name."""

    extension, content_type = "zip", "application/zip"

    def __init__(self, inner: File) -> None:
        self._inner = inner
        super().__init__()

    def begin(self) -> None:
        """Begin the archive."""
        self._zip = zipfile.ZipFile(self.bytes, "w")

    def add(self, row: Todo) -> None:
        """Write a todo and its attachments."""
        self._inner.write([row])
        for file in row.attachments:
            # what is no text is compressed already
            how = zipfile.ZIP_DEFLATED if file.content_type.startswith("text/") else zipfile.ZIP_STORED
            with attachments.open_file(file) as stream:
                self._member(f"attachments/{row.id}/{file.id}-{clean_name(file.name)}", stream, how)

    def _member(self, name: str, stream: IO[bytes], how: int) -> None:
        """Copy a stream, one chunk in memory at a time."""
        info = zipfile.ZipInfo(name)
        info.compress_type = how
        with self._zip.open(info, "w", force_zip64=True) as member:
            shutil.copyfileobj(stream, member, CHUNK_SIZE)

    def end(self) -> None:
        """Add the file of todos."""
        self._member(self._inner.name, self._inner.content(), zipfile.ZIP_DEFLATED)
        self._zip.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._inner.__exit__(kind, error, at)
        self._zip.close()
        super().__exit__(kind, error, at)
