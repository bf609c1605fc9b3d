"""Process entries: `app` for gunicorn and Flask, `celery` for the worker and the scheduler."""

import sys
from pathlib import Path

from flask import Flask

from app import create_app
from config import ConfigError

try:
    _app = create_app()
except ConfigError as error:
    sys.exit(str(error))
celery = _app.extensions["celery"]


def __getattr__(name: str) -> Flask:
    """Return the Flask application as `app`, except to `celery -A run`.

    Celery takes an attribute `app` for its own application and looks for `celery` only when there is none.
    """
    if name == "app" and "celery" not in Path(sys.argv[0]).parts[-2:]:
        return _app
    raise AttributeError(name)


if __name__ == "__main__":
    _app.run(host=_app.config["HOST"], port=_app.config["PORT"])
