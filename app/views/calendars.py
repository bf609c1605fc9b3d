"""The calendar feed: its page on the profile, and the feed itself at a secret address."""

from flask import Blueprint, Response, abort, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name

from app.extensions import limiter
from app.models.todos import Todo
from app.security import viewer
from app.services import calendars
from app.tokens import feed_reader, feed_token
from app.views.pages import Page, has_access, notice

LIMIT = "60 per minute"


class CalendarPages(Page):
    """One's own calendar feed."""

    route_base = "/profile/calendar"
    class_permission_name = "Calendar"

    @expose("")
    @has_access
    @permission_name("show")
    def index(self) -> ResponseReturnValue:
        """Show the address of the feed, or how to get one."""
        feed = calendars.of_user(viewer())
        address = url_for("calendar.feed", token=feed_token(feed), _external=True) if feed else ""
        return self.page("calendar", feed=feed, address=address)

    @expose("/renew", methods=["POST"])
    @has_access
    @permission_name("edit")
    def renew(self) -> ResponseReturnValue:
        """Make a feed, or a new address for it."""
        calendars.renew(viewer())
        notice("Your calendar feed has a new address. An old one does not work any more.")
        return redirect(url_for(".index"))

    @expose("/close", methods=["POST"])
    @has_access
    @permission_name("edit")
    def close(self) -> ResponseReturnValue:
        """End the feed."""
        calendars.close(viewer())
        notice("Your calendar feed is closed.")
        return redirect(url_for(".index"))


calendar_pages = Blueprint("calendar", __name__)


@calendar_pages.get("/calendar/<token>.ics")
@limiter.limit(LIMIT)
def feed(token: str) -> Response:
    """Send the calendar to whoever has the address; a calendar program asks again and again, and often gets 304."""
    user = feed_reader(token)
    if user is None:
        abort(404)
    found = calendars.due(user)
    answer = make_response(calendars.written(user, found, page_of))
    answer.content_type = "text/calendar; charset=utf-8"
    answer.headers["Content-Disposition"] = 'inline; filename="todos.ics"'
    answer.headers["Cache-Control"] = "private, max-age=300"
    if found:
        answer.last_modified = max(todo.updated_at for todo in found)
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def page_of(todo: Todo) -> str:
    """Return the address of a todo's page."""
    return url_for("TodoPages.show", todo_id=todo.id, _external=True)
