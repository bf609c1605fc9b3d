"""The trash in the generated admin."""

from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.actions import action
from flask_appbuilder.security.decorators import has_access, permission_name
from sqlalchemy.orm import joinedload, selectinload

from app.models.todos import Todo
from app.security import viewer
from app.services import todos, trash, trash_purge
from app.services.todos_search import matching
from app.views.base import Beside, RowView
from app.views.pages import counted, notice, tell
from app.views.rows import Rows, Visible, parse_ids


class TrashAdmin(RowView):
    """The generated list of deleted todos."""

    route_base = "/admin/trash"
    datamodel = Rows(Todo, joinedload(Todo.owner), joinedload(Todo.deleted_by), selectinload(Todo.attachments))
    class_permission_name = "Trash"
    exclude_route_methods = {"download", "add", "edit", "delete"}
    method_permission_name = {
        **{"list": "list", "show": "show", "restore": "restore", "forever": "purge", "ask": "purge"},
    }
    about_all = {"restore": "restore"}
    base_filters = [["id", Visible, trash.restorable_by]]
    base_order = ("deleted_at", "desc")
    list_title, show_title = "Trash", "Deleted todo"
    beside = (Beside("Empty the trash …", "TrashPages.empty", "can_purge", {"scope": "all"}),)
    search_hint = "Title or notes"
    list_columns = ["title", "owner", "deleted_at", "deleted_by", "attachments"]
    order_columns = ["title", "deleted_at"]
    search_columns = ["title", "deleted_at", "complete"]
    show_columns = ["title", "notes", "priority_name", "due_on", "owner", "assignees", "deleted_at", "deleted_by"]
    label_columns = {
        **{"deleted_at": "Deleted", "deleted_by": "By", "attachments": "Files", "assignees": "Assigned to"},
        **{"priority_name": "Priority", "due_on": "Due"},
    }
    formatters_columns: dict[str, Any] = {
        "assignees": lambda people: ", ".join(person.username for person in people),
        "attachments": len,
    }

    def matching(self, query: str) -> Any:
        """Search title and notes."""
        return matching(query)

    @action("restore", "Restore", icon="fa-undo")
    def restore(self, items: list[Todo]) -> ResponseReturnValue:
        """Take the chosen todos back from the trash."""
        tell(todos.restore(viewer(), [item.id for item in items]), "restored")
        return self.to_list()

    @action("forever", "Delete for ever …", icon="fa-trash")
    def forever(self, items: list[Todo]) -> ResponseReturnValue:
        """Ask before the chosen todos are deleted for ever."""
        return redirect(url_for(".ask", id=[item.id for item in items]))

    @expose("/forever", methods=["GET", "POST"])
    @has_access
    @permission_name("purge")
    def ask(self) -> ResponseReturnValue:
        """Ask, then delete the chosen todos for ever."""
        found = trash.chosen(viewer(), parse_ids(request.args.getlist("id")))
        if request.method == "GET":
            return self.render_template("admin/trash_forever.html", todos=found)
        notice(counted(trash_purge.purge(viewer(), [todo.id for todo in found]), "deleted for ever"))
        return self.to_list()
