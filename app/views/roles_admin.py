"""Roles and permissions in the generated admin."""

from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.actions import action
from flask_appbuilder.security.decorators import has_access, permission_name
from flask_appbuilder.security.sqla.models import PermissionView, Role
from markupsafe import Markup
from sqlalchemy.orm import joinedload, selectinload
from wtforms.fields.choices import SelectChoice

from app.errors import Denied
from app.security import built_in, viewer
from app.services import roles
from app.views.base import RowView
from app.views.forms import text_field
from app.views.pages import notice
from app.views.rows import Rows, is_id
from app.views.widgets import TicksField


def listed(pairs: list[PermissionView]) -> Markup:
    """Return grants as a list."""
    items = Markup("").join(Markup("<li>{}</li>").format(text) for text in roles.readable(pairs))
    return Markup('<ul class="granted">{}</ul>').format(items)


class GrantsField(TicksField):
    """The grants of a role by their ids."""

    def __init__(self, label: str = "", **kwargs: Any) -> None:
        super().__init__(label, coerce=int, **kwargs)

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        """Read the grants there are."""
        self.choices = [SelectChoice(pk, phrase) for pk, phrase in roles.all_grants()]
        super().process(formdata, [pair.id for pair in data] if isinstance(data, list) else [])


class RoleAdmin(RowView):
    """The generated screens of roles; the built-in ones are kept as the code has them, copies can be changed."""

    route_base = "/admin/roles"
    datamodel = Rows(Role, selectinload(Role.permissions))
    class_permission_name = "Role"
    base_order = ("name", "asc")
    list_title, add_title, edit_title, show_title = "Roles", "New role", "Edit role", "Role"
    add_row_message, edit_row_message, delete_row_message = "Role added.", "Role saved.", "Role deleted."
    list_columns = ["name", "permissions"]
    order_columns = ["name"]
    search_columns = ["name"]
    show_columns = add_columns = edit_columns = ["name", "permissions"]
    label_columns = {"permissions": "May"}
    description_columns = {"name": "Built-in roles stay as they are: copy one, and change the copy"}
    formatters_columns = {"permissions": listed}
    method_permission_name = {
        **{name: name for name in ("list", "show", "add", "edit", "delete")},
        "copy": "add",
    }

    def is_fixed(self, name: str) -> bool:
        """Tell whether a role is built in."""
        return bool(built_in([name]))

    @expose("/edit/<pk>", methods=["GET", "POST"])
    @has_access
    @permission_name("edit")
    def edit(self, pk: str) -> ResponseReturnValue:
        """Show the form of a role of one's own making; a built-in one is there to look at and to copy."""
        if request.method == "GET" and is_id(pk) and self.is_fixed(roles.name_of(int(pk))):
            return redirect(url_for(".show", pk=pk))
        answer: ResponseReturnValue = super().edit(pk)
        return answer

    def _init_forms(self) -> None:
        """Make the fields anew for each application."""
        name = text_field("Name", longest=64, ui="admin")
        self.add_form_extra_fields = self.edit_form_extra_fields = {"name": name, "permissions": GrantsField("May")}
        super()._init_forms()

    def insert(self, form: Any) -> None:
        """Add a role."""
        roles.save(viewer(), Role(), form.name.data, form.permissions.data)

    def change(self, item: Role, form: Any) -> None:
        """Save a role of one's own making."""
        self.check_own(item)
        roles.save(viewer(), item, form.name.data, form.permissions.data)

    def remove(self, item: Role) -> None:
        """Delete a role of one's own making that nobody has."""
        self.check_own(item)
        roles.delete(item)
        flash(self.delete_row_message, "success")

    def check_own(self, item: Role) -> None:
        """Refuse to touch a built-in role.

        Raises:
            Denied: saying how to get a similar one.
        """
        if self.is_fixed(item.name):
            raise Denied(f"{item.name} is built in. Copy it, and change the copy.")

    @action("copy", "Copy", icon="fa-copy", multiple=False)
    def copy(self, items: list[Role]) -> ResponseReturnValue:
        """Add a role with the same grants."""
        made = roles.copy(viewer(), items[0])
        notice(f"Added {made.name}.")
        return redirect(url_for(".edit", pk=made.id))


class PermissionAdmin(RowView):
    """All grants there are, to look at; they come from the code by `flask sync`."""

    route_base = "/admin/permissions"
    datamodel = Rows(PermissionView, joinedload(PermissionView.permission), joinedload(PermissionView.view_menu))
    class_permission_name = "Permission"
    base_permissions = ["can_list"]
    include_route_methods = {"list"}
    list_title = "Permissions"
    list_columns = ["permission", "view_menu"]
    order_columns: list[str] = ["id"]
    search_columns = ["id"]
    label_columns = {"view_menu": "On"}
    search_hint = "Permission"

    def matching(self, query: str) -> Any:
        """Search the names."""
        return roles.matching(query)
