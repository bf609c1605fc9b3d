"""The arguments of generated lists, checked before Flask-AppBuilder reads them."""

import re
from collections.abc import Sequence
from typing import Any

from werkzeug.datastructures import MultiDict

from app.errors import Invalid

PAGE_SIZE_CAP = 100
URL_FOR = {"endpoint", "_external", "_scheme", "_anchor", "_method"}
ARGUMENT = re.compile(r"page_|psize_|_oc_|_od_|_flt_\d_")
FILTER = re.compile(r"_flt_([0-9])_(.+)")
KEPT = ("_oc_", "_od_", "psize_")


def chosen(args: MultiDict[str, str]) -> dict[str, tuple[int, str]]:
    """Return how a list is filtered: column -> number of the filter that FAB offers, value."""
    found = ((FILTER.fullmatch(name), value) for name, value in args.items())
    return {match[2]: (int(match[1]), value) for match, value in found if match}


def from_form(args: MultiDict[str, str], columns: Sequence[str]) -> dict[str, str]:
    """Return the arguments that FAB reads for what the form above the list sent."""
    wanted = {name: value for name, value in args.items() if name.startswith(KEPT) or (name in ("q", "show") and value)}
    for column in columns:
        number, value = args.get(f"how_{column}", ""), args.get(f"what_{column}", "").strip()
        if value and re.fullmatch(r"[0-9]", number):
            wanted[f"_flt_{number}_{column}"] = value
    return wanted


def check(view: Any, args: MultiDict[str, str]) -> None:
    """Refuse what FAB would let fail or would pass on to the database.

    Raises:
        Invalid: naming what is wrong with the address.
    """
    if hidden := URL_FOR & set(args):
        raise Invalid(f"This address is damaged: {min(hidden)}.")  # FAB hands all arguments to url_for
    for name, value in args.items(multi=True):
        if ARGUMENT.search(name) and not ARGUMENT.match(name):
            raise Invalid("This address is damaged.")  # FAB looks for its arguments anywhere in a name
        if name.startswith(("page_", "psize_")) and not re.fullmatch(r"[0-9]{1,6}", value):
            raise Invalid("The page number in this address is damaged.")
        if name.startswith("psize_") and not 0 < int(value) <= PAGE_SIZE_CAP:
            raise Invalid(f"A page has from 1 to {PAGE_SIZE_CAP} rows.")
        if name.startswith("_oc_") and value not in view.order_columns:
            raise Invalid("This list cannot be sorted by that column.")
        if found := FILTER.fullmatch(name):
            check_filter(view, int(found[1]), found[2], value)


def check_filter(view: Any, number: int, column: str, value: str) -> None:
    """Refuse a filter that the list does not offer.

    Raises:
        Invalid: when it does not, or the value cannot be one of the column's.
    """
    if number >= len(view._filters.get_search_filters().get(column, [])):
        raise Invalid("This list has no such filter.")
    if view.datamodel.is_boolean(column) and value != "y":
        raise Invalid("One of the filters has a value that cannot be used.")
