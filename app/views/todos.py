"""Todos for end users: the list, one todo, and what is done to them."""

from typing import Any

from flask import Response, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name

from app.errors import Conflict, Denied, Invalid, NotFound
from app.security import safe_target, viewer
from app.services import todos, users
from app.services.tags import MOST_TAGS
from app.services.todos_lists import Filter, matching_ids, page
from app.services.todos_rules import may_change, may_delete
from app.tasks.runner import submit
from app.tasks.todos import export_todos
from app.views.attachments import draw
from app.views.comments import timeline
from app.views.forms import FIELDS, NewTodoForm, TodoForm
from app.views.pages import Page, counted, has_access, notice, wants_json
from app.views.rows import parse_ids

# action of the chosen todos -> the right it needs
CHOSEN = {"complete": "can_edit", "reopen": "can_edit", "delete": "can_delete", "export": "can_export"}


def wanted() -> Filter:
    """Read the list's state from the address."""
    args = request.values
    scope = "all" if args.get("scope") == "all" else "mine"
    query, tags = args.get("q", "").strip()[:200], tuple(args.getlist("tag")[:MOST_TAGS])
    return Filter(scope, args.get("state") == "done", query, tags, args.get("after", ""))


class TodoPages(Page):
    """My todos, and all that I may see."""

    route_base = "/todos"
    class_permission_name = "Todo"

    @expose("")
    @has_access
    @permission_name("list")
    def index(self) -> ResponseReturnValue:
        """Show one page of the list with the line that adds a todo."""
        return self.listing(NewTodoForm(formdata=None))

    @expose("", methods=["POST"])
    @has_access
    @permission_name("add")
    def add(self) -> ResponseReturnValue:
        """Add a todo; when it cannot be added, the list comes back with everything that was typed."""
        form = NewTodoForm()
        if not form.validate():
            return self.listing(form, 400)
        todo = todos.create(viewer(), files=form.attachments.data, **form.fields())
        draw(form.attachments.data)
        notice(f"Added “{todo.title}”.")
        return redirect(safe_target(url_for(".index")))

    def listing(self, form: NewTodoForm, status: int = 200) -> ResponseReturnValue:
        """Render the list around a form."""
        self.update_redirect()
        wish = wanted()
        found, following = page(viewer(), wish)
        values = {"todos": found, "following": following, "wanted": wish, "form": form}
        rights = {"may_change": may_change, "may_delete": may_delete, "today": users.today(viewer())}
        return self.page("todos", status, **values, **rights)

    @expose("/<id:todo_id>", methods=["GET", "POST"])
    @has_access
    @permission_name("show")
    def show(self, todo_id: int) -> ResponseReturnValue:
        """Show one todo, and save it; a refused change keeps what was typed."""
        todo = todos.get(viewer(), todo_id)
        form = TodoForm(obj=todo)
        if request.method == "GET":
            self.update_redirect()
            return self.one(todo, form)
        if not may_change(viewer(), todo):
            raise Denied("You can see this todo but not change it.")
        if not form.validate():
            return self.one(todo, form, 400)
        try:
            todos.update_todo(viewer(), todo, form.version.data, form.attachments.data, **form.fields())
        except Conflict as error:
            form.form_errors.append(error.message)
            theirs = [form[name] for name in FIELDS if form[name].data != getattr(todo, name)]
            form.version.data = todo.version
            return self.one(todo, form, error.status, theirs)
        draw(form.attachments.data)
        notice(f"Saved “{todo.title}”.")
        return redirect(safe_target(url_for(".index")))

    def one(self, todo: Any, form: TodoForm, status: int = 200, theirs: Any = ()) -> ResponseReturnValue:
        """Render the page of a todo around a form; `theirs` are the fields that somebody else saved differently."""
        values = {"todo": todo, "form": form, "today": users.today(viewer()), "theirs": theirs} | timeline(todo)
        rights = {"may_change": may_change(viewer(), todo), "may_delete": may_delete(viewer(), todo)}
        return self.page("todo", status, **values, **rights)

    @expose("/<id:todo_id>/complete", methods=["POST"])
    @has_access
    @permission_name("edit")
    def complete(self, todo_id: int) -> ResponseReturnValue:
        """Complete or reopen a todo; saying it twice does no harm."""
        todo = todos.get(viewer(), todo_id)
        done = request.form.get("complete") == "1"
        changed = todos.set_complete(viewer(), [todo_id], done)
        if not changed.ids and todo.complete != done:
            raise NotFound("You can see this todo but not change it.")
        message = f"{'Completed' if done else 'Reopened'} “{todo.title}”."
        return self.done(message, changed.step_id, complete=done)

    @expose("/chosen", methods=["POST"])
    @has_access
    @permission_name("list")
    def chosen(self) -> ResponseReturnValue:
        """Do something with the chosen todos, or export the whole list when none is chosen."""
        action = request.form.get("action", "")
        if action not in CHOSEN:
            raise NotFound("There is no such action.")
        if not self.may(CHOSEN[action]):
            raise Denied("Your role does not let you do this.")
        if action == "export":
            return self.export()
        ids = [todo.id for todo in todos.chosen(viewer(), parse_ids(request.form.getlist("id")))]
        if action == "delete":
            return self.deleted(ids)
        changed = todos.set_complete(viewer(), ids, action == "complete")
        notice(counted(len(changed.ids), "completed" if action == "complete" else "reopened"), undo=changed.step_id)
        return redirect(safe_target(url_for(".index")))

    @expose("/<id:todo_id>/delete", methods=["POST"])
    @has_access
    @permission_name("delete")
    def delete(self, todo_id: int) -> ResponseReturnValue:
        """Move a todo to the trash."""
        todos.get(viewer(), todo_id)
        return self.deleted([todo_id])

    def deleted(self, ids: list[int]) -> ResponseReturnValue:
        """Delete todos and offer to undo it."""
        gone = todos.delete_todos(viewer(), ids)
        if not gone.ids:
            raise NotFound("You can see this, but only its owner can delete it.")
        notice(counted(len(gone.ids), "deleted"), undo=gone.step_id)
        return redirect(safe_target(url_for(".index")))

    def export(self) -> ResponseReturnValue:
        """Start the export of the chosen todos, or of all that the list shows."""
        chosen = request.form.getlist("id")
        ids = parse_ids(chosen) if chosen else matching_ids(viewer(), wanted())
        if not ids:
            raise Invalid("This list is empty: there is nothing to export.")
        job = submit(viewer(), export_todos, ids=ids)
        return redirect(url_for("JobPages.show", job_id=job.id))

    def done(self, message: str, step_id: int | None, **facts: Any) -> ResponseReturnValue:
        """Answer a script with facts, and a form with the page it came from."""
        if wants_json():
            answer: Response = jsonify(message=message, **facts)
            return answer
        notice(message, undo=step_id)
        return redirect(safe_target(url_for(".index")))
