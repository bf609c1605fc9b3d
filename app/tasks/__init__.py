"""All jobs, so that importing this package makes the registry whole."""

from app.tasks import attachments, audit, imports, todos, trash, users_leaving

__all__ = ["attachments", "audit", "imports", "todos", "trash", "users_leaving"]
