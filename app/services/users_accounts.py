"""Accounts: who may sign in, who may change whose, and when sessions end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload
from werkzeug.security import check_password_hash

from app.db import transaction, utcnow
from app.errors import Conflict, Invalid, Limited
from app.extensions import db
from app.metrics import LOGINS
from app.models.users import EndedSession, User, new_stamp
from app.services import api_keys, audit, calendars, passwords
from app.services.users import is_time_zone
from app.services.users_rank import check_rank, keep_an_admin

FREE_FAILURES = 5
LONGEST_LOCK = timedelta(minutes=15)
# the hash of no password, so that an unknown name takes as long as a wrong password
NOBODY = "scrypt:32768:8:1$mBsJ1Hcb4nBvyJqp$" + "0" * 128


def authenticate(login: str, password: str) -> User | None:
    """Return the user if the password is right.

    After five failures the account answers only after a delay that doubles up to 15 minutes, whatever the address
    the attempts come from; until then the right password gets the same answer as a wrong one or an unknown name, so
    that nobody learns which accounts exist.
    """
    name = login.strip().lower()
    either = or_(func.lower(User.username) == name, func.lower(User.email) == name)
    user = db.session.scalar(select(User).where(either).order_by(func.lower(User.username) != name).limit(1))
    right = check_password_hash(user.password if user is not None and user.password else NOBODY, password)
    LOGINS.labels("succeeded" if right and user and user.active and not is_locked(user) else "failed").inc()
    if user is None or not user.active or is_locked(user):
        with transaction():
            audit.note("login_failed", entity="user", row_id=user.id if user is not None else None)
        return None
    with transaction():
        if right:
            user.fail_login_count, user.locked_until = 0, None
            user.login_count = (user.login_count or 0) + 1
            user.last_login = datetime.now()  # noqa: DTZ005, FAB stores local time
        else:
            count_failure(user)
    return user if right else None


def is_locked(user: User) -> bool:
    """Tell whether an account waits after failures."""
    return bool(user.locked_until and user.locked_until > utcnow())


def count_failure(user: User) -> None:
    """Note a wrong password, and let the account wait when there were too many."""
    user.fail_login_count = (user.fail_login_count or 0) + 1
    if (more := user.fail_login_count - FREE_FAILURES) >= 0:
        user.locked_until = utcnow() + min(timedelta(seconds=30 * 2 ** min(more, 10)), LONGEST_LOCK)


def end_session(session_id: str) -> None:
    """Make a session's cookie worthless, whoever has a copy of it."""
    with transaction() as session:
        session.merge(EndedSession(session_id=session_id, ended_at=utcnow()))


def sweep_ended_sessions(older_than_hours: int) -> int:
    """Forget sessions that ended so long ago that their cookies expired by themselves; return how many."""
    old = EndedSession.ended_at < utcnow() - timedelta(hours=older_than_hours)
    with transaction() as session:
        return session.execute(delete(EndedSession).where(old)).rowcount  # type: ignore[attr-defined]


def create(roles: Sequence[str], password: str, by: User | None = None, **facts: str) -> User:
    """Add a user with these roles.

    Args:
        roles: their names.
        password: as the user will type it.
        by: who gives the roles; None for registration and for commands.
        facts: username, email, first_name, last_name and so on.

    Raises:
        Invalid: when the password is weak or a role unknown.
        Denied: when `by` would give more than they have.
        Conflict: when the username or address is taken.
    """
    passwords.check(password, *facts.values())
    check_free(facts["username"], facts["email"])
    found = _roles(roles)
    if by is not None:
        check_rank(by, found)
    known = {"time_zone_known": "time_zone" in facts}
    user = User(active=True, roles=found, password=passwords.hashed(password), **known, **facts)
    with _unique() as session:
        session.add(user)
    return user


@contextmanager
def _unique() -> Iterator[Any]:
    """Commit; tell in a sentence when somebody else was faster with the same username or address.

    Raises:
        Conflict: see above.
    """
    try:
        with transaction() as session:
            yield session
            session.flush()
    except IntegrityError as error:
        raise Conflict("This username or email address is taken.") from error


def check_free(username: str, email: str, but: int | None = None) -> None:
    """Refuse a username or address that would let two people sign in by the same word, in any case of letters.

    Raises:
        Conflict: saying which is taken.
    """
    for word, what in ((username, "username"), (email, "email address")):
        same = or_(func.lower(User.username) == word.lower(), func.lower(User.email) == word.lower())
        if db.session.scalar(select(User.id).where(same, User.id != (but or 0)).limit(1)) is not None:
            raise Conflict(f"This {what} is taken.")


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
        Denied: when the viewer would give more than they have, change somebody who may do more, or take the last
            admin away.
        Conflict: when the username or address is taken.
    """
    found = _roles(roles)
    check_rank(viewer, found, user)
    check_free(facts["username"], facts["email"], but=user.id)
    changed = {role.name for role in found} != {role.name for role in user.roles} or active != user.active
    with _unique(), keep_an_admin():
        for name, value in facts.items():
            setattr(user, name, value)
        user.roles, user.active = found, active
        if changed:
            user.session_stamp = new_stamp()
        if not active:
            api_keys.revoke_all(user)
            calendars.close(user)


def set_password(user: User, password: str) -> None:
    """Set a new password and end all sessions of the user.

    Raises:
        Invalid: when the password is weak.
    """
    passwords.check(password, user.username, user.email, user.first_name, user.last_name)
    with transaction():
        user.password, user.session_stamp = passwords.hashed(password), new_stamp()
        user.fail_login_count, user.locked_until = 0, None


def end_sessions(user: User) -> None:
    """Log somebody out everywhere: sessions and tokens end, API keys stay."""
    with transaction():
        user.session_stamp = new_stamp()


def reset_password(viewer: User, user: User, password: str) -> None:
    """Set somebody else's password.

    Raises:
        Denied: when the user may do more than the viewer.
        Invalid: when the password is weak.
    """
    check_rank(viewer, (), user)
    set_password(user, password)


def change_password(user: User, old: str, new: str) -> None:
    """Set one's own password; guessing the present one is slowed down as at the login.

    Raises:
        Limited: after too many wrong ones.
        Invalid: when the old one is wrong or the new one weak.
    """
    if is_locked(user):
        raise Limited("Too many wrong passwords. Wait a few minutes, then try again.")
    if not check_password_hash(user.password, old):
        with transaction():
            count_failure(user)
        raise Invalid("The present password is not right.")
    set_password(user, new)


def update_profile(user: User, **facts: Any) -> None:
    """Change one's own name, address and time zone.

    Raises:
        Conflict: when somebody else has the address.
    """
    check_free(user.username, facts["email"], but=user.id)
    with _unique():
        for name, value in (facts | {"time_zone_known": True}).items():
            setattr(user, name, value)


def guess_time_zone(user: User, name: str) -> bool:
    """Take the browser's time zone for a person whose own is not known yet, and tell whether it was taken.

    Raises:
        Invalid: when there is no such time zone.
    """
    if not is_time_zone(name):
        raise Invalid("There is no such time zone.")
    unknown = and_(User.id == user.id, User.time_zone_known.is_(False))
    with transaction() as session:
        found = session.execute(update(User).where(unknown).values(time_zone=name, time_zone_known=True))
    return bool(found.rowcount)  # type: ignore[attr-defined]
