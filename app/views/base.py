"""Flask-AppBuilder's generated views, made safe for rows, threads and bad input."""

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import flash, g, has_request_context, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.hooks import before_request
from flask_appbuilder.security.decorators import has_access, permission_name
from flask_appbuilder.widgets import ListWidget
from sqlalchemy import and_
from sqlalchemy.exc import DataError
from wtforms.fields.choices import SelectChoice

from app.errors import Denied, Invalid, NotFound
from app.views import arguments
from app.views.editing import Editing
from app.views.history import History
from app.views.rows import parse_chosen


class Beside(NamedTuple):
    """A link beside a list, for those who have a permission."""

    label: str
    endpoint: str
    permission: str
    arguments: Mapping[str, str] = MappingProxyType({})


class TableWidget(ListWidget):
    """The generated table in our look."""

    template = "admin/table.html"


class RowView(History, Editing):
    """A generated view whose every door - lists, forms, actions, deletion - obeys the row rule of `base_filters`."""

    list_template = "admin/list.html"
    show_template = "admin/show.html"
    add_template = "admin/form.html"
    edit_template = "admin/form.html"
    list_widget = TableWidget
    exclude_route_methods = {"download"}
    base_order = ("id", "desc")
    search_hint = ""
    beside: tuple[Beside, ...] = ()
    presets: dict[str, str] = {}  # value of ?show= -> what the link to it says
    about_all: dict[str, str] = {}  # action -> what `SelectionPages` calls it when it is about all that match
    filter_choices: dict[str, list[SelectChoice]] = {}  # column -> what its filter offers instead of free text

    def render_template(self, template: str, **values: Any) -> str:
        """Render a template that knows the view, and how the list is filtered."""
        page: str = super().render_template(template, view=self, filtered=arguments.chosen(request.args), **values)
        return page

    def _prettify_column(self, name: str) -> str:
        """Return a label in sentence case, as the rest of the product has them."""
        return name.replace(".", " ").replace("_", " ").capitalize()

    def heading(self, item: Any) -> str:
        """Return the name of a row for its show page."""
        return str(item)

    def is_fixed(self, name: str) -> bool:
        """Tell whether the row by this name is there to look at only."""
        return False

    def asking_about_all(self, action: str) -> str | None:
        """Return the address of the page that asks before an action is done to all that the list shows, if any."""
        if action not in self.about_all:
            return None
        columns = {name: value for name, value in request.args.items() if arguments.FILTER.fullmatch(name)}
        wanted = {"scope": "all", "show": request.args.get("show") or "any", "q": request.args.get("q") or None}
        return url_for("SelectionPages.ask", action=self.about_all[action], all=1, **wanted, **columns)  # type: ignore[arg-type]

    def actions_on(self, item: Any) -> list[Any]:
        """Return the actions that make sense for one row, for its show page."""
        return self.ordered_actions()

    def ordered_actions(self) -> list[Any]:
        """Return the actions in the order of the source; FAB's is the alphabet's."""
        return sorted(self.actions.values(), key=lambda one: one.func.__code__.co_firstlineno)

    @property
    def _filters(self) -> Any:
        """Return this request's filters: FAB keeps one object for all threads, who overwrite each other's."""
        initial = self.__dict__["initial_filters"]
        if not has_request_context():
            return initial
        mine = g.setdefault("filters", {})
        if self not in mine:
            mine[self] = copy.copy(initial)
            mine[self].clear_filters()
        return mine[self]

    @_filters.setter
    def _filters(self, value: Any) -> None:
        self.__dict__["initial_filters"] = value

    def matching(self, query: str) -> Any:
        """Return the expression of the one-box search, or None for a list without one."""
        return None

    def narrowing(self) -> Any:
        """Return the expression that the address asks for beside FAB's filters, or None."""
        query, show = request.args.get("q", "").strip()[:200], request.args.get("show", "")
        wanted = [self.matching(query)] if query else []
        wanted += [self.preset(show)] if show in self.presets else []
        found = [one for one in wanted if one is not None]
        return and_(*found) if found else None

    def preset(self, name: str) -> Any:
        """Return the expression of one of the `presets`."""
        raise NotImplementedError

    @before_request
    def check_arguments(self) -> ResponseReturnValue | None:
        """Refuse arguments that FAB would let fail or would pass on to the database; read those of our own form."""
        if "filter" in request.args:
            wanted = arguments.from_form(request.args, self.search_columns)
            return redirect(url_for(f"{self.endpoint}.list", **wanted))  # type: ignore[arg-type]
        arguments.check(self, request.args)
        return None

    def _get_list_widget(self, filters: Any, **kwargs: Any) -> Any:
        """Add the one-box search and the fixed filter to the filters of the list."""
        if (expression := self.narrowing()) is not None:
            filters = filters.narrowed(expression)
        try:
            return super()._get_list_widget(filters=filters, view=self, filtered=bool(request.args), **kwargs)
        except (DataError, OverflowError, ValueError) as error:
            raise Invalid("One of the filters has a value that cannot be used.") from error

    @expose("/show/<pk>", methods=["GET"])
    @has_access
    @permission_name("show")
    def show(self, pk: str) -> ResponseReturnValue:
        """Show one row."""
        item = self.datamodel.get(pk, self._base_filters)
        if item is None:
            raise NotFound("There is no such row.")
        self.update_redirect()
        widgets = self._get_show_widget(pk, item)
        return self.render_template(self.show_template, pk=pk, title=self.show_title, widgets=widgets, item=item)

    @expose("/delete/<pk>", methods=["POST"])
    def delete(self, pk: str) -> ResponseReturnValue:
        """Delete one row."""
        if not self.may("can_delete"):
            raise Denied("Your role does not let you delete this.")
        self.remove(self.chosen([pk])[0])
        return self.to_list()

    delete._permission_name = "delete"

    @expose("/action/<string:name>/<pk>", methods=["POST"])
    def action(self, name: str, pk: str) -> ResponseReturnValue:
        """Run an action on the row of a show page."""
        return self.run_action(name, [pk])

    @expose("/action_post", methods=["POST"])
    def action_post(self) -> ResponseReturnValue:
        """Run an action on the chosen rows of a list."""
        return self.run_action(request.form.get("action", ""), request.form.getlist("rowid"))

    def run_action(self, name: str, texts: Sequence[str]) -> ResponseReturnValue:
        """Run an action on rows that the viewer may see; FAB itself takes any id."""
        chosen = self.actions.get(name)
        if chosen is None:
            raise NotFound("There is no such action.")
        if not self.may(self.get_action_permission_name(name)):
            raise Denied("Your role does not let you do this.")
        if "all" in request.form and (address := self.asking_about_all(name)):
            return redirect(address)
        if not texts:
            flash("Choose at least one row first.", "warning")
            return self.to_list()
        items = self.chosen(texts)
        if len(items) > 1 and not chosen.multiple:
            raise Invalid("Choose one row only.")
        answer: ResponseReturnValue = chosen.func(items)
        return answer

    def chosen(self, texts: Sequence[str]) -> list[Any]:
        """Return rows by what `reference` said of them."""
        versions = parse_chosen(texts)
        g.versions_seen = versions
        return self.datamodel.chosen(versions, self._base_filters)

    def version_seen(self, item: Any) -> int | None:
        """Return the version of a chosen row that the page showed."""
        version: int | None = g.versions_seen.get(item.id)
        return version

    def reference(self, item: Any) -> str:
        """Name a chosen row in an address, with the version that the page showed."""
        version = self.version_seen(item)
        return str(item.id) if version is None else f"{item.id}:{version}"

    def may(self, permission: str) -> bool:
        """Tell whether the viewer has a right on this view."""
        return permission in self.base_permissions and bool(
            self.appbuilder.sm.has_access(permission, self.class_permission_name)
        )

    def to_list(self) -> ResponseReturnValue:
        """Go to the list, as it was filtered if the viewer came from there."""
        listing = url_for(f"{self.endpoint}.list")
        pages = [page for page in session.get("page_history", []) if page.startswith(listing)]
        return redirect(pages[-1] if pages else listing)

    post_add_redirect = post_edit_redirect = to_list
