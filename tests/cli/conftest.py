"""Commands as `flask` runs them, without the cost of a process for each."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
from click.testing import Result
from flask import Flask, current_app
from flask.cli import FlaskGroup


def run_on(app: Flask, *args: str, **kwargs: Any) -> Result:
    """Run a command line over an application."""
    group = FlaskGroup(create_app=lambda: app, load_dotenv=False)
    ours = current_app and current_app == app
    with nullcontext() if ours else app.app_context():
        return app.test_cli_runner().invoke(group, list(args), prog_name="flask", **kwargs)


@pytest.fixture
def run(app: Flask) -> Callable[..., Result]:
    """Returns a function that runs a command line over the test's application."""
    return partial(run_on, app)
