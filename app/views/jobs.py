"""Jobs: what was started, how far it is, what came out."""

from typing import Any

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from sqlalchemy.orm import joinedload
from wtforms.fields.choices import SelectChoice

from app.models.jobs import STATUSES, Job
from app.security import viewer
from app.services import jobs
from app.tasks.declare import REGISTRY
from app.views.base import RowView
from app.views.pages import Page, has_access, notice
from app.views.rows import Rows, Visible, is_id


def readable(name: str) -> str:
    """Return what people read instead of a job's name."""
    spec = REGISTRY.get(name)
    return spec.title if spec else name


def title(job: Job) -> str:
    """Return what a job does, for people."""
    return readable(job.name)


class JobPages(Page):
    """One's own jobs, and everybody's for those who manage jobs."""

    route_base = "/jobs"
    class_permission_name = "Job"
    extra_args = {"title_of": title}

    @expose("")
    @has_access
    @permission_name("list")
    def index(self) -> ResponseReturnValue:
        """Show one page of jobs, newest first."""
        self.update_redirect()
        before = int(text) if is_id(text := request.args.get("before", "")) else None
        everyone = request.args.get("scope") == "all" and self.may("can_see_all")
        found, more = jobs.page(viewer(), before, everyone)
        return self.page("jobs", jobs=found, more=more, everyone=everyone, may_see_all=self.may("can_see_all"))

    @expose("/<id:job_id>")
    @has_access
    @permission_name("show")
    def show(self, job_id: int) -> ResponseReturnValue:
        """Show a job; a script keeps the page up to date until the job ends."""
        self.update_redirect()
        return self.page("job", job=jobs.get(viewer(), job_id))

    @expose("/<id:job_id>/state")
    @has_access
    @permission_name("show")
    def state(self, job_id: int) -> ResponseReturnValue:
        """Return how far a job is, for the script."""
        job = jobs.get(viewer(), job_id)
        facts: dict[str, Any] = {"status": job.status, "final": job.is_final, "sent": job.sent_at is not None}
        return jsonify(facts | {"done": job.progress_done, "total": job.progress_total})

    @expose("/<id:job_id>/cancel", methods=["POST"])
    @has_access
    @permission_name("cancel")
    def cancel(self, job_id: int) -> ResponseReturnValue:
        """Ask a job to stop."""
        jobs.request_cancel(viewer(), jobs.get(viewer(), job_id))
        notice("The job was asked to stop.")
        return redirect(url_for(".show", job_id=job_id))


class JobAdmin(RowView):
    """The generated list of jobs, to look at."""

    route_base = "/admin/jobs"
    datamodel = Rows(Job, joinedload(Job.owner))
    class_permission_name = "Job"
    base_permissions = ["can_list", "can_show"]
    exclude_route_methods = {"download", "add", "edit", "delete", "action", "action_post"}
    base_filters = [["id", Visible, jobs.visible_to]]
    list_title, show_title = "Jobs", "Job"
    list_columns = ["id", "name", "owner", "status", "created_at", "finished_at"]
    order_columns = ["id", "name", "status", "created_at", "finished_at"]
    search_columns = ["name", "status", "created_at"]
    filter_choices = {
        "name": [SelectChoice(name, spec.title) for name, spec in sorted(REGISTRY.items())],
        "status": [SelectChoice(status, status.capitalize()) for status in STATUSES],
    }
    show_columns = [
        *("id", "name", "owner", "status", "attempt", "progress_done", "progress_total", "error"),
        *("created_at", "sent_at", "started_at", "finished_at"),
    ]
    label_columns = {
        "id": "Number",
        "name": "Job",
        "owner": "Started by",
        "progress_done": "Done",
        "progress_total": "Of",
    }
    formatters_columns = {
        "name": readable,
        "status": str.capitalize,
        "owner": lambda person: person.get_full_name() if person else "The system",
    }

    def heading(self, item: Job) -> str:
        """Return what the job does, and its number."""
        return f"{title(item)} #{item.id}"
