"""The page that asks what becomes of somebody's things when they leave."""

from typing import Any

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access, permission_name
from flask_wtf import FlaskForm
from wtforms import BooleanField, RadioField
from wtforms.fields.choices import SelectChoice

from app.errors import AppError, Invalid
from app.security import viewer
from app.services import users, users_handover, users_leaving
from app.tasks.runner import submit
from app.tasks.users_leaving import leave
from app.views.base import History
from app.views.pages import notice
from app.views.widgets import PeopleField

CHOICES = [
    SelectChoice("release", "Release them: each goes to whoever of those assigned to it has been here longest"),
    SelectChoice("hand_over", "Hand them over to one person"),
]


class LeaveForm(FlaskForm):
    """What becomes of the todos, and of the name."""

    todos = RadioField("Open todos", choices=CHOICES, default="release")
    heir = PeopleField("Hand over to", ui="admin")
    forget = BooleanField("Forget name, username and email address as well; this cannot be taken back")

    def heir_chosen(self) -> Any:
        """Return who gets the todos, or None when they are released.

        Raises:
            Invalid: when they go to one person and not exactly one is named.
        """
        if self.todos.data == "release":
            return None
        if len(self.heir.data) != 1:
            raise Invalid("Name the one person who gets the todos.")
        return self.heir.data[0]


class LeavingAdmin(History, BaseView):
    """Somebody leaves: nobody is deleted, so that the history stays readable."""

    route_base = "/admin/users/leave"
    class_permission_name = "User"
    default_view = "ask"

    @expose("/<id:user_id>", methods=["GET", "POST"])
    @has_access
    @permission_name("remove")
    def ask(self, user_id: int) -> ResponseReturnValue:
        """Ask, then deactivate; todos are handed over at once, or by a job when there are many."""
        person, form, status = users.get(viewer(), user_id), LeaveForm(), 200
        users_leaving.check(viewer(), person)
        if form.is_submitted():
            status = 400
        if form.validate_on_submit():
            try:
                return self.let_go(person, form.heir_chosen(), form.forget.data)
            except AppError as error:
                status = error.status
                form.form_errors.append(error.message)
        share = users_handover.share_of(user_id)
        return self.render_template("admin/leave.html", person=person, form=form, share=share), status

    def let_go(self, person: Any, heir: Any, forget: bool) -> ResponseReturnValue:
        """Deactivate somebody, and pass on what they leave behind."""
        name = person.get_full_name()
        users_leaving.check(viewer(), person, heir)
        users_leaving.deactivate(person)
        share, heir_id = users_handover.share_of(person.id), heir.id if heir else None
        if share.owned + share.assigned > users_handover.AT_ONCE:
            notice(f"{name} is signed out and cannot sign in any more. Their todos are on the way.")
            range_of = {"first": share.ids[0], "last": share.ids[-1]}
            job = submit(viewer(), leave, user_id=person.id, heir_id=heir_id, forget=forget, **range_of)
            return redirect(url_for("JobPages.show", job_id=job.id))
        users_leaving.finish(person.id, heir_id, forget, share)
        notice(f"{name} is signed out and cannot sign in any more.")
        return redirect(url_for("UserAdmin.show", pk=person.id))
