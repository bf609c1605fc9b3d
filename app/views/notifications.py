"""The bell: what one was told, and what is new."""

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_login import current_user

from app.security import safe_target, viewer
from app.services import notifications
from app.views.jobs import title
from app.views.pages import Page, has_access, wants_json
from app.views.rows import is_id


class NotificationPages(Page):
    """One's own notifications."""

    route_base = "/notifications"
    class_permission_name = "Notification"
    extra_args = {"title_of": title}

    @expose("")
    @has_access
    @permission_name("list")
    def index(self) -> ResponseReturnValue:
        """Show one page of notifications, newest first."""
        self.update_redirect()
        before = int(text) if is_id(text := request.args.get("before", "")) else None
        found, more = notifications.page(viewer(), before)
        return self.page("notifications", notifications=found, more=more)

    @expose("/unread")
    @has_access
    @permission_name("list")
    def unread(self) -> ResponseReturnValue:
        """Return how many are unread, for the script of the bell."""
        return jsonify(unread=current_user.unread)

    @expose("/read", methods=["POST"])
    @has_access
    @permission_name("read")
    def read(self) -> ResponseReturnValue:
        """Mark one notification as read, or all of them; saying it twice does no harm."""
        chosen = request.form.get("id", "")
        notifications.mark_read(viewer(), (int(chosen) if is_id(chosen) else 0) if chosen else None)
        if wants_json():
            return jsonify(read=True)
        return redirect(safe_target(url_for(".index")))
