"""The documents: their commands work, their links lead somewhere, and they leave no command out."""

import re
import shlex
from pathlib import Path

import click
import pytest
from celery.bin.base import CLIContext
from celery.bin.celery import celery
from flask import Flask
from flask_appbuilder.cli import fab
from sqlalchemy import update

from app import create_app
from app.cli import COMMANDS
from app.cli.jobs import jobs
from app.db import transaction
from app.models import Job
from app.models.jobs import QUEUES
from app.services import jobs_workers
from config import ROOT
from tests.cli.conftest import run_on
from tests.conftest import db_dispose, settings
from tests.factories import create_job

PAGES = sorted((ROOT / "docs").glob("*.md"))
COMMAND_LINE, JOBS = ROOT / "docs" / "command-line.md", ROOT / "docs" / "jobs.md"
# commands with a page of their own
ELSEWHERE = {"flask jobs"}


def examples(page: Path, start: str = "flask ") -> list[str]:
    """The commands in the shell blocks of a page that begin so."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith(start)]


def names(command: click.Command, path: str) -> list[str]:
    """Every command below a group, as it is typed."""
    if isinstance(command, click.Group):
        return [name for word, one in command.commands.items() for name in names(one, f"{path} {word}")]
    return [path]


def test_every_example_of_the_command_line_works(database, new_database, valkey, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = create_app(settings(new_database(database), valkey))
    lines = examples(COMMAND_LINE)
    assert len(lines) > 35
    try:
        for line in lines:
            words = shlex.split(line, comments=True)[1:]
            if words[0] == "demo" and database == "postgresql":
                continue  # once is enough: it draws hundreds of pictures
            if words[0] == "doctor":  # who finds it when there is no worker
                with app.app_context():
                    jobs_workers.seen("worker@host", QUEUES, 2, [])
            succeed(app, line)
    finally:
        db_dispose(app)


def test_every_example_about_jobs_works(app, cast):
    create_job(cast.alice, "running", id=4711)
    jobs_workers.seen("worker@host", QUEUES, 2, [])
    lines = examples(JOBS)
    assert [line.split()[2] for line in lines] == list(jobs.commands)
    for line in lines:
        if "retry" in line:  # the job of the example ended meanwhile
            with transaction() as session:
                session.execute(update(Job).where(Job.id == 4711).values(status="cancelled"))
        succeed(app, line)


def test_celery_understands_every_line_that_starts_it():
    lines = examples(JOBS, "celery -A run ")
    assert len(lines) == 4
    known = CLIContext(create_app(settings("sqlite:////nowhere/todos.db")).extensions["celery"], True, None)
    for line in lines:
        name, *words = shlex.split(line, comments=True)[3:]
        celery.commands[name].make_context(name, words, obj=known)


def succeed(app: Flask, line: str) -> None:
    """Run an example, which has to succeed."""
    result = run_on(app, *shlex.split(line, comments=True)[1:])
    assert result.exit_code == 0, f"{line}\n{result.output}"


def test_every_command_is_on_the_page():
    text = COMMAND_LINE.read_text()
    ours = [name for command in COMMANDS for name in names(command, f"flask {command.name}")]
    wanted = [name for name in ours if not any(name.startswith(other) for other in ELSEWHERE)]
    missing = [name for name in wanted if name not in text and name != "flask backup restore"]
    missing += [name for name in fab.commands if name not in text]
    assert missing == []


@pytest.mark.parametrize("command", [name for command in COMMANDS for name in names(command, command.name or "")])
def test_every_command_has_help_worth_reading(command):
    app = create_app(settings("sqlite:////nowhere/todos.db"))
    result = run_on(app, *command.split(), "--help")
    assert result.exit_code == 0
    assert len(result.stdout.split("\n\n")[1].strip()) > 20


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not link.startswith(("http://", "https://")):
            assert (page.parent / link).exists(), link


def test_every_page_is_linked_from_the_readme():
    text = (ROOT / "README.md").read_text()
    assert [page.name for page in PAGES if f"docs/{page.name}" not in text] == []
