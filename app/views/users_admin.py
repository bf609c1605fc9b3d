"""People, roles and permissions in the generated admin."""

from typing import Any

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.actions import action
from flask_appbuilder.security.decorators import has_access, permission_name
from flask_appbuilder.security.sqla.models import PermissionView, Role
from flask_wtf import FlaskForm
from sqlalchemy.orm import joinedload, selectinload
from wtforms import BooleanField, PasswordField, SelectMultipleField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Email, InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from app.errors import Denied, Invalid
from app.models.users import User
from app.security import built_in, viewer
from app.services import roles, users, users_accounts
from app.views.base import RowView
from app.views.filters import ago
from app.views.forms import USERNAME, text_field
from app.views.pages import notice
from app.views.rows import Rows


class RolesField(SelectMultipleField):
    """Roles by name; there are few, so all are offered."""

    def __init__(self, label: str = "", **kwargs: Any) -> None:
        super().__init__(label, choices=[], render_kw={"class": "form-control"}, **kwargs)

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        """Read the roles there are."""
        self.choices = [SelectChoice(name, name) for name in roles.names()]
        super().process(formdata, [role.name for role in data] if isinstance(data, list) else [])


class NewPasswordForm(FlaskForm):
    """A password that an admin sets."""

    password = PasswordField(
        "New password", validators=[InputRequired(), Length(max=128)], render_kw={"class": "form-control"}
    )


class UserAdmin(RowView):
    """The generated screens of people. Nobody is deleted: whoever leaves is made inactive."""

    route_base = "/admin/users"
    datamodel = Rows(User, selectinload(User.roles))
    class_permission_name = "User"
    exclude_route_methods = {"download", "delete"}
    base_order = ("username", "asc")
    list_title, add_title, edit_title, show_title = "People", "New person", "Edit person", "Person"
    add_row_message, edit_row_message = "Person added.", "Person saved."
    search_hint = "Name, username or email"
    list_columns = ["username", "get_full_name", "email", "roles", "active", "last_login"]
    order_columns = ["username", "email", "active", "last_login"]
    search_columns = ["username", "first_name", "last_name", "email", "active"]
    show_columns = [
        *("username", "first_name", "last_name", "email", "roles", "active", "time_zone", "language"),
        *("last_login", "login_count", "fail_login_count", "created_on"),
    ]
    add_columns = ["username", "first_name", "last_name", "email", "roles", "password"]
    edit_columns = ["username", "first_name", "last_name", "email", "roles", "active"]
    label_columns = {"get_full_name": "Name", "active": "Active", "fail_login_count": "Failed logins"}
    formatters_columns = {
        "roles": lambda found: ", ".join(sorted(role.name for role in found)),
        "last_login": lambda value: ago(value) if value else "Never",
    }
    method_permission_name = {
        **{name: name for name in ("list", "show", "add", "edit")},
        **{"set_password": "edit", "ask_password": "edit", "leave": "remove"},
    }

    def _init_forms(self) -> None:
        """Make the fields anew for each application."""
        facts = {
            "username": text_field("Username", USERNAME, longest=64, ui="admin"),
            "first_name": text_field("First name", longest=64, ui="admin"),
            "last_name": text_field("Last name", longest=64, ui="admin"),
            "email": text_field("Email", Email(), longest=320, ui="admin"),
            "roles": RolesField("Roles"),
        }
        password = PasswordField(
            "Password", validators=[InputRequired(), Length(max=128)], render_kw={"class": "form-control"}
        )
        self.add_form_extra_fields = facts | {"password": password}
        self.edit_form_extra_fields = facts | {"active": BooleanField("Active")}
        super()._init_forms()

    def matching(self, query: str) -> Any:
        """Search names and addresses."""
        return users.matching(query)

    def insert(self, form: Any) -> None:
        """Add a person with roles."""
        facts = {name: form[name].data for name in ("username", "first_name", "last_name", "email")}
        users_accounts.create(form.roles.data, form.password.data, by=viewer(), **facts)

    def change(self, item: User, form: Any) -> None:
        """Save a person; who loses a role or the account is signed out at once."""
        facts = {name: form[name].data for name in ("username", "first_name", "last_name", "email")}
        users_accounts.administer(viewer(), item, form.roles.data, form.active.data, **facts)

    @action("set_password", "Set a password", icon="fa-key", multiple=False)
    def set_password(self, items: list[User]) -> ResponseReturnValue:
        """Ask for a person's new password."""
        return redirect(url_for(".ask_password", user_id=items[0].id))

    @action("leave", "Remove …", icon="fa-trash", multiple=False)
    def leave(self, items: list[User]) -> ResponseReturnValue:
        """Ask what becomes of a person's things when they leave."""
        return redirect(url_for("LeavingAdmin.ask", user_id=items[0].id))

    @expose("/password/<id:user_id>", methods=["GET", "POST"])
    @has_access
    @permission_name("edit")
    def ask_password(self, user_id: int) -> ResponseReturnValue:
        """Set a person's password; all their sessions end."""
        person, form, status = users.get(viewer(), user_id), NewPasswordForm(), 200
        if form.is_submitted():
            status = 400
        if form.validate_on_submit():
            try:
                users_accounts.reset_password(viewer(), person, form.password.data)
            except Invalid as error:
                form.password.errors = [error.message]
            else:
                notice(f"{person.get_full_name()} has a new password and is signed out everywhere.")
                return self.to_list()
        return self.render_template("admin/password.html", person=person, form=form), status


class GrantsField(SelectMultipleField):
    """The grants of a role by their ids."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: str = "", **kwargs: Any) -> None:
        super().__init__(label, choices=[], coerce=int, render_kw={"class": "grants"}, **kwargs)

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
    formatters_columns = {"permissions": lambda found: roles.readable(found)}
    method_permission_name = {
        **{name: name for name in ("list", "show", "add", "edit", "delete")},
        "copy": "add",
    }

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
        if built_in([item.name]):
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
