"""All jobs, so that importing this package makes the registry whole."""

from app.tasks import attachments, audit, todos, users_leaving

__all__ = ["attachments", "audit", "todos", "users_leaving"]
