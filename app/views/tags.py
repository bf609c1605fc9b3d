"""Tags: search as you type, and the generated screens that rename, merge and delete them."""

from collections.abc import Iterable
from typing import Any

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.actions import action
from flask_appbuilder.security.decorators import permission_name
from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import RadioField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from app.errors import Invalid
from app.models.tags import COLOURS, LONGEST_TAG, Tag
from app.services import tags
from app.views.base import RowView
from app.views.forms import text_field
from app.views.pages import Page, has_access, notice
from app.views.rows import Rows, parse_ids

COLOUR_CHOICES = [SelectChoice(name, name.capitalize()) for name in COLOURS]


def tag_labels(found: Iterable[Tag]) -> Markup:
    """Return tags as labels in their colours."""
    label = Markup('<span class="tag tag-{}">{}</span>')
    return Markup(" ").join(label.format(tag.colour, tag.name) for tag in found)


class TagPages(Page):
    """What forms ask about tags."""

    route_base = "/tags"
    class_permission_name = "Tag"

    @expose("/lookup")
    @has_access
    @permission_name("lookup")
    def lookup(self) -> ResponseReturnValue:
        """Return a few tags for a search-as-you-type field."""
        found = tags.lookup(request.args.get("q", "")[:100])
        return jsonify([{"value": tag.name, "label": tag.name, "colour": tag.colour} for tag in found])


class MergeForm(FlaskForm):
    """Which of the chosen tags stays."""

    into = RadioField("Keep", coerce=int, validators=[InputRequired("Choose the tag to keep.")])


class TagAdmin(RowView):
    """The generated screens of tags."""

    route_base = "/admin/tags"
    datamodel = Rows(Tag, tags.WITH_USES)
    class_permission_name = "Tag"
    exclude_route_methods = {"download", "show"}
    method_permission_name = {
        **{name: name for name in ("list", "add", "edit", "delete", "merge")},
        **{"delete_chosen": "delete", "merge_into": "merge"},
    }
    base_order = ("key", "asc")
    list_title, add_title, edit_title = "Tags", "New tag", "Edit tag"
    add_row_message, edit_row_message = "Tag added.", "Tag saved."
    search_hint = "Name"
    presets = {"unused": "Unused"}
    list_columns = ["name", "colour", "uses"]
    order_columns = ["name", "colour"]
    search_columns = ["name", "colour", "created_at"]
    filter_choices = {"colour": COLOUR_CHOICES}
    add_columns = edit_columns = ["name", "colour"]
    label_columns = {"uses": "Todos"}
    formatters_columns: dict[str, Any] = {
        "colour": lambda name: Markup('<span class="tag tag-{}">{}</span>').format(name, name.capitalize()),
    }

    def _init_forms(self) -> None:
        """Make the fields anew for each application: WTForms fields remember their form."""
        look = {"class": "form-control"}
        self.add_form_extra_fields = self.edit_form_extra_fields = {
            "name": text_field("Name", longest=LONGEST_TAG, ui="admin"),
            "colour": SelectField("Colour", choices=COLOUR_CHOICES, default="grey", render_kw=look),
        }
        super()._init_forms()

    def matching(self, query: str) -> Any:
        """Search the names."""
        return tags.matching(query)

    def preset(self, name: str) -> Any:
        """Narrow the list to the tags that no todo has."""
        return tags.unused()

    def insert(self, form: Any) -> None:
        """Add a tag."""
        tags.save(Tag(), form.name.data, form.colour.data)

    def change(self, item: Tag, form: Any) -> None:
        """Rename or recolour a tag, on all todos at once."""
        tags.save(item, form.name.data, form.colour.data)

    def remove(self, item: Tag) -> None:
        """Delete a tag and take it off all todos."""
        tags.delete_tags([item])
        notice(f"Deleted the tag {item.name}.")

    @action("delete_chosen", "Delete", "Delete these tags and take them off all todos?", icon="fa-trash")
    def delete_chosen(self, items: list[Tag]) -> ResponseReturnValue:
        """Delete the chosen tags."""
        tags.delete_tags(items)
        notice(f"Deleted {len(items)} {'tag' if len(items) == 1 else 'tags'}.")
        return self.to_list()

    @action("merge", "Merge …", icon="fa-compress")
    def merge(self, items: list[Tag]) -> ResponseReturnValue:
        """Ask which of the chosen tags stays."""
        return redirect(url_for(".merge_into", id=[item.id for item in items]))

    @expose("/merge", methods=["GET", "POST"])
    @has_access
    @permission_name("merge")
    def merge_into(self) -> ResponseReturnValue:
        """Make one tag of several."""
        chosen = self.datamodel.chosen(parse_ids(request.args.getlist("id")), self._base_filters)
        if len(chosen) < 2:
            raise Invalid("Choose at least two tags to merge.")
        form = MergeForm()
        form.into.choices = [SelectChoice(tag.id, tag.name) for tag in chosen]
        if form.validate_on_submit():
            kept = next(tag for tag in chosen if tag.id == form.into.data)
            changed = tags.merge(chosen, kept)
            notice(f"Merged {len(chosen)} tags into {kept.name}; {changed} todos changed.")
            return self.to_list()
        status = 400 if form.is_submitted() else 200
        return self.render_template("admin/merge.html", tags=chosen, form=form), status
