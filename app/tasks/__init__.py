"""All jobs, so that importing this package makes the registry whole."""

from app.tasks import attachments, todos

__all__ = ["attachments", "todos"]
