"""Import of todos: the file that is kept, and what its rows would become.

A row has a key: its id, or what it says, of whoever imports it. Todos remember the key of their row, so that the same
file adds nothing twice.
"""

from itertools import islice
from typing import BinaryIO

from sqlalchemy import select, update

from app.db import transaction
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models.attachments import Attachment
from app.models.jobs import Job
from app.models.users import User
from app.services import attachments, uploads
from app.services.imports_formats import records, survey
from app.services.imports_guess import Mapping
from app.services.imports_match import Matcher
from app.services.imports_read import KINDS, Source, recognise
from app.services.imports_values import Row

BATCH = 500  # rows
GONE = "The file of this import is not there any more. Choose it again."


def keep(viewer: User, stream: BinaryIO, name: str, limit: int) -> Attachment:
    """Keep an uploaded file until its import has a job.

    Args:
        limit: of its size, in MiB.

    Raises:
        Invalid: when it is too large, nothing that can be imported, or does not fit into the viewer's space.
    """
    name = uploads.clean_name(name)
    try:
        uploads.check_bytes(stream, limit)
        kind = KINDS[recognise(stream).kind][1]
        stream.seek(0)
        return attachments.stage(viewer, stream, name, kind)
    except Invalid as error:
        whole = error.message[0].isupper()
        raise Invalid(error.message if whole else f"{name} {error.message}.") from error


def give(file: Attachment, job: Job) -> None:
    """Let a file go with the job that reads it; a second copy, of a second click, goes away."""
    with transaction() as session:
        if job.args["file"] == file.id:
            session.execute(update(Attachment).where(Attachment.id == file.id).values(job_id=job.id))
        else:
            attachments.lose(Attachment.id == file.id)
    attachments.sweep_lost()


def remove(viewer: User, file_id: int) -> None:
    """Remove the file of an import of the viewer's before its job goes; what was imported stays."""
    with transaction():
        attachments.lose(Attachment.id == file_of(viewer, file_id).id)
    attachments.sweep_lost()


def is_kept(viewer: User, file_id: int) -> bool:
    """Tell whether the file of an import is still there."""
    which = (Attachment.id == file_id, Attachment.uploaded_by_id == viewer.id)
    return db.session.scalar(select(Attachment.id).where(*which)) is not None


def file_of(viewer: User, file_id: int) -> Attachment:
    """Return the file of an import of the viewer's.

    Raises:
        NotFound: when it was removed or purged.
    """
    file = db.session.scalar(select(Attachment).where(Attachment.id == file_id, Attachment.uploaded_by_id == viewer.id))
    if file is None:
        raise NotFound(GONE)
    return file


class Reading:
    """One pass over the file of an import, in batches.

    Raises:
        Invalid: when the file has no row, or too many.
        NotFound: when it is not there any more.
    """

    def __init__(self, viewer: User, file_id: int) -> None:
        self.viewer = viewer
        self._stream = attachments.open_file(file_of(viewer, file_id))
        self.source: Source = recognise(self._stream)
        self.count, self.columns = survey(self._stream, self.source)

    def start(self, mapping: Mapping) -> None:
        """Begin at the first row."""
        self._at, self._matcher = 0, Matcher(self.viewer, mapping)
        self._rows = self._matcher.read(records(self._stream, self.source))

    def rows(self, batch: range) -> list[Row]:
        """Return these rows, matched; those before are skipped."""
        skipped = batch.start - self._at
        for _ in islice(self._rows, skipped):
            pass
        found = list(islice(self._rows, len(batch)))
        self._at = batch.stop
        self._matcher.match(found)
        return found
