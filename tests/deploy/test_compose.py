"""compose.yaml, run by podman-compose as it stands but for the network, which is the loopback of these tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from config import ROOT
from tests.deploy.containers import PREFIX, Visitor, podman, wait_until
from tools import keys

ORDER = ("postgresql", "valkey", "migrate", "web", "worker-interactive", "worker-bulk", "beat", "nginx")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with compose.yaml, its proxy, and the secrets and the .env that one command makes."""
    folder = tmp_path_factory.mktemp("compose")
    keys.compose(folder)
    (folder / ".env").write_text((folder / ".env").read_text().replace("todos:local", "localhost/todos:test"))
    (folder / "compose").symlink_to(ROOT / "compose")
    made = yaml.safe_load((ROOT / "compose.yaml").read_text())
    for service in made["services"].values():
        service["network_mode"] = "host"
        service.pop("ports", None)
        service.pop("build", None)
        service.pop("depends_on", None)  # not every podman knows its conditions: the tests start things in order
    (folder / "compose.yaml").write_text(yaml.safe_dump(made))
    return folder


@pytest.fixture(scope="module")
def compose(project):
    """Returns a function that runs podman-compose; everything is taken down at the end."""
    program = [Path(sys.executable).parent / "podman-compose", "--in-pod=false"]
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "CONTAINERS_CONF") if name in os.environ}

    def run(*arguments, check=True):
        done = subprocess.run([*program, *arguments], cwd=project, env=environ, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("down", "--volumes", check=False)
    yield run
    run("down", "--volumes", "--timeout=1", check=False)


def test_it_comes_up_and_the_site_works(compose, project):
    for name in ORDER:
        compose("up", "--detach", "--no-build", name)
        if name == "migrate":
            assert podman("wait", "todos_migrate_1").strip() == "0"
    visitor = Visitor(f"http://127.0.0.1:8080{PREFIX}")
    wait_until(lambda: ready(visitor), "the site answers through nginx")
    made = compose("exec", "-T", "web", "flask", "first-admin")
    told = dict(line.split(": ") for line in made.splitlines() if ": " in line)
    visitor.sign_in(told["Admin"].strip(), told["Password"].strip())
    visitor.submit("/todos", {"title": "Composed", "notes": "", "due_on": "", "priority": "2"})
    page = visitor.submit("/selection/export?all=1", {"kind": "csv"})
    wait_until(lambda: visitor.get(f"{page.url}/state").json()["status"] == "succeeded", "a worker exports")
    token = (project / "secrets" / "metrics_token").read_text()
    text = visitor.get("/metrics", headers={"Authorization": f"Bearer {token}"}).text
    figures = {one.name: one.samples for one in text_string_to_metric_families(text)}
    assert figures["todos_workers"][0].value == 1  # both, which have one host name on this loopback
    assert sum(sample.value for sample in figures["todos_logins"] if sample.name == "todos_logins_total") == 1
    running = podman("ps", "--filter=label=com.docker.compose.project=todos", "--format={{.Names}}").split()
    assert {name.removeprefix("todos_").removesuffix("_1") for name in running} == set(ORDER) - {"migrate"}
    for name in ("web", "worker-bulk", "beat"):
        assert podman("exec", f"todos_{name}_1", "id", "-u").strip() == "10001"
        assert "Read-only" in podman("exec", f"todos_{name}_1", "sh", "-c", "touch /app/x 2>&1; true")
    assert podman("exec", "todos_nginx_1", "id", "-u").strip() == "101"


def ready(visitor):
    try:
        return visitor.get("/health/ready").status_code == 200
    except OSError:
        return False
