"""Who may do what (ROLES), who is who (the security manager), and the wall that anonymous visitors meet."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask, Response, current_app, g, redirect, request, session, url_for
from flask_limiter import Limiter
from flask_login import current_user

from app import tokens
from app.db import utcnow
from app.errors import AppError, Invalid, Unauthenticated
from app.extensions import limiter
from app.fab_commands import CommandSecurityManager
from app.models.users import User
from app.services import audit, passwords, users, users_accounts
from app.services.permissions import Grant, load_signed_in

# role -> what it may do. `flask sync` gives the built-in roles exactly these grants; make a copy to change one.
MEMBER = {
    "Todo": "list show add edit delete share export",
    "Trash": "list show restore purge",
    "Attachment": "show add delete",
    "Job": "list show cancel again submit",
    "Notification": "list read",
    "Person": "list show lookup",
    "Profile": "edit",
    "ApiKey": "list add delete",
    "Calendar": "show edit",
    "Tag": "lookup create",
    "Comment": "add edit delete",
    "SavedFilter": "edit",
    "SwaggerView": "show",
    "OpenApi": "get",
}
ROLES: dict[str, dict[str, str] | None] = {
    "Admin": None,  # everything that is declared
    "Manager": MEMBER
    | {
        "Todo": MEMBER["Todo"] + " see_all change_all",
        "Job": "list show cancel again submit overview see_all cancel_all",
        "User": "list show",
        "Tag": "lookup create list add edit delete merge",
        "Audit": "list show",  # what was done to todos; sign-ins, roles and jobs are see_all
        "menu": "Todos Trash People Tags Audit",
    },
    "Member": MEMBER,
    "Viewer": MEMBER
    | {
        "Todo": "list show export see_all",
        "Attachment": "show",
        "Tag": "lookup",
        "Comment": "",
        "Trash": "",
        "menu": "Todos",
    },
    "Public": {},
}
# rights that a service checks and no view declares by its methods
FURTHER = {"Todo": "see_all change_all", "Job": "see_all cancel_all", "Tag": "create", "Audit": "see_all"}
PUBLIC_ENDPOINTS = {
    "static",
    "appbuilder.static",
    "AccountPages.login",
    "AccountPages.register",
    "calendar.feed",
    "SessionApi.login",
    "SessionApi.refresh",
    "health.alive",
    "health.ready",
    "mail.ask",
    "mail.stop",
    "metrics.show",
}


def grants(table: dict[str, str]) -> set[Grant]:
    """Return the grants that a row of ROLES spells."""
    pairs = {(f"can_{word}", on) for on, words in table.items() if on != "menu" for word in words.split()}
    return pairs | {("menu_access", name) for name in table.get("menu", "").split()}


def declared(appbuilder: Any) -> set[Grant]:
    """Return every grant that a view, an action, a menu or a service checks."""
    found = grants(FURTHER)
    for view in appbuilder.baseviews:
        found |= {(permission, view.class_permission_name) for permission in view.base_permissions}
    for entry in appbuilder.menu.get_list():
        found |= {("menu_access", item.name) for item in (entry, *entry.childs) if item.name != "-"}
    return found


def role_grants(everything: set[Grant]) -> dict[str, set[Grant]]:
    """Return the grants of each built-in role.

    Raises:
        KeyError: when ROLES names something that nothing declares, so that a typing error cannot hide.
    """
    found = {name: everything if table is None else grants(table) for name, table in ROLES.items()}
    if unknown := set().union(*found.values()) - everything:
        raise KeyError(f"ROLES grants what nothing declares: {sorted(unknown)}")
    return found


class SecurityManager(CommandSecurityManager):
    """Flask-AppBuilder's, with permissions read once a request and one password policy for all ways."""

    def load_user(self, pk: str) -> User | None:
        """Return the user of a session, unless the session ended by a new password or role, or the user is gone."""
        if tokens.bearer() is not None or is_too_old():
            return None
        return load_signed_in(str(pk), session.get("id", ""))

    def create_login_manager(self, app: Flask) -> Any:
        """Know people by their tokens too."""
        manager = super().create_login_manager(app)
        manager.request_loader(tokens.load_user)
        return manager

    def has_access(self, permission_name: str, view_name: str) -> bool:
        """Look into the set that was loaded with the user."""
        return current_user.is_authenticated and (permission_name, view_name) in current_user.permissions

    def is_item_public(self, permission_name: str, view_name: str) -> bool:
        """Keep what needs a permission away from anonymous visitors, whatever the Public role is given."""
        return False

    def auth_user_db(self, username: str, password: str) -> User | None:
        """Check a login as our own page does."""
        return users_accounts.authenticate(username or "", password or "")

    def add_user(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the rules of the forms to `flask fab create-user` and `create-admin` too."""
        password = kwargs.get("password") or (args[5] if len(args) > 5 else "")
        if not kwargs.get("hashed_password"):
            users.check_facts(*map(str, args[:4]))
            passwords.check(password, *(str(value) for value in args[:4]))
            users_accounts.check_free(str(args[0]), str(args[3]))
        added = super().add_user(*args, **kwargs)
        if not added:
            raise AppError("The user was not added: the line above says why. Run flask doctor.")
        return added

    def reset_password(self, userid: int, password: str) -> None:
        """Apply the password policy, and end the user's sessions."""
        users_accounts.set_password(self.get_user_by_id(userid), password)

    def create_limiter(self, app: Flask) -> Limiter:
        """Use the limiter that the rest of the application uses."""
        limiter.init_app(app)
        return limiter


def is_too_old() -> bool:
    """Tell whether a session has lasted longer than any may, however often it was used."""
    age = utcnow().timestamp() - session.get("begun", 0)
    return bool(age > current_app.config["SESSION_DAYS"] * 86_400)


def is_safe_target(target: str) -> bool:
    """Tell whether a redirect to `target` stays on this site and under its prefix.

    Only absolute paths are accepted: no scheme, no host, nothing a browser might read as one.
    """
    if not target.startswith(request.script_root + "/") or target.startswith("//") or "\\" in target:
        return False
    if any(ord(character) < 32 or ord(character) == 127 for character in target):
        return False
    path = urlsplit(target)
    return not path.scheme and not path.netloc and "/.." not in unquote(path.path) and "//" not in path.path


def safe_target(default: str) -> str:
    """Return where the visitor wanted to go, if that is on this site."""
    target = request.values.get("next", "")
    return target if is_safe_target(target) else default


def refuse_nul() -> None:
    """Refuse the one character that PostgreSQL does not store in an address; forms refuse it field by field.

    Raises:
        Invalid: when it is there.
    """
    texts = [text for name, values in request.args.lists() if name != "next" for text in (name, *values)]
    if any("\x00" in text for text in texts):
        raise Invalid("There are invisible control characters in this address.")


def wall() -> Response | None:
    """Send anonymous visitors to the login page, and programs away with 401; a new page is closed unless listed."""
    if request.endpoint is None or request.endpoint in PUBLIC_ENDPOINTS or current_user.is_authenticated:
        return None
    if request.path.startswith("/api/") or request.accept_mimetypes.best == "application/json":
        if tokens.bearer() is not None:
            raise Unauthenticated("This token is not valid. It may have expired or been revoked.", "invalid_token")
        raise Unauthenticated("Sign in first.")
    target = request.full_path.rstrip("?") if request.method == "GET" else ""
    wanted = request.script_root + target if 1 < len(target) < 1000 else None
    return redirect(url_for("AccountPages.login", next=wanted))  # type: ignore[return-value]


def viewer() -> User:
    """Return who is signed in, as the object itself and not Flask-Login's proxy for it."""
    return current_user._get_current_object()


def viewer_id() -> int | None:
    """Return the id of who is signed in, if anybody is."""
    return viewer().id if current_user.is_authenticated else None


def sign_trail() -> None:
    """Say in the audit trail who does what this request does, and from where."""
    address = (request.remote_addr or "")[:45]
    audit.origin.set(audit.Origin(viewer_id, request_id=g.get("request_id"), address=address))


def init_app(app: Flask) -> None:
    """Put the wall before every page."""
    app.before_request(sign_trail)
    app.before_request(wall)
    app.before_request(refuse_nul)


def built_in(names: Iterable[str]) -> set[str]:
    """Return those of the role names that are built in."""
    return set(names) & set(ROLES)


def site() -> Any:
    """Return the AppBuilder of the present application."""
    return current_app.appbuilder  # type: ignore[attr-defined]
