"""What the commands of `flask fab` lack: they print that something failed, and end as if it had not.

`flask` finds them before it loads our application, so they cannot be replaced; but all of them ask the security
manager, which knows who asks.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask_appbuilder import Model
from flask_appbuilder.security.sqla.manager import SecurityManager
from sqlalchemy import event

from app.errors import AppError, Conflict, Invalid, NotFound

CREATE = ("create-admin", "create-user")


def running() -> str | None:
    """Return the name of the command of `flask fab` that runs."""
    context = click.get_current_context(silent=True)
    return context.info_name if context and context.parent and context.parent.info_name == "fab" else None


class CommandSecurityManager(SecurityManager):
    """Flask-AppBuilder's, with a sentence and exit code 1 for commands that cannot do what they are asked for."""

    def find_user(self, username: str | None = None, email: str | None = None) -> Any:
        """Return a user."""
        found = super().find_user(username, email)
        if found and running() in CREATE:
            raise Conflict(f"This {'username' if username else 'email address'} is taken by {found.username}.")
        if not found and running() == "reset-password":
            raise NotFound(f"There is nobody called {username}. See: flask users list")
        return found

    def find_role(self, name: str) -> Any:
        """Return a role."""
        found = super().find_role(name)
        if not found and running() in CREATE:
            known = ", ".join(sorted(role.name for role in self.get_all_roles())) or "no roles yet: run flask sync"
            raise NotFound(f"There is no role {name}. There are {known}.")
        return found

    def export_roles(self, path: str | None = None, indent: int | str | None = None) -> None:
        """Write the roles as JSON; unlike FAB's own, which logs the address of the database as an error."""
        path = path or f"roles_export_{datetime.now():%Y%m%dT%H%M%S}.json"  # noqa: DTZ005, a name for people
        roles = [
            {"name": role.name, "permissions": list(map(_pair, role.permissions))} for role in self.get_all_roles()
        ]
        try:
            Path(path).write_text(json.dumps(roles, indent=indent))
        except OSError as error:
            raise Invalid(f"{path} cannot be written: {error.strerror}.") from error

    def import_roles(self, path: str) -> None:
        """Read roles as JSON; a file that is not one changes nothing."""
        try:
            check_roles(json.loads(Path(path).read_text()))
        except OSError as error:
            raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
        except (ValueError, LookupError, TypeError) as error:
            raise Invalid(f"{path} is not what flask fab export-roles writes.") from error
        super().import_roles(path)


def _pair(granted: Any) -> dict[str, dict[str, str]]:
    """Return a permission as FAB's import reads it."""
    return {"permission": {"name": granted.permission.name}, "view_menu": {"name": granted.view_menu.name}}


def check_roles(found: Any) -> None:
    """Raise LookupError or TypeError if this is not what an export holds: an import commits role by role."""
    for role in found:
        names = [role["name"]]
        names += [pair[of]["name"] for pair in role["permissions"] for of in ("permission", "view_menu")]
        if not all(isinstance(name, str) for name in names):
            raise TypeError


def refuse_tables(*_: Any, **__: Any) -> None:
    """Refuse `flask fab create-db`: tables without a migration history cannot be upgraded."""
    raise AppError("Tables are made by migrations: run flask db upgrade.")


event.listen(Model.metadata, "before_create", refuse_tables)
