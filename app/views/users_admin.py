"""People in the generated admin."""

from typing import Any

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.actions import action
from flask_appbuilder.security.decorators import has_access, permission_name
from flask_wtf import FlaskForm
from sqlalchemy.orm import selectinload
from wtforms import BooleanField, PasswordField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Email, InputRequired, Length

from app.errors import Invalid
from app.models.users import User
from app.security import viewer
from app.services import roles, users, users_accounts
from app.views.base import RowView
from app.views.filters import ago
from app.views.forms import USERNAME, text_field
from app.views.pages import notice
from app.views.rows import Rows
from app.views.widgets import TicksField


class RolesField(TicksField):
    """Roles by name; there are few, so all are offered."""

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
