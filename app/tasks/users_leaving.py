"""The job that works for people who leave."""

from typing import Any

from app.db import transaction
from app.services import users_handover, users_leaving
from app.tasks.declare import Run, job

IDS_AT_ONCE = 2000


@job("users.leave", title="Hand todos over", permission=("can_remove", "User"), time_limit=1800)
def leave(run: Run, user_id: int, heir_id: int | None, forget: bool, first: int, last: int) -> dict[str, Any]:
    """Hand the open todos of somebody who left over, and forget their name then if asked to."""
    count = 0
    for ids in run.batches(range(first, last + 1), size=IDS_AT_ONCE):
        count += users_handover.hand_over(user_id, heir_id, range(ids[0], ids[-1] + 1))
    if forget:
        with transaction():
            users_leaving.anonymise(user_id)
    return {"handed_over": count}
