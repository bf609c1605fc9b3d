"""The REST API below /api/v1/."""

from app.views.api.attachments import AttachmentApi
from app.views.api.audit import AuditApi
from app.views.api.comments import CommentApi
from app.views.api.description import OpenApi, SwaggerView
from app.views.api.jobs import JobApi
from app.views.api.people import PersonApi
from app.views.api.sessions import SessionApi
from app.views.api.tags import TagApi
from app.views.api.todos import TodoApi

__all__ = ["APIS", "SwaggerView"]

APIS = (TodoApi, AttachmentApi, CommentApi, TagApi, PersonApi, JobApi, AuditApi, SessionApi, OpenApi)
