"""Files: served with the row rule of what they belong to."""

from flask import Response, abort, request, send_file
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name

from app.models.attachments import ORIGINAL, PREVIEW, THUMBNAIL, Attachment
from app.security import viewer
from app.services import attachments
from app.services.todos_rules import visible_to
from app.tasks.attachments import draw_thumbnails
from app.tasks.runner import submit_for
from app.views.pages import Page, has_access

INLINE = {"image/jpeg", "image/png", "image/gif", "image/webp"}


def draw(files: attachments.Files) -> None:
    """Have the pictures of newly saved images drawn, as the system's own job."""
    if images := [file.id for file in files.added if file.is_image]:
        submit_for(None, draw_thumbnails, ids=images)


def send(attachment: Attachment, variant: int) -> Response:
    """Stream the bytes with headers that let no browser run them."""
    is_original = variant == ORIGINAL
    kind = attachment.content_type if is_original else "image/webp"
    answer = send_file(
        attachments.open_file(attachment, variant),
        mimetype=kind,
        as_attachment=kind not in INLINE or "download" in request.args,
        download_name=attachment.name if is_original else f"{attachment.name}.webp",
        conditional=False,
        etag=attachment.sha256 if is_original else f"{attachment.sha256}-{variant}",
        last_modified=attachment.created_at,
    )
    answer.content_length = attachment.size_of(variant)
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    answer.headers["Cache-Control"] = "private, no-cache"  # kept, but asked for again: rights may change
    answer.make_conditional(request, accept_ranges=True, complete_length=answer.content_length)
    return answer


class AttachmentPages(Page):
    """A file, its pictures, and the page that shows an image."""

    route_base = "/files"
    class_permission_name = "Attachment"

    @expose("/<id:file_id>")
    @has_access
    @permission_name("show")
    def index(self, file_id: int) -> ResponseReturnValue:
        """Send a file: images to be shown, anything else to be saved; whole or in ranges (RFC 9110)."""
        return send(attachments.get(viewer(), file_id, visible_to(viewer())), ORIGINAL)

    @expose("/<id:file_id>/thumbnail")
    @has_access
    @permission_name("show")
    def thumbnail(self, file_id: int) -> ResponseReturnValue:
        """Send the small picture of an image."""
        return self.picture(file_id, THUMBNAIL)

    @expose("/<id:file_id>/preview")
    @has_access
    @permission_name("show")
    def preview(self, file_id: int) -> ResponseReturnValue:
        """Send the picture of an image that fits a screen."""
        return self.picture(file_id, PREVIEW)

    @expose("/<id:file_id>/show")
    @has_access
    @permission_name("show")
    def show(self, file_id: int) -> ResponseReturnValue:
        """Show an image between the others of its todo; one that cannot be drawn is a file to be saved."""
        self.update_redirect()
        return self.page("file", file=attachments.get(viewer(), file_id, visible_to(viewer())))

    def picture(self, file_id: int, variant: int) -> ResponseReturnValue:
        """Send what was drawn of an image."""
        attachment = attachments.get(viewer(), file_id, visible_to(viewer()))
        if not attachment.size_of(variant):
            abort(404)
        return send(attachment, variant)
