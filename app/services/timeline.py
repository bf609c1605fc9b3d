"""What was said and done about a todo, as one list."""

from dataclasses import dataclass
from datetime import datetime

from app.models.audit import AuditEntry
from app.models.comments import Comment
from app.models.todos import Todo
from app.services import audit_names, audit_reading, comments
from app.services.audit_sentences import Names

PAGE_SIZE = 30


@dataclass(frozen=True)
class Item:
    """A comment, or an entry of the audit trail."""

    at: datetime
    comment: Comment | None = None
    entry: AuditEntry | None = None


def page(todo: Todo, before: datetime | None = None) -> tuple[list[Item], datetime | None, Names]:
    """Return the latest of a todo that the viewer may see, or what was before an instant, the latest last.

    Returns:
        The items, the instant before which there are more, and the names of whom and what the entries number.
    """
    said = comments.before(todo.id, before, PAGE_SIZE + 1)
    done = audit_reading.of_todo(todo.id, before, PAGE_SIZE + 1)
    items = [Item(comment.created_at, comment=comment) for comment in said]
    items += [Item(entry.at, entry=entry) for entry in done]
    items.sort(key=lambda item: item.at, reverse=True)
    count = min(PAGE_SIZE, len(items))
    while 0 < count < len(items) and items[count].at == items[count - 1].at:
        count += 1  # what happened at one instant is not torn apart
    more = items[count - 1].at if count < len(items) else None
    shown = items[:count][::-1]
    return shown, more, audit_names.names(item.entry for item in shown if item.entry)
