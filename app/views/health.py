"""What the site says of itself to whatever watches it, and to everybody while it is closed."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from app.services import health, maintenance


def refuse_closed() -> None:
    """Refuse every page while the site is closed, but those that programs watch it by and what the page needs.

    Raises:
        Closed: with what to tell.
    """
    endpoint = request.endpoint or ""
    if endpoint.startswith(("health.", "metrics.")) or endpoint in ("static", "appbuilder.static"):
        return
    if sign := maintenance.current():
        raise maintenance.Closed(sign)


health_pages = Blueprint("health", __name__, url_prefix="/health")


@health_pages.get("")
def alive() -> ResponseReturnValue:
    """Say that the process answers; nothing else is looked at."""
    return jsonify(status="alive")


@health_pages.get("/ready")
def ready() -> ResponseReturnValue:
    """Say whether requests can be served: the database answers and is migrated; Redis is reported, not required."""
    found = health.check()
    return jsonify(found), 200 if found["status"] == "ready" else 503
