"""Commands as `flask` runs them, without the cost of a process for each."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.cli import FlaskGroup


@pytest.fixture
def run(app: Flask) -> Callable[..., Result]:
    """Returns a function that runs a command line over the test's application, or another one."""

    def invoke(*args: str, on: Flask | None = None, **kwargs: Any) -> Result:
        group = FlaskGroup(create_app=lambda: on or app, load_dotenv=False)
        return (on or app).test_cli_runner().invoke(group, list(args), prog_name="flask", **kwargs)

    return invoke
