"""An import from the file to its end, the jobs run here instead of in a worker."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from app.extensions import db
from app.models import Job, User
from app.services import imports
from app.tasks.imports import check_import, import_todos
from app.tasks.runner import execute, submit


def ran(job: Job) -> Job:
    """Run a job and return it as it ended."""
    execute(job.id)
    return db.session.get(Job, job.id, populate_existing=True)


@pytest.fixture
def look(app: Any) -> Callable[..., Job]:
    """Returns a function that has a file looked at."""

    def begin(viewer: User, data: bytes | str, mapping: dict[str, str] | None = None) -> Job:
        stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
        file = imports.keep(viewer, stream, "todos.csv", 25)
        job = submit(viewer, check_import, file=file.id, sha256=file.sha256, mapping=mapping)
        imports.give(file, job)
        return ran(job)

    return begin


@pytest.fixture
def take(look: Callable[..., Job]) -> Callable[..., SimpleNamespace]:
    """Returns a function that imports a file; it returns what was seen before, and the job."""

    def run(viewer: User, data: bytes | str, mapping: Any = None, whole: bool = False, **more: Any) -> SimpleNamespace:
        seen = look(viewer, data, mapping)
        assert seen.status == "succeeded", seen.error
        facts = {"file": seen.args["file"], "sha256": seen.args["sha256"], "mapping": seen.result["mapping"]}
        job = submit(viewer, import_todos, **facts, whole=whole, change=more.get("change", False))
        return SimpleNamespace(seen=seen.result, job=ran(job))

    return run
