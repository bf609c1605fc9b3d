"""Flask-AppBuilder's access to rows: filtered by the row rule, counted up to a cap, loaded as told."""

import copy
from collections.abc import Callable, Collection, Sequence
from typing import Any

from flask_appbuilder.models.filters import BaseFilter, Filters
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.routing import IntegerConverter

from app.errors import Invalid, NotFound

COUNT_CAP = 10_000  # a list shows "10,000+" beyond: counting all rows costs more than showing the page
ACTION_CAP = 1000
LARGEST_ID = 2**31 - 1


class IdConverter(IntegerConverter):
    """A row id in an address; what no database holds becomes 0, which no row has.

    A converter that refuses would make the answer 405 where the address knows other methods too.
    """

    def to_python(self, value: str) -> int:
        """Read the number."""
        return int(value) if is_id(value) else 0


def is_id(text: str) -> bool:
    """Tell whether a text is a number that can be a row's id."""
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= LARGEST_ID


def parse_chosen(texts: Sequence[str]) -> dict[int, int | None]:
    """Read "12:3", the ids of rows with the version that the page showed of each; a plain "12" names no version.

    Raises:
        Invalid: when there are none, too many, or one is damaged.
    """
    pairs = [text.partition(":") for text in texts]
    ids = parse_ids([pk for pk, _, _ in pairs])
    if not all(is_id(version) or not colon for _, colon, version in pairs):
        raise Invalid("A row's version is damaged. Reload the list and choose again.")
    versions = {int(pk): int(version) if colon else None for pk, colon, version in pairs}
    return {pk: versions[pk] for pk in ids}


def parse_ids(texts: Sequence[str]) -> list[int]:
    """Read row ids from a request.

    Raises:
        Invalid: when there are none, too many, or one is no number.
    """
    if not texts:
        raise Invalid("Choose at least one row.")
    if len(texts) > ACTION_CAP:
        raise Invalid(f"Choose at most {ACTION_CAP} rows at a time.")
    if not all(is_id(text) for text in texts):
        raise Invalid("A row id is damaged. Reload the list and choose again.")
    return list(dict.fromkeys(int(text) for text in texts))


class Visible(BaseFilter):
    """The row rule as a base filter; its value is the service's `visible_to`."""

    name = "visible"

    def apply(self, query: Any, value: Callable[[Any], Any]) -> Any:
        """Narrow a query to what the viewer may see."""
        return query.filter(value(current_user))


class Matching(BaseFilter):
    """The one-box search; its value is an expression."""

    name = "matching"

    def apply(self, query: Any, value: Any) -> Any:
        """Narrow a query to what matches."""
        return query.filter(value)


class FlatFilters(Filters):
    """FAB's filters, joined without building every possible filter of every column again."""

    def narrowed(self, *expressions: Any) -> "FlatFilters":
        """Return these filters and expressions that rows have to satisfy besides."""
        narrow = copy.copy(self)
        narrow.filters, narrow.values = list(self.filters), list(self.values)
        for expression in expressions:
            narrow.add_filter("id", Matching, expression)
        return narrow

    def get_joined_filters(self, filters: Filters) -> Filters:
        """Return these filters and the given ones."""
        joined = copy.copy(self)
        joined.filters, joined.values = self.filters + filters.filters, self.values + filters.values
        return joined


class Rows(SQLAInterface):
    """FAB's data model with a capped count and relations loaded as told: as many statements for 3 rows as for 300.

    Args:
        obj: the model.
        loading: loader options for the relations that its lists show.
    """

    def __init__(self, obj: Any, *loading: Any) -> None:
        super().__init__(obj)
        self.loading = loading

    def get_filters(self, search_columns: Any = None, search_filters: Any = None) -> FlatFilters:
        """Return an empty set of filters."""
        return FlatFilters(self.filter_converter_class, self, search_columns or [], search_filters)

    def query(
        self,
        filters: Any = None,
        order_column: str = "",
        order_direction: str = "",
        page: int | None = None,
        page_size: int | None = None,
        select_columns: Any = None,
        outer_default_load: bool = False,
    ) -> tuple[int, list[Any]]:
        """Return the capped count and one page; the relations are loaded as told, whatever the columns."""
        rows = self.session.query(self.obj)
        count = self.query_count(rows, filters)
        page_of_rows = self.apply_all(
            rows.options(*self.loading), filters, order_column, order_direction, page, page_size
        )
        return count, page_of_rows.all()

    def query_count(self, query: Any, filters: Any = None, select_columns: Any = None) -> int:
        """Count at most `COUNT_CAP` + 1 rows."""
        some = self.apply_filters(query, filters).with_entities(self.get_pk()).limit(COUNT_CAP + 1).subquery()
        return int(self.session.scalar(select(func.count()).select_from(some)))

    def get(self, id: Any, filters: Any = None, select_columns: Any = None, outer_default_load: bool = False) -> Any:
        """Return a row with its relations, or None, also for what is no id at all."""
        if not is_id(str(id)):
            return None
        rows = self.apply_filters(self.session.query(self.obj).options(*self.loading), filters)
        return rows.filter(self.get_pk() == int(id)).one_or_none()

    def get_values(self, lst: Any, list_columns: Any) -> Any:
        """Return the values of each row of a list, and its version if it has one."""
        for item, values in zip(lst, super().get_values(lst, list_columns), strict=True):
            yield {**values, "row_version": getattr(item, "version", None)}

    def chosen(self, ids: Collection[int], filters: Any) -> list[Any]:
        """Return these rows in one statement.

        Raises:
            NotFound: when one does not exist or is filtered away.
        """
        rows = self.apply_filters(self.session.query(self.obj).options(*self.loading), filters)
        found = rows.filter(self.get_pk().in_(ids)).order_by(self.get_pk()).all()
        if len(found) != len(ids):
            raise NotFound("Some of the chosen rows do not exist any more. Reload the list and choose again.")
        return list(found)
