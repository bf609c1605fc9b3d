"""Todos in the generated admin."""

from typing import Any

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder.actions import action
from sqlalchemy import and_, true
from sqlalchemy.orm import joinedload, selectinload
from wtforms import BooleanField, DateField, SelectField, TextAreaField
from wtforms.validators import InputRequired, Optional

from app.errors import Denied
from app.models.todos import NORMAL, PRIORITIES, Todo
from app.security import viewer
from app.services import todos
from app.services.todos_lists import SHOWN, shown
from app.services.todos_rules import may_delete, visible_to
from app.services.todos_search import matching
from app.views.attachments import draw
from app.views.base import Beside, RowView
from app.views.forms import NOTES, PRIORITY_CHOICES, VersionField, text_field, unix_lines
from app.views.pages import tell
from app.views.rows import Rows, Visible
from app.views.tags import tag_labels
from app.views.widgets import PeopleField, TagsField, UploadField

OWN_FIELDS = ("title", "notes", "priority", "due_on", "complete", "tag_names", "owner", "assignees")


def extra_fields() -> dict[str, Any]:
    """Return the form fields that FAB would generate unfit: required ticks, selects of all people."""
    native_date = {"render_kw": {"class": "form-control", "type": "date"}}
    return {
        "title": text_field("Title", longest=200, ui="admin"),
        "notes": TextAreaField(
            "Notes",
            filters=[unix_lines],
            validators=NOTES,
            default="",
            render_kw={"class": "form-control", "rows": 4},
        ),
        "priority": SelectField(
            "Priority", choices=PRIORITY_CHOICES, coerce=int, default=NORMAL, render_kw={"class": "form-control"}
        ),
        "due_on": DateField("Due", validators=[Optional()], **native_date),
        "complete": BooleanField("Complete"),
        "owner": PeopleField("Owner", ui="admin", single=True, validators=[InputRequired("Name the owner.")]),
        "tag_names": TagsField("Tags", ui="admin"),
        "assignees": PeopleField("Assigned to", ui="admin"),
        "attachments": UploadField("Files", ui="admin"),
        "version": VersionField(),
    }


