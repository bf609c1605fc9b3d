"""Tags in the REST API: the team's vocabulary; todos get them by name."""

from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder.api import expose
from marshmallow import Schema, fields
from marshmallow.validate import Length, OneOf

from app.errors import Invalid, NotFound, Unprocessable
from app.models.tags import COLOURS, LONGEST_TAG, Tag, tag_key, usual_colour
from app.services import tags
from app.services.paging import Wanted
from app.views.api.base import Api, operation
from app.views.api.conditions import IF_MATCH, check_match, tagged
from app.views.api.schemas import PageSchema, Text, page_of, row_id

MOST_MERGED = 100


class TagSchema(Schema):
    """A tag."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    colour = fields.String(required=True, validate=OneOf(COLOURS))


class TagChangeSchema(Schema):
    """What may be changed of a tag, on all todos at once."""

    example = {"colour": "green"}

    name = Text(LONGEST_TAG, blank=False, but=",;")
    colour = fields.String(validate=OneOf(COLOURS))


class NewTagSchema(TagChangeSchema):
    """A new tag; it gets a colour if none is named."""

    example = {"name": "garden"}

    name = Text(LONGEST_TAG, blank=False, but=",;", required=True)


class MergeSchema(Schema):
    """The tags that become part of another one, and are deleted then."""

    example = {"tags": [2]}

    tags = fields.List(row_id(), required=True, validate=Length(1, MOST_MERGED))


class TagQuerySchema(PageSchema):
    """Which tags."""

    text = Text(100, load_default="", metadata={"description": "Has to be in the name, literally."})
    sort = fields.String(load_default="name", validate=OneOf(["name", "-name"]))


SCHEMA = TagSchema()


class TagApi(Api):
    """The tags that there are."""

    resource_name = "tags"
    class_permission_name = "Tag"
    openapi_spec_tag = "Tags"

    def one(self, tag: Tag, new: bool = False) -> ResponseReturnValue:
        """Return a tag with its entity tag."""
        return tagged(SCHEMA.dump(tag), url_for("TagApi.get", tag_id=tag.id) if new else "")

    @expose("/", methods=["GET"])
    @operation("List tags", "lookup", query=TagQuerySchema, answer=page_of(TagSchema, "TagPage"), errors=(422,))
    def get_list(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return one page of the tags, in order of their names."""
        found, following = tags.listed(query["text"], Wanted(query["sort"], query["cursor"], query["limit"]))
        return {"result": found, "next": following}

    @expose("/", methods=["POST"])
    @operation("Add a tag", "add", body=NewTagSchema, answer=TagSchema, status=201, once=True)
    def add(self, body: dict[str, Any]) -> ResponseReturnValue:
        """Add a tag that no todo has yet."""
        return self.one(saved(Tag(), body["name"], body.get("colour") or usual_colour(tag_key(body["name"]))), new=True)

    @expose("/<id:tag_id>", methods=["GET"])
    @operation("Read a tag", "lookup", answer=TagSchema)
    def get(self, tag_id: int) -> ResponseReturnValue:
        """Return one tag."""
        return self.one(tags.get(tag_id))

    @expose("/<id:tag_id>", methods=["PATCH"])
    @operation(
        "Rename or recolour a tag",
        "edit",
        body=TagChangeSchema,
        answer=TagSchema,
        headers=(IF_MATCH,),
        errors=(409, 412, 422, 428),
    )
    def change(self, tag_id: int, body: dict[str, Any]) -> ResponseReturnValue:
        """Change what is named, if nobody changed the tag since it was read."""
        with tags.alone(tag_id) as tag:
            check_match(SCHEMA.dump(tag), required=True)
            saved(tag, body.get("name", tag.name), body.get("colour", tag.colour))
        return self.one(tag)

    @expose("/<id:tag_id>", methods=["DELETE"])
    @operation("Delete a tag and take it off all todos", "delete", headers=(IF_MATCH,), errors=(412,))
    def delete(self, tag_id: int) -> None:
        """Delete a tag."""
        with tags.alone(tag_id) as tag:
            check_match(SCHEMA.dump(tag), required=False)
            tags.delete_tags([tag])

    @expose("/<id:tag_id>/merge", methods=["POST"])
    @operation("Put this tag in the place of others", "merge", body=MergeSchema, answer=TagSchema, errors=(409, 422))
    def merge(self, tag_id: int, body: dict[str, Any]) -> ResponseReturnValue:
        """Put this tag on all todos that have one of the others, which are deleted then."""
        kept = tags.get(tag_id)
        try:
            others = [tags.get(pk) for pk in sorted(set(body["tags"]) - {tag_id})]
        except NotFound as error:
            raise Unprocessable(error.message, {"tags": [error.message]}) from error
        tags.merge(others, kept)
        return self.one(tags.get(tag_id))


def saved(tag: Tag, name: str, colour: str) -> Tag:
    """Save a tag and return it.

    Raises:
        Unprocessable: when the name cannot be one, such as “#”.
    """
    try:
        tags.save(tag, name, colour)
    except Invalid as error:
        raise Unprocessable(error.message, {"name": [error.message]}) from error
    return tag
