"""Tags in the REST API: the team's vocabulary; todos get them by name."""

from typing import Any

from flask_appbuilder.api import expose
from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from app.models.tags import COLOURS
from app.services import tags
from app.services.paging import Wanted
from app.views.api.base import Api, operation
from app.views.api.schemas import PageSchema, Text, page_of


class TagSchema(Schema):
    """A tag."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    colour = fields.String(required=True, validate=OneOf(COLOURS))


class TagQuerySchema(PageSchema):
    """Which tags."""

    text = Text(100, load_default="", metadata={"description": "Has to be in the name, literally."})
    sort = fields.String(load_default="name", validate=OneOf(["name", "-name"]))


class TagApi(Api):
    """The tags that there are."""

    resource_name = "tags"
    class_permission_name = "Tag"
    openapi_spec_tag = "Tags"

    @expose("/", methods=["GET"])
    @operation("List tags", "lookup", query=TagQuerySchema, answer=page_of(TagSchema, "TagPage"), errors=(422,))
    def get_list(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return one page of the tags, in order of their names."""
        found, following = tags.listed(query["text"], Wanted(query["sort"], query["cursor"], query["limit"]))
        return {"result": found, "next": following}
