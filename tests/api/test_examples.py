"""What the page about the API tells people to type works as it stands."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PREFIX
from tests.factories import PASSWORD, create_key
from tests.faults.processes import environment
from tests.test_gunicorn import SERVERS, Site

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api.md"


@pytest.fixture
def site(app, valkey, tmp_path):
    """A gunicorn of our own over the database of the cast."""
    uri = app.config["SQLALCHEMY_DATABASE_URI"]
    found = Site(
        SERVERS["gunicorn run:app"], environment(uri, valkey.url, WEB_CONCURRENCY="1"), tmp_path / "log", PREFIX
    )
    try:
        yield found.wait()
    finally:
        found.process.kill()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are written for curl, which is not installed")
def test_examples_of_the_api_work_one_after_the_other(site, cast, tmp_path):
    examples = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) >= 8
    known = {"URL": f"http://127.0.0.1:{site.port}{site.prefix}", "KEY": create_key(cast.alice)}
    known |= {"USERNAME": "alice", "PASSWORD": PASSWORD}
    script = "\n".join(["set -eu", *examples])
    done = subprocess.run(
        ["bash", "-c", script], env=os.environ | known, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for sign in ('"access_token"', '"notes":"The balcony too"', '"complete":true', "Twice", '"body":"Done until the'):
        assert sign in done.stdout, sign
