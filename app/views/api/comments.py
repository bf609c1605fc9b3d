"""Comments in the REST API: read by whoever sees the todo, changed by their author for a while."""

from typing import Any

from flask_appbuilder.api import expose
from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from app.models.comments import LONGEST_COMMENT, Comment
from app.security import viewer
from app.services import comments, todos
from app.services.paging import Wanted
from app.views.api.base import Api, operation
from app.views.api.schemas import ID, Number, PageSchema, Text, page_of, row_id


class CommentSchema(Schema):
    """A comment."""

    id = fields.Integer(required=True)
    todo_id = fields.Integer(required=True)
    author = fields.String(required=True, allow_none=True, attribute="author.username", dump_default=None)
    body = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    edited_at = fields.AwareDateTime(required=True, allow_none=True)


class CommentChangeSchema(Schema):
    """The text; @username tells somebody who may see the todo."""

    example: dict[str, Any] = {"body": "Done until the weekend."}

    body = Text(LONGEST_COMMENT, lines=True, blank=False, required=True)


class NewCommentSchema(CommentChangeSchema):
    """A new comment."""

    example = {"todo_id": 1, "body": "Done until the weekend."}

    todo_id = row_id(required=True)


class CommentQuerySchema(PageSchema):
    """Which comments."""

    todo_id = Number(required=True, validate=ID)
    sort = fields.String(load_default="-id", validate=OneOf(["id", "-id"]))


class CommentApi(Api):
    """What people say about todos."""

    resource_name = "comments"
    class_permission_name = "Comment"
    openapi_spec_tag = "Comments"

    @expose("/", methods=["GET"])
    @operation(
        "List the comments on a todo",
        "show",
        on="Todo",
        query=CommentQuerySchema,
        answer=page_of(CommentSchema, "CommentPage"),
        errors=(404, 422),
    )
    def get_list(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return one page of the comments on a todo."""
        todo = todos.get(viewer(), query["todo_id"])
        found, following = comments.listed(todo, Wanted(query["sort"], query["cursor"], query["limit"]))
        return {"result": found, "next": following}

    @expose("/", methods=["POST"])
    @operation(
        "Comment on a todo", "add", body=NewCommentSchema, answer=CommentSchema, status=201, once=True, errors=(404,)
    )
    def add(self, body: dict[str, Any]) -> Comment:
        """Comment on a todo, and tell those who are mentioned."""
        return comments.add(viewer(), todos.get(viewer(), body["todo_id"]), body["body"])

    @expose("/<id:comment_id>", methods=["PATCH"])
    @operation("Change one's own comment", "edit", body=CommentChangeSchema, answer=CommentSchema, errors=(409,))
    def change(self, comment_id: int, body: dict[str, Any]) -> Comment:
        """Change the text of one's own comment, in the first minutes."""
        comment = comments.own(viewer(), comment_id)
        comments.edit(viewer(), comment, comment.version, body["body"])
        return comment

    @expose("/<id:comment_id>", methods=["DELETE"])
    @operation("Delete one's own comment", "delete")
    def delete(self, comment_id: int) -> None:
        """Delete one's own comment, in the first minutes."""
        comments.remove(viewer(), comment_id)
