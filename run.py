"""Process entries: `app` for gunicorn and Flask, `celery` for the worker and the scheduler."""

import gc
import sys
from pathlib import Path

gc.disable()  # a fifth of the time to start would go into looking for garbage among what stays for good

from flask import Flask  # noqa: E402

from app import create_app  # noqa: E402
from config import ConfigError  # noqa: E402

try:
    _app = create_app()
except ConfigError as error:
    sys.exit(str(error))
celery = _app.extensions["celery"]
gc.freeze()  # nor is it looked for there later, which would copy the memory that processes share
gc.enable()


def __getattr__(name: str) -> Flask:
    """Return the Flask application as `app`, except to `celery -A run`.

    Celery takes an attribute `app` for its own application and looks for `celery` only when there is none.
    """
    if name == "app" and "celery" not in Path(sys.argv[0]).parts[-2:]:
        return _app
    raise AttributeError(name)


if __name__ == "__main__":
    _app.run(host=_app.config["HOST"], port=_app.config["PORT"])
