"""Every page of the application, in the order of the menus."""

from typing import Any

from flask import Flask
from flask_babel import gettext, ngettext

from app.views import filters, widgets
from app.views.api import APIS, SwaggerView
from app.views.api_keys import ApiKeyPages
from app.views.attachments import AttachmentPages
from app.views.audit import AuditAdmin
from app.views.calendars import CalendarPages, calendar_pages
from app.views.comments import CommentPages
from app.views.health import health_pages, refuse_closed
from app.views.imports import ImportPages
from app.views.jobs import JobPages
from app.views.jobs_admin import JobAdmin
from app.views.leaving_admin import LeavingAdmin
from app.views.mail import mail_pages
from app.views.metrics import metrics_pages
from app.views.notifications import NotificationPages
from app.views.pages import Index
from app.views.roles_admin import PermissionAdmin, RoleAdmin
from app.views.rows import IdConverter
from app.views.saved_filters import FilterPages
from app.views.selections import SelectionPages
from app.views.tags import TagAdmin, TagPages
from app.views.todos import TodoPages
from app.views.todos_admin import TodoAdmin
from app.views.trash import TrashPages, UndoPages
from app.views.trash_admin import TrashAdmin
from app.views.users import AccountPages, PersonPages, ProfilePages
from app.views.users_admin import UserAdmin

__all__ = ["Index", "escape_translations", "refuse_closed", "register_views"]

PAGES = (
    *(TodoPages, ImportPages, TrashPages, UndoPages, PersonPages, JobPages, NotificationPages, ProfilePages),
    *(ApiKeyPages, CalendarPages, AttachmentPages, TagPages, CommentPages, FilterPages, SelectionPages),
)
ADMIN = (
    # view, name in the menu
    (TodoAdmin, "Todos"),
    (TagAdmin, "Tags"),
    (TrashAdmin, "Trash"),
    (UserAdmin, "People"),
    (JobAdmin, "Jobs"),
    (AuditAdmin, "Audit"),
    (RoleAdmin, "Roles"),
    (PermissionAdmin, "Permissions"),
)


def escape_translations(app: Flask) -> None:
    """Let Jinja escape what FAB's templates translate: they translate error messages, which quote what was typed."""
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=False)  # type: ignore[attr-defined]


def register_views(app: Flask, appbuilder: Any) -> None:
    """Register all pages; the order of the lines is the order of the menus."""
    app.url_map.converters["id"] = IdConverter
    filters.init_app(app)
    app.after_request(widgets.answer_upload)
    appbuilder.sm.auth_view = appbuilder.add_view_no_menu(AccountPages)
    for page in PAGES:
        appbuilder.add_view_no_menu(page)
    for view, name in ADMIN:
        appbuilder.add_view(view, name)
    appbuilder.add_view_no_menu(LeavingAdmin)
    for api in APIS:
        appbuilder.add_api(api)
    appbuilder.add_view_no_menu(SwaggerView)
    app.register_blueprint(health_pages)
    app.register_blueprint(mail_pages)
    app.register_blueprint(metrics_pages)
    app.register_blueprint(calendar_pages)
