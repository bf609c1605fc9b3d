"""Todos for end users: the list, one todo, and what is done to them."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name

from app.errors import Denied, NotFound, Stale
from app.models.tags import LONGEST_TAG
from app.security import safe_target, viewer
from app.services import saved_filters, todos, users
from app.services.tags import MOST_TAGS
from app.services.todos_lists import SHOWN, Filter, page
from app.services.todos_rules import may_change, may_delete
from app.views import conflicts
from app.views.attachments import draw
from app.views.comments import timeline
from app.views.forms import NewTodoForm, TodoForm
from app.views.pages import Page, has_access, notice, tell, wants_json
from app.views.rows import parse_chosen

# action of the chosen todos -> the right it needs; the first ones are done at once
CHOSEN = {"complete": "can_edit", "reopen": "can_edit", "delete": "can_delete"}
ASKING = {"export": "can_export", "assign": "can_share", **dict.fromkeys(("tag", "priority", "due"), "can_edit")}


def wanted() -> Filter:
    """Read the list's state from the address."""
    args = request.values
    scope = "all" if args.get("scope") == "all" else "mine"
    query, tags = args.get("q", "").strip()[:200], tuple(tag[:LONGEST_TAG] for tag in args.getlist("tag")[:MOST_TAGS])
    show = args.get("show", "")
    return Filter(scope, show if show in SHOWN else usual_show(query), query, tags, args.get("after", ""))


def usual_show(query: str) -> str:
    """Return what a list shows unless it is told: a search looks at what is done too."""
    return "any" if query else "open"


def state(wish: Filter, **other: Any) -> dict[str, Any]:
    """Return the arguments of the address of a list, as few as say it; `other` differ from the present list's."""
    new = replace(wish, after="", **other)
    if new.show == usual_show(wish.query) and "show" not in other:
        new = replace(new, show=usual_show(new.query))
    show = new.show if new.show != usual_show(new.query) else None
    scope = "all" if new.scope == "all" else None
    return {"scope": scope, "show": show, "tag": list(new.tags), "q": new.query or None}


def address_of(wish: Filter) -> str:
    """Return the end of the address of a list, as it is saved and compared."""
    return urlencode({name: value for name, value in state(wish).items() if value}, doseq=True)


