"""The audit trail in the generated admin, to read and to export."""

from datetime import date
from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import has_access, permission_name

from app.errors import Invalid
from app.models.audit import KINDS, AuditEntry
from app.security import viewer
from app.services import audit_names, audit_reading, audit_sentences
from app.services.audit_reading import Wanted
from app.tasks.audit import export_audit
from app.tasks.runner import submit
from app.views.base import RowView
from app.views.filters import ago
from app.views.rows import Rows, Visible, is_id

ENTITIES = ("todo", "comment", "tag", "user", "role", "group", "key", "job")
LONGEST = 100  # characters of a filter


class AuditRows(Rows):
    """Entries with their sentences; one statement names all that they know by number."""

    def query(self, *args: Any, **kwargs: Any) -> tuple[int, list[Any]]:
        """Return the capped count and one page."""
        count, found = super().query(*args, **kwargs)
        return count, told(found)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Return an entry, or None."""
        found = super().get(*args, **kwargs)
        return told([found])[0] if found else None


def told(entries: list[AuditEntry]) -> list[Any]:
    """Give entries what people read of them."""
    names = audit_names.names(entries)
    rows: list[Any] = list(entries)
    for row in rows:
        row.who = audit_sentences.who(row, names)
        row.what = audit_sentences.sentence(row, names)
        row.about = audit_sentences.about(row, names)
        row.values = [
            (audit_sentences.FIELDS.get(field, field.replace("_", " ")), *shown(field, pair, names))
            for field, pair in row.changes.items()
        ]
    return rows


def shown(field: str, pair: Any, names: Any) -> tuple[str, str]:
    """Return a value before and after as text."""
    if pair is None:
        return ("not kept", "not kept")
    before, after = (
        ", ".join(audit_sentences.value(field, one, names) for one in side)
        if isinstance(side, list)
        else str(side)
        if field in audit_sentences.LONG
        else audit_sentences.value(field, side, names)
        if side is not None
        else ""
        for side in pair
    )
    return before, after


def day(name: str) -> date | None:
    """Read a date from the address.

    Raises:
        Invalid: when it is none.
    """
    text = request.args.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid("One of the dates cannot be read. Write it as 2030-12-31.") from error


def wanted() -> Wanted:
    """Read the filters from the address.

    Raises:
        Invalid: when one has a value that cannot be used.
    """
    words: dict[str, Any] = {name: request.args.get(name, "").strip() for name in ("who", "kind", "action", "entity")}
    row = request.args.get("row", "").strip().lstrip("#")
    if (row and not is_id(row)) or max(len(word) for word in words.values()) > LONGEST:
        raise Invalid("One of the filters has a value that cannot be used.")
    words |= {"since": day("since"), "until": day("until"), "row_id": int(row) if row else None}
    return Wanted(**words, time_zone=viewer().time_zone)


class AuditAdmin(RowView):
    """Who did what: read-only, by right."""

    route_base = "/admin/audit"
    datamodel = AuditRows(AuditEntry)
    class_permission_name = "Audit"
    method_permission_name = {"list": "list", "show": "show", "export": "export"}
    include_route_methods = {"list", "show", "export"}
    base_filters = [["id", Visible, audit_reading.visible_to]]
    list_template, show_template = "admin/audit.html", "admin/audit_entry.html"
    list_title, show_title = "Audit trail", "Entry of the audit trail"
    list_columns = ["at", "who", "what", "address"]
    order_columns = ["id"]
    search_columns = ["id"]
    show_columns = ["at", "who", "what", "about", "kind", "action", "version", "address", "request_id", "job_id"]
    label_columns = {
        **{"at": "When", "who": "Who", "what": "What", "about": "About", "job_id": "Job", "request_id": "Request"},
    }
    formatters_columns: dict[str, Any] = {
        "at": ago,
        "job_id": lambda job: job or "",
        "address": lambda text: text or "",
    }

    def narrowing(self) -> Any:
        """Select by the filters above the list."""
        return audit_reading.matching(wanted())

    def render_template(self, template: str, **values: Any) -> str:
        """Render a template that knows the choices of the filters."""
        choices = {"kinds": KINDS, "actions": audit_sentences.ACTIONS, "entities": ENTITIES}
        return super().render_template(template, **choices, **values)

    @expose("/export", methods=["POST"])
    @has_access
    @permission_name("export")
    def export(self) -> ResponseReturnValue:
        """Start the export of what the list shows."""
        wish = wanted()
        dates = {name: found.isoformat() for name in ("since", "until") if (found := getattr(wish, name))}
        plain = {name: getattr(wish, name) for name in ("who", "kind", "action", "entity", "row_id", "time_zone")}
        job = submit(viewer(), export_audit, **{name: one for name, one in (plain | dates).items() if one})
        return redirect(url_for("JobPages.show", job_id=job.id))
