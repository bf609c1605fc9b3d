"""`flask config show`, and where settings come from."""

import json
import subprocess
import sys
from dataclasses import fields

import pytest

from app.cli.settings import masked
from config import ROOT, Config
from tests.faults.processes import environment


def test_every_setting_is_shown_and_no_secret(run, app):
    found = json.loads(run("config", "show", "--json").stdout)
    assert set(found) == {field.name for field in fields(Config)}
    assert found["SECRET_KEY"]["value"] == "***"
    assert found["MAX_UPLOAD_MB"] == {"value": 25, "origin": "default"}
    text = run("config", "show").stdout
    assert app.config["SECRET_KEY"] not in text
    assert text.splitlines()[0].split() == ["NAME", "VALUE", "FROM"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql+psycopg://todos:hunter2@db:5432/todos", "postgresql+psycopg://***:***@db:5432/todos"),
        ("postgresql+psycopg://db/todos?password=hunter2", "postgresql+psycopg://db/todos"),
        ("rediss://:hunter2@cache:6380/0", "rediss://:***@cache:6380/0"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock"),
        ("sqlite:////data/todos.db", "sqlite:////data/todos.db"),
        ("k" * 40, "***"),
    ],
)
def test_address_is_told_and_its_password_is_not(given, shown):
    assert masked(given) == shown


def flask(environ, folder, *args):
    command = [sys.executable, "-m", "flask", "--app", "run", *args]
    environ = environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=60)


def test_env_file_that_only_flask_would_read_in_production_is_refused(tmp_path):
    (tmp_path / ".env").write_text("SESSION_COOKIE_SECURE=0\nSESSION_HOURS=99\nOTHER=1\nPORT=1\n")
    environ = environment("sqlite:////nowhere/todos.db", "redis://localhost", PORT="8080")
    del environ["SESSION_COOKIE_SECURE"]
    refused = flask(environ, tmp_path, "config", "show")
    assert refused.returncode != 0
    assert "or `flask` reads SESSION_COOKIE_SECURE, SESSION_HOURS\n" in refused.stderr
    shown = flask(environ | {"FLASK_SKIP_DOTENV": "1"}, tmp_path, "config", "show", "--json")
    found = json.loads(shown.stdout)
    assert found["SESSION_HOURS"] == {"value": 12, "origin": "default"}
    assert found["PORT"] == {"value": 8080, "origin": "environment"}
