"""Import: a file is chosen, looked at, and imported; each step is a page that works without JavaScript."""

from datetime import timedelta
from typing import Any

from flask import current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_wtf import FlaskForm
from werkzeug.datastructures import FileStorage
from wtforms import FileField

from app.errors import Conflict, Invalid, NotFound
from app.models.jobs import Job
from app.security import viewer
from app.services import imports, jobs, jobs_workers
from app.services.imports_guess import FIELDS
from app.tasks.imports import check_import, import_todos
from app.tasks.runner import submit
from app.views.pages import Page, has_access, notice

NO_FILE = "Choose a file first."


class ImportForm(FlaskForm):
    """The file to import."""

    file = FileField("File")


class ImportPages(Page):
    """Todos from a file."""

    route_base = "/todos/import"
    class_permission_name = "Todo"
    extra_args = {"fields": FIELDS}

    @expose("")
    @has_access
    @permission_name("add")
    def index(self) -> ResponseReturnValue:
        """Ask for a file and say what it may be."""
        self.update_redirect()
        return self.form(ImportForm(formdata=None))

    @expose("", methods=["POST"])
    @has_access
    @permission_name("add")
    def upload(self) -> ResponseReturnValue:
        """Keep a file and have a worker look at it."""
        form = ImportForm()
        sent = form.file.data
        if not form.validate():
            return self.form(form, 400)
        try:
            if not isinstance(sent, FileStorage) or not sent.filename:
                raise Invalid(NO_FILE)
            limit = current_app.config["MAX_UPLOAD_MB"]
            file = imports.keep(viewer(), sent.stream, sent.filename, limit)  # type: ignore[arg-type]
        except Invalid as error:
            form.form_errors.append(error.message)
            return self.form(form, 400)
        job = submit(viewer(), check_import, file=file.id, sha256=file.sha256, mapping=None)
        imports.give(file, job)
        return redirect(url_for(".show", job_id=job.id))

    def form(self, form: ImportForm, status: int = 200) -> ResponseReturnValue:
        """Render the page around its form."""
        return self.page("import", status, form=form, limit=current_app.config["MAX_UPLOAD_MB"])

    @expose("/<id:job_id>")
    @has_access
    @permission_name("add")
    def show(self, job_id: int) -> ResponseReturnValue:
        """Show what an import would do, or how far the worker is that looks at the file."""
        self.update_redirect()
        job = self.job(job_id)
        files = {file.id: file for file in job.attachments}
        found: dict[str, Any] = job.result or {}
        values: dict[str, Any] = {"job": job, "found": found, "problems": files.get(found.get("problems", 0))}
        values["silence"] = jobs_workers.silence() if job.status == "queued" else None
        values["kept"] = imports.is_kept(viewer(), job.args["file"])
        days = timedelta(days=current_app.config["JOB_DAYS"])
        return self.page("import_preview", **values, never=timedelta.max, days=days)

    @expose("/<id:job_id>/columns", methods=["POST"])
    @has_access
    @permission_name("add")
    def columns(self, job_id: int) -> ResponseReturnValue:
        """Look at the file again, with other columns."""
        job = self.job(job_id)
        wanted = {field: request.form.get(field, "") for field in FIELDS}
        mapping = {field: column for field, column in wanted.items() if column}
        imports.file_of(viewer(), job.args["file"])
        again = submit(viewer(), check_import, file=job.args["file"], sha256=job.args["sha256"], mapping=mapping)
        return redirect(url_for(".show", job_id=again.id))

    @expose("/<id:job_id>/run", methods=["POST"])
    @has_access
    @permission_name("add")
    def run(self, job_id: int) -> ResponseReturnValue:
        """Import the file as the page showed it."""
        job = self.job(job_id)
        if job.status != "succeeded" or not job.result or "title" not in job.result["mapping"]:
            raise Conflict("This file was not looked at to its end. Look at it again before you import it.")
        imports.file_of(viewer(), job.args["file"])
        choices = {"whole": request.form.get("errors") != "skip", "change": request.form.get("there") == "update"}
        facts = {name: job.args[name] for name in ("file", "sha256")}
        started = submit(viewer(), import_todos, **facts, mapping=job.result["mapping"], looked=job.id, **choices)
        return redirect(url_for("JobPages.show", job_id=started.id))

    @expose("/<id:job_id>/remove", methods=["POST"])
    @has_access
    @permission_name("add")
    def remove(self, job_id: int) -> ResponseReturnValue:
        """Remove the file; what was imported stays."""
        imports.remove(viewer(), self.job(job_id).args["file"])
        notice("The file was removed. Todos that came from it stay.")
        return redirect(url_for(".index"))

    def job(self, job_id: int) -> Job:
        """Return one of the viewer's looks at a file.

        Raises:
            NotFound: when it is something else, or somebody else's.
        """
        job = jobs.get(viewer(), job_id)
        if job.name != check_import.name or job.owner_id != viewer().id:
            raise NotFound("There is no such import.")
        return job
