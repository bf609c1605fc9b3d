"""Messages between kombu and a Redis that may go away, be full, and hold whatever anybody wrote into it."""

import logging
import time
from typing import Any

from kombu.transport import redis, virtual

log = logging.getLogger(__name__)
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
SELDOM_SECONDS = 60


class Seldom(logging.Filter):
    """Lets a complaint pass once a minute: of a Redis that takes nothing, Celery complains six times a second."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be written."""
        now, before = time.monotonic(), self.said.get(record.msg)
        if record.levelno < logging.ERROR or before is None or now - before >= SELDOM_SECONDS:
            self.said[record.msg] = now
            return True
        return False


class Message(virtual.Message):
    """kombu's, without time limits of its own: those of the declaration hold, and a broken one costs the worker."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        if "task" in (payload.get("headers") or {}):
            payload["headers"]["timelimit"] = [None, None]
        super().__init__(payload, channel=channel, **kwargs)  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """kombu's, for a Redis that may go away and into which anybody may have written anything."""

    # kombu fails, and the worker with it, while it gives unfinished messages back to a Redis that is gone: nobody
    # needs them back, since the sweeper sends what did not run
    do_restore = False
    Message = Message

    def _connparams(self, asynchronous: bool = False) -> Any:
        """Do not tell Redis the driver's version: that costs more than the one message that most connections send."""
        return super()._connparams(asynchronous) | {"driver_info": None}  # type: ignore[no-untyped-call]

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Acknowledge, unless the connection was lost since: kombu fails then, and the worker with it."""
        if not self.closed:
            super().basic_ack(delivery_tag, multiple)  # type: ignore[no-untyped-call]

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Refuse, as `basic_ack`."""
        if not self.closed:
            super().basic_reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]

    def _brpop_read(self, **options: Any) -> Any:
        """Read a message and hand it to Celery; one that neither understands is dropped, and the worker lives on."""
        before = set(self.qos._delivered)
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except MALFORMED as error:
            log.error("a malformed message was refused: %r", error)
            for tag in set(self.qos._delivered) - before:
                self.qos.ack(tag)
            return True
