"""The pods of k8s/overlays/dev, run by podman with what their manifests say: users, locked roots, secrets, commands."""

import base64
import copy
import shutil

import pytest
import yaml

from config import ROOT
from tests.deploy.containers import Visitor, logs, podman, wait_until
from tests.test_k8s import of_kind, render, workloads
from tools import keys

ORDER = ("postgresql", "valkey", "migrate", "web", "worker-interactive", "worker-bulk", "beat", "backup")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pods")


@pytest.fixture(scope="module")
def objects(folder):
    shutil.copytree(ROOT / "k8s", folder / "k8s", ignore=shutil.ignore_patterns("secrets.env"))
    keys.main([str(folder / "k8s" / "overlays" / "dev")])
    return render(folder / "k8s" / "overlays" / "dev")


def for_podman(one, template, secrets):
    """The pod as podman can run it: on the loopback of these tests for a network, with empty volumes for claims."""
    spec = copy.deepcopy(template["spec"]) | {"hostNetwork": True, "restartPolicy": "Never"}
    claims = [claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])]
    claims += [volume["name"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume]
    spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] not in claims]
    spec["volumes"] += [{"name": name, "emptyDir": {}} for name in claims]
    for volume in spec["volumes"]:
        if volume.pop("secret", None):  # which some versions of podman hand on without decoding it
            volume["hostPath"] = {"path": str(secrets)}
    for container in spec["containers"]:
        container.pop("ports", None)  # podman maps ports only where it makes the network
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            container.pop(probe, None)  # and runs probes by systemd timers; the tests ask by themselves
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod(one["metadata"]["name"])}, "spec": spec}


def pod(name):
    return f"todos-pod-{name}"


def container(name):
    return f"{pod(name)}-{name if name in ('postgresql', 'valkey') else 'todos'}"


@pytest.fixture(scope="module")
def play(objects, folder):
    """Returns a function that starts the pod of a workload."""
    secrets = folder / "secrets"
    secrets.mkdir()
    for name, value in of_kind(objects, "Secret")[0]["data"].items():
        (secrets / name).write_bytes(base64.b64decode(value))
    pods = {one["metadata"]["name"]: for_podman(one, template, secrets) for one, template in workloads(objects)}
    assert set(pods) == set(ORDER), "the tests below run every pod there is"

    def start(name):
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump_all([*of_kind(objects, "ConfigMap"), pods[name]]))
        podman("play", "kube", "--quiet", str(path))

    for name in pods:
        podman("pod", "rm", "--force", "--time=0", "--ignore", pod(name))
    yield start
    for name in pods:
        podman("pod", "rm", "--force", "--time=0", "--ignore", pod(name))


def succeeded(name):
    ended = ("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", container(name))
    wait_until(lambda: podman(*ended).startswith("exited"), f"{name} ends\n{logs(container('postgresql'))}")
    assert podman(*ended).strip() == "exited 0", logs(container(name))


def test_all_of_them_run_and_the_site_works(play, objects):
    for name in ("postgresql", "valkey", "migrate"):  # in the order of k8s/README.md
        play(name)
    succeeded("migrate")
    for name in ("web", "worker-interactive", "worker-bulk", "beat"):
        play(name)
    [web] = [template for one, template in workloads(objects) if one["metadata"]["name"] == "web"]
    probe = web["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"]
    visitor = Visitor(f"http://127.0.0.1:5000{probe.removesuffix('/health/ready')}")
    wait_until(lambda: ready(visitor), "the pod answers the readiness probe")
    made = podman("exec", container("web"), "flask", "first-admin")
    told = dict(line.split(": ") for line in made.splitlines() if ": " in line)
    visitor.sign_in(told["Admin"], told["Password"])
    visitor.submit("/todos", {"title": "In a pod", "notes": "", "due_on": "", "priority": "2"})
    page = visitor.submit("/selection/export?all=1", {"kind": "csv"})
    wait_until(lambda: visitor.get(f"{page.url}/state").json()["status"] == "succeeded", "a worker exports")
    for name in ("web", "worker-interactive", "worker-bulk", "beat"):
        assert podman("inspect", "--format", "{{.State.Running}}", container(name)).strip() == "true"
        assert podman("exec", container(name), "id", "-u").strip() == "10001"
        assert "Read-only" in podman("exec", container(name), "sh", "-c", "touch /app/x 2>&1; true")
    play("backup")
    succeeded("backup")
    assert "is whole and holds" in logs(container("backup"))


def ready(visitor):
    try:
        return visitor.get("/health/ready").status_code == 200
    except OSError:
        return False
