"""API keys on the profile page: made, shown once, revoked."""

from typing import Any

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_wtf import FlaskForm
from wtforms import RadioField, SelectField
from wtforms.fields.choices import SelectChoice

from app.errors import AppError
from app.security import viewer
from app.services import api_keys
from app.views.forms import text_field
from app.views.pages import Page, has_access, notice

SCOPES = (
    SelectChoice("read", "Read: see what I see"),
    SelectChoice("write", "Write: also change todos, comments, files and jobs as I may"),
    SelectChoice("admin", "Admin: everything that I may do"),
)
DAYS = tuple(SelectChoice(days, f"{days} days") for days in (7, 30, 90, 365))


class ApiKeyForm(FlaskForm):
    """A new key."""

    name = text_field("Name", longest=64)
    scope = RadioField("What it may do", choices=SCOPES, default="read")
    days = SelectField("Works for", choices=DAYS, coerce=int, default=90)


class ApiKeyPages(Page):
    """One's own API keys."""

    route_base = "/profile/keys"
    class_permission_name = "ApiKey"

    @expose("")
    @has_access
    @permission_name("list")
    def index(self) -> ResponseReturnValue:
        """Show the keys and the form for another."""
        return self.listing(ApiKeyForm(formdata=None))

    @expose("", methods=["POST"])
    @has_access
    @permission_name("add")
    def add(self) -> ResponseReturnValue:
        """Make a key; the page that answers is the only one that ever shows it."""
        form = ApiKeyForm()
        if not form.validate():
            return self.listing(form, 400)
        try:
            key, secret = api_keys.create(viewer(), form.name.data, form.scope.data, form.days.data)
        except AppError as error:
            form.form_errors.append(error.message)
            return self.listing(form, error.status)
        return self.listing(ApiKeyForm(formdata=None), 201, made=key, secret=secret)

    @expose("/<id:key_id>/revoke", methods=["POST"])
    @has_access
    @permission_name("delete")
    def revoke(self, key_id: int) -> ResponseReturnValue:
        """End a key for good."""
        key = api_keys.revoke(viewer(), key_id)
        notice(f"Revoked the key “{key.name}”. Programs that use it are shut out from now on.")
        return redirect(url_for(".index"))

    def listing(self, form: ApiKeyForm, status: int = 200, **made: Any) -> ResponseReturnValue:
        """Render the page around a form."""
        return self.page("api_keys", status, form=form, keys=api_keys.of_user(viewer()), **made)
