"""How dates, sizes and icons read in templates, and what every template knows."""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime, format_timedelta
from flask import Flask, current_app, g, url_for
from flask_login import current_user
from jinja2.utils import urlize
from markupsafe import Markup, escape

from app.db import utcnow
from app.models.attachments import Attachment
from app.security import site
from app.services import users
from app.services.comments import MENTION, mention_keys
from app.services.todos_search import words


def due(day: date, today: date) -> str:
    """Say when something is due, as seen from today."""
    days = (day - today).days
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}
    if days in near:
        return near[days]
    if -30 <= days <= 30:
        return str(
            format_timedelta(timedelta(days=days), granularity="day", add_direction=True, threshold=2, locale="en")
        )
    return str(format_date(day, "d MMM yyyy", locale="en"))


def ago(instant: datetime | None) -> Markup:
    """Say how long ago an instant was; the exact one, where the reader is, shows on hover."""
    if instant is None:
        return Markup("")
    zone = users.zone_named(current_user.time_zone) if current_user.is_authenticated else UTC
    instant = instant.astimezone(zone)  # FAB's own columns have no zone: they mean the server's
    exact = format_datetime(instant, "d MMM yyyy, HH:mm:ss z", locale="en")
    phrase = format_timedelta(instant - utcnow(), add_direction=True, locale="en")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(instant.isoformat(), exact, phrase)


def shown(value: Any) -> Any:
    """Return a value of a generated page as people read it."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, datetime):
        return ago(value)
    return format_date(value, "d MMM yyyy", locale="en") if isinstance(value, date) else value


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    if count < 1024:
        return f"{count} bytes"
    amount = float(count)
    for unit in ("KB", "MB", "GB"):
        amount /= 1024
        if amount < 1000:
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{amount:.0f} TB"


def icon(name: str) -> Markup:
    """Return an icon of the sprite; the words beside it say what it means."""
    drawn: dict[str, Markup] = g.setdefault("icons", {})  # a list asks hundreds of times
    if name not in drawn:
        sprite = url_for("static", filename="vendor/icons.svg")
        svg = Markup('<svg class="icon-line" aria-hidden="true"><use href="{}#{}"></use></svg>')
        drawn[name] = svg.format(sprite, name)
    return drawn[name]


def linked(text: str, people: Iterable[Any] = ()) -> Markup:
    """Return a text as HTML: addresses on the web and of mail become links, and so do @usernames of these people."""
    ids = {person.username.lower(): person.id for person in people}
    found, end = Markup(""), 0
    for match in MENTION.finditer(text):
        name = next((key for key in mention_keys(match[1]) if key in ids), None)
        if name is None:
            continue
        found += _with_links(text[end : match.start()])
        url, end = url_for("PersonPages.show", user_id=ids[name]), match.start(1) + len(name)
        found += Markup('<a class="mention" href="{}">{}</a>').format(url, text[match.start() : end])
    return found + _with_links(text[end:])


def _with_links(text: str) -> Markup:
    """Escape a text, then link what begins with http, https, www or mailto, or is an address of mail."""
    return Markup(urlize(text, rel="nofollow noopener"))  # noqa: S704, it escapes


def marked(text: str, query: str) -> Markup:
    """Return a text with the words of a search marked."""
    found = sorted(words(query), key=len, reverse=True)
    if not found:
        return escape(text)
    parts = re.split(f"({'|'.join(map(re.escape, found))})", text, flags=re.IGNORECASE)
    pieces = (Markup("<mark>{}</mark>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts))
    return Markup("").join(pieces)


def excerpt(text: str, query: str = "") -> str:
    """Return the beginning of a text, or what is around the first word of a search that stands in it."""
    lower = text.lower()
    first = min((place for word in words(query) if (place := lower.find(word)) > 60), default=0)
    start = max(0, text.rfind(" ", 0, max(0, first - 30)) + 1) if first else 0
    return ("… " if start else "") + text[start : start + 90] + (" …" if len(text) > start + 90 else "")


def is_found_by(text: str, query: str) -> bool:
    """Tell whether a text contains one of the words of a search."""
    return any(word in text.lower() for word in words(query))


def address(file: Attachment) -> str:
    """Return where a click on a file leads: an image has a page, anything else is saved."""
    return url_for("AttachmentPages.show" if file.is_image else "AttachmentPages.index", file_id=file.id)


def initials(person: Any) -> str:
    """Return the letters for a person's round label."""
    return str(escape((person.first_name[:1] + person.last_name[:1]).upper()))


@cache
def _version(folder: str, filename: str) -> str:
    """Return a mark of a static file's content, so that browsers keep it until it changes."""
    path = Path(folder, filename)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else ""


def add_version(endpoint: str, values: dict[str, Any]) -> None:
    """Add the mark to the addresses of our static files."""
    if endpoint == "static" and "filename" in values:
        values["v"] = _version(str(current_app.static_folder), values["filename"])


def common() -> dict[str, Any]:
    """Return what every template knows; error pages too, which no view renders."""
    appbuilder = site()
    signed_in = current_user.is_authenticated
    menu = [entry for entry in appbuilder.menu.get_list() if appbuilder.sm.has_access("menu_access", entry.name)]
    return {
        "signed_in": signed_in,
        "admin_menu": menu,
        "appbuilder": appbuilder,
        "base_template": appbuilder.base_template,
        "registration_enabled": current_app.config["REGISTRATION_ENABLED"],
    }


def init_app(app: Flask) -> None:
    """Give the filters and values to all templates."""
    app.jinja_env.filters.update(due=due, ago=ago, shown=shown, size=size, initials=initials, linked=linked)
    app.jinja_env.filters.update(marked=marked, excerpt=excerpt, address=address)
    app.jinja_env.tests["found_by"] = is_found_by
    app.jinja_env.globals["icon"] = icon
    app.context_processor(common)
    app.url_defaults(add_version)
