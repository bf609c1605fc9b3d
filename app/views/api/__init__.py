"""The REST API below /api/v1/."""

from app.views.api.description import OpenApi, SwaggerView
from app.views.api.sessions import SessionApi
from app.views.api.todos import TodoApi

__all__ = ["APIS", "SwaggerView"]

APIS = (TodoApi, SessionApi, OpenApi)
