"""Files in the database: stored and read in chunks, never whole."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from sqlalchemy import ColumnElement, Engine, and_, delete, insert, or_, select, tuple_, update

from app.db import transaction, utcnow
from app.errors import Invalid, NotFound
from app.extensions import db
from app.metrics import UPLOAD_BYTES, UPLOADS
from app.models.attachments import CHUNK_SIZE, ORIGINAL, THUMBNAIL, Attachment, AttachmentChunk
from app.models.jobs import Job
from app.models.todos import Todo
from app.models.users import User
from app.services import quotas

SWEEP_CHUNKS = 100  # in one transaction: 25 MiB
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Files:
    """What a form does with the files of a todo: those not named stay."""

    added: list[Attachment] = field(default_factory=list)
    removed: set[int] = field(default_factory=set)


def visible_to(viewer: User, todos: ColumnElement[bool]) -> ColumnElement[bool]:
    """Select the files that the viewer may read: those of visible todos, of own jobs, and own unsaved uploads.

    Args:
        todos: `services.todos.visible_to(viewer)`.
    """
    return or_(
        Attachment.todo_id.in_(select(Todo.id).where(todos)),
        Attachment.job_id.in_(select(Job.id).where(Job.owner_id == viewer.id)),
        unsaved(viewer),
    )


def unsaved(viewer: User) -> ColumnElement[bool]:
    """Select the viewer's uploads that belong to nothing yet."""
    return and_(Attachment.todo_id.is_(None), Attachment.job_id.is_(None), Attachment.uploaded_by_id == viewer.id)


def get(viewer: User, attachment_id: int, todos: ColumnElement[bool]) -> Attachment:
    """Return the facts about a file.

    Raises:
        NotFound: when there is none that the viewer may read.
    """
    found = db.session.scalar(select(Attachment).where(visible_to(viewer, todos), Attachment.id == attachment_id))
    if found is None:
        raise NotFound("There is no such file. It may have been removed.")
    return found


def store(stream: BinaryIO, name: str, content_type: str, *, uploader_id: int | None) -> Attachment:
    """Copy a stream into the database within the present transaction, one chunk in memory at a time."""
    session = db.session
    row = Attachment(name=name, content_type=content_type, uploaded_by_id=uploader_id, size=0, sha256="")
    session.add(row)
    session.flush()
    digest = hashlib.sha256()
    position = 0
    while data := stream.read(CHUNK_SIZE):
        digest.update(data)
        row.size += len(data)
        values = {"attachment_id": row.id, "variant": ORIGINAL, "position": position, "data": data}
        session.execute(insert(AttachmentChunk.__table__).values(values))
        position += 1
    row.sha256 = digest.hexdigest()
    UPLOADS.inc()
    UPLOAD_BYTES.inc(row.size)
    return row


def stage(viewer: User, stream: BinaryIO, name: str, content_type: str) -> Attachment:
    """Keep an upload until the form that it came with can be saved.

    Raises:
        Invalid: when the viewer's space is full; nothing is kept.
    """
    with transaction():
        row = store(stream, name, content_type, uploader_id=viewer.id)
        db.session.flush()
        quotas.check_person(viewer.id)
        return row


def staged(viewer: User, ids: Sequence[int]) -> list[Attachment]:
    """Return the viewer's unsaved uploads among `ids`.

    Raises:
        Invalid: when one is somebody else's, saved elsewhere or swept.
    """
    found = list(db.session.scalars(select(Attachment).where(unsaved(viewer), Attachment.id.in_(ids)))) if ids else []
    if len(found) != len(set(ids)):
        raise Invalid("An upload of this form is not there any more. Choose the file again.")
    return found


def attach(todo: Todo, files: Files | None) -> None:
    """Do what a form wants with the files of a todo, within its transaction.

    Raises:
        Invalid: when they are too large together.
    """
    if files is None:
        return
    for attachment in [row for row in todo.attachments if row.id in files.removed]:
        todo.attachments.remove(attachment)
    todo.attachments.extend(files.added)
    if files.added:
        db.session.flush()
        quotas.check_todo(todo.id)


