"""What todos look like in the REST API."""

from typing import Any

from marshmallow import Schema, fields
from marshmallow.validate import Length, OneOf

from app.models.tags import LONGEST_TAG
from app.models.todos import PRIORITIES
from app.services.tags import MOST_TAGS
from app.services.todos_query import ORDERS
from app.views.api.schemas import Day, Flag, Instant, Names, PageSchema, Switch, Text, page_of, row_id

LONGEST_NOTES = 20_000
MOST_AT_ONCE = 500
ACTIONS = ("complete", "reopen", "delete", "restore")


class Priority(fields.String):
    """The word for a priority; rows hold a number, so that the urgent come first."""

    def __init__(self, **more: Any) -> None:
        super().__init__(validate=OneOf(PRIORITIES), **more)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:
        return PRIORITIES[value]

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Check the word and return the number."""
        word = super().deserialize(value, *args, **kwargs)
        return PRIORITIES.index(word) if isinstance(word, str) else word


class FileSchema(Schema):
    """The facts about a file."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    content_type = fields.String(required=True)
    size = fields.Integer(required=True, metadata={"description": "Bytes."})
    sha256 = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)


class TodoSchema(Schema):
    """A todo."""

    id = fields.Integer(required=True)
    title = fields.String(required=True)
    notes = fields.String(required=True)
    priority = Priority(required=True)
    due_on = fields.Date(required=True, allow_none=True)
    complete = fields.Boolean(required=True)
    completed_at = fields.AwareDateTime(required=True, allow_none=True)
    owner = fields.String(required=True, attribute="owner_username")
    assignees = fields.List(fields.String(), required=True, attribute="assignee_usernames")
    tags = fields.List(fields.String(), required=True, attribute="tag_names")
    attachments = fields.List(fields.Nested(FileSchema), required=True)
    version = fields.Integer(required=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class TodoChangeSchema(Schema):
    """What may be changed of a todo; what is not named stays as it is."""

    example: dict[str, Any] = {"notes": "The balcony too"}

    title = Text(200, blank=False)
    notes = Text(LONGEST_NOTES, lines=True)
    priority = Priority()
    due_on = Day(allow_none=True)
    complete = Flag()
    owner = Text(64, blank=False, metadata={"description": "A username; for those who may hand todos over."})
    assignees = Names()
    tags = fields.List(Text(LONGEST_TAG, blank=False, but=",;"), validate=Length(0, MOST_TAGS))


class NewTodoSchema(TodoChangeSchema):
    """A new todo."""

    example = {"title": "Water the plants", "due_on": "2030-01-31", "priority": "high", "tags": ["garden"]}

    title = Text(200, blank=False, required=True)


class TodoQuerySchema(PageSchema):
    """Which todos, in which order."""

    mine = Switch(load_default=False, metadata={"description": "Own and assigned ones only."})
    complete = Switch()
    priority = Priority()
    owner = Text(64, blank=False)
    assignee = Text(64, blank=False)
    tag = Text(LONGEST_TAG, blank=False)
    due_from = Day()
    due_to = Day()
    changed_since = Instant()
    text = Text(200, load_default="", metadata={"description": "Each word: in title, notes, tags, people or files."})
    deleted = Switch(load_default=False, metadata={"description": "Those in the trash that you may restore."})
    sort = fields.String(
        load_default="-id",
        validate=OneOf([sign + name for name in ORDERS for sign in ("", "-")]),
        metadata={"description": "A minus sign sorts downwards."},
    )


class ChosenSchema(Schema):
    """A todo, and the version that was seen of it."""

    id = row_id(required=True)
    version = row_id()


class BulkSchema(Schema):
    """The same for many todos; those that somebody changed since the version named are left alone and reported."""

    example = {"action": "complete", "todos": [{"id": 1, "version": 1}]}

    action = fields.String(required=True, validate=OneOf(ACTIONS))
    todos = fields.List(fields.Nested(ChosenSchema), required=True, validate=Length(1, MOST_AT_ONCE))


class OutcomeSchema(Schema):
    """What became of them."""

    done = fields.List(fields.Integer(), required=True)
    stale = fields.List(fields.Integer(), required=True, metadata={"description": "Changed by somebody since."})
    left = fields.List(
        fields.Integer(), required=True, metadata={"description": "So already, not yours, or not there."}
    )


TodoPageSchema = page_of(TodoSchema, "TodoPage")
