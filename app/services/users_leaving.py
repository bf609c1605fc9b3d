"""When somebody leaves: their sessions and keys end, others get their open todos, their name may be forgotten.

Finished todos, comments, files and jobs stay with them, and so does the history: nobody is ever deleted.
"""

from typing import Any

from sqlalchemy import delete, select, update

from app.db import transaction
from app.errors import Conflict, Denied, Invalid
from app.models.notifications import Notification
from app.models.users import User, new_stamp
from app.services import api_keys, calendars
from app.services.audit_rules import ANONYMOUS_DOMAIN
from app.services.users_handover import Share, hand_over
from app.services.users_rank import check_rank, keep_an_admin

FORMER = "Former"


def check(viewer: User, user: User, heir: User | None = None) -> None:
    """Refuse to let somebody go.

    Raises:
        Denied: when it is the viewer, or somebody who may do more.
        Invalid: when the heir leaves too.
    """
    if user.id == viewer.id:
        raise Denied("You cannot remove yourself. Ask another admin.")
    check_rank(viewer, (), user)
    if heir is not None and (heir.id == user.id or not heir.active):
        raise Invalid("Choose somebody who stays.")


def deactivate(user: User) -> None:
    """End all that lets somebody in, at once.

    Raises:
        Denied: when it is the last admin.
    """
    with keep_an_admin():
        user.active, user.session_stamp = False, new_stamp()
        api_keys.revoke_all(user)
        calendars.close(user)


def anonymise(user_id: int) -> None:
    """Replace everything by which somebody is known; what they wrote and did stays, under the new name.

    Raises:
        Conflict: when they may sign in.
    """
    with transaction() as session:
        user: Any = session.get(User, user_id, populate_existing=True)
        if user.active:
            raise Conflict("Deactivate this person first.")
        known = user.get_full_name()
        namesakes = select(User.id).where(User.first_name + " " + User.last_name == known, User.id != user_id)
        if session.scalar(namesakes.limit(1)) is None:
            told = update(Notification).where(Notification.actor == known)
            session.execute(told.values(actor=f"{FORMER} user {user_id}"))
        session.execute(delete(Notification).where(Notification.user_id == user_id))
        user.first_name, user.last_name, user.username = FORMER, f"user {user_id}", f"former-{user_id}"
        user.email, user.password = f"former-{user_id}@{ANONYMOUS_DOMAIN}", None
        user.time_zone, user.language, user.last_login = "UTC", "en", None


def finish(user_id: int, heir_id: int | None, forget: bool, share: Share) -> None:
    """Do at once what a job does of larger shares, see `tasks.users`."""
    with transaction():
        if share.ids:
            hand_over(user_id, heir_id, share.ids)
        if forget:
            anonymise(user_id)
