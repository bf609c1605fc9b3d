"""The forms of the end-user pages."""

from typing import Any
from zoneinfo import available_timezones

from flask_wtf import FlaskForm
from wtforms import (
    DateField,
    EmailField,
    HiddenField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Email, InputRequired, Length, Optional, Regexp

from app.models.todos import NORMAL, PRIORITIES
from app.services.users import is_time_zone
from app.views.widgets import PeopleField, UploadField


def stripped(value: Any) -> Any:
    """Drop blanks around a text."""
    return value.strip() if isinstance(value, str) else value


def unix_lines(value: Any) -> Any:
    """Store line ends as one character, whatever the browser sends."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


TITLE = {"filters": [stripped], "validators": [InputRequired("Give the todo a title."), Length(max=200)]}
PRIORITY_CHOICES = [SelectChoice(index, name.capitalize()) for index, name in enumerate(PRIORITIES)]


class NewTodoForm(FlaskForm):
    """The one line that adds a todo, with the rest folded away."""

    title = StringField("Title", **TITLE)
    due_on = DateField("Due", validators=[Optional()])
    priority = SelectField("Priority", choices=PRIORITY_CHOICES, coerce=int, default=NORMAL)
    notes = TextAreaField("Notes", filters=[unix_lines], validators=[Length(max=20_000)], default="")
    assignees = PeopleField("Assigned to")
    attachments = UploadField("Files")

    def fields(self) -> dict[str, Any]:
        """Return the values of the todo's own fields."""
        return {name: value for name, value in self.data.items() if name in FIELDS}


FIELDS = ("title", "due_on", "priority", "notes", "assignees")


class TodoForm(NewTodoForm):
    """A todo's page; it carries the version that the viewer read."""

    version = HiddenField()


class LoginForm(FlaskForm):
    """Username or address, and password."""

    username = StringField("Username or email", validators=[InputRequired("Type your username."), Length(max=320)])
    password = PasswordField("Password", validators=[InputRequired("Type your password."), Length(max=128)])


USERNAME = Regexp(r"^[\w.@+-]+$", message="Use letters, digits and . @ + - _ only.")


class ProfileForm(FlaskForm):
    """What people change about themselves."""

    first_name = StringField("First name", filters=[stripped], validators=[InputRequired(), Length(max=64)])
    last_name = StringField("Last name", filters=[stripped], validators=[InputRequired(), Length(max=64)])
    email = EmailField("Email", filters=[stripped], validators=[InputRequired(), Email(), Length(max=320)])
    time_zone = StringField("Time zone", filters=[stripped], validators=[InputRequired(), Length(max=64)])

    def validate_time_zone(self, field: Any) -> None:
        """Refuse what is no time zone."""
        if not is_time_zone(field.data):
            raise ValidationError("Choose a time zone from the list, such as Europe/Berlin.")

    @property
    def zones(self) -> list[str]:
        """Return all time zones."""
        return sorted(available_timezones())


class RegistrationForm(ProfileForm):
    """A visitor becomes a Member."""

    username = StringField(
        "Username", filters=[stripped], validators=[InputRequired(), Length(min=2, max=64), USERNAME]
    )
    password = PasswordField("Password", validators=[InputRequired(), Length(max=128)])


class PasswordForm(FlaskForm):
    """A new password, and the present one as proof."""

    old = PasswordField("Present password", validators=[InputRequired(), Length(max=128)])
    new = PasswordField("New password", validators=[InputRequired(), Length(max=128)])
