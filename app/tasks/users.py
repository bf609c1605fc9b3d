"""What runs for people by the clock."""

import time
from datetime import datetime

from app.db import utcnow
from app.services import mail, mornings, mornings_mail

SECONDS = 200  # that one run may take; the rest waits for the next


def greet(now: datetime | None = None) -> None:
    """Tell everybody whose morning has come what is due, and send the mails.

    Args:
        now: the instant, for tests.
    """
    until = time.monotonic() + SECONDS
    for day, zones in mornings.zones_by_day(now or utcnow()).items():
        mornings.tell_due(day, zones)
        if mail.is_configured() and mornings_mail.waiting(day, zones):
            mornings_mail.send_mails(day, zones, until)
    mornings_mail.forget()
