"""Jobs: what was started, how far it is, what came out."""

from datetime import timedelta
from typing import Any

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name

from app.models.jobs import Job
from app.security import viewer
from app.services import jobs, jobs_workers
from app.tasks.declare import REGISTRY
from app.tasks.runner import again
from app.views import jobs_results
from app.views.pages import Page, has_access, notice
from app.views.rows import is_id


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
        job = jobs.get(viewer(), job_id)
        silence = jobs_workers.silence() if job.status == "queued" else None
        return self.page("job", job=job, silence=silence, never=timedelta.max, **jobs_results.about(job))

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
        job = jobs.get(viewer(), job_id)
        had_ended = job.is_final
        jobs.request_cancel(viewer(), job)
        notice("The job had ended already." if had_ended else "The job was asked to stop.")
        return redirect(url_for(".show", job_id=job_id))

    @expose("/<id:job_id>/again", methods=["POST"])
    @has_access
    @permission_name("again")
    def again(self, job_id: int) -> ResponseReturnValue:
        """Run an ended job again."""
        job = again(viewer(), jobs.get(viewer(), job_id))
        return redirect(url_for(".show", job_id=job.id))
