"""Form fields of our own: files and people, each one class with a skin for either UI."""

import re
from collections.abc import Sequence
from typing import Any

from flask import Response, current_app, render_template, request, url_for
from flask_login import current_user
from markupsafe import Markup
from werkzeug.datastructures import FileStorage
from wtforms import Field, SelectMultipleField, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app.errors import AppError, Invalid
from app.models.attachments import Attachment
from app.models.users import User
from app.services import attachments, quotas, tags, uploads, users


class Skin:
    """Renders a field by its template, in the classes of one UI.

    Args:
        template: below templates/widgets/.
        ui: "admin" (Bootstrap) or "site" (Fomantic-UI).
    """

    def __init__(self, template: str, ui: str) -> None:
        self.template, self.ui = template, ui

    def __call__(self, field: Field, **_: Any) -> Markup:
        """Return the field's HTML."""
        return Markup(render_template(f"widgets/{self.template}", field=field, ui=self.ui))  # noqa: S704, our template


class UploadField(Field):
    """Several files of a row in the database: kept, replaced, removed, added.

    New files are checked by their content and kept as unsaved uploads at once, so that a form which fails for any
    other reason, or for one of them, does not lose the rest. Its data is a `Files`, for the service.
    """

    def __init__(self, label: str = "", ui: str = "site", **kwargs: Any) -> None:
        super().__init__(label, widget=Skin("upload.html", ui), **kwargs)
        self.changes = ""  # which files somebody else added or removed meanwhile
        self.current: list[Attachment] = []
        self.waiting: list[Attachment] = []
        self.data = attachments.Files()

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        """Read the files of the row and what the form says about them."""
        self.current = list(data) if isinstance(data, (list, tuple)) else []
        self.data = attachments.Files()
        self.sent: dict[int | None, list[FileStorage]] = {}
        self.waiting_ids: list[int] = []
        if formdata is None:
            return
        self.data.removed = set(_numbers(formdata.getlist(f"{self.name}-remove")))
        self.waiting_ids = _numbers(formdata.getlist(f"{self.name}-waiting"))
        self.sent[None] = _files(formdata.getlist(self.name))
        for attachment in self.current:
            if replacing := _files(formdata.getlist(f"{self.name}-replace-{attachment.id}")):
                self.sent[attachment.id] = replacing[:1]

    def pre_validate(self, form: Any) -> None:
        """Check and keep each new file.

        Raises:
            ValidationError: naming every refused file with its reason; the accepted ones wait in the form.
        """
        refused: list[str] = []
        try:
            self.waiting = attachments.staged(current_user, self.waiting_ids)
        except AppError as error:
            refused.append(error.message)
        for replaced, files in self.sent.items():
            for file in files:
                try:
                    self.waiting.append(keep(file))
                except Invalid as error:
                    refused.append(f"{uploads.clean_name(file.filename or '')} {error.message}.")
                else:
                    self.data.removed |= {replaced} if replaced else set()
        self.data.added = [file for file in self.waiting if file.id not in self.data.removed]
        self.waiting = self.data.added
        kept = [file for file in self.current if file.id not in self.data.removed]
        try:
            quotas.check_size(sum(file.size for file in (*kept, *self.waiting)) if self.waiting else 0)
        except Invalid as error:
            refused.append(error.message)
        if refused:
            raise ValidationError(" ".join(refused))

    @property
    def accept(self) -> str:
        """Return the accepted types for the browser's file dialogue."""
        return ",".join(current_app.config["UPLOAD_TYPES"])

    @property
    def hint(self) -> str:
        """Say what is accepted."""
        names = [uploads.NAMES[kind] for kind in current_app.config["UPLOAD_TYPES"]]
        return f"{', '.join(names)}; up to {current_app.config['MAX_UPLOAD_MB']} MB each"


def _numbers(texts: Sequence[Any]) -> list[int]:
    """Return the numbers among form values."""
    return [int(text) for text in texts if isinstance(text, str) and re.fullmatch(r"\d{1,9}", text)]


