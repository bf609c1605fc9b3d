"""The pods of every overlay, run by podman with what their manifests say: users, locked roots, secrets, commands."""

import base64
import copy
import shutil

import pytest
import yaml

from config import ROOT
from tests.deploy.containers import IMAGE, Visitor, logs, podman, wait_until
from tests.test_k8s import of_kind, render, workloads
from tools import keys

ADDRESSES = ("SQLALCHEMY_DATABASE_URI=", "REDIS_URL=", "POSTGRES_PASSWORD=", "REDIS_PASSWORD=")
ORDER = ("postgresql", "valkey", "migrate", "web", "worker-interactive", "worker-bulk", "beat", "backup")


DATABASES = ("postgresql", "valkey")  # which overlays but dev expect elsewhere: those of dev serve them here
HOST = "todos.example.org"
RUNNING = ("web", "worker-interactive", "worker-bulk", "beat")


@pytest.fixture(scope="module", params=["dev", "production", "digitalocean"])
def overlay(request):
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory, overlay):
    return tmp_path_factory.mktemp(overlay)


@pytest.fixture(scope="module")
def objects(folder, overlay):
    """What an overlay and its databases are made of, with everything filled in that k8s/README.md says."""
    shutil.copytree(ROOT / "k8s", folder / "k8s", ignore=shutil.ignore_patterns("secrets.env"))
    overlays = folder / "k8s" / "overlays"
    keys.main([str(overlays / "dev")])
    if overlay == "dev":
        return render(overlays / "dev")
    keys.main([str(overlays / "production")])
    given, wanted = overlays / "dev" / "secrets.env", overlays / "production" / "secrets.env"
    kept = [line for line in wanted.read_text().splitlines() if not line.startswith(ADDRESSES)]
    wanted.write_text(
        "\n".join([*kept, *(line for line in given.read_text().splitlines() if line.startswith(ADDRESSES))])
    )
    registry = overlays / "digitalocean" / "kustomization.yaml"
    registry.write_text(registry.read_text().replace("YOUR-REGISTRY", "acme"))
    lent = [one for one in render(overlays / "dev") if one["metadata"]["name"] in DATABASES]
    return [*render(overlays / overlay), *lent]


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
    for image in {pods["web"]["spec"]["containers"][0]["image"], pods["backup"]["spec"]["containers"][0]["image"]}:
        podman("tag", IMAGE, image)

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


def open_cookies(answer, **_):
    """Let cookies for https come back by http."""
    head = answer.raw._original_response.msg
    cookies = head.get_all("Set-Cookie") or []
    del head["Set-Cookie"]
    for cookie in cookies:
        assert "; Secure" in cookie
        head["Set-Cookie"] = cookie.replace("; Secure", "")


def visitor_of(settings, prefix):
    """Somebody who comes through the ingress, which ends TLS."""
    visitor = Visitor(f"http://127.0.0.1:5000{prefix}")
    if settings.get("TRUSTED_HOSTS"):
        visitor.headers.update({"Host": HOST, "X-Forwarded-Proto": "https"})
        visitor.referer = f"https://{HOST}{prefix}/"
        visitor.hooks["response"].append(open_cookies)
    return visitor


def test_all_of_them_run_and_the_site_works(play, objects):
    for name in ("postgresql", "valkey", "migrate"):  # in the order of k8s/README.md
        play(name)
    succeeded("migrate")
    for name in RUNNING:
        play(name)
    templates = {one["metadata"]["name"]: template["spec"]["containers"][0] for one, template in workloads(objects)}
    kubelet = Visitor("http://127.0.0.1:5000")
    probes = [templates["web"][kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]
    for path in probes:
        wait_until(lambda path=path: answers(kubelet, path), f"{path} answers the kubelet\n{logs(container('web'))}")
    made = podman("exec", container("web"), "flask", "first-admin")
    told = dict(line.split(": ") for line in made.splitlines() if ": " in line)
    visitor = visitor_of(of_kind(objects, "ConfigMap")[0]["data"], probes[-1].removesuffix("/health/ready"))
    visitor.sign_in(told["Admin"], told["Password"])
    visitor.submit("/todos", {"title": "In a pod", "notes": "", "due_on": "", "priority": "2"})
    page = visitor.submit("/selection/export?all=1", {"kind": "csv"})
    state = page.url[page.url.index("/jobs/") :] + "/state"
    wait_until(lambda: visitor.get(state).json()["status"] == "succeeded", "a worker exports")
    for name in RUNNING:
        assert podman("inspect", "--format", "{{.State.Running}}", container(name)).strip() == "true"
        assert podman("exec", container(name), "id", "-u").strip() == "10001"
        assert "Read-only" in podman("exec", container(name), "sh", "-c", "touch /app/x 2>&1; true")
        if name != "web":
            podman("exec", container(name), *templates[name]["livenessProbe"]["exec"]["command"])
    play("backup")
    succeeded("backup")
    assert "is whole and holds" in logs(container("backup"))


def answers(visitor, path):
    try:
        return visitor.get(path).status_code == 200
    except OSError:
        return False
