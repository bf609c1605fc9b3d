"""People: who may be seen, by whom."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import ColumnElement, func, or_, select

from app.errors import Invalid, NotFound
from app.extensions import db
from app.models.users import User
from app.services import paging
from app.services.paging import Order, Wanted
from app.services.permissions import can

PAGE_SIZE = 24
LOOKUP_SIZE = 20
USERNAME_PATTERN = r"^[\w.@+-]+$"
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def visible_to(viewer: User) -> ColumnElement[bool]:
    """Select the people whom the viewer may see: active colleagues, or everybody for those who read the people list."""
    if can(viewer, "can_list", "User"):
        return User.id.is_not(None)
    return User.active.is_(True)


def today(viewer: User) -> date:
    """Return the date where the viewer is: the one "today" of pages, exports and mails."""
    return datetime.now(zone_named(viewer.time_zone)).date()


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone, or UTC when the tz database of this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def check_facts(username: str, first_name: str, last_name: str, email: str) -> None:
    """Refuse what the forms refuse, for commands: SQLite would store it, and PostgreSQL not take it from a backup.

    Raises:
        Invalid: saying what is wrong.
    """
    if not (2 <= len(username) <= 64 and re.fullmatch(USERNAME_PATTERN, username)):
        raise Invalid("Use a username of 2 to 64 letters, digits and . @ + - _ only.")
    if not all(name.strip() and len(name) <= 64 and not CONTROL.search(name) for name in (first_name, last_name)):
        raise Invalid("Use a first and a last name of 1 to 64 characters.")
    try:
        validate_email(email, check_deliverability=False)
    except EmailNotValidError as error:
        raise Invalid("Use an email address such as ada@example.org.") from error


def page(viewer: User, query: str = "", after: str = "") -> tuple[list[User], bool]:
    """Return one page of people in order of their username, and whether more follow."""
    statement = select(User).where(visible_to(viewer), User.username > after, matching(query))
    found = list(db.session.scalars(statement.order_by(User.username).limit(PAGE_SIZE + 1)))
    return found[:PAGE_SIZE], len(found) > PAGE_SIZE


def matching(query: str) -> ColumnElement[bool]:
    """Select people whose name or username contains the text literally."""
    name = User.first_name + " " + User.last_name
    return or_(*(column.icontains(query.strip(), autoescape=True) for column in (name, User.username)))


def listed(viewer: User, text: str, wanted: Wanted) -> tuple[list[User], str | None]:
    """Return one page of people for a program, and the cursor of the next."""
    statement = select(User).where(visible_to(viewer), matching(text))
    return paging.page(statement, {"username": Order(User.username, str)}, User.id, wanted)


def lookup(viewer: User, query: str) -> Sequence[User]:
    """Return a few active people for a search-as-you-type field."""
    statement = select(User).where(visible_to(viewer), User.active, matching(query))
    return db.session.scalars(statement.order_by(User.username).limit(LOOKUP_SIZE)).all()


def by_usernames(viewer: User, names: Sequence[str]) -> list[User]:
    """Return the active people with these usernames.

    Raises:
        Invalid: naming those that do not exist.
    """
    wanted = {name.lower(): name for name in names}
    statement = select(User).where(visible_to(viewer), User.active, func.lower(User.username).in_(wanted))
    found = list(db.session.scalars(statement.order_by(User.username))) if wanted else []
    if missing := set(wanted) - {user.username.lower() for user in found}:
        raise Invalid(f"There is nobody called {', '.join(sorted(wanted[name] for name in missing))}.")
    return found


def get(viewer: User, user_id: int) -> User:
    """Return one person.

    Raises:
        NotFound: when there is none whom the viewer may see.
    """
    user = db.session.scalar(select(User).where(visible_to(viewer), User.id == user_id))
    if user is None:
        raise NotFound("There is no such person.")
    return user


def is_time_zone(name: str) -> bool:
    """Tell whether the tz database has a zone of this name."""
    return name in available_timezones()
