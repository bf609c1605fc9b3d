"""Jobs for those who look after them: the generated list, what is done to many, and all of them at a glance."""

from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import action, expose
from flask_appbuilder.security.decorators import permission_name
from sqlalchemy.orm import joinedload
from wtforms.fields.choices import SelectChoice

from app.errors import NotFound
from app.models.jobs import STATUSES, Job
from app.security import viewer
from app.services import jobs, jobs_failures, jobs_report, jobs_slots, jobs_workers
from app.tasks import schedule, turns
from app.tasks.declare import REGISTRY
from app.tasks.runner import again_all
from app.views.base import Beside, RowView
from app.views.jobs import readable, title
from app.views.pages import has_access, notice
from app.views.rows import Rows, Visible


class JobAdmin(RowView):
    """The generated list of jobs, what is done to many of them, and all of them at a glance."""

    route_base = "/admin/jobs"
    datamodel = Rows(Job, joinedload(Job.owner))
    class_permission_name = "Job"
    base_permissions = ["can_list", "can_show", "can_cancel", "can_again", "can_overview", "can_run"]
    exclude_route_methods = {"download", "add", "edit", "delete"}
    method_permission_name = {
        **{name: name for name in ("list", "show", "overview")},
        **{"cancel_chosen": "cancel", "again_chosen": "again", "again_failed": "again", "run_now": "run"},
    }
    base_filters = [["id", Visible, jobs.visible_to]]
    list_title, show_title = "Jobs", "Job"
    beside = (Beside("Jobs at a glance", "JobAdmin.overview", "can_overview"),)
    list_columns = ["id", "name", "owner", "status", "created_at", "finished_at"]
    order_columns = ["id", "name", "status", "created_at", "finished_at"]
    search_columns = ["name", "status", "queue", "error", "created_at"]
    filter_choices = {
        "name": [SelectChoice(name, spec.title) for name, spec in sorted(REGISTRY.items())],
        "status": [SelectChoice(status, status.capitalize()) for status in STATUSES],
    }
    show_columns = [
        *("id", "name", "owner", "status", "queue", "attempt", "worker", "progress_done", "progress_total", "error"),
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

    def actions_on(self, item: Job) -> list[Any]:
        """Offer to cancel what goes on, and to run again what has ended."""
        useful = "again_chosen" if item.is_final else "cancel_chosen"
        return [one for one in self.ordered_actions() if one.name == useful]

    @action("cancel_chosen", "Cancel", "Stop these jobs?", icon="fa-ban")
    def cancel_chosen(self, items: list[Job]) -> ResponseReturnValue:
        """Ask the chosen jobs to stop."""
        ended = sum(item.is_final for item in items)
        jobs.cancel_all(viewer(), items)
        notice("The jobs were asked to stop." + (f" {ended:,} of them had ended already." if ended else ""))
        return self.to_list()

    @action("again_chosen", "Run again", "Run these jobs again?", icon="fa-repeat")
    def again_chosen(self, items: list[Job]) -> ResponseReturnValue:
        """Run those of the chosen jobs again that have ended."""
        count = again_all(viewer(), items)
        notice(f"{count} {'job runs' if count == 1 else 'jobs run'} again; those that have not ended go on.")
        return self.to_list()

    @expose("/overview")
    @has_access
    @permission_name("overview")
    def overview(self) -> ResponseReturnValue:
        """Show queues, workers, schedule, throughput and failures."""
        self.update_redirect()
        hours = jobs_report.throughput()
        last = jobs_slots.last_jobs()
        lines = [
            {"name": name, "title": line.title, "last": last.get(name), "next_at": turns.next_turn(name)}
            for name, line in schedule.SCHEDULE.items()
        ]
        seen: dict[str, Any] = {"counts": jobs_report.by_status(), "queues": jobs_report.queues()}
        seen |= {"failures": jobs_failures.failures(), "hours": hours, "lines": lines}
        seen |= {"most": max(1, *(hour["succeeded"] + hour["failed"] for hour in hours))}
        workers = [
            (worker, jobs_workers.is_alive(worker), jobs_workers.busy(worker)) for worker in jobs_workers.all_known()
        ]
        silence = jobs_slots.silence()
        seen |= {"silence": silence, "is_late": silence is None or silence > jobs_slots.MISSED_AFTER}
        seen |= {"workers": workers, "readable": readable, "at_once": jobs_failures.AT_ONCE}
        may = {"may_run": self.may("can_run"), "may_repeat": self.may("can_again")}
        return self.render_template("admin/jobs.html", **may, **seen)

    @expose("/failed/again", methods=["POST"])
    @has_access
    @permission_name("again")
    def again_failed(self) -> ResponseReturnValue:
        """Run all of a group of failed jobs again."""
        found = jobs_failures.failed_alike(viewer(), request.form.get("name", ""), request.form.get("error", ""))
        count = again_all(viewer(), found)
        notice(f"{count:,} failed {'job runs' if count == 1 else 'jobs run'} again.")
        return redirect(url_for(".overview"))

    @expose("/run/<string:name>", methods=["POST"])
    @has_access
    @permission_name("run")
    def run_now(self, name: str) -> ResponseReturnValue:
        """Start a line of the schedule now."""
        line = schedule.SCHEDULE.get(name)
        if line is None:
            raise NotFound("There is no such line in the schedule.")
        notice(f"{line.title}: {'started' if turns.start(name) else 'it runs already'}.")
        return redirect(url_for(".overview"))
