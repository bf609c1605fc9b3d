"""Jobs in the REST API: submitted by name, watched, cancelled."""

from typing import Any

from flask import Response, jsonify, url_for
from flask_appbuilder.api import expose
from marshmallow import Schema, fields
from marshmallow.validate import Length, OneOf

from app.models.jobs import STATUSES, Job
from app.security import viewer
from app.services import jobs
from app.services.exports_formats import FORMATS
from app.services.paging import Wanted
from app.tasks.runner import submit
from app.tasks.todos import export_todos
from app.views.api.base import Api, operation
from app.views.api.schemas import Flag, PageSchema, page_of, row_id
from app.views.api.todos_schemas import FileSchema
from app.views.jobs import title

MOST_EXPORTED = 10_000
# what programs may start; the right to each is checked when it is submitted, and again when it runs
SUBMITTED = {export_todos.name: export_todos}


class ExportSchema(Schema):
    """Which todos to export, and how; those that you may not see are left out."""

    ids = fields.List(row_id(), required=True, validate=Length(1, MOST_EXPORTED))
    kind = fields.String(load_default="csv", validate=OneOf(sorted(FORMATS)))
    with_files = Flag(load_default=False, metadata={"description": "A ZIP archive with all attachments."})


class NewJobSchema(Schema):
    """A job to be started."""

    example = {"name": "todos.export", "args": {"ids": [1], "kind": "csv"}}

    name = fields.String(required=True, validate=OneOf(sorted(SUBMITTED)))
    args = fields.Nested(ExportSchema, required=True)


class JobSchema(Schema):
    """A job: how far it is, how it ended, and where its files are."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    title = fields.Function(title, required=True, metadata={"type": "string"})
    status = fields.String(required=True, validate=OneOf(STATUSES))
    progress_done = fields.Integer(required=True)
    progress_total = fields.Integer(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True, metadata={"description": "A sentence for people."})
    attachments = fields.List(fields.Nested(FileSchema), required=True)
    created_at = fields.AwareDateTime(required=True)
    started_at = fields.AwareDateTime(required=True, allow_none=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)


class JobQuerySchema(PageSchema):
    """Which jobs."""

    status = fields.String(validate=OneOf(STATUSES))
    sort = fields.String(load_default="-id", validate=OneOf(["id", "-id"]))


class JobApi(Api):
    """One's own jobs, and everybody's for those who manage jobs."""

    resource_name = "jobs"
    class_permission_name = "Job"
    openapi_spec_tag = "Jobs"

    def one(self, job: Job, status: int = 200) -> Response:
        """Return a job with its address."""
        answer = jsonify(JobSchema().dump(job))
        answer.status_code = status
        answer.headers["Location"] = url_for("JobApi.get", job_id=job.id)
        return answer

    @expose("/", methods=["GET"])
    @operation("List jobs", "list", query=JobQuerySchema, answer=page_of(JobSchema, "JobPage"), errors=(422,))
    def get_list(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return one page of the jobs that the viewer may see."""
        wanted = Wanted(query["sort"], query["cursor"], query["limit"])
        found, following = jobs.listed(viewer(), query.get("status"), wanted)
        return {"result": found, "next": following}

    @expose("/", methods=["POST"])
    @operation("Start a job", "submit", body=NewJobSchema, answer=JobSchema, status=202, once=True, errors=(429,))
    def submit(self, body: dict[str, Any]) -> Response:
        """Start a job; the one that is doing the same already is returned instead."""
        args = dict(body["args"])
        selection = {"ids": sorted(set(args.pop("ids")))}
        row = submit(viewer(), SUBMITTED[body["name"]], selection=selection, **args)
        return self.one(row, 202)

    @expose("/<id:job_id>", methods=["GET"])
    @operation("Read a job", "show", answer=JobSchema)
    def get(self, job_id: int) -> Job:
        """Return one job."""
        return jobs.get(viewer(), job_id)

    @expose("/<id:job_id>/cancel", methods=["POST"])
    @operation("Ask a job to stop", "cancel", answer=JobSchema, status=202)
    def cancel(self, job_id: int) -> Response:
        """Stop a queued job, ask a running one to stop; one that has ended stays as it is."""
        jobs.request_cancel(viewer(), jobs.get(viewer(), job_id))
        return self.one(jobs.get(viewer(), job_id), 202)
