"""What the image runs: each command as the process that a container would start."""

import re
import socket
import threading

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from config import ROOT, Config
from tests.faults.processes import PATIENCE, Process, environment

ENTRY = ["-m", "tools.container"]


@pytest.fixture
def start(tmp_path):
    """Returns a function that starts a command with an environment; all end with the test."""
    started = []

    def begin(*command, **environ):
        started.append(Process([*ENTRY, *command], environ, tmp_path / f"log{len(started)}"))
        return started[-1]

    yield begin
    for process in started:
        process.kill()


@pytest.fixture
def closed_port():
    """A port of this machine where nobody listens, held so that nobody will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize("command", ["web", "worker", "beat", "migrate"])
def test_waits_for_the_database_says_so_and_ends_when_told(command, start, closed_port, tmp_path):
    uri = f"postgresql+psycopg://todos:hidden@127.0.0.1:{closed_port}/todos"
    process = start(command, **environment(uri, "redis://localhost", HEARTBEAT_FILE=str(tmp_path / "heartbeat")))
    process.wait_for(f"Waiting for PostgreSQL at 127.0.0.1:{closed_port}: ")
    assert "hidden" not in process.output()
    assert process.terminate() == 143
    assert (tmp_path / "heartbeat").exists() == (command in ("worker", "beat"))


def test_goes_on_when_the_database_is_there(start, new_database):
    uri = new_database("postgresql")
    process = start("migrate", **environment(uri, "redis://localhost"))
    assert process.popen.wait(PATIENCE) == 0, process.output()
    engine = create_engine(uri, poolclass=NullPool)
    assert "todos" in inspect(engine).get_table_names()
    assert "Roles are in sync" in process.output()


def test_nothing_starts_without_settings(start):
    process = start("web", **environment("", "", SECRET_KEY=""))
    assert process.popen.wait(PATIENCE) == 1
    assert "SECRET_KEY is missing" in process.output()
    assert "Traceback" not in process.output()


def test_flask_commands_run_and_their_exit_code_counts(start, new_database):
    environ = environment(new_database("sqlite"), "redis://localhost", FLASK_APP="run")
    good, bad = start("flask", "routes", **environ), start("flask", "nonsense", **environ)
    assert (good.popen.wait(PATIENCE), bad.popen.wait(PATIENCE)) == (0, 2)
    assert "/health/ready" in good.output()


@pytest.mark.parametrize("command", ["users list", "db current", "fab list-users", "backup create /nowhere/backup"])
def test_command_says_in_a_sentence_that_the_database_is_away(command, start, closed_port):
    uri = f"postgresql+psycopg://todos:hidden@127.0.0.1:{closed_port}/todos"
    process = start("flask", *command.split(), **environment(uri, "redis://localhost", FLASK_APP="run"))
    assert process.popen.wait(PATIENCE) == 1
    assert "Error: The database cannot be used: connection failed" in process.output()
    assert "Traceback" not in process.output()
    assert "hidden" not in process.output()


def test_anything_else_is_run_as_it_stands(start):
    environ = environment("", "")
    assert start("true", **environ).popen.wait(PATIENCE) == 0
    unknown = start("wbe", **environ)
    assert unknown.popen.wait(PATIENCE) == 1
    assert "wbe is neither a command of this image" in unknown.output()


@pytest.mark.parametrize(("status", "code"), [("200 OK", 0), ("503 Service Unavailable", 1)])
def test_health_is_what_the_web_server_of_the_container_answers(status, code, start):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1000).startswith(b"GET /health HTTP")
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        nowhere = {"HEARTBEAT_FILE": "/nowhere/heartbeat"}
        process = start("health", **environment("", "", PORT=str(server.getsockname()[1]), **nowhere))
        assert process.popen.wait(PATIENCE) == code
        thread.join()


def test_container_without_web_server_is_not_healthy(start, closed_port):
    process = start("health", **environment("", "", PORT=str(closed_port), HEARTBEAT_FILE="/nowhere/heartbeat"))
    assert process.popen.wait(PATIENCE) == 1
    assert "does not answer" in process.output()


def test_migration_that_cannot_be_says_why_without_a_traceback(start, new_database):
    uri = new_database("postgresql", "ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    process = start("migrate", **environment(uri, "redis://localhost"))
    assert process.popen.wait(PATIENCE) == 1
    assert "Error: This database is encoded in LATIN1" in process.output()
    assert "Traceback" not in process.output()


def test_image_starts_from_a_digest_and_holds_no_key():
    source = (ROOT / "Dockerfile").read_text()
    assert re.search(
        r"^ARG PYTHON_IMAGE=docker\.io/library/python:3\.13-slim@sha256:[0-9a-f]{64}$", source, re.MULTILINE
    )
    assert set(re.findall(r"^FROM (\S+)", source, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    given = re.findall(r"\b([A-Z][A-Z_]+)=", source)
    assert {"HOST", "PORT"} <= set(given)
    secret = {name for name, field in Config.__dataclass_fields__.items() if field.metadata["setting"].secret}
    assert not {name.removesuffix("_FILE") for name in given} & secret
