"""How rows are added, changed and deleted in generated views; nothing typed is lost when it fails."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from flask import after_this_request, flash, request
from flask_appbuilder import ModelView
from sqlalchemy.exc import IntegrityError

from app.db import transaction
from app.errors import AppError, Conflict, NotFound, Stale
from app.views import conflicts

GONE = "There is no such row any more. What you typed is still here, to be copied."


class Editing(ModelView):
    """The forms of a generated view. Subclasses override `insert`, `change` and `remove` to go through a service."""

    edit_columns: list[str]
    edit_form_extra_fields: dict[str, Any]

    def _init_forms(self) -> None:
        """Let every form of a row carry what it showed."""
        self.edit_form_extra_fields = {**self.edit_form_extra_fields, "shown": conflicts.CarriedField()}
        self.edit_columns = [*self.edit_columns, "shown"]
        super()._init_forms()

    def _add(self) -> Any:
        """Show the form for a new row, or save it; what was typed stays in the form when saving fails."""
        form = self.add_form.refresh()
        if request.method == "POST" and self._saved(form, lambda: self.insert(form), self.add_row_message):
            return None
        return self._get_add_widget(form=form)

    def _edit(self, pk: str) -> Any:
        """Show the form of a row, or save it; what was typed stays in the form when saving fails."""
        item = self.datamodel.get(pk, self._base_filters)
        if item is None and request.method == "GET":
            raise NotFound("There is no such row.")
        form = self.edit_form.refresh(obj=item)
        if item is None:
            form.validate()  # its files are kept for the next try
            flash(GONE, "danger")
            _answer_with(404)
            return self._get_edit_widget(form=form)
        form._id = item.id  # FAB's Unique validator skips this row
        if request.method == "GET":
            conflicts.remember(form)
            self.update_redirect()
        elif self._saved(form, lambda: self._change(item, form), self.edit_row_message, item):
            return None
        return self._get_edit_widget(form=form)

    def _change(self, item: Any, form: Any) -> None:
        """Change a row, unless somebody else was faster; services look at its version, if it has one."""
        with nullcontext() if "version" in form else conflicts.unchanged(form, item):
            self.change(item, form)

    def _saved(self, form: Any, save: Callable[[], None], message: str, item: Any = None) -> bool:
        """Validate and save; when it fails, tell why and answer with the status of the failure."""
        status = 400
        if item is not None:
            conflicts.resolve(form, item)
        if form.validate():
            try:
                save()
                flash(message, "success")
                return True
            except AppError as error:
                status = error.status
                flash(error.message, "danger")
                if isinstance(error, Stale):
                    self.compare(form, item)
        _answer_with(status)
        return False

    def compare(self, form: Any, item: Any) -> None:
        """Show what somebody else saved meanwhile; saving again is based on that."""
        conflicts.compare(form, item)
        if "version" in form:
            form.version.data = item.version

    def insert(self, form: Any) -> None:
        """Add a row from a valid form."""
        item = self.datamodel.obj()
        self._write(item, form)

    def change(self, item: Any, form: Any) -> None:
        """Change a row by a valid form."""
        self._write(item, form)

    def _write(self, item: Any, form: Any) -> None:
        """Fill a row from a form and commit."""
        try:
            with transaction() as database:
                form.populate_obj(item)
                database.add(item)
                database.flush()
        except IntegrityError as error:
            raise Conflict("Another row has the same name.") from error

    def remove(self, item: Any) -> None:
        """Delete a row."""
        try:
            with transaction() as database:
                database.delete(item)
        except IntegrityError as error:
            raise Conflict("Something still belongs to this row. Delete that first.") from error
        flash(self.delete_row_message, "success")


def _answer_with(status: int) -> None:
    """Let the page that this request renders say that it failed."""

    @after_this_request
    def set_status(response: Any) -> Any:
        response.status_code = max(status, response.status_code)
        return response
