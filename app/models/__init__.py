"""All tables, so that importing this package makes the metadata whole."""

# first: adding columns to FAB's user settles all mappers known so far, and theirs refer to models that follow
from app.models.users import EndedSession, User

# isort: split
from app.models.api_keys import ApiKey
from app.models.attachments import Attachment, AttachmentChunk
from app.models.audit import AuditEntry, AuditPerson, AuditPurge
from app.models.calendars import CalendarFeed
from app.models.comments import Comment, comment_mentions
from app.models.idempotency import IdempotencyKey
from app.models.imports import ImportRow
from app.models.jobs import Job, JobSlot, JobWorker
from app.models.maintenance import Maintenance
from app.models.mornings import MorningMail
from app.models.notifications import Notification
from app.models.saved_filters import SavedFilter
from app.models.tags import Tag, todo_tags
from app.models.todos import Todo, todo_assignees
from app.models.undo import UndoAssignee, UndoRow, UndoStep, UndoTag

__all__ = [
    "ApiKey",
    "Attachment",
    "AttachmentChunk",
    "AuditEntry",
    "AuditPerson",
    "AuditPurge",
    "CalendarFeed",
    "Comment",
    "EndedSession",
    "IdempotencyKey",
    "ImportRow",
    "Job",
    "JobSlot",
    "JobWorker",
    "Maintenance",
    "MorningMail",
    "Notification",
    "SavedFilter",
    "Tag",
    "Todo",
    "UndoAssignee",
    "UndoRow",
    "UndoStep",
    "UndoTag",
    "User",
    "comment_mentions",
    "todo_assignees",
    "todo_tags",
]