def save_picture(attachment_id: int, variant: int, data: bytes) -> None:
    """Store what was drawn of an image, its thumbnail or its preview, in the place of what was drawn before."""
    common = {"attachment_id": attachment_id, "variant": variant}
    pieces = [data[start : start + CHUNK_SIZE] for start in range(0, len(data), CHUNK_SIZE)]
    size = {"thumbnail_size" if variant == THUMBNAIL else "preview_size": len(data)}
    with transaction() as session:
        session.execute(delete(AttachmentChunk).filter_by(**common))
        session.execute(
            insert(AttachmentChunk), [common | {"position": place, "data": one} for place, one in enumerate(pieces)]
        )
        session.execute(update(Attachment).where(Attachment.id == attachment_id).values(size))


def lose(which: ColumnElement[bool]) -> int:
    """Cut files loose from whatever they belong to, within the present transaction; `sweep_lost` takes them away."""
    values = {"todo_id": None, "job_id": None, "uploaded_by_id": None, "created_at": LONG_AGO}
    statement = update(Attachment).where(which).values(values).execution_options(synchronize_session=False)
    return db.session.execute(statement).rowcount  # type: ignore[attr-defined]


def sweep_unsaved(older_than_hours: int) -> int:
    """Delete uploads whose form was never saved and return how many there were."""
    limit = utcnow() - timedelta(hours=older_than_hours)
    with transaction():
        count = lose(and_(Attachment.todo_id.is_(None), Attachment.job_id.is_(None), Attachment.created_at < limit))
    sweep_lost()
    return count


def sweep_lost() -> None:
    """Delete the files that were cut loose, in transactions of `SWEEP_CHUNKS` chunks at most."""
    lost = and_(Attachment.todo_id.is_(None), Attachment.job_id.is_(None), Attachment.created_at == LONG_AGO)
    key = (AttachmentChunk.attachment_id, AttachmentChunk.variant, AttachmentChunk.position)
    some = select(*key).join(Attachment, Attachment.id == AttachmentChunk.attachment_id).where(lost)
    deleted = SWEEP_CHUNKS
    while deleted == SWEEP_CHUNKS:
        with transaction() as session:
            chunks = delete(AttachmentChunk).where(tuple_(*key).in_(some.limit(SWEEP_CHUNKS)))
            deleted = session.execute(chunks.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    with transaction() as session:
        session.execute(delete(Attachment).where(lost).execution_options(synchronize_session=False))


class Reader(io.RawIOBase):
    """A file in the database as a seekable stream; one chunk in memory, no connection held between chunks."""

    def __init__(self, engine: Engine, attachment_id: int, size: int, variant: int = ORIGINAL) -> None:
        self._engine, self._id, self._size, self._variant = engine, attachment_id, size, variant
        self._at = 0
        self._loaded: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a byte, as files do."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of the present chunk."""
        if self._at >= self._size:
            return 0
        data = self._chunk(self._at // CHUNK_SIZE)
        start = self._at % CHUNK_SIZE
        part = data[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _chunk(self, position: int) -> bytes:
        """Return one chunk, from memory if it is the last one read.

        Raises:
            OSError: when the file was deleted while it was read.
        """
        if self._loaded[0] != position:
            statement = select(AttachmentChunk.data).where(
                AttachmentChunk.attachment_id == self._id,
                AttachmentChunk.variant == self._variant,
                AttachmentChunk.position == position,
            )
            with self._engine.connect() as connection:
                data = connection.scalar(statement)
            if data is None:
                raise OSError("the file was deleted while it was read")
            self._loaded = (position, data)
        return self._loaded[1]


def open_file(attachment: Attachment, variant: int = ORIGINAL) -> io.BufferedReader:
    """Return the bytes of a file, or of one of its pictures, as a stream."""
    return io.BufferedReader(Reader(db.engine, attachment.id, attachment.size_of(variant), variant), CHUNK_SIZE)