class TodoAdmin(RowView):
    """The generated screens of todos; every change goes through the service that the end-user pages use."""

    route_base = "/admin/todos"
    datamodel = Rows(
        Todo,
        joinedload(Todo.owner),
        selectinload(Todo.tags),
        selectinload(Todo.assignees),
        selectinload(Todo.attachments),
    )
    class_permission_name = "Todo"
    method_permission_name = {
        **{name: name for name in ("list", "show", "add", "edit", "delete")},
        **{"complete": "edit", "reopen": "edit", "tag": "edit", "priority": "edit", "due": "edit", "assign": "share"},
        **{"delete_chosen": "delete", "export": "export"},
    }
    about_all = {
        **{name: name for name in ("complete", "reopen", "assign", "tag", "priority", "due", "export")},
        **{"delete_chosen": "delete"},
    }
    base_filters = [["id", Visible, visible_to]]
    list_title, add_title, edit_title, show_title = "Todos", "New todo", "Edit todo", "Todo"
    add_row_message, edit_row_message = "Todo added.", "Todo saved."
    beside = (Beside("Import", "ImportPages.index", "can_add"),)
    search_hint = "Title, notes, tags, people, files"
    presets = SHOWN
    list_columns = ["title", "tags", "owner", "assignees", "priority", "due_on", "complete", "attachments"]
    order_columns = ["title", "priority", "due_on", "complete"]
    search_columns = ["title", "priority", "due_on", "complete", "completed_at", "created_at"]
    filter_choices = {"priority": PRIORITY_CHOICES}
    show_columns = [
        *("title", "notes", "tags", "priority", "due_on", "complete", "completed_at", "owner", "assignees"),
        *("created_at", "updated_at"),
    ]
    add_columns = ["title", "notes", "tag_names", "priority", "due_on", "owner", "assignees", "attachments"]
    edit_columns = [*add_columns[:5], "complete", *add_columns[5:], "version"]
    label_columns = {
        **{"due_on": "Due", "assignees": "Assigned to", "attachments": "Files", "complete": "Complete"},
        **{"tag_names": "Tags"},
    }
    formatters_columns: dict[str, Any] = {
        "priority": lambda value: PRIORITIES[value].capitalize(),
        "assignees": lambda people: ", ".join(person.username for person in people),
        "tags": tag_labels,
        "attachments": len,
    }

    def _init_forms(self) -> None:
        """Make the fields anew for each application: WTForms fields remember their form."""
        self.add_form_extra_fields = self.edit_form_extra_fields = extra_fields()
        super()._init_forms()

    def matching(self, query: str) -> Any:
        """Search as the end users' list does."""
        return matching(query)

    def preset(self, name: str) -> Any:
        """Narrow the list to one of the fixed filters."""
        return and_(true(), *shown(viewer(), name))

    def insert(self, form: Any) -> None:
        """Add a todo."""
        fields = {name: form[name].data for name in OWN_FIELDS if name in form}
        fields["owner"] = fields["owner"][0]
        todos.create(viewer(), files=form.attachments.data, **fields)
        draw(form.attachments.data)

    def change(self, item: Todo, form: Any) -> None:
        """Save a todo of which the form carries the version."""
        fields = {name: form[name].data for name in OWN_FIELDS if name in form}
        fields["owner"] = fields["owner"][0]
        todos.update_todo(viewer(), item, form.version.data, form.attachments.data, **fields)
        draw(form.attachments.data)

    def compare(self, form: Any, item: Todo) -> None:
        """Show what somebody else saved meanwhile, but no choice that is not the viewer's."""
        if not may_delete(viewer(), item):
            form.assignees.process_data(item.assignees)
        super().compare(form, item)

    def remove(self, item: Todo) -> None:
        """Move a todo to the trash and offer to undo it."""
        gone = todos.delete_todos(viewer(), self.ids([item]))
        if not gone.ids and not gone.stale:
            raise Denied("Only its owner can delete this todo.")
        tell(gone, "deleted")

    def actions_on(self, item: Todo) -> list[Any]:
        """Offer to complete what is open, and to reopen what is complete."""
        useless = "complete" if item.complete else "reopen"
        return [one for one in self.ordered_actions() if one.name != useless]

    def ids(self, items: list[Todo]) -> dict[int, int | None]:
        """Return the ids of chosen todos with the version that was seen of each."""
        return {item.id: self.version_seen(item) for item in items}

    @action("complete", "Complete", icon="fa-check")
    def complete(self, items: list[Todo]) -> ResponseReturnValue:
        """Complete the chosen todos."""
        tell(todos.set_complete(viewer(), self.ids(items), True), "completed")
        return self.to_list()

    @action("reopen", "Reopen", icon="fa-undo")
    def reopen(self, items: list[Todo]) -> ResponseReturnValue:
        """Reopen the chosen todos."""
        tell(todos.set_complete(viewer(), self.ids(items), False), "reopened")
        return self.to_list()

    @action("assign", "Assign to …", icon="fa-user-plus")
    def assign(self, items: list[Todo]) -> ResponseReturnValue:
        """Ask whom to assign the chosen todos to."""
        return self.asking("assign", items)

    @action("tag", "Tag …", icon="fa-tag")
    def tag(self, items: list[Todo]) -> ResponseReturnValue:
        """Ask which tags come and go."""
        return self.asking("tag", items)

    @action("priority", "Priority …", icon="fa-flag")
    def priority(self, items: list[Todo]) -> ResponseReturnValue:
        """Ask for the priority of the chosen todos."""
        return self.asking("priority", items)

    @action("due", "Due date …", icon="fa-calendar")
    def due(self, items: list[Todo]) -> ResponseReturnValue:
        """Ask for the due date of the chosen todos."""
        return self.asking("due", items)

    @action("export", "Export …", icon="fa-download")
    def export(self, items: list[Todo]) -> ResponseReturnValue:
        """Ask how to export the chosen todos."""
        return self.asking("export", items)

    def asking(self, action: str, items: list[Todo]) -> ResponseReturnValue:
        """Go to the page that asks what has to be known about an action."""
        return redirect(url_for("SelectionPages.ask", action=action, id=[self.reference(item) for item in items]))

    @action("delete_chosen", "Delete", "Move to the trash?", icon="fa-trash")
    def delete_chosen(self, items: list[Todo]) -> ResponseReturnValue:
        """Move the chosen todos to the trash and offer to undo it."""
        tell(todos.delete_todos(viewer(), self.ids(items)), "deleted")
        return self.to_list()
