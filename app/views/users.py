"""People, and one's own account."""

import secrets

from flask import current_app, jsonify, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_login import current_user, login_user, logout_user

from app.db import utcnow
from app.errors import AppError, NotFound, Stale
from app.extensions import limiter
from app.models.users import User
from app.security import safe_target, viewer
from app.services import mail, todos_lists, users, users_accounts
from app.views import conflicts
from app.views.forms import LoginForm, PasswordForm, ProfileForm, RegistrationForm
from app.views.pages import Page, has_access, notice

TODOS_SHOWN = 5
WRONG = "The username or the password is not right. After several failures an account waits for some minutes."


def login_limit() -> str:
    """Return how many attempts an address has."""
    return str(current_app.config["LOGIN_LIMIT"])


# one count for all ways to try a password, so that nobody gets more by taking another way
login_limited = limiter.shared_limit(login_limit, scope="login", methods=["POST"])


def start_session(user: User) -> None:
    """Sign in with a new session, so that one prepared by somebody else is of no use."""
    session.clear()
    session.permanent = True
    session["id"], session["begun"] = secrets.token_hex(16), int(utcnow().timestamp())
    login_user(user)


class AccountPages(Page):
    """Signing in and out, and registering."""

    route_base = ""
    base_permissions: list[str] = []
    class_permission_name = "Account"
    default_view = "login"

    @expose("/login/", methods=["GET", "POST"])
    @login_limited
    def login(self) -> ResponseReturnValue:
        """Sign in by username or email address."""
        if current_user.is_authenticated:
            return redirect(safe_target(url_for("Index.index")))
        form = LoginForm()
        if not form.validate_on_submit():
            return self.page("login", 400 if form.is_submitted() else 200, form=form)
        user = users_accounts.authenticate(form.username.data, form.password.data)
        if user is None:
            form.form_errors.append(WRONG)
            return self.page("login", 401, form=form)
        start_session(user)
        return redirect(safe_target(url_for("Index.index")))

    @expose("/logout", methods=["POST"])
    def logout(self) -> ResponseReturnValue:
        """Sign out; a copy of the cookie is worthless from now on."""
        if session.get("id"):
            users_accounts.end_session(session["id"])
        logout_user()
        session.clear()
        return redirect(url_for(".login"))

    @expose("/register", methods=["GET", "POST"])
    @login_limited
    def register(self) -> ResponseReturnValue:
        """Let a visitor become a Member."""
        if not current_app.config["REGISTRATION_ENABLED"]:
            raise NotFound("Registration is closed. Ask an admin for an account.")
        form = RegistrationForm()
        if not form.validate_on_submit():
            return self.page("register", 400 if form.is_submitted() else 200, form=form)
        facts = {name: value for name, value in form.data.items() if name not in ("csrf_token", "password")}
        try:
            user = users_accounts.create(["Member"], form.password.data, **facts)
        except AppError as error:
            form.form_errors.append(error.message)
            return self.page("register", error.status, form=form)
        start_session(user)
        notice(f"Welcome, {user.first_name}. Add your first todo.")
        return redirect(url_for("Index.index"))


class ProfilePages(Page):
    """What people change about themselves."""

    route_base = "/profile"
    class_permission_name = "Profile"

    @expose("", methods=["GET", "POST"])
    @has_access
    @permission_name("edit")
    def index(self) -> ResponseReturnValue:
        """Change name, address and time zone."""
        form = ProfileForm(obj=viewer())
        if request.method == "GET":
            conflicts.remember(form)
            return self.both(form, PasswordForm(formdata=None), 200)
        conflicts.resolve(form, viewer())
        if not form.validate():
            return self.both(form, PasswordForm(formdata=None), 400)
        facts = {name: value for name, value in form.data.items() if name not in ("csrf_token", "shown")}
        try:
            with conflicts.unchanged(form, viewer()):
                users_accounts.update_profile(viewer(), **facts)
        except AppError as error:
            form.form_errors.append(error.message)
            if isinstance(error, Stale):
                conflicts.compare(form, viewer())
            return self.both(form, PasswordForm(formdata=None), error.status)
        notice("Your profile is saved.")
        return redirect(url_for(".index"))

    @expose("/password", methods=["POST"])
    @has_access
    @permission_name("edit")
    @login_limited
    def password(self) -> ResponseReturnValue:
        """Change one's own password; all other sessions end."""
        form, profile = PasswordForm(), ProfileForm(formdata=None, obj=viewer())
        conflicts.remember(profile)
        if not form.validate():
            return self.both(profile, form, 400)
        try:
            users_accounts.change_password(viewer(), form.old.data, form.new.data)
        except AppError as error:
            form.form_errors.append(error.message)
            return self.both(profile, form, error.status)
        start_session(viewer())
        notice("Your password is changed. You are signed out everywhere else.")
        return redirect(url_for(".index"))

    @expose("/time-zone", methods=["POST"])
    @has_access
    @permission_name("edit")
    def time_zone(self) -> ResponseReturnValue:
        """Take the browser's time zone, once, unless the person chose one."""
        return jsonify(taken=users_accounts.guess_time_zone(viewer(), request.form.get("time_zone", "")))

    @expose("/sessions", methods=["POST"])
    @has_access
    @permission_name("edit")
    def sessions(self) -> ResponseReturnValue:
        """Log out everywhere, here too."""
        users_accounts.end_sessions(viewer())
        logout_user()
        session.clear()
        notice("You are logged out everywhere.")
        return redirect(url_for("AccountPages.login"))

    def both(self, form: ProfileForm, password_form: PasswordForm, status: int) -> ResponseReturnValue:
        """Render the page with its two forms."""
        return self.page("profile", status, form=form, password_form=password_form, mails=mail.is_configured())


class PersonPages(Page):
    """The people one works with."""

    route_base = "/users"
    class_permission_name = "Person"

    @expose("")
    @has_access
    @permission_name("list")
    def index(self) -> ResponseReturnValue:
        """Show people with those of their todos that the viewer may see."""
        self.update_redirect()
        query, after = request.args.get("q", "").strip(), request.args.get("after", "")
        people, more = users.page(viewer(), query, after)
        open_todos = todos_lists.of_people(viewer(), people, TODOS_SHOWN)
        today = users.today(viewer())
        return self.page("people", people=people, more=more, todos_of=open_todos, query=query, today=today)

    @expose("/<id:user_id>")
    @has_access
    @permission_name("show")
    def show(self, user_id: int) -> ResponseReturnValue:
        """Show one person with those of their todos that the viewer may see."""
        self.update_redirect()
        person = users.get(viewer(), user_id)
        found = todos_lists.of_people(viewer(), [person], todos_lists.PAGE_SIZE)[person.id]
        return self.page("person", person=person, todos=found, today=users.today(viewer()))

    @expose("/lookup")
    @has_access
    @permission_name("lookup")
    def lookup(self) -> ResponseReturnValue:
        """Return a few people for a search-as-you-type field."""
        found = users.lookup(viewer(), request.args.get("q", "")[:100])
        return jsonify(
            [{"value": user.username, "label": user.get_full_name(), "hint": user.username} for user in found]
        )
