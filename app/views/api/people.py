"""People in the REST API: the directory, as the pages show it."""

from typing import Any

from flask_appbuilder.api import expose
from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from app.models.users import User
from app.security import viewer
from app.services import users
from app.services.paging import Wanted
from app.views.api.base import Api, operation
from app.views.api.schemas import PageSchema, Text, page_of


class PersonSchema(Schema):
    """A colleague."""

    id = fields.Integer(required=True)
    username = fields.String(required=True)
    first_name = fields.String(required=True)
    last_name = fields.String(required=True)


class PersonQuerySchema(PageSchema):
    """Which people."""

    text = Text(100, load_default="", metadata={"description": "Has to be in name or username, literally."})
    sort = fields.String(load_default="username", validate=OneOf(["username", "-username"]))


class PersonApi(Api):
    """The people one works with."""

    resource_name = "users"
    class_permission_name = "Person"
    openapi_spec_tag = "People"

    @expose("/", methods=["GET"])
    @operation(
        "List people", "list", query=PersonQuerySchema, answer=page_of(PersonSchema, "PersonPage"), errors=(422,)
    )
    def get_list(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return one page of the people whom the viewer may see."""
        wanted = Wanted(query["sort"], query["cursor"], query["limit"])
        found, following = users.listed(viewer(), query["text"], wanted)
        return {"result": found, "next": following}

    @expose("/<id:user_id>", methods=["GET"])
    @operation("Read a person", "show", answer=PersonSchema)
    def get(self, user_id: int) -> User:
        """Return one person."""
        return users.get(viewer(), user_id)
