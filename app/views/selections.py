"""What is done to a selection of todos: counted and confirmed on a page, then done by a job."""

from typing import Any

from flask import redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_wtf import FlaskForm
from wtforms import RadioField
from wtforms.fields.choices import SelectChoice

from app.errors import Denied, Invalid, NotFound
from app.security import viewer
from app.services import todos, todos_selection
from app.services.todos_lists import SHOWN
from app.services.todos_selection import Selection
from app.tasks.runner import submit
from app.tasks.todos import export_todos
from app.views import arguments
from app.views.pages import Page, has_access
from app.views.rows import parse_chosen
from app.views.todos import state, wanted

TITLES_SHOWN = 8
FORMATS = [
    SelectChoice("csv", "CSV, for spreadsheets and for other programs"),
    SelectChoice("xlsx", "Excel workbook"),
    SelectChoice("jsonl", "JSON Lines, for programs"),
]


class ExportForm(FlaskForm):
    """What kind of file."""

    kind = RadioField("Format", choices=FORMATS, default="csv")


def selected() -> Selection:
    """Read the selection from the address.

    Raises:
        Invalid: when it is damaged, or nothing is chosen.
    """
    if "all" not in request.args:
        return Selection(parse_chosen(request.args.getlist("id")))
    columns = tuple((name, *found) for name, found in arguments.chosen(request.args).items())
    return Selection(None, wanted(), columns)


def described(selection: Selection) -> list[str]:
    """Return the filters of a selection as people know them."""
    wish = selection.wanted
    found = ["All todos" if wish.scope == "all" else "My todos", SHOWN[wish.show]]
    found += [f"“{wish.query}”"] if wish.query else []
    found += [f"tagged {tag}" for tag in wish.tags]
    return found + [f"{column.replace('_', ' ')}: {value}" for column, _, value in selection.columns]


def list_of(selection: Selection) -> str:
    """Return the address of the list that shows a selection."""
    columns = {f"_flt_{number}_{name}": value for name, number, value in selection.columns}
    if not columns:
        return url_for("TodoPages.index", **state(selection.wanted))
    wish = selection.wanted
    show = wish.show if wish.show != "any" else None
    return url_for("TodoAdmin.list", q=wish.query or None, show=show, **columns)  # type: ignore[arg-type]


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
        """Start the job that does it."""
        form, selection = self.form_of(action), selected()
        if not form.validate():
            return self.asking(action, form, 400)
        self.count(selection)
        job = submit(viewer(), export_todos, selection=selection.facts(), kind=form.kind.data)
        return redirect(url_for("JobPages.show", job_id=job.id))

    def form_of(self, action: str) -> Any:
        """Return the form of an action.

        Raises:
            NotFound: when there is no such action.
            Denied: when it is not the viewer's to do.
        """
        if action != "export":
            raise NotFound("There is no such action.")
        if not self.may("can_export"):
            raise Denied("Your role does not let you do this.")
        return ExportForm()

    def count(self, selection: Selection) -> int:
        """Return how many todos it is about.

        Raises:
            NotFound: when one of the chosen is not there for the viewer.
            Invalid: when nothing matches.
        """
        if selection.ids is not None:
            return len(todos.chosen(viewer(), selection.ids))
        if count := todos_selection.count(viewer(), selection):
            return count
        raise Invalid("This list is empty: there is nothing to export.")

    def asking(self, action: str, form: Any, status: int = 200) -> ResponseReturnValue:
        """Render the page around a form."""
        selection = selected()
        values = {"count": self.count(selection), "titles": todos_selection.some(viewer(), selection, TITLES_SHOWN)}
        values["filters"] = described(selection) if selection.ids is None else []
        back = next(iter(reversed(session.get("page_history", []))), list_of(selection))
        return self.page("selection", status, action=action, form=form, back=back, **values)
