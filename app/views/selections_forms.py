"""What has to be known before something is done to many todos; `value` is what the job gets, as JSON."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, RadioField, SelectField, ValidationError
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from app.models.todos import NORMAL
from app.views.forms import PRIORITY_CHOICES
from app.views.widgets import PeopleField, TagsField

FORMATS = [
    SelectChoice("csv", "CSV, for spreadsheets and for other programs"),
    SelectChoice("xlsx", "Excel workbook"),
    SelectChoice("jsonl", "JSON Lines, for programs"),
    SelectChoice("ics", "iCalendar, for other lists of tasks"),
]


class ChangeForm(FlaskForm):
    """Nothing but that it is meant."""

    def value(self) -> Any:
        """Return what was chosen."""
        return None


class ExportForm(ChangeForm):
    """What kind of file."""

    kind = RadioField("Format", choices=FORMATS, default="csv")
    with_files = BooleanField("With all attachments, in a ZIP archive")

    def value(self) -> dict[str, Any]:
        """Return the arguments of the job."""
        return {"kind": self.kind.data, "with_files": self.with_files.data}


class AssignForm(ChangeForm):
    """Who the todos go to."""

    people = PeopleField("Assign to")

    def value(self) -> list[str]:
        """Return usernames."""
        return [person.username for person in self.people.data or []]


class TagForm(ChangeForm):
    """Which tags come and which go."""

    add = TagsField("Add")
    remove = TagsField("Take off")

    def validate_add(self, field: Any) -> None:
        """Want at least one tag, and none in both.

        Raises:
            ValidationError: see above.
        """
        if not field.data and not self.remove.data:
            raise ValidationError("Name a tag to add, or one to take off.")
        if {name.casefold() for name in field.data or []} & {name.casefold() for name in self.remove.data or []}:
            raise ValidationError("A tag cannot be added and taken off at once.")

    def value(self) -> dict[str, list[str]]:
        """Return names."""
        return {"add": self.add.data or [], "remove": self.remove.data or []}


class PriorityForm(ChangeForm):
    """Which priority."""

    priority = SelectField("Priority", choices=PRIORITY_CHOICES, coerce=int, default=NORMAL)

    def value(self) -> int:
        """Return its number."""
        return int(self.priority.data)


class DueForm(ChangeForm):
    """Which date, if any."""

    due_on = DateField("Due", validators=[Optional()])

    def value(self) -> str | None:
        """Return the date in ISO 8601."""
        return self.due_on.data.isoformat() if self.due_on.data else None


FORMS: dict[str, type[ChangeForm]] = {
    "export": ExportForm,
    "assign": AssignForm,
    "tag": TagForm,
    "priority": PriorityForm,
    "due": DueForm,
    **dict.fromkeys(("complete", "reopen", "delete", "restore"), ChangeForm),
}
