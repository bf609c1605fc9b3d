"""The API keeps to its description, whatever is sent: tried out by Schemathesis with all its checks."""

import os
import threading

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.factories import bearer, create_attachment, create_job, create_key, create_tag, create_todo

OFF = {"examples": {"enabled": False}, "stateful": {"enabled": False}}
# systematically, every value at the edges of the description; and at random
PHASES = {"coverage": OFF | {"fuzzing": {"enabled": False}}, "fuzzing": OFF | {"coverage": {"enabled": False}}}
# how many random examples of each operation; then on both databases, everything by both people
LONG = int(os.environ.get("CONTRACT") or 0)
TRIED = [("ada", "admin", "coverage"), ("alice", "write", "fuzzing")]
if LONG:
    TRIED += [("ada", "admin", "fuzzing"), ("alice", "write", "coverage")]
SETTINGS = {
    "seed": 1,
    "generation": {"max-examples": LONG or 3, "database": "none", "deterministic": True},
    "checks": {
        # a valid request may still name what is not there, or lack the tag of what was read
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "304", "401", "403", "404", "409", "412", "416", "422", "428", "429"]
        },
    },
}


@pytest.fixture
def served(app):
    """The address of the application, served over HTTP by a thread."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Quiet(WSGIRequestHandler):
    """Log nothing, and speak HTTP/1.1, so that one connection serves many requests."""

    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


# Hypothesis warns that showing a body takes long, which is what bodies are large for
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize(("name", "scope", "phase"), TRIED)
def test_api_keeps_to_its_description(served, cast, database, name, scope, phase):
    if database == "postgresql" and not LONG:
        pytest.skip("Once is enough for a quick run. CONTRACT=20 tries the API on PostgreSQL too, and for longer.")
    user = getattr(cast, name)
    todo = create_todo(user)
    create_attachment(todo)
    create_tag("garden", todo)
    create_job(user)
    headers = bearer(create_key(user, scope))
    config = SchemathesisConfig.from_dict(SETTINGS | {"headers": headers, "phases": PHASES[phase]})
    schema = schemathesis.openapi.from_url(f"{served}/api/v1/_openapi", config=config, headers=headers)
    problems = []
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            problems.append(f"{event.label}: {event.value!r}" if hasattr(event, "value") else repr(event))
        if isinstance(event, events.ScenarioFinished):
            checks = [check for found in event.recorder.checks.values() for check in found]
            problems += [told(event.label, check) for check in checks if check.failure_info is not None]
    assert not problems, "\n\n".join(problems)


def told(label, check):
    """Say what broke which promise, and how to see it."""
    info = check.failure_info
    return f"{label}: {info.failure.title}: {info.failure.message}\n{info.code_sample}"
