"""The description of the REST API (OpenAPI 3.0), made of what the operations declare."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from flask import current_app
from marshmallow import Schema
from werkzeug.http import HTTP_STATUS_CODES

from app.views.api.idempotency import PARAMETER
from app.views.api.schemas import LARGEST_ID, ProblemSchema

JSON = "application/json"
PROBLEM = "application/problem+json"
SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, made on the profile page."},
    "jwt": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "From POST /api/v1/security/login.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "todos_session",
        "description": "The session of the pages; what changes something needs the header X-CSRFToken too.",
    },
}


@dataclass(frozen=True)
class Operation:
    """What is known of one method of one address.

    Args:
        summary: what it does, for the description.
        permission: the right it needs on the class's `class_permission_name`, or on `on`; None for everybody.
        body, query: schemas of what is sent.
        answer: schema of what comes back; None for an answer without content.
        content: of what is sent, as OpenAPI has it, where it is not JSON; likewise `download` of what comes back.
        status: of success.
        headers: headers that it understands, as OpenAPI has them.
        once: whether it understands Idempotency-Key.
        errors: statuses of its own beside those that follow from the rest.
    """

    summary: str
    permission: str | None
    on: str = ""
    body: type[Schema] | None = None
    query: type[Schema] | None = None
    answer: type[Schema] | None = None
    content: Mapping[str, Any] | None = None
    download: Mapping[str, Any] | None = None
    status: int = 200
    headers: tuple[Mapping[str, Any], ...] = ()
    once: bool = False
    errors: tuple[int, ...] = ()

    def statuses(self, path: str) -> list[int]:
        """Return the errors that may come."""
        found = {400, 406, *self.errors}
        found |= {401, 403} if self.permission else set()
        found |= {413, 415} if self.body or self.content else set()
        found |= {409, 422} if self.once else set()
        found |= {404} if "{" in path else set()
        return sorted(found)


def described(known: Operation, path: str, name: str) -> dict[str, Any]:
    """Return an operation as OpenAPI has it."""
    status = known.status if known.answer or known.download else 204
    success: dict[str, Any] = {"description": HTTP_STATUS_CODES[status]}
    if given := {JSON: {"schema": known.answer}} if known.answer else known.download:
        success["content"] = given
    problems = {str(status): {"$ref": f"#/components/responses/{status}"} for status in known.statuses(path)}
    spec: dict[str, Any] = {
        "operationId": name,
        "summary": known.summary,
        "parameters": [*path_parameters(path), *known.headers, *([PARAMETER] if known.once else [])],
        "responses": {str(status): success, **problems},
    }
    if known.query:
        spec["parameters"] += [{"in": "query", "schema": known.query}]
    if sent := {JSON: described_body(known.body)} if known.body else known.content:
        spec["requestBody"] = {"required": True, "content": sent}
    if known.permission is None:
        spec["security"] = []
    return spec


def described_body(schema: type[Schema]) -> dict[str, Any]:
    """Return the body of a request, with what the page to try the API out begins with."""
    example = getattr(schema, "example", None)
    return {"schema": schema, "example": example} if example else {"schema": schema}


def path_parameters(path: str) -> list[dict[str, Any]]:
    """Describe the ids in an address."""
    schema = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}
    return [{"in": "path", "name": name, "required": True, "schema": schema} for name in re.findall(r"{(\w+)}", path)]


def component_name(schema: Any) -> str:
    """Name a schema in the description after its class."""
    return str(resolve_schema_cls(schema).__name__).removesuffix("Schema")  # type: ignore[union-attr]


def new_spec(version: str) -> APISpec:
    """Return the description without any paths; the server is named with its prefix."""
    spec = APISpec(
        title="Todos",
        version=version,
        openapi_version="3.0.3",
        info={"description": "Todos, and all that belongs to them, with the rights of whoever asks."},
        plugins=[MarshmallowPlugin(schema_name_resolver=component_name)],
        servers=current_app.config["FAB_OPENAPI_SERVERS"],
        security=[{name: []} for name in SCHEMES],
    )
    for name, scheme in SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    spec.components.schema("Problem", schema=ProblemSchema)
    content = {PROBLEM: {"schema": ProblemSchema}}
    for status in (400, 401, 403, 404, 406, 409, 412, 413, 415, 416, 422, 428, 429, 503):
        spec.components.response(str(status), {"description": HTTP_STATUS_CODES[status], "content": content})
    return spec
