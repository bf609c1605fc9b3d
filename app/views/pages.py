"""The ground of all end-user pages: the start page, how a page is rendered, and how it says what happened."""

from collections.abc import Sequence
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, IndexView, expose
from flask_appbuilder.security.decorators import has_access
from flask_login import current_user

from app.security import safe_target
from app.services.todos import Outcome
from app.views.history import History

TITLES_SHOWN = 5
__all__ = ["Index", "Page", "counted", "has_access", "notice", "tell", "titles", "wants_json"]


class Index(History, IndexView):
    """The start page."""

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Go to one's todos."""
        return redirect(url_for("TodoPages.index"))


class Page(History, BaseView):
    """An end-user page; permission names are set by hand, since they are stored."""

    default_view = "index"

    def page(self, template: str, status: int = 200, **values: Any) -> ResponseReturnValue:
        """Render a template of templates/site/."""
        return self.render_template(f"site/{template}.html", **values), status

    def may(self, permission: str, on: str | None = None) -> bool:
        """Tell whether the viewer has a right on this or another thing."""
        return (permission, on or self.class_permission_name) in current_user.permissions

    def nothing_chosen(self) -> ResponseReturnValue:
        """Go back to the list and say what is missing."""
        flash("Choose at least one todo first.", "warning")
        return redirect(safe_target(url_for(".index")))


def wants_json() -> bool:
    """Tell whether one of our scripts asks, and not a form."""
    return request.accept_mimetypes.best == "application/json"


def notice(text: str, undo: int | None = None, back: str = "") -> None:
    """Say what happened; `undo` is the step that takes it back, `back` the address of what does so otherwise."""
    back = url_for("UndoPages.take_back", step_id=undo) if undo else back
    flash({"text": text, "back": back} if back else text, "success")  # type: ignore[arg-type]


def tell(outcome: Outcome, what: str) -> None:
    """Say what became of several todos, which of them somebody changed first, and offer to undo it."""
    if outcome.ids or not outcome.stale:
        notice(counted(len(outcome.ids), what), undo=outcome.step_id)
    if outcome.stale:
        changed = titles(list(outcome.stale.values()))
        flash(f"Not {what}, since somebody changed it meanwhile: {changed}. Look at it again.", "warning")


def titles(found: Sequence[str]) -> str:
    """Return a few titles, and how many more there are."""
    names = ", ".join(f"“{title}”" for title in found[:TITLES_SHOWN])
    return f"{names} and {len(found) - TITLES_SHOWN:,} more" if len(found) > TITLES_SHOWN else names


def counted(count: int, what: str) -> str:
    """Return "1 todo completed." or "3 todos completed."."""
    return f"{count:,} {'todo' if count == 1 else 'todos'} {what}."
