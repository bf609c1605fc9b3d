"""Named filters: kept from the present list, renamed and deleted on a page of their own."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name

from app.errors import AppError
from app.security import viewer
from app.services import saved_filters
from app.views.pages import Page, has_access, notice
from app.views.todos import address_of, wanted


class FilterPages(Page):
    """One's own filters."""

    route_base = "/filters"
    class_permission_name = "SavedFilter"

    @expose("")
    @has_access
    @permission_name("edit")
    def index(self) -> ResponseReturnValue:
        """Show one's filters, to be renamed and deleted."""
        return self.listing()

    @expose("", methods=["POST"])
    @has_access
    @permission_name("edit")
    def add(self) -> ResponseReturnValue:
        """Keep the list whose state is in the address."""
        name, query = request.form.get("name", ""), address_of(wanted())
        try:
            kept = saved_filters.save(viewer(), name, query)
        except AppError as error:
            return self.listing(error, name=name, query=query)
        notice(f"Saved the filter {kept.name}.")
        return redirect(f"{url_for('TodoPages.index')}?{kept.query}")

    @expose("/<id:filter_id>", methods=["POST"])
    @has_access
    @permission_name("edit")
    def rename(self, filter_id: int) -> ResponseReturnValue:
        """Give a filter another name."""
        name = request.form.get("name", "")
        try:
            notice(f"Saved the filter {saved_filters.rename(viewer(), filter_id, name).name}.")
        except AppError as error:
            if error.status == 404:
                raise
            return self.listing(error, name=name, renamed=filter_id)
        return redirect(url_for(".index"))

    @expose("/<id:filter_id>/delete", methods=["POST"])
    @has_access
    @permission_name("edit")
    def delete(self, filter_id: int) -> ResponseReturnValue:
        """Forget a filter."""
        notice(f"Deleted the filter {saved_filters.delete(viewer(), filter_id).name}.")
        return redirect(url_for(".index"))

    def listing(
        self, error: AppError | None = None, name: str = "", query: str = "", renamed: int = 0
    ) -> ResponseReturnValue:
        """Render the page; what was typed stays in it when it was refused."""
        typed = {"error": error, "name": name, "query": query, "renamed": renamed}
        return self.page("filters", error.status if error else 200, filters=saved_filters.of(viewer()), **typed)
