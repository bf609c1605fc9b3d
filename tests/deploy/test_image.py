"""The image: what is in it, what is not, and what it does by itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from config import ROOT
from tests.deploy.containers import IMAGE, MACHINE, PREFIX, Container, Visitor, podman, wait_until

TOOLS = ("cc", "gcc", "g++", "c++", "ld", "as", "make", "cmake", "rustc", "go", "git")


def inside(*command: str) -> str:
    return podman("run", "--rm", *MACHINE, IMAGE, *command)


def test_dockerfile_is_clean():
    done = subprocess.run([Path(sys.executable).parent / "hadolint", ROOT / "Dockerfile"], capture_output=True)
    assert done.returncode == 0, done.stdout.decode()


def test_image_says_what_it_is(image):
    labels = image["Labels"]
    for name in ("title", "description", "licenses", "version", "revision", "created", "source"):
        assert labels[f"org.opencontainers.image.{name}"]
    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["StopSignal"] in ("SIGTERM", "15")
    assert image["Config"]["Entrypoint"] == ["python", "-m", "tools.container"]


def test_own_layers_take_at_most_150_mb():
    sizes = podman("history", "--format", "{{.Size}} {{.CreatedBy}}", "--human=false", IMAGE).splitlines()
    base = podman("history", "--format", "{{.Size}} {{.CreatedBy}}", "--human=false", base_image()).splitlines()
    own = sum(int(line.split()[0]) for line in sizes) - sum(int(line.split()[0]) for line in base)
    assert 0 < own <= 150_000_000


def base_image() -> str:
    return "docker.io/library/python:3.13-slim"


def test_nothing_in_it_compiles():
    found = inside("sh", "-c", f"for tool in {' '.join(TOOLS)}; do command -v $tool; done; true")
    assert found == ""
    assert inside("find", "/venv", "/app", "-name", "*.h", "-o", "-name", "*.c", "-o", "-name", "*.pyi") == ""
    assert inside("sh", "-c", "ls /venv/bin | grep -E 'pip|pytest|ruff|mypy' || true") == ""


def test_only_what_the_program_needs_is_in_it():
    assert set(inside("ls", "-A", "/app").split()) == {
        "LICENSE", "__pycache__", "app", "config.py", "config_readers.py", "gunicorn.conf.py", "migrations",
        "requirements.txt", "run.py", "static", "templates", "tools", "var",
    }  # fmt: skip


def test_the_program_owns_nothing_but_its_volume():
    found = inside("find", "/app", "/venv", "-writable", "-not", "-type", "l")
    assert found.split() == ["/app/var"]


def test_no_secret_is_in_it(image):
    text = str(image["Config"]["Env"]) + str(image["History"])
    assert not re.search(r"SECRET|PASSWORD|TOKEN|_KEY|REDIS_URL|DATABASE", text)
    assert inside("sh", "-c", "find / -xdev -name '.env*' -o -xdev -name 'secrets.env' 2>/dev/null; true").strip() == ""


def test_nothing_has_to_be_compiled_at_the_start():
    """The root file system is read-only: what Python cannot find compiled it compiles anew in each process."""
    script = "APP_ENV=test python -v -c 'import run, tools.container, gunicorn.workers.gthread' 2>&1"
    lines = [line for line in inside("sh", "-c", script).splitlines() if line.startswith("# code object from")]
    assert len(lines) > 1000
    assert [line for line in lines if not line.endswith(".pyc'")] == []


def test_every_language_of_the_site_has_its_dates_and_numbers():
    script = "from app import create_app; from babel import Locale; app = create_app(); "
    script += "print([Locale.parse(name).display_name for name in app.config['LANGUAGES'] or ['en']])"
    out = podman("run", "--rm", *MACHINE, "--env=APP_ENV=test", IMAGE, "python", "-c", script)
    assert "English" in out


def test_it_does_not_start_without_settings():
    done = subprocess.run(["podman", "run", "--rm", *MACHINE, IMAGE], capture_output=True, text=True)
    assert done.returncode == 1
    assert "SECRET_KEY is missing" in done.stderr
    assert "SQLALCHEMY_DATABASE_URI is missing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("key", ["short", "development only, never used in production"])
def test_it_does_not_start_with_a_weak_key(key):
    options = [f"--env=SECRET_KEY={key}", "--env=SQLALCHEMY_DATABASE_URI=sqlite:////tmp/x.db"]
    done = subprocess.run(["podman", "run", "--rm", *MACHINE, *options, IMAGE], capture_output=True, text=True)
    assert done.returncode == 1
    assert "SECRET_KEY" in done.stderr
    assert key not in done.stderr.replace("development key", "")


def test_trial_is_a_working_site_that_says_that_it_is_one():
    options = ["--env=SCRIPT_NAME=todo-flask-mvc", f"--env=SECRET_KEY={'t' * 40}", "--env=PORT=5077"]
    trial = Container("todos-trial", ["trial"], *options)
    try:
        trial.wait_for("Press Ctrl-C to stop.")
        assert "This is a trial" in trial.logs()
        told = dict(line.split(": ", 1) for line in trial.logs().splitlines() if ": " in line)
        visitor = Visitor(f"http://127.0.0.1:5077{PREFIX}").sign_in(told["Admin"], told["Password"])
        visitor.submit("/todos", {"title": "Try it", "notes": "", "due_on": "", "priority": "2"})
        page = visitor.submit("/selection/export?all=1", {"kind": "csv"})
        wait_until(lambda: visitor.get(f"{page.url}/state").json()["status"] == "succeeded", "the worker exports")
        assert trial.stop() == 0
    finally:
        trial.remove()
