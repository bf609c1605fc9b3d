"""People: who may be seen, who may sign in, what they may change about themselves."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload
from werkzeug.security import check_password_hash

from app.db import transaction, utcnow
from app.errors import Conflict, Denied, Invalid, Limited, NotFound
from app.extensions import db
from app.models.users import User, new_stamp
from app.services import passwords
from app.services.permissions import can

ADMIN = "Admin"
PAGE_SIZE = 24
LOOKUP_SIZE = 20
FREE_FAILURES = 5
LONGEST_LOCK = timedelta(minutes=15)
# the hash of a random password, so that an unknown name takes as long as a wrong password
NOBODY = "scrypt:32768:8:1$mBsJ1Hcb4nBvyJqp$" + "0" * 128


def visible_to(viewer: User) -> ColumnElement[bool]:
    """Select the people whom the viewer may see: active colleagues, or everybody for those who read the people list."""
    if can(viewer, "can_list", "User"):
        return User.id.is_not(None)
    return User.active.is_(True)


def today(viewer: User) -> date:
    """Return the date where the viewer is."""
    return datetime.now(ZoneInfo(viewer.time_zone)).date()


def page(viewer: User, query: str = "", after: str = "") -> tuple[list[User], bool]:
    """Return one page of people in order of their username, and whether more follow."""
    statement = select(User).where(visible_to(viewer), User.username > after, matching(query))
    found = list(db.session.scalars(statement.order_by(User.username).limit(PAGE_SIZE + 1)))
    return found[:PAGE_SIZE], len(found) > PAGE_SIZE


def matching(query: str) -> ColumnElement[bool]:
    """Select people whose name or username contains the text literally."""
    name = User.first_name + " " + User.last_name
    return or_(*(column.icontains(query.strip(), autoescape=True) for column in (name, User.username)))


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


def authenticate(login: str, password: str) -> User | None:
    """Return the user if the password is right.

    After five failures the account answers only after a delay that doubles up to 15 minutes, whatever the address
    the attempts come from.

    Raises:
        Limited: while the account waits.
    """
    name = login.strip().lower()
    either = or_(func.lower(User.username) == name, func.lower(User.email) == name)
    user = db.session.scalar(select(User).where(either).order_by(func.lower(User.username) != name).limit(1))
    if user is not None and user.locked_until and user.locked_until > utcnow():
        raise Limited("Too many attempts for this account. Wait a few minutes, then try again.")
    right = check_password_hash(user.password if user is not None and user.password else NOBODY, password)
    if user is None or not user.active:
        return None
    with transaction():
        if right:
            user.fail_login_count, user.locked_until = 0, None
            user.login_count, user.last_login = (user.login_count or 0) + 1, datetime.now()  # noqa: DTZ005, FAB stores local time
        else:
            user.fail_login_count = (user.fail_login_count or 0) + 1
            user.locked_until = _locked_until(user.fail_login_count)
    return user if right else None


def _locked_until(failures: int) -> datetime | None:
    """Return the end of the delay after so many failures in a row."""
    if failures < FREE_FAILURES:
        return None
    return utcnow() + min(timedelta(seconds=30 * 2 ** min(failures - FREE_FAILURES, 10)), LONGEST_LOCK)


def create(roles: Sequence[str], password: str, **facts: str) -> User:
    """Add a user with these roles.

    Raises:
        Invalid: when the password is weak or a role unknown.
        Conflict: when the username or address is taken.
    """
    passwords.check(password, *facts.values())
    if taken := _taken(facts["username"], facts["email"]):
        raise Conflict(taken)
    user = User(active=True, roles=_roles(roles), password=passwords.hashed(password), **facts)
    try:
        with transaction() as session:
            session.add(user)
    except IntegrityError as error:
        raise Conflict("This username or email address is taken.") from error
    return user


def _roles(names: Sequence[str]) -> list[Role]:
    """Return roles by name.

    Raises:
        Invalid: when there are none, or one is unknown.
    """
    found = list(db.session.scalars(select(Role).where(Role.name.in_(names)).options(selectinload(Role.permissions))))
    if not found or len(found) != len(set(names)):
        raise Invalid("Choose at least one of the existing roles.")
    return found


def administer(viewer: User, user: User, roles: Sequence[str], active: bool, **facts: str) -> None:
    """Change somebody's facts, roles and whether they may sign in; losing or gaining either ends their sessions.

    Raises:
        Denied: when the viewer would give more than they have, or take the last admin away.
        Conflict: when the username or address is taken.
    """
    found = _roles(roles)
    changed = {role.name for role in found} != {role.name for role in user.roles} or active != user.active
    for role in found:
        grants = {(pair.permission.name, pair.view_menu.name) for pair in role.permissions}
        if role not in user.roles and not grants <= viewer.permissions:
            raise Denied(f"You cannot give the role {role.name}, which may do more than you.")
    if (not active or ADMIN not in roles) and _is_last_admin(user):
        raise Denied("This is the last active admin. Make somebody else Admin first.")
    try:
        with transaction():
            for name, value in facts.items():
                setattr(user, name, value)
            user.roles, user.active = found, active
            if changed:
                user.session_stamp = new_stamp()
    except IntegrityError as error:
        raise Conflict("This username or email address is taken.") from error


def _is_last_admin(user: User) -> bool:
    """Tell whether nobody else could administer the site."""
    if ADMIN not in {role.name for role in user.roles}:
        return False
    others = select(User.id).where(User.roles.any(Role.name == ADMIN), User.active, User.id != user.id)
    return db.session.scalar(others.limit(1)) is None


def _taken(username: str, email: str) -> str:
    """Say which of the two somebody else has."""
    same_name = func.lower(User.username) == username.lower()
    statement = select(same_name).where(or_(same_name, func.lower(User.email) == email.lower())).limit(1)
    taken = db.session.scalar(statement)
    return "" if taken is None else f"This {'username' if taken else 'email address'} is taken."


def set_password(user: User, password: str) -> None:
    """Set a new password and end all sessions of the user.

    Raises:
        Invalid: when the password is weak.
    """
    passwords.check(password, user.username, user.email, user.first_name, user.last_name)
    with transaction():
        user.password, user.session_stamp = passwords.hashed(password), new_stamp()
        user.fail_login_count, user.locked_until = 0, None


def change_password(user: User, old: str, new: str) -> None:
    """Set one's own password.

    Raises:
        Invalid: when the old one is wrong or the new one weak.
    """
    if not check_password_hash(user.password, old):
        raise Invalid("The present password is not right.")
    set_password(user, new)


def update_profile(user: User, **facts: Any) -> None:
    """Change one's own name, address and time zone.

    Raises:
        Conflict: when somebody else has the address.
    """
    try:
        with transaction():
            for name, value in facts.items():
                setattr(user, name, value)
    except IntegrityError as error:
        raise Conflict("Somebody else uses this email address.") from error


def is_time_zone(name: str) -> bool:
    """Tell whether the tz database has a zone of this name."""
    return name in available_timezones()


def count() -> int:
    """Return how many users there are."""
    return int(db.session.scalar(select(func.count()).select_from(User)) or 0)
