"""The forms of the end-user pages."""

import re
from typing import Any
from zoneinfo import available_timezones

from flask_wtf import FlaskForm
from wtforms import (
    DateField,
    EmailField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Email, InputRequired, Length, Optional, Regexp

from app.models.todos import NORMAL, PRIORITIES
from app.models.users import LANGUAGES
from app.services.users import USERNAME_PATTERN, is_time_zone
from app.views.conflicts import CarriedField
from app.views.widgets import PeopleField, TagsField, UploadField

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def stripped(value: Any) -> Any:
    """Drop blanks around a text."""
    return value.strip() if isinstance(value, str) else value


def unix_lines(value: Any) -> Any:
    """Store line ends as one character, whatever the browser sends."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def no_control_characters(_form: Any, field: Any) -> None:
    """Refuse characters that nobody sees and PostgreSQL does not store.

    Raises:
        ValidationError: when there are some.
    """
    if isinstance(field.data, str) and CONTROL.search(field.data):
        raise ValidationError("There are invisible control characters in this text. Type it anew.")


class VersionField(CarriedField):
    """The version that the viewer read; a form without it is as stale as can be."""


def text_field(label: str, *validators: Any, longest: int, ui: str = "site") -> Any:
    """Return a field for one line of text that may not be blank."""
    look = {"class": "form-control"} if ui == "admin" else {}
    rules = [InputRequired(), DataRequired(), no_control_characters, Length(max=longest), *validators]
    return StringField(label, filters=[stripped], validators=rules, render_kw=look)


NO_TITLE = "Give the todo a title."
TITLE = {
    "filters": [stripped],
    "validators": [InputRequired(NO_TITLE), DataRequired(NO_TITLE), no_control_characters, Length(max=200)],
}
NOTES = [no_control_characters, Length(max=20_000)]
PRIORITY_CHOICES = [SelectChoice(index, name.capitalize()) for index, name in enumerate(PRIORITIES)]


class NewTodoForm(FlaskForm):
    """The one line that adds a todo, with the rest folded away."""

    title = StringField("Title", **TITLE)
    due_on = DateField("Due", validators=[Optional()])
    priority = SelectField("Priority", choices=PRIORITY_CHOICES, coerce=int, default=NORMAL)
    notes = TextAreaField("Notes", filters=[unix_lines], validators=NOTES, default="")
    tag_names = TagsField("Tags")
    assignees = PeopleField("Assigned to")
    attachments = UploadField("Files")

    def fields(self) -> dict[str, Any]:
        """Return the values of the todo's own fields."""
        return {name: value for name, value in self.data.items() if name in FIELDS}


FIELDS = ("title", "due_on", "priority", "notes", "tag_names", "assignees")


class TodoForm(NewTodoForm):
    """A todo's page; it carries the version that the viewer read."""

    version = VersionField()
    shown = CarriedField()


class LoginForm(FlaskForm):
    """Username or address, and password."""

    username = StringField(
        "Username or email",
        validators=[InputRequired("Type your username."), no_control_characters, Length(max=320)],
    )
    password = PasswordField("Password", validators=[InputRequired("Type your password."), Length(max=128)])


USERNAME = Regexp(USERNAME_PATTERN, message="Use letters, digits and . @ + - _ only.")


MAIL_CHOICES = [
    SelectChoice("digest", "Each morning, what is due today and soon"),
    SelectChoice("due", "Only when something is due or overdue"),
    SelectChoice("none", "No mails"),
]


class FactsForm(FlaskForm):
    """What people say about themselves."""

    first_name = text_field("First name", longest=64)
    last_name = text_field("Last name", longest=64)
    email = EmailField(
        "Email",
        filters=[stripped],
        validators=[InputRequired(), DataRequired(), no_control_characters, Email(), Length(max=320)],
    )
    time_zone = text_field("Time zone", longest=64)

    def validate_time_zone(self, field: Any) -> None:
        """Refuse what is no time zone."""
        if not is_time_zone(field.data):
            raise ValidationError("Choose a time zone from the list, such as Europe/Berlin.")

    @property
    def zones(self) -> list[str]:
        """Return all time zones."""
        return sorted(available_timezones())


class ProfileForm(FactsForm):
    """One's own facts, to be changed."""

    mail = SelectField("Mail", choices=MAIL_CHOICES)
    language = SelectField("Language of mails", choices=[SelectChoice(*one) for one in LANGUAGES.items()])
    shown = CarriedField()


class RegistrationForm(FactsForm):
    """A visitor becomes a Member."""

    username = text_field("Username", Length(min=2), USERNAME, longest=64)
    password = PasswordField("Password", validators=[InputRequired(), Length(max=128)])


class PasswordForm(FlaskForm):
    """A new password, and the present one as proof."""

    old = PasswordField("Present password", validators=[InputRequired(), Length(max=128)])
    new = PasswordField("New password", validators=[InputRequired(), Length(max=128)])
