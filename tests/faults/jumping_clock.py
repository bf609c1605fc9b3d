"""The application of `short_lease` with a schedule of one line, on a machine whose clock a file lets jump."""

import os
import sys
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

OFFSET = Path(os.environ["CLOCK_OFFSET"])
EVERY = int(os.environ["CLOCK_EVERY"])
real_time, real_datetime = time.time, datetime


def now() -> float:
    """Return the machine's instant, moved by as many seconds as the file says; `time.monotonic` does not jump."""
    return real_time() + float(OFFSET.read_text())


class _AnyInstant(type):
    """Whatever is a `datetime` is one of the class below, too."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, real_datetime)


class Instant(datetime, metaclass=_AnyInstant):
    """`datetime`, but for what asks the machine."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """Return the present instant."""
        return real_datetime.fromtimestamp(now(), tz)


def jump() -> None:
    """Let all modules that are loaded ask this clock; SQLAlchemy alone, whose types name the class, asks none."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("app", "celery", "kombu", "billiard", "vine"):
            for attribute, value in list(vars(module).items()):
                if value is real_datetime:
                    setattr(module, attribute, Instant)
                elif value is real_time:
                    setattr(module, attribute, now)
    time.time = now


from app.tasks import schedule  # noqa: E402, all modules are loaded by this
from tests.faults.short_lease import celery  # noqa: E402

__all__ = ["celery"]

jump()
schedule.SCHEDULE = {"tests.turn": schedule.Line(EVERY, lambda: None, "Turn")}
