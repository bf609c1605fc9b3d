"""The ground of the REST API: an operation is declared once, for the program and for its description."""

import functools
import json
from collections.abc import Callable
from typing import Any

from flask import Response, g, jsonify, request
from flask_appbuilder.api import BaseApi
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict

from app.errors import Invalid, NotAcceptable, Unsupported
from app.security import viewer
from app.services.permissions import can
from app.tokens import refuse
from app.views.api.idempotency import once
from app.views.api.openapi import JSON, PROBLEM, Operation, described

JSON_BYTES = 1 << 20
Handler = Callable[..., Any]


def operation(summary: str, permission: str | None, **more: Any) -> Callable[[Handler], Handler]:
    """Declare a method of the API: its right is checked, what is sent is read, what comes back is written."""
    known = Operation(summary, permission, **more)

    def declare(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def call(self: "Api", **given: Any) -> Response:
            self.check(known)
            if known.query:
                given["query"] = read(known.query, query_values())
            if known.body:
                given["body"] = read(known.body, json_body())
            work = functools.partial(self.answered, known, handler, given)
            return once(work, streamed=known.content is not None) if known.once else work()

        call.operation = known  # type: ignore[attr-defined]
        if permission and not known.on:
            call._permission_name = permission  # type: ignore[attr-defined]
        return call

    return declare


class Api(BaseApi):
    """A resource; what it does lies in its declared operations."""

    csrf_exempt = False
    responses: dict[str, Any] = {}

    def check(self, known: Operation) -> None:
        """Refuse who lacks the right, or wants no JSON.

        Raises:
            Denied, NotAcceptable: see above.
        """
        if known.permission and not can(viewer(), f"can_{known.permission}", known.on or self.class_permission_name):
            raise refuse(g.get("scope", ""))
        wanted = request.accept_mimetypes
        if known.answer and wanted and not wanted.best_match([JSON, PROBLEM]):
            raise NotAcceptable("Answers are JSON: accept application/json.")

    def answered(self, known: Operation, handler: Handler, given: dict[str, Any]) -> Response:
        """Turn what an operation returns into the response: a row, or a response as it is."""
        result = handler(self, **given)
        if isinstance(result, Response):
            return result
        if known.answer is None:
            return Response(status=204)
        answer = jsonify(known.answer().dump(result))
        answer.status_code = known.status
        return answer

    def operation_helper(
        self, path: str | None = None, operations: Any = None, methods: Any = (), func: Any = None, **_: Any
    ) -> None:
        """Describe an operation by its declaration, instead of FAB's YAML in docstrings."""
        for method in methods:
            operations[method.lower()] = described(func.operation, path or "", f"{self.resource_name}_{func.__name__}")


def json_body() -> Any:
    """Return the JSON that was sent.

    Raises:
        Unsupported: when it says that it is something else.
        Invalid: when it is no JSON.
    """
    if request.mimetype != JSON:
        raise Unsupported("Send application/json.")
    request.max_content_length = JSON_BYTES
    try:
        return json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise Invalid("The body is not JSON, or nested too deeply.") from error


def query_values() -> dict[str, Any]:
    """Return the parameters of the address, each once.

    Raises:
        Invalid: naming those that were given twice.
    """
    args: MultiDict[str, str] = request.args
    if twice := {name: ["Given more than once."] for name, values in args.lists() if len(values) > 1}:
        raise Invalid("A parameter was given more than once.", twice)
    return args.to_dict()


def read(schema: type[Schema], values: Any) -> dict[str, Any]:
    """Return checked values; what the schema does not know is refused, so nothing else can be assigned.

    Raises:
        Invalid: with every problem, field by field.
    """
    try:
        return dict(schema().load(values))
    except ValidationError as error:
        messages = error.normalized_messages()
        raise Invalid(f"Not usable: {', '.join(sorted(map(str, messages)))}.", messages) from error
