"""Todos in the REST API: the services and the row rule of the pages."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder.api import expose

from app.errors import Denied, Invalid, NotFound, Stale, Unprocessable
from app.models.todos import Todo
from app.models.users import User
from app.security import viewer
from app.services import tags, todos, todos_query, users
from app.services.paging import Wanted
from app.services.todos_rules import may_change
from app.views.api.base import Api, operation
from app.views.api.conditions import IF_MATCH, Outdated, check_match, tagged
from app.views.api.todos_schemas import (
    BulkSchema,
    NewTodoSchema,
    OutcomeSchema,
    TodoChangeSchema,
    TodoPageSchema,
    TodoQuerySchema,
    TodoSchema,
)

SCHEMA = TodoSchema()
ACTIONS: dict[str, Callable[[User, todos.Chosen], todos.Outcome]] = {
    "complete": lambda user, seen: todos.set_complete(user, seen, True),
    "reopen": lambda user, seen: todos.set_complete(user, seen, False),
    "delete": todos.delete_todos,
    "restore": todos.restore,
}


def people(names: Sequence[str], known: Sequence[User], field: str) -> list[User]:
    """Return people by username; who is named already may stay, even when they have left meanwhile.

    Raises:
        Unprocessable: naming those who do not exist.
    """
    here = {user.username.lower(): user for user in known}
    try:
        others = users.by_usernames(viewer(), [name for name in names if name.lower() not in here])
    except Invalid as error:
        raise Unprocessable(error.message, {field: [error.message]}) from error
    return [here[name] for name in dict.fromkeys(map(str.lower, names)) if name in here] + others


def words(names: Sequence[str]) -> list[str]:
    """Return the names of tags as they are kept.

    Raises:
        Unprocessable: when one cannot be the name of a tag, such as “#”.
    """
    try:
        return [tags.cleaned(name) for name in names]
    except Invalid as error:
        raise Unprocessable(error.message, {"tags": [error.message]}) from error


def values(body: dict[str, Any], todo: Todo | None = None) -> dict[str, Any]:
    """Return the fields of a todo from what was sent, with people instead of usernames."""
    if "assignees" in body:
        body["assignees"] = people(body["assignees"], todo.assignees if todo else [], "assignees")
    if "owner" in body:
        body["owner"] = people([body["owner"]], [todo.owner] if todo else [], "owner")[0]
    if "tags" in body:
        body["tag_names"] = words(body.pop("tags"))
    if "notes" in body:
        body["notes"] = body["notes"].replace("\r\n", "\n").replace("\r", "\n")
    if "title" in body:
        body["title"] = body["title"].strip()
    return body


class TodoApi(Api):
    """Todos: those that the pages show, changed by those who may change them there."""

    resource_name = "todos"
    class_permission_name = "Todo"
    openapi_spec_tag = "Todos"

    def one(self, todo: Todo, new: bool = False) -> ResponseReturnValue:
        """Return a todo with its entity tag."""
        return tagged(SCHEMA.dump(todo), url_for("TodoApi.get", todo_id=todo.id) if new else "")

    @expose("/", methods=["GET"])
    @operation("List todos", "list", query=TodoQuerySchema, answer=TodoPageSchema, errors=(422,))
    def get_list(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return one page of the todos that the viewer may see."""
        wanted = Wanted(query.pop("sort"), query.pop("cursor"), query.pop("limit"))
        found, following = todos_query.page(viewer(), todos_query.Query(**query), wanted)
        return {"result": found, "next": following}

    @expose("/", methods=["POST"])
    @operation("Add a todo", "add", body=NewTodoSchema, answer=TodoSchema, status=201, once=True)
    def add(self, body: dict[str, Any]) -> ResponseReturnValue:
        """Add a todo."""
        return self.one(todos.create(viewer(), **values(body)), new=True)

    @expose("/<id:todo_id>", methods=["GET"])
    @operation("Read a todo", "show", answer=TodoSchema)
    def get(self, todo_id: int) -> ResponseReturnValue:
        """Return one todo."""
        return self.one(todos.get(viewer(), todo_id))

    @expose("/<id:todo_id>", methods=["PATCH"])
    @operation(
        "Change a todo", "edit", body=TodoChangeSchema, answer=TodoSchema, headers=(IF_MATCH,), errors=(412, 422, 428)
    )
    def change(self, todo_id: int, body: dict[str, Any]) -> ResponseReturnValue:
        """Change what is named, if nobody changed the todo since it was read."""
        todo = todos.get(viewer(), todo_id)
        check_match(SCHEMA.dump(todo), required=True)
        try:
            todos.update_todo(viewer(), todo, todo.version, **values(body, todo))
        except Stale as error:
            raise Outdated("Somebody changed this at the same moment. Read it again.") from error
        return self.one(todo)

    @expose("/<id:todo_id>", methods=["DELETE"])
    @operation("Move a todo to the trash", "delete", headers=(IF_MATCH,), errors=(412,))
    def delete(self, todo_id: int) -> None:
        """Delete a todo; it can be restored."""
        todo = todos.get(viewer(), todo_id)
        check_match(SCHEMA.dump(todo), required=False)
        self.changed(todos.delete_todos(viewer(), [todo_id]), todo_id)

    def changed(self, outcome: todos.Outcome, todo_id: int) -> None:
        """Refuse when the service left the todo as it was because it is not the viewer's to change.

        Raises:
            Denied: see above.
        """
        if todo_id not in outcome.ids:
            raise Denied("You can see this todo, but only its owner can delete it.")

    @expose("/<id:todo_id>/restore", methods=["POST"])
    @operation("Take a todo back from the trash", "delete", answer=TodoSchema)
    def restore(self, todo_id: int) -> ResponseReturnValue:
        """Restore a deleted todo."""
        if not todos.restore(viewer(), [todo_id]).ids:
            raise NotFound("There is no such todo in your trash.")
        return self.one(todos.get(viewer(), todo_id))

    @expose("/<id:todo_id>/complete", methods=["POST"])
    @operation("Complete a todo", "edit", answer=TodoSchema)
    def complete(self, todo_id: int) -> ResponseReturnValue:
        """Complete a todo; saying it twice does no harm."""
        return self.tick(todo_id, True)

    @expose("/<id:todo_id>/reopen", methods=["POST"])
    @operation("Reopen a todo", "edit", answer=TodoSchema)
    def reopen(self, todo_id: int) -> ResponseReturnValue:
        """Reopen a todo; saying it twice does no harm."""
        return self.tick(todo_id, False)

    def tick(self, todo_id: int, complete: bool) -> ResponseReturnValue:
        """Complete or reopen a todo.

        Raises:
            Denied: when the viewer may not change it.
        """
        todo = todos.get(viewer(), todo_id)
        if not may_change(viewer(), todo):
            raise Denied("You can see this todo but not change it.")
        todos.set_complete(viewer(), [todo_id], complete)
        return self.one(todos.get(viewer(), todo_id))

    @expose("/bulk", methods=["POST"])
    @operation("Do the same with many todos", "edit", body=BulkSchema, answer=OutcomeSchema)
    def bulk(self, body: dict[str, Any]) -> dict[str, Any]:
        """Complete, reopen, delete or restore todos; those that are stale or not the viewer's are left and reported."""
        seen = {chosen["id"]: chosen.get("version") for chosen in body["todos"]}
        outcome = ACTIONS[body["action"]](viewer(), seen)
        left = set(seen) - set(outcome.ids) - set(outcome.stale)
        return {"done": outcome.ids, "stale": sorted(outcome.stale), "left": sorted(left)}
