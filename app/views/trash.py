"""The trash for end users, and Undo."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name

from app.db import utcnow
from app.errors import Invalid, NotFound
from app.security import safe_target, viewer
from app.services import todos, trash, trash_purge, undo, users
from app.services.permissions import can
from app.tasks.runner import submit
from app.tasks.todos import undo_todos
from app.tasks.trash import empty_trash
from app.views.pages import Page, counted, has_access, notice, tell, titles
from app.views.rows import parse_ids

AT_ONCE = 1000  # todos that are taken back while somebody waits
TITLES_SHOWN = 20
UNDONE = {
    "complete": "reopened",
    "reopen": "completed again",
    "delete": "restored",
    "restore": "put back into the trash",
    "assign": "assigned as before",
    "import": "taken back: new ones are in the trash, others what they were",
    "tag": "tagged as before",
    "priority": "given their former priority",
    "due": "given their former due date",
}


class UndoPages(Page):
    """Taking back what one did to several todos."""

    route_base = "/undo"
    class_permission_name = "Todo"

    @expose("/<id:step_id>", methods=["POST"])
    @has_access
    @permission_name("list")
    def take_back(self, step_id: int) -> ResponseReturnValue:
        """Undo an action on exactly the todos that it changed, those of many by a job; what was changed since stays."""
        if undo.size(step_id) > AT_ONCE:
            undo.action_of(viewer(), step_id)
            return redirect(url_for("JobPages.show", job_id=submit(viewer(), undo_todos, step_id=step_id).id))
        done = undo.take_back(viewer(), step_id)
        if done.count:
            notice(counted(done.count, UNDONE[done.action]))
        if done.left:
            flash(f"Changed meanwhile, and left alone: {titles(done.left)}.", "warning")
        elif not done.count:
            flash("There is nothing left to undo.", "warning")
        return redirect(safe_target(url_for("TodoPages.index")))


class TrashPages(Page):
    """Deleted todos, to be restored or deleted for ever."""

    route_base = "/trash"
    class_permission_name = "Trash"

    @expose("")
    @has_access
    @permission_name("list")
    def index(self) -> ResponseReturnValue:
        """Show one page of the trash, what was deleted last first."""
        self.update_redirect()
        may_see_all = can(viewer(), "can_change_all", "Todo")
        scope = "all" if request.args.get("scope") == "all" and may_see_all else "mine"
        query = request.args.get("q", "").strip()[:200]
        found, following = trash.page(viewer(), scope, query, request.args.get("after", ""))
        days = current_app.config["TRASH_DAYS"]
        values = {"scope": scope, "query": query, "following": following, "may_see_all": may_see_all, "days": days}
        values["today"] = users.today(viewer())
        return self.page("trash", todos=found, kept=timedelta(days=days), may_purge=self.may("can_purge"), **values)

    @expose("", methods=["POST"])
    @has_access
    @permission_name("restore")
    def chosen(self) -> ResponseReturnValue:
        """Restore the chosen todos, or ask before they are deleted for ever."""
        action = request.form.get("action")
        if "all" in request.form and action == "restore":
            kept: dict[str, Any] = {name: request.args.get(name) for name in ("scope", "q")}
            return redirect(url_for("SelectionPages.ask", action="restore", all=1, **kept))
        if "all" in request.form and request.args.get("scope") != "all" and not request.args.get("q"):
            return redirect(url_for(".empty"))
        if not request.form.getlist("id"):
            return self.nothing_chosen()
        ids = parse_ids(request.form.getlist("id"))
        if action == "forever":
            return redirect(url_for(".forever", id=ids))
        back = todos.restore(viewer(), ids)
        if not back.ids:
            raise NotFound("There is nothing to restore: it is not in the trash any more.")
        tell(back, "restored")
        return redirect(safe_target(url_for(".index")))

    @expose("/forever", methods=["GET", "POST"])
    @has_access
    @permission_name("purge")
    def forever(self) -> ResponseReturnValue:
        """Ask, then delete the chosen todos for ever."""
        found = trash.chosen(viewer(), parse_ids(request.args.getlist("id")))
        if request.method == "GET":
            names = [todo.title for todo in found[:TITLES_SHOWN]]
            return self.page("trash_forever", count=len(found), titles=names)
        notice(counted(trash_purge.purge(viewer(), [todo.id for todo in found]), "deleted for ever"))
        return redirect(url_for(".index"))

    @expose("/empty", methods=["GET", "POST"])
    @has_access
    @permission_name("purge")
    def empty(self) -> ResponseReturnValue:
        """Ask, then delete all of the trash for ever, by a job when it is much; what gets there later stays."""
        until = instant(request.form.get("until", "")) if request.method == "POST" else utcnow()
        scope = "all" if request.args.get("scope") == "all" else "mine"
        count, ids = trash.extent(viewer(), scope, until)
        if not count:
            flash("There is nothing in your trash." if scope == "mine" else "There is nothing in the trash.", "warning")
            return redirect(url_for(".index", scope=scope))
        if request.method == "GET":
            names = trash.titles(viewer(), scope, until, TITLES_SHOWN)
            return self.page("trash_forever", count=count, titles=names, until=until.isoformat(), scope=scope)
        if count > trash_purge.PURGE_SIZE:
            job = submit(viewer(), empty_trash, until=until.isoformat(), first=ids[0], last=ids[-1], scope=scope)
            return redirect(url_for("JobPages.show", job_id=job.id))
        notice(counted(trash_purge.empty(viewer(), scope, until), "deleted for ever"))
        return redirect(url_for(".index", scope=scope))


def instant(text: str) -> datetime:
    """Return the instant that a page was drawn, from its form.

    Raises:
        Invalid: when it is none.
    """
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid("This page does not say when it was opened. Open the trash again.") from error
