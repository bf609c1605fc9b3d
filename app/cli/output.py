"""What commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import click
from click._termui_impl import ProgressBar

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


def show_json(value: Any) -> None:
    """Print a value as JSON; instants as ISO 8601."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def tell(sentence: str, facts: Any, as_json: bool) -> None:
    """Print what was done: a sentence for people, or the facts of it for programs."""
    if as_json:
        show_json(facts)
    else:
        click.echo(sentence)


def progress(label: str, length: int) -> AbstractContextManager[ProgressBar[int]]:
    """Return a bar on standard error, for whoever is looking."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under their columns' names, in columns as wide as needed."""
    lines = [[column.upper() for column in columns], *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    """Return a value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
