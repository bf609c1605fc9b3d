"""Which todos an action is about: the chosen ones, or all that a list shows when the action begins."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from flask_appbuilder.models.filters import Filters
from flask_appbuilder.models.sqla.filters import SQLAFilterConverter
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.exc import DataError

from app.errors import Invalid
from app.extensions import db
from app.models.todos import Todo
from app.models.users import User
from app.services.todos_lists import Filter, conditions
from app.services.trash import in_trash

# what the generated lists filter by; a filter is a column, the number of what FAB offers for it, and a value
COLUMNS = ["title", "priority", "due_on", "complete", "completed_at", "created_at", "deleted_at"]
ColumnFilter = tuple[str, int, str]
EVERYTHING = Filter(scope="all", show="any")


@dataclass(frozen=True)
class Selection:
    """The todos that somebody means.

    Args:
        ids: the chosen ones, with the version that was seen of each; None for all that match.
        wanted: the end users' list that they match.
        columns: the filters of the generated list that they match besides.
        trash: whether they lie in the trash.
    """

    ids: Mapping[int, int | None] | None = None
    wanted: Filter = EVERYTHING
    columns: tuple[ColumnFilter, ...] = ()
    trash: bool = False

    def facts(self) -> dict[str, Any]:
        """Return what `of` reads, for the arguments of a job."""
        if self.ids is not None:
            return {"ids": list(self.ids), "trash": self.trash}
        wanted = asdict(replace(self.wanted, after=""))
        return {"wanted": wanted, "columns": [list(one) for one in self.columns], "trash": self.trash}


def of(facts: Mapping[str, Any]) -> Selection:
    """Return the selection that a job's arguments describe."""
    if "ids" in facts:
        return Selection(dict.fromkeys(facts["ids"]), trash=facts.get("trash", False))
    wanted = {**facts["wanted"], "tags": tuple(facts["wanted"]["tags"])}
    columns = tuple((name, number, value) for name, number, value in facts["columns"])
    return Selection(None, Filter(**wanted), columns, facts["trash"])


def which(viewer: User, selection: Selection) -> ColumnElement[bool]:
    """Select them, as far as the viewer may see them.

    Raises:
        Invalid: when a filter of a column cannot be used.
    """
    scope = "all" if selection.ids is not None else selection.wanted.scope
    trash, query = selection.trash, selection.wanted.query
    rule = in_trash(viewer, scope, query) if trash else and_(*conditions(viewer, selection.wanted))
    if selection.ids is not None:
        return and_(rule, Todo.id.in_(selection.ids))
    return and_(rule, _by_columns(selection.columns)) if selection.columns else rule


def count(viewer: User, selection: Selection, may: ColumnElement[bool] | None = None) -> int:
    """Return how many there are; `may` narrows them to those of which the viewer has a right."""
    found = select(func.count()).select_from(Todo).where(which(viewer, selection))
    try:
        return int(db.session.scalar(found if may is None else found.where(may)) or 0)
    except (DataError, OverflowError, ValueError) as error:
        raise Invalid("One of the filters has a value that cannot be used.") from error


def some(viewer: User, selection: Selection, most: int) -> list[str]:
    """Return the titles of a few."""
    found = select(Todo.title).where(which(viewer, selection)).order_by(Todo.id).limit(most)
    return list(db.session.scalars(found))


def ids(viewer: User, selection: Selection) -> list[int]:
    """Return the ids of all of them, in order."""
    return list(db.session.scalars(select(Todo.id).where(which(viewer, selection)).order_by(Todo.id)))


def versions(viewer: User, selection: Selection) -> list[tuple[int, int]]:
    """Return the id and the present version of all of them, in order."""
    found = select(Todo.id, Todo.version).where(which(viewer, selection)).order_by(Todo.id)
    return [(todo_id, version) for todo_id, version in db.session.execute(found)]


def _by_columns(columns: Sequence[ColumnFilter]) -> ColumnElement[bool]:
    """Select what the filters of a generated list select.

    Raises:
        Invalid: when there is no such filter.
    """
    filters = Filters(SQLAFilterConverter, SQLAInterface(Todo), COLUMNS)
    offered = filters.get_search_filters()
    for column, number, value in columns:
        if not 0 <= number < len(offered.get(column, ())):
            raise Invalid("This list has no such filter.")
        filters.add_filter_index(column, number, value)
    return Todo.id.in_(filters.apply_all(select(Todo.id)))
