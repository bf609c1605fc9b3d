"""Files that jobs make: stored piece by piece, so that even a large one keeps nobody else from saving."""

import hashlib
from itertools import islice
from typing import BinaryIO

from sqlalchemy import insert, update

from app.db import transaction
from app.extensions import db
from app.models.attachments import CHUNK_SIZE, ORIGINAL, Attachment, AttachmentChunk

PIECE = 16  # chunks in one transaction: 4 MiB


def keep(stream: BinaryIO, name: str, content_type: str, job_id: int, owner_id: int) -> int:
    """Store a stream and return the file's id; it becomes the job's with the present transaction.

    Until then it is nobody's, and an attempt that ends before leaves it to `attachments.sweep_unsaved`. Nothing else
    may be uncommitted in the session: it would be committed with the first piece.
    """
    with transaction() as session:
        row = Attachment(name=name, content_type=content_type, size=0, sha256="")
        session.add(row)
        session.flush()
        file_id = row.id
    digest, size, position = hashlib.sha256(), 0, 0
    chunks = iter(lambda: stream.read(CHUNK_SIZE), b"")
    while piece := list(islice(chunks, PIECE)):
        common = {"attachment_id": file_id, "variant": ORIGINAL}
        rows = [common | {"position": place, "data": data} for place, data in enumerate(piece, start=position)]
        with transaction() as session:
            session.execute(insert(AttachmentChunk.__table__), rows)
        for data in piece:
            digest.update(data)
            size += len(data)
        position += len(piece)
    facts = {"job_id": job_id, "uploaded_by_id": owner_id, "size": size, "sha256": digest.hexdigest()}
    db.session.execute(update(Attachment).where(Attachment.id == file_id).values(facts))
    return file_id
