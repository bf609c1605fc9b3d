"""The REST API: todos to read, with the row rule of the pages."""

import json
from typing import Any

import prison
from flask import Response, request
from flask_appbuilder import ModelRestApi
from flask_appbuilder.hooks import before_request
from sqlalchemy.orm import joinedload, selectinload

from app.errors import Invalid, problem
from app.models.todos import Todo
from app.services.todos_rules import visible_to
from app.views.rows import Rows, Visible

LONGEST_QUERY = 4000  # characters
LAST_PAGE = 10_000_000


def parsed(text: str) -> Any:
    """Read Rison, or the JSON that Swagger UI sends; None if it is neither."""
    for read in (prison.loads, json.loads):
        try:
            return read(text)
        except (prison.decoder.ParserException, IndexError, TypeError, ValueError, RecursionError):
            continue
    return None


class TodoApi(ModelRestApi):
    """Todos, read only."""

    resource_name = "todos"
    datamodel = Rows(Todo, joinedload(Todo.owner), selectinload(Todo.assignees))
    class_permission_name = "Todo"
    method_permission_name = {"get_list": "list", "get": "show"}
    include_route_methods = {"get_list", "get"}
    allow_browser_login = True
    base_filters = [["id", Visible, visible_to]]
    base_order = ("id", "desc")
    list_columns = [
        *("id", "title", "priority", "due_on", "complete", "completed_at", "owner_username", "assignee_usernames"),
        *("version", "created_at", "updated_at"),
    ]
    show_columns = [*list_columns, "notes"]
    search_columns = ["title", "notes", "priority", "due_on", "complete"]
    order_columns = ["id", "title", "priority", "due_on", "complete"]
    openapi_spec_tag = "Todos"

    @before_request
    def check_query(self) -> None:
        """Refuse a query that FAB cannot read and would fail on."""
        text = request.args.get("q", "")
        query = parsed(text) if 0 < len(text) <= LONGEST_QUERY else {}
        if len(text) > LONGEST_QUERY or not isinstance(query, dict):
            raise Invalid("The query q has to be an object in Rison or JSON, of moderate length.")
        page = query.get("page", 0)
        if not isinstance(page, int) or not 0 <= page <= LAST_PAGE:
            raise Invalid(f"page has to be a whole number from 0 to {LAST_PAGE}.")

    def response(self, code: int, **kwargs: Any) -> Response:
        """Answer an error as the rest of the application does."""
        if code < 400:
            answer: Response = super().response(code, **kwargs)
            return answer
        return problem(code, str(kwargs.get("message", "The request cannot be answered.")))
