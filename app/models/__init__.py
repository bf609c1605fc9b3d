"""All tables, so that importing this package makes the metadata whole."""

from app.models.attachments import Attachment, AttachmentChunk
from app.models.jobs import Job
from app.models.todos import Todo, todo_assignees
from app.models.users import EndedSession, User

__all__ = ["Attachment", "AttachmentChunk", "EndedSession", "Job", "Todo", "User", "todo_assignees"]