def _files(values: Sequence[Any]) -> list[FileStorage]:
    """Return the files among form values; an empty file input sends one without a name."""
    return [value for value in values if isinstance(value, FileStorage) and value.filename]


def keep(file: FileStorage) -> Attachment:
    """Check one file and keep it.

    Raises:
        Invalid: with the end of a sentence that begins with the file's name.
    """
    limit = current_app.config["MAX_UPLOAD_MB"]
    uploads.check_bytes(file.stream, limit)  # type: ignore[arg-type]
    kinds, megapixels = current_app.config["UPLOAD_TYPES"], current_app.config["MAX_IMAGE_MEGAPIXELS"]
    kind = uploads.check(file.stream, kinds, megapixels)  # type: ignore[arg-type]
    return attachments.stage(current_user, file.stream, uploads.clean_name(file.filename or ""), kind)  # type: ignore[arg-type]


class PeopleField(Field):
    """People by username, separated by commas; a script turns the text into chips with search as you type.

    Only those the viewer may see are accepted, and nothing is loaded but the people named.
    """

    offers = "People"

    def __init__(self, label: str = "", ui: str = "site", single: bool = False, **kwargs: Any) -> None:
        super().__init__(label, widget=Skin("chips.html", ui), **kwargs)
        self.single = single
        self.placeholder = "Username" if single else "Usernames, separated by commas"
        self.text = ""

    def process_data(self, value: Any) -> None:
        """Take a person or several from the row."""
        self.data = [value] if isinstance(value, User) else list(value or [])
        self.text = ", ".join(user.username for user in self.data)

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Look the usernames up; unknown ones are named in the error and stay in the text."""
        self.text = valuelist[0] if valuelist else ""
        names = list(dict.fromkeys(name.strip() for name in re.split(r"[,;\n]", self.text) if name.strip()))
        if "\x00" in self.text:
            raise ValueError("There are invisible control characters in this text. Type it anew.")
        if self.single and len(names) != 1:
            raise ValueError("Name one person.")
        # who is named already may stay, even when they have left meanwhile
        known = {user.username.lower(): user for user in self.data}
        try:
            others = users.by_usernames(current_user, [name for name in names[:100] if name.lower() not in known])
        except AppError as error:
            raise ValueError(error.message) from error
        self.data = [known[name.lower()] for name in names if name.lower() in known] + others

    @property
    def lookup_url(self) -> str:
        """Return the address of the search as you type."""
        return url_for("PersonPages.lookup")

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """Return value and label of each person."""
        return [(user.username, user.get_full_name(), "") for user in self.data or []]


class TagsField(Field):
    """Tags by name, separated by commas; those that do not exist yet are made when the form is saved."""

    placeholder, new, offers = "Tags, separated by commas", "New tag", "Tags"

    def __init__(self, label: str = "", ui: str = "site", **kwargs: Any) -> None:
        super().__init__(label, widget=Skin("chips.html", ui), **kwargs)
        self.text = ""

    def process_data(self, value: Any) -> None:
        """Take the names from the row."""
        self.data = list(value or [])
        self.text = ", ".join(self.data)

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Check the names; the text stays as it was typed when one is refused."""
        self.text = valuelist[0] if valuelist else ""
        try:
            self.data = tags.split(self.text)
            tags.check_new(current_user, self.data)
        except AppError as error:
            raise ValueError(error.message) from error

    @property
    def lookup_url(self) -> str:
        """Return the address of the search as you type."""
        return url_for("TagPages.lookup")

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """Return value, label and colour of each tag that exists."""
        return [(tag.name, tag.name, tag.colour) for tag in tags.known(self.data or [])]


class TicksField(SelectMultipleField):
    """Several of a few things: a box to tick for each."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: str = "", **kwargs: Any) -> None:
        super().__init__(label, choices=[], render_kw={"class": "ticks"}, **kwargs)


def answer_upload(response: Response) -> Response:
    """Tell our upload script where to go in a header: it cannot see a redirect, only its end."""
    if request.headers.get("X-Upload") and response.status_code in (301, 302, 303):
        response.headers["X-Location"] = response.headers.pop("Location")
        response.status_code = 200
        response.set_data(b"")
    return response
