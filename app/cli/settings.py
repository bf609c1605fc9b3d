"""`flask config`: the settings as this process sees them."""

from dataclasses import fields
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.engine import make_url

from app.cli.output import json_option, show_json, show_table
from config import Config

MASK = "***"


@click.group("config")
def settings() -> None:
    """Look at the settings."""


@settings.command("show")
@json_option
@with_appcontext
def show(as_json: bool) -> None:
    """Show each setting, its value, and where the value comes from; keys and passwords are masked.

    What is shown is what web and worker processes get that are started with the same environment.
    """
    config: Config = current_app.extensions["settings"]
    rows = [(name, value, config.origin(name)) for name, value in shown(config).items()]
    if as_json:
        show_json({name: {"value": value, "origin": origin} for name, value, origin in rows})
    else:
        show_table(("name", "value", "from"), rows)


def shown(config: Config) -> dict[str, Any]:
    """Return the settings by name, fit to be shown to anybody."""
    values = ((field, getattr(config, field.name)) for field in fields(config))
    return {field.name: masked(value) if field.metadata["setting"].secret else value for field, value in values}


def masked(value: str) -> str:
    """Hide a secret, but for what tells one address from another: driver, host, port and name."""
    if not value or "://" not in value:
        return MASK if value else ""
    url = make_url(value)
    hidden = url.set(username=MASK if url.username else None, password=MASK if url.password else None, query={})
    return hidden.render_as_string(hide_password=False).replace("%2A", "*")
