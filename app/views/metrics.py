"""Metrics for Prometheus, for whoever shows the token."""

from secrets import compare_digest

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import Unauthorized

from app.errors import NotFound
from app.services import figures

metrics_pages = Blueprint("metrics", __name__)


@metrics_pages.get("/metrics")
def show() -> ResponseReturnValue:
    """Return all metrics of the site, with METRICS_TOKEN as a bearer token; closed while there is none."""
    token: str = current_app.config["METRICS_TOKEN"]
    if not token:
        raise NotFound("Metrics are closed: set METRICS_TOKEN to open them.")
    given = request.authorization
    if given is None or given.type != "bearer" or not compare_digest((given.token or "").encode(), token.encode()):
        raise Unauthorized
    return Response(figures.scrape(), content_type=CONTENT_TYPE_LATEST)
