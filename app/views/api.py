"""The REST API: todos to read, with the row rule of the pages."""

from flask_appbuilder import ModelRestApi
from sqlalchemy.orm import joinedload, selectinload

from app.models.todos import Todo
from app.services.todos_rules import visible_to
from app.views.rows import Rows, Visible


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
        *("id", "title", "priority", "due_on", "complete", "completed_at", "owner.username", "assignees.username"),
        *("version", "created_at", "updated_at"),
    ]
    show_columns = [*list_columns, "notes"]
    search_columns = ["title", "notes", "priority", "due_on", "complete"]
    order_columns = ["id", "title", "priority", "due_on", "complete"]
    openapi_spec_tag = "Todos"
