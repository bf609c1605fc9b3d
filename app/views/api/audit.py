"""The audit trail in the REST API, to be read."""

from typing import Any

from flask_appbuilder.api import expose
from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from app.models.audit import KINDS
from app.security import viewer
from app.services import audit_reading
from app.services.paging import Wanted
from app.views.api.base import Api, operation
from app.views.api.schemas import ID, Day, Number, PageSchema, Text, page_of


class EntrySchema(Schema):
    """One thing that was done."""

    id = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)
    kind = fields.String(required=True, validate=OneOf(KINDS))
    action = fields.String(required=True)
    actor_id = fields.Integer(required=True, allow_none=True, metadata={"description": "The id of a person."})
    program = fields.String(required=True, allow_none=True)
    entity = fields.String(required=True, allow_none=True)
    row_id = fields.Integer(required=True, allow_none=True)
    label = fields.String(required=True, allow_none=True)
    todo_id = fields.Integer(required=True, allow_none=True)
    version = fields.Integer(required=True, allow_none=True)
    changes = fields.Dict(required=True, metadata={"description": "Field: [before, after]."})
    request_id = fields.String(required=True, allow_none=True)
    job_id = fields.Integer(required=True, allow_none=True)


class AuditQuerySchema(PageSchema):
    """Which entries."""

    who = Text(100)
    kind = fields.String(validate=OneOf(KINDS))
    action = Text(32)
    entity = Text(32)
    row_id = Number(validate=ID)
    todo_id = Number(validate=ID)
    since = Day()
    until = Day()
    sort = fields.String(load_default="-id", validate=OneOf(["id", "-id"]))


class AuditApi(Api):
    """What was done, by whom: a key needs the scope admin for it."""

    resource_name = "audit"
    class_permission_name = "Audit"
    openapi_spec_tag = "Audit trail"

    @expose("/", methods=["GET"])
    @operation(
        "Read the audit trail", "list", query=AuditQuerySchema, answer=page_of(EntrySchema, "AuditPage"), errors=(422,)
    )
    def get_list(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return one page of the entries that the viewer may read, newest first."""
        part = Wanted(query.pop("sort"), query.pop("cursor"), query.pop("limit"))
        todo_id = query.pop("todo_id", None)
        wanted = audit_reading.Wanted(**query, time_zone=viewer().time_zone)
        found, following = audit_reading.listed(viewer(), wanted, todo_id, part)
        return {"result": found, "next": following}
