"""What each request costs: time, statements and time in the database; counted, logged, and told when it is slow."""

import logging
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, current_app, g, request
from sqlalchemy import event

from app import logs
from app.extensions import db
from app.metrics import CONNECTIONS_OPEN, CONNECTIONS_USED, REQUEST_SECONDS, REQUESTS, STATEMENT_SECONDS

log = logging.getLogger(__name__)
COST = "todos.cost"  # where gunicorn's log finds it in the WSGI environment: see gunicorn.conf.py
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NO_ROUTE = "none"
SLOW = (
    "slow: %(method)s %(route)s %(status)s took %(duration_ms)s ms, "
    "%(database_ms)s ms of it for %(statements)s statements"
)


@dataclass
class Cost:
    """What a request has cost so far."""

    started: float = field(default_factory=time.perf_counter)
    statements: int = 0
    database_seconds: float = 0.0
    route: str | None = None
    user: int | None = None

    def facts(self) -> dict[str, Any]:
        """Return it as a log line has it, as far as it has come."""
        spent = {"statements": self.statements, "database_ms": round(self.database_seconds * 1000)}
        return {"route": self.route, "user": self.user} | spent


cost: ContextVar[Cost | None] = ContextVar("cost", default=None)


def route() -> str:
    """Return the template of the route that answers the request."""
    return request.url_rule.rule if request.url_rule else NO_ROUTE


def begin() -> None:
    """Start the clock."""
    g.cost = Cost()
    cost.set(g.cost)


def finish(response: Response) -> Response:
    """Stop the clock when the last byte of the answer is written; files and exports are read while they are sent."""
    spent: Cost = g.get("cost") or Cost()
    where = route()
    spent.route, spent.user = where, logs.user_id()
    request.environ[COST] = spent
    method = request.method if request.method in METHODS else "OTHER"
    slow, status = current_app.config["SLOW_REQUEST_MS"], response.status_code

    def close() -> None:
        seconds = time.perf_counter() - spent.started
        REQUESTS.labels(method, where, status).inc()
        REQUEST_SECONDS.labels(method, where).observe(seconds)
        if slow and seconds * 1000 >= slow:
            facts = {"method": method, "status": status, "duration_ms": round(seconds * 1000)} | spent.facts()
            log.warning(SLOW, facts, extra={"facts": facts})

    response.call_on_close(close)
    return response


def _before(_connection: Any, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool) -> None:
    """Count a statement, whether it succeeds or not, and note when it starts."""
    context.started = time.perf_counter()
    if spent := cost.get():
        spent.statements += 1


def _after(_connection: Any, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool) -> None:
    """Add the time of a statement to the cost of the request."""
    seconds = time.perf_counter() - context.started
    STATEMENT_SECONDS.observe(seconds)
    if spent := cost.get():
        spent.database_seconds += seconds


def init_app(app: Flask) -> None:
    """Measure every request, and every statement of the application's engine."""
    app.before_request(begin)
    app.after_request(finish)
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", _before)
    event.listen(engine, "after_cursor_execute", _after)
    changes = {"connect": (CONNECTIONS_OPEN, 1), "close": (CONNECTIONS_OPEN, -1)}
    changes |= {"checkout": (CONNECTIONS_USED, 1), "checkin": (CONNECTIONS_USED, -1)}
    for name, (gauge, step) in changes.items():
        event.listen(engine, name, lambda *_, gauge=gauge, step=step: gauge.inc(step))
