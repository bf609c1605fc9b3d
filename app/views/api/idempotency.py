"""The header Idempotency-Key: a program that got no answer sends the same request again without harm."""

import hashlib
import re
from collections.abc import Callable

from flask import Response, request

from app.db import transaction
from app.errors import Invalid
from app.security import viewer
from app.services import idempotency

HEADER = "Idempotency-Key"
PARAMETER = {
    "in": "header",
    "name": HEADER,
    "schema": {"type": "string", "pattern": r"^[!-~]{1,255}$"},
    "description": "Any new text. The same request with the same key gets the first answer again, for 24 hours.",
}
KEPT_HEADERS = ("Location", "ETag", "Content-Type")


def once(work: Callable[[], Response], streamed: bool = False) -> Response:
    """Do the work, or return the answer that the same request with the same key got before.

    Args:
        work: makes the answer.
        streamed: whether the body is a file, which is not read to tell one request from another.

    Raises:
        Invalid: when the key is empty, too long, or not of printable ASCII.
        Conflict, Unprocessable: see `services.idempotency`.
    """
    if HEADER not in request.headers:
        return work()
    key = request.headers[HEADER]
    if not re.fullmatch("[!-~]{1,255}", key):
        raise Invalid("An idempotency key has from 1 to 255 printable characters of ASCII, without blanks.")
    row = idempotency.claim(viewer(), key, fingerprint(streamed))
    if row.status is not None:
        replayed = Response(row.body or "", row.status, row.headers or {})
        replayed.headers["Idempotency-Replayed"] = "true"
        return replayed
    try:
        with transaction():
            answer = work()
            headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
            idempotency.keep(row, answer.status_code, headers, answer.get_data(as_text=True))
        return answer
    except BaseException:
        idempotency.release(row)
        raise


def fingerprint(streamed: bool) -> str:
    """Return what makes two requests the same: of a file its length, of anything else all that was sent."""
    body = str(request.content_length).encode() if streamed else request.get_data()
    parts = (request.method.encode(), request.full_path.encode(), body)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
