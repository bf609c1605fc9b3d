"""Jobs that work on files."""

from typing import Any

from flask import current_app

from app.errors import Invalid
from app.extensions import db
from app.models.attachments import Attachment
from app.services import attachments, thumbnails
from app.tasks.declare import Run, job


@job("attachments.thumbnail", title="Draw thumbnails", permission=None, time_limit=120, told=False)
def draw_thumbnails(run: Run, ids: list[int]) -> dict[str, Any]:
    """Draw thumbnails and previews of newly attached images; one that cannot be drawn stays a plain file."""
    problems: list[str] = []
    megapixels = current_app.config["MAX_IMAGE_MEGAPIXELS"]
    for batch in run.batches(ids, size=1):
        attachment = db.session.get(Attachment, batch[0])
        if attachment is None:
            continue  # removed meanwhile
        try:
            with attachments.open_file(attachment) as stream, thumbnails.bounded(megapixels):
                pictures = thumbnails.draw(stream, megapixels)
        except Invalid as error:
            problems.append(f"{attachment.name}: {error.message}")
        else:
            for variant, data in pictures.items():
                attachments.save_picture(attachment.id, variant, data)
    if problems:
        raise Invalid(" ".join(problems))
    return {"thumbnails": len(ids)}
