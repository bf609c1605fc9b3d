"""Comments on a todo, without JavaScript: written below it, changed on a page of their own."""

from datetime import datetime
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_wtf import FlaskForm
from wtforms import TextAreaField

from app.errors import AppError, Conflict, Denied, Invalid
from app.models.comments import LONGEST_COMMENT, Comment
from app.models.todos import Todo
from app.security import viewer
from app.services import audit_sentences, comments, todos
from app.services import timeline as history
from app.views.forms import VersionField
from app.views.pages import Page, has_access, notice


class CommentForm(FlaskForm):
    """The text of a comment; the service says what is wrong with it."""

    body = TextAreaField("Comment", render_kw={"maxlength": LONGEST_COMMENT, "rows": 4})
    version = VersionField()


def instant(text: str) -> datetime | None:
    """Read an instant from the address, or None if there is none.

    Raises:
        Invalid: when it is damaged.
    """
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid("This page link is damaged. Start from the todo.") from error


def tell_unheard(comment: Comment) -> None:
    """Say which mentions reach nobody."""
    if names := comments.unheard(comment):
        flash(f"Nobody sees this todo by the name of {', '.join(f'@{name}' for name in names)}.", "warning")


def timeline(todo: Todo) -> dict[str, Any]:
    """Return what the page of a todo shows below it: what was said and done."""
    items, earlier, names = history.page(todo, instant(request.args.get("before", "")))
    told = {
        item.entry.id: (audit_sentences.who(item.entry, names), audit_sentences.of_todo(item.entry, names))
        for item in items
        if item.entry
    }
    rights = {"may_comment": comments.may_comment(viewer()), "may_edit": comments.may_edit}
    return {"items": items, "told": told, "earlier": earlier, "comment_form": CommentForm(formdata=None), **rights}


class CommentPages(Page):
    """Writing, changing and deleting one's own comments."""

    route_base = ""
    class_permission_name = "Comment"
    default_view = "add"

    @expose("/todos/<id:todo_id>/comments", methods=["POST"])
    @has_access
    @permission_name("add")
    def add(self, todo_id: int) -> ResponseReturnValue:
        """Comment on a todo; a text that is refused comes back on a page of its own."""
        todo, form = None, CommentForm()
        try:
            todo = todos.get(viewer(), todo_id)
            comment = comments.add(viewer(), todo, form.body.data or "")
        except AppError as error:
            return self.refused(error, form, todo)
        tell_unheard(comment)
        return self.to(comment)

    @expose("/comments/<id:comment_id>", methods=["GET", "POST"])
    @has_access
    @permission_name("edit")
    def edit(self, comment_id: int) -> ResponseReturnValue:
        """Change one's own comment."""
        comment = comments.own(viewer(), comment_id)
        form = CommentForm(obj=comment)
        if request.method == "GET":
            return self.page("comment", todo=comment.todo, form=form, comment=comment)
        try:
            comments.edit(viewer(), comment, form.version.data, form.body.data or "")
        except AppError as error:
            form.version.data = comment.version
            return self.refused(error, form, comment.todo, comment)
        notice("Saved the comment.")
        tell_unheard(comment)
        return self.to(comment)

    @expose("/comments/<id:comment_id>/delete", methods=["POST"])
    @has_access
    @permission_name("delete")
    def delete(self, comment_id: int) -> ResponseReturnValue:
        """Delete one's own comment and offer to undo it."""
        comment = comments.remove(viewer(), comment_id)
        notice("Deleted the comment.", back=url_for(".restore", comment_id=comment_id))
        return redirect(url_for("TodoPages.show", todo_id=comment.todo_id))

    @expose("/comments/<id:comment_id>/restore", methods=["POST"])
    @has_access
    @permission_name("delete")
    def restore(self, comment_id: int) -> ResponseReturnValue:
        """Undo the deletion of one's own comment."""
        comment = comments.restore(viewer(), comment_id)
        notice("The comment is back.")
        return self.to(comment)

    def to(self, comment: Comment) -> ResponseReturnValue:
        """Go to a comment on the page of its todo."""
        return redirect(url_for("TodoPages.show", todo_id=comment.todo_id, _anchor=f"comment-{comment.id}"))

    def refused(
        self, error: AppError, form: Any, todo: Todo | None, comment: Comment | None = None
    ) -> ResponseReturnValue:
        """Show a text that could not be saved, with the reason; it can be mended there, or taken from there."""
        if isinstance(error, Denied) or not (todo or form.body.data):
            raise error
        form.form_errors.append(error.message)
        theirs = comment if isinstance(error, Conflict) else None
        return self.page("comment", error.status, todo=todo, form=form, comment=comment, theirs=theirs)
