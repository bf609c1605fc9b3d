"""What is done to a selection of todos: counted and confirmed on a page; all that match are a job."""

from typing import Any

from flask import redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name

from app.errors import Denied, Invalid, NotFound
from app.security import viewer
from app.services import todos, todos_selection, trash, undo
from app.services.todos_changes import CHANGES
from app.services.todos_lists import SHOWN
from app.services.todos_selection import Selection
from app.tasks.runner import submit
from app.tasks.todos import CHANGE_JOBS, export_todos
from app.views import arguments
from app.views.pages import Page, has_access, tell
from app.views.rows import parse_chosen
from app.views.selections_forms import FORMS
from app.views.todos import state, wanted

TITLES_SHOWN = 8
LISTS = ("TodoPages.index", "TodoAdmin.list", "TrashPages.index", "TrashAdmin.list")
RIGHTS = {"export": ("can_export", "Todo")} | {name: change.permission for name, change in CHANGES.items()}


def selected(action: str) -> Selection:
    """Read the selection from the address.

    Raises:
        Invalid: when it is damaged, or nothing is chosen.
    """
    is_trash = action == "restore"
    if "all" not in request.args:
        return Selection(parse_chosen(request.args.getlist("id")), trash=is_trash)
    columns = tuple((name, *found) for name, found in arguments.chosen(request.args).items())
    return Selection(None, wanted(), columns, is_trash)


def described(selection: Selection) -> str:
    """Return the filters of a selection as people know them."""
    wish = selection.wanted
    whose = "All" if wish.scope == "all" else "My"
    found = [f"{whose} deleted todos"] if selection.trash else [f"{whose} todos", SHOWN[wish.show]]
    found += [f"“{wish.query}”"] if wish.query else []
    found += [f"tagged {tag}" for tag in wish.tags]
    return " · ".join(found + [f"{column.replace('_', ' ')}: {value}" for column, _, value in selection.columns])


def list_of(selection: Selection) -> str:
    """Return the address of the list that shows a selection."""
    wish = selection.wanted
    columns = {f"_flt_{number}_{name}": value for name, number, value in selection.columns}
    if columns:
        show = wish.show if wish.show != "any" and not selection.trash else None
        endpoint = "TrashAdmin.list" if selection.trash else "TodoAdmin.list"
        return url_for(endpoint, q=wish.query or None, show=show, **columns)  # type: ignore[arg-type]
    if selection.trash:
        return url_for("TrashPages.index", scope="all" if wish.scope == "all" else None, q=wish.query or None)
    return url_for("TodoPages.index", **state(wish))


class SelectionPages(Page):
    """Pages that ask before something is done to many todos."""

    route_base = "/selection"
    class_permission_name = "Todo"

    @expose("/<string:action>")
    @has_access
    @permission_name("list")
    def ask(self, action: str) -> ResponseReturnValue:
        """Say how many todos it is about, and ask what else has to be known."""
        return self.asking(action, self.form_of(action))

    @expose("/<string:action>", methods=["POST"])
    @has_access
    @permission_name("list")
    def act(self, action: str) -> ResponseReturnValue:
        """Do it to chosen todos at once; a file, and whatever is done to all that match, is a job."""
        form, selection = self.form_of(action), selected(action)
        if not form.validate():
            return self.asking(action, form, 400)
        self.count(action, selection)
        if action != "export" and selection.ids is not None:
            change = CHANGES[action]
            tell(change.work(viewer(), selection.ids, form.value(), None), change.done)
            return redirect(self.back(selection))
        if action == "export":
            job = submit(viewer(), export_todos, selection=selection.facts(), **form.value())
        else:
            job = submit(viewer(), CHANGE_JOBS[action], selection=selection.facts(), value=form.value())
        return redirect(url_for("JobPages.show", job_id=job.id))

    def form_of(self, action: str) -> Any:
        """Return the form of an action.

        Raises:
            NotFound: when there is no such action.
            Denied: when it is not the viewer's to do.
        """
        if action not in RIGHTS:
            raise NotFound("There is no such action.")
        if not self.may(*RIGHTS[action]):
            raise Denied("Your role does not let you do this.")
        return FORMS[action]()

    def count(self, action: str, selection: Selection) -> int:
        """Return how many todos it is about.

        Raises:
            NotFound: when one of the chosen is not there for the viewer.
            Invalid: when nothing matches.
        """
        if selection.ids is not None:
            find = trash.chosen if selection.trash else todos.chosen
            return len(find(viewer(), list(selection.ids)))
        if count := todos_selection.count(viewer(), selection):
            return count
        raise Invalid("Nothing matches any more. Go back to the list and look again.")

    def asking(self, action: str, form: Any, status: int = 200) -> ResponseReturnValue:
        """Render the page around a form."""
        selection = selected(action)
        count = self.count(action, selection)
        may = undo.RIGHTS[action](viewer()) if action in undo.RIGHTS else None
        others = count - todos_selection.count(viewer(), selection, may) if may is not None else 0
        values = {"count": count, "others": others, "change": CHANGES.get(action), "action": action, "form": form}
        values["titles"] = todos_selection.some(viewer(), selection, TITLES_SHOWN)
        values["filters"] = described(selection) if selection.ids is None else ""
        return self.page("selection", status, back=self.back(selection), **values)

    def back(self, selection: Selection) -> str:
        """Return the address of the list that the viewer came from."""
        lists = {url_for(endpoint) for endpoint in LISTS}
        seen = [page for page in session.get("page_history", []) if page.partition("?")[0] in lists]
        return seen[-1] if seen else list_of(selection)
