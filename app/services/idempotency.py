"""The same request twice does its work once: the answer is kept in the transaction of the work.

A key is claimed first, in a transaction of its own, so that a second request sees that the first is under way. If the
process dies, the work and the answer are gone together, and the claim can be taken over after a while.
"""

from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from app.db import transaction, utcnow
from app.errors import Conflict, Unprocessable
from app.extensions import db
from app.models.idempotency import IdempotencyKey
from app.models.users import User

UNDER_WAY = timedelta(seconds=120)  # longer than any request
KEPT = timedelta(hours=24)


def claim(viewer: User, key: str, fingerprint: str) -> IdempotencyKey:
    """Return the key: with the answer if there is one already, without if the caller is to do the work.

    Raises:
        Unprocessable: when the key stands for another request.
        Conflict: when the first request is still under way.
    """
    row = IdempotencyKey(user_id=viewer.id, key=key, fingerprint=fingerprint)
    try:
        with transaction() as session:
            session.add(row)
        return row
    except IntegrityError:
        return _known(viewer, key, fingerprint)


def _known(viewer: User, key: str, fingerprint: str) -> IdempotencyKey:
    """Return a key that was used before; see `claim`."""
    busy = Conflict("A request with this idempotency key is under way. Wait for its answer.")
    mine = select(IdempotencyKey).where(IdempotencyKey.user_id == viewer.id, IdempotencyKey.key == key)
    row = db.session.scalar(mine.execution_options(populate_existing=True))
    if row is None:
        raise busy
    if row.fingerprint != fingerprint:
        raise Unprocessable("This idempotency key was used for another request. Choose a new one.")
    if row.status is None:
        _take_over(row, busy)
    return row


def _take_over(row: IdempotencyKey, busy: Conflict) -> None:
    """Claim a key whose process must have died.

    Raises:
        Conflict: when it may still be at work.
    """
    now, before = utcnow(), row.claimed_at
    if before > now - UNDER_WAY:
        raise busy
    which = (IdempotencyKey.id == row.id, IdempotencyKey.claimed_at == before, IdempotencyKey.status.is_(None))
    with transaction() as session:
        taken = session.execute(update(IdempotencyKey).where(*which).values(claimed_at=now))
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise busy


def keep(row: IdempotencyKey, status: int, headers: dict[str, str], body: str) -> None:
    """Keep the answer within the transaction of the work.

    Raises:
        Conflict: when somebody took the key over; the work has to be rolled back.
    """
    mine = (IdempotencyKey.id == row.id, IdempotencyKey.claimed_at == row.claimed_at, IdempotencyKey.status.is_(None))
    statement = update(IdempotencyKey).where(*mine).values(status=status, headers=headers, body=body)
    if db.session.execute(statement.execution_options(synchronize_session=False)).rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("This request took too long, and another one with the same idempotency key went first.")


def release(row: IdempotencyKey) -> None:
    """Forget a key whose request failed: it may be sent again."""
    with transaction() as session:
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.id == row.id, IdempotencyKey.status.is_(None)))


def sweep() -> int:
    """Forget old keys and return how many there were."""
    with transaction() as session:
        old = IdempotencyKey.claimed_at < utcnow() - KEPT
        return session.execute(delete(IdempotencyKey).where(old)).rowcount  # type: ignore[attr-defined]
