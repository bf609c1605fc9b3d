"""`--json` of all our commands: each has it, and prints nothing else."""

import json

import click
import pytest

from app.cli import COMMANDS
from app.extensions import db
from app.models import Job
from tests.factories import create_job


def leaves(command, *names):
    if isinstance(command, click.Group):
        return [leaf for name, child in command.commands.items() for leaf in leaves(child, *names, name)]
    return [(" ".join(names), command)]


ALL = [leaf for command in COMMANDS for leaf in leaves(command, command.name)]


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_every_command_of_ours_can_print_json_and_says_what_it_does(name, command):
    assert "--json" in {option for param in command.params for option in param.opts}
    assert command.help
    assert all(param.help for param in command.params if isinstance(param, click.Option))


def told(run, *command):
    result = run(*command, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_programs_are_told_what_was_done(run, cast, valkey):
    assert told(run, "first-admin") == {"created": False}
    gone = {"username": "bob", "active": False, "changed": False}
    assert told(run, "users", "deactivate", "bob", "--dry-run") == gone
    assert told(run, "users", "deactivate", "bob") == gone | {"changed": True}
    assert told(run, "users", "activate", "bob") == {"username": "bob", "active": True, "changed": True}
    assert told(run, "maintenance", "on", "--dry-run") == {"changed": False, "jobs_running": 0}
    assert told(run, "maintenance", "off") == {"changed": False}


def test_programs_are_told_which_jobs_they_started_and_stopped(run, cast, valkey):
    failed = create_job(cast.alice, "failed")
    [again] = told(run, "jobs", "retry", str(failed.id))
    assert again["repeats"] == failed.id
    assert told(run, "jobs", "cancel", str(again["id"])) == [{"id": again["id"]}]
    started = told(run, "jobs", "run", "users.greet")
    assert db.session.get(Job, started["id"]).name == started["name"] == "users.greet"