def ticked(title: str, done: bool, first: bool, overtaken: bool) -> str:
    """Say that a todo is done or open, whether the viewer was the first, and whether another change went before."""
    what = "completed" if done else "reopened"
    if not first:
        return f"“{title}” was {what} already."
    warning = " Somebody changed it meanwhile: look at it again." if overtaken else ""
    return f"{what.capitalize()} “{title}”.{warning}"


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
        counts, filters = saved_filters.beside(viewer(), wish.scope)
        lists = {"counts": counts, "filters": filters, "shown": SHOWN, "state": state, "here": address_of(wish)}
        return self.page("todos", status, **values, **rights, **lists)

    @expose("/<id:todo_id>", methods=["GET", "POST"])
    @has_access
    @permission_name("show")
    def show(self, todo_id: int) -> ResponseReturnValue:
        """Show one todo, and save it; a refused change keeps what was typed."""
        todo = todos.find(viewer(), todo_id)
        if todo is None and request.method == "POST":
            return self.gone(todo_id)
        todo = todo or todos.get(viewer(), todo_id)
        form = TodoForm(obj=todo)
        if request.method == "POST":
            return self.save(todo, form)
        conflicts.remember(form)
        self.update_redirect()
        return self.one(todo, form)

    def save(self, todo: Any, form: TodoForm) -> ResponseReturnValue:
        """Save a todo, or show what somebody else saved meanwhile beside what was typed."""
        if not may_change(viewer(), todo):
            raise Denied("You can see this todo but not change it.")
        conflicts.resolve(form, todo)
        if not form.validate():
            return self.one(todo, form, 400)
        try:
            todos.update_todo(viewer(), todo, form.version.data, form.attachments.data, **form.fields())
        except Stale as error:
            form.form_errors.append(error.message)
            if not may_delete(viewer(), todo):
                form.assignees.process_data(todo.assignees)  # not the viewer's to choose
            conflicts.compare(form, todo)
            form.version.data = todo.version
            return self.one(todo, form, error.status)
        draw(form.attachments.data)
        notice(f"Saved “{todo.title}”.")
        return redirect(safe_target(url_for(".index")))

    def gone(self, todo_id: int) -> ResponseReturnValue:
        """Keep what was typed about a todo that was deleted meanwhile, or that one may not see any more."""
        todo = todos.deleted(viewer(), todo_id)
        form = TodoForm(obj=todo)
        restorable = todo is not None and may_delete(viewer(), todo)
        if todo is not None and restorable and "restore" in request.form:
            todos.restore(viewer(), [todo_id])
            todo = todos.get(viewer(), todo_id)
            if conflicts.shown(form) == conflicts.of_row(form, todo):
                form.version.data = todo.version  # nothing happened to it but that
            return self.save(todo, form)
        form.validate()  # keeps its files
        return self.page("todo_gone", 404 if todo is None else 409, todo=todo, form=form, restorable=restorable)

    def one(self, todo: Any, form: TodoForm, status: int = 200) -> ResponseReturnValue:
        """Render the page of a todo around a form."""
        values = {"todo": todo, "form": form, "today": users.today(viewer())} | timeline(todo)
        rights = {"may_change": may_change(viewer(), todo), "may_delete": may_delete(viewer(), todo)}
        return self.page("todo", status, **values, **rights)

    @expose("/<id:todo_id>/complete", methods=["POST"])
    @has_access
    @permission_name("edit")
    def complete(self, todo_id: int) -> ResponseReturnValue:
        """Complete or reopen a todo; saying it twice does no harm.

        A tick overwrites nothing that somebody typed, so it is done whatever version the page showed; that somebody
        changed the todo meanwhile, or was faster, is said.
        """
        todo = todos.get(viewer(), todo_id)
        done, seen, version = request.form.get("complete") == "1", request.form.get("version"), todo.version
        changed = todos.set_complete(viewer(), [todo_id], done)
        if not changed.ids and todo.complete != done:
            raise NotFound("You can see this todo but not change it.")
        message = ticked(todo.title, done, first=bool(changed.ids), overtaken=seen not in (None, str(version)))
        facts = {"complete": done, "version": version + len(changed.ids), "title": todo.title}
        return self.done(message, changed.step_id, **facts)

    @expose("/chosen", methods=["POST"])
    @has_access
    @permission_name("list")
    def chosen(self) -> ResponseReturnValue:
        """Do something with the chosen todos; what needs to be known first, or is about all, is asked on a page."""
        action, texts = request.form.get("action", ""), request.form.getlist("id")
        right = (CHOSEN | ASKING).get(action)
        if right is None:
            raise NotFound("There is no such action.")
        if not self.may(right):
            raise Denied("Your role does not let you do this.")
        if "all" in request.form or (action == "export" and not texts):
            return redirect(url_for("SelectionPages.ask", action=action, all=1, **state(wanted())))
        if not texts:
            return self.nothing_chosen()
        if action in ASKING:
            return redirect(url_for("SelectionPages.ask", action=action, id=texts))
        ids = parse_chosen(texts)
        todos.chosen(viewer(), ids)
        if action == "delete":
            return self.deleted(ids)
        done = action == "complete"
        tell(todos.set_complete(viewer(), ids, done), "completed" if done else "reopened")
        return redirect(safe_target(url_for(".index")))

    @expose("/<id:todo_id>/delete", methods=["POST"])
    @has_access
    @permission_name("delete")
    def delete(self, todo_id: int) -> ResponseReturnValue:
        """Move a todo to the trash."""
        todos.get(viewer(), todo_id)
        version = request.form.get("version")
        return self.deleted(parse_chosen([f"{todo_id}:{version}" if version else str(todo_id)]))

    def deleted(self, ids: todos.Chosen) -> ResponseReturnValue:
        """Delete todos and offer to undo it."""
        gone = todos.delete_todos(viewer(), ids)
        if not gone.ids and not gone.stale:
            raise NotFound("You can see this, but only its owner can delete it.")
        tell(gone, "deleted")
        return redirect(safe_target(url_for(".index")))

    def done(self, message: str, step_id: int | None, **facts: Any) -> ResponseReturnValue:
        """Answer a script with facts, and a form with the page it came from."""
        if wants_json():
            answer: Response = jsonify(message=message, **facts)
            return answer
        notice(message, undo=step_id)
        return redirect(safe_target(url_for(".index")))
