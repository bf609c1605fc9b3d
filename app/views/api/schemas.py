"""Fields of the REST API that accept what they describe and nothing else, and the schemas that all share."""

import re
from datetime import UTC
from typing import Any

from marshmallow import Schema, fields
from marshmallow.validate import Length, Range

LARGEST_ID = 2**31 - 1
ID = Range(1, LARGEST_ID)
# as forms do: no character that nobody sees and PostgreSQL does not store, line breaks only where there are lines
LINE, LINES = r"\x00-\x1f\x7f", r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"


class Text(fields.String):
    """A text that can be stored.

    Args:
        longest: characters.
        lines: whether line breaks may be in it.
        blank: whether it may be empty or of blanks only.
        but: further characters that may not be in it.
    """

    default_error_messages = {
        "surrogate": "Not valid Unicode.",
        "pattern": "This is blank, or has invisible or other characters that cannot be used.",
    }

    def __init__(self, longest: int, lines: bool = False, blank: bool = True, but: str = "", **more: Any) -> None:
        no = (LINES if lines else LINE) + but
        self.pattern = f"^[^{no}]*$" if blank else f"^[^{no}]*[^\\s{no}][^{no}]*$"
        metadata = {"pattern": self.pattern} | more.pop("metadata", {})
        super().__init__(validate=Length(0 if blank else 1, longest), metadata=metadata, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self.make_error("surrogate")
        if not re.fullmatch(self.pattern[1:-1], text):
            raise self.make_error("pattern")
        return text


class Flag(fields.Boolean):
    """true or false."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Switch(fields.Boolean):
    """true or false in an address."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if value not in ("true", "false"):
            raise self.make_error("invalid", input=value)
        return bool(value == "true")


class Number(fields.Integer):
    """A whole number in an address."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not re.fullmatch(r"[0-9]{1,10}", str(value), re.ASCII):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class Day(fields.Date):
    """A date as 2030-01-31."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII):
            raise self.make_error("invalid", input=value, obj_type="date")
        return super()._deserialize(value, attr, data, **kwargs)


def row_id(**more: Any) -> fields.Integer:
    """Return a field for the id of a row in a body."""
    return fields.Integer(strict=True, validate=ID, **more)


class Instant(fields.AwareDateTime):
    """An instant as 2030-01-31T12:00:00Z."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        instant = super()._deserialize(value, attr, data, **kwargs)
        try:
            return instant.astimezone(UTC)
        except OverflowError as error:
            raise self.make_error("invalid", input=value, obj_type="datetime") from error


class Names(fields.List):
    """A few usernames, each once."""

    def __init__(self, **more: Any) -> None:
        super().__init__(Text(64, blank=False), validate=Length(0, 100), **more)


class PageSchema(Schema):
    """Which part of a list."""

    limit = Number(load_default=50, validate=Range(1, 100), metadata={"description": "Rows at most."})
    cursor = Text(2000, load_default="", metadata={"description": "`next` of the page before."})


class ProblemSchema(Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "A sentence for people."})
    instance = fields.String(allow_none=True, metadata={"description": "The id of this request in the logs."})
    errors = fields.Dict(metadata={"description": "Problems, field by field."})


def page_of(row: type[Schema], name: str) -> type[Schema]:
    """Return the schema of one page of a list."""
    following = fields.String(
        allow_none=True,
        required=True,
        metadata={"description": "Pass it as `cursor` for the next page; null at the end."},
    )
    return Schema.from_dict({"result": fields.List(fields.Nested(row), required=True), "next": following}, name=name)
