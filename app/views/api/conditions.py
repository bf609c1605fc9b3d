"""Conditional requests: no program overwrites what it has not seen (RFC 9110, section 13; RFC 6585, section 3)."""

import hashlib
import json
from typing import Any

from flask import Response, jsonify, request

from app.errors import AppError, Stale

IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The ETag that was read, or * to overwrite whatever is there.",
}


class Required(AppError):
    """The request has to say which state it is based on (428)."""

    status = 428


class Outdated(Stale):
    """The row was changed since it was read (412)."""

    status = 412


def etag_of(body: Any) -> str:
    """Return the entity tag of what a program sees of a row."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()[:24]


def check_match(body: Any, required: bool) -> None:
    """Refuse a change of something other than what was read.

    Raises:
        Required: when the request does not say what it read.
        Outdated: when that is not what is there.
    """
    if "If-Match" not in request.headers:
        if required:
            raise Required("Send If-Match with the ETag of what you read, so that nobody's change is lost.")
        return
    if not request.if_match.contains(etag_of(body)):
        raise Outdated("Somebody changed this since you read it. Read it again, then repeat what you changed.")


def tagged(body: Any, new_at: str = "") -> Response:
    """Return a row with its entity tag, without the body if the program has it already; a new one with its address."""
    answer = jsonify(body)
    if new_at:
        answer.status_code = 201
        answer.headers["Location"] = new_at
    answer.set_etag(etag_of(body))
    if request.method in ("GET", "HEAD"):
        answer.make_conditional(request)
    return answer
