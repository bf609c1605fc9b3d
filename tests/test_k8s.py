"""The manifests: each overlay rendered, valid for three versions of Kubernetes, and up to our own rules."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from app.models.jobs import QUEUES
from config import ROOT, Config
from tools import keys
from tools.health import ANSWER_SECONDS, STALE_SECONDS

OVERLAYS = ("dev", "production", "digitalocean")
VERSIONS = ("1.32", "1.34", "1.36")
NOT_KUBERNETES = ("cert-manager.io/v1",)  # kinds that others add to a cluster
PREFIX = "/todo-flask-mvc"
VENV = Path(sys.executable).parent


def render(folder: Path) -> list[dict]:
    kubectl = shutil.which("kubectl", path=VENV) or shutil.which("kubectl")
    assert kubectl, "install kubectl, or requirements-dev.txt on Linux"
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def k8s(tmp_path_factory) -> Path:
    """A copy of the manifests, with secrets made as the documentation says."""
    folder = tmp_path_factory.mktemp("k8s") / "k8s"
    shutil.copytree(ROOT / "k8s", folder, ignore=shutil.ignore_patterns("secrets.env"))
    for overlay in ("dev", "production"):
        keys.main([str(folder / "overlays" / overlay)])
    return folder


@pytest.fixture(scope="module")
def rendered(k8s) -> dict[str, list[dict]]:
    """The objects of each overlay."""
    return {overlay: render(k8s / "overlays" / overlay) for overlay in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def overlay(request) -> str:
    return request.param


@pytest.fixture
def objects(rendered, overlay) -> list[dict]:
    return rendered[overlay]


def of_kind(objects, *kinds) -> list[dict]:
    return [found for found in objects if found["kind"] in kinds]


def name(found: dict) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


def workloads(objects) -> list[tuple[dict, dict]]:
    """Everything that makes pods, with the template of its pods."""
    found = []
    for one in of_kind(objects, "Deployment", "StatefulSet", "Job", "CronJob"):
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
        found.append((one, spec["template"]))
    assert len(found) > 4
    return found


def containers(objects) -> list[tuple[str, dict, dict]]:
    """Every container, with the name of what makes it and the pod's spec."""
    return [
        (name(one), container, template["spec"])
        for one, template in workloads(objects)
        for container in [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]
    ]


def data(objects, kind) -> dict[str, set[str]]:
    return {
        found["metadata"]["name"]: set(found.get("data", {})) | set(found.get("stringData", {}))
        for found in of_kind(objects, kind)
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(objects, version):
    for found in objects:
        if found["apiVersion"] not in NOT_KUBERNETES:
            kubernetes_validate.validate(found, version, strict=True)


def test_everything_lives_in_our_namespace(objects):
    for found in objects:
        if found["kind"] not in ("Namespace", "ClusterIssuer"):
            assert found["metadata"]["namespace"] == "todos", name(found)
    [namespace] = of_kind(objects, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_no_container_may_do_more_than_its_work(objects):
    """What the Pod Security standard `restricted` asks for, and a root file system that nobody writes to."""
    for owner, container, pod in containers(objects):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, owner
        assert security["capabilities"] == {"drop": ["ALL"]}, owner
        assert security["readOnlyRootFilesystem"] is True, owner
        assert pod["securityContext"]["runAsNonRoot"] is True, owner
        assert pod["securityContext"]["runAsUser"] >= 70, owner
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, owner
        assert pod["automountServiceAccountToken"] is False, owner
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), owner
        assert all({"name"} < set(volume) and "hostPath" not in volume for volume in pod.get("volumes", [])), owner


def test_our_containers_run_as_the_user_of_the_image(objects):
    for owner, container, pod in containers(objects):
        if container["name"] == "todos":
            assert pod["securityContext"]["runAsUser"] == 10001, owner
            assert pod["serviceAccountName"] == "todos", owner


def test_every_container_has_requests_and_limits(objects):
    for owner, container, _ in containers(objects):
        for kind in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][kind]), owner


def test_every_image_is_pinned(objects):
    for owner, container, _ in containers(objects):
        assert "@sha256:" in container["image"] or ":" in container["image"].rsplit("/", 1)[-1], owner
        assert not container["image"].endswith(":latest"), owner


def test_every_volume_that_is_mounted_exists(objects):
    claims = {found["metadata"]["name"] for found in of_kind(objects, "PersistentVolumeClaim")}
    templates = {
        claim["metadata"]["name"]
        for found in of_kind(objects, "StatefulSet")
        for claim in found["spec"].get("volumeClaimTemplates", [])
    }
    for owner, container, pod in containers(objects):
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        assert mounted <= set(volumes) | templates, owner
        for volume in volumes.values():
            if claim := volume.get("persistentVolumeClaim"):
                assert claim["claimName"] in claims, owner


def test_every_map_secret_and_key_that_is_named_exists(objects):
    maps, secrets = data(objects, "ConfigMap"), data(objects, "Secret")
    for owner, container, pod in containers(objects):
        for source in container.get("envFrom", []):
            assert source["configMapRef"]["name"] in maps, owner
        for variable in container.get("env", []):
            assert "value" in variable, f"{owner}: {variable} comes from elsewhere, which nothing here checks"
        for volume in pod.get("volumes", []):
            if secret := volume.get("secret"):
                wanted = {item["key"] for item in secret.get("items", [])}
                assert wanted <= secrets[secret["secretName"]], owner


def test_settings_are_ones_of_the_application_and_their_files_are_mounted(objects):
    [settings] = of_kind(objects, "ConfigMap")
    [secret] = of_kind(objects, "Secret")
    plain = {name: value for name, value in settings["data"].items() if not name.endswith("_FILE")}
    files = {name: value for name, value in settings["data"].items() if name.endswith("_FILE")}
    assert set(plain) <= set(Config.__dataclass_fields__)
    for setting, path in files.items():
        assert path == f"/run/secrets/todos/{setting.removesuffix('_FILE')}"
        assert Path(path).name in secret["data"]
    Config.from_env(plain | {"SECRET_KEY": "k" * 40, "SQLALCHEMY_DATABASE_URI": "sqlite://"})


def test_selectors_match_the_pods_they_are_for(objects):
    labels = {name(one): template["metadata"]["labels"] for one, template in workloads(objects)}
    for one, template in workloads(objects):
        if selector := one["spec"].get("selector"):
            assert selector["matchLabels"].items() <= template["metadata"]["labels"].items(), name(one)
    for service in of_kind(objects, "Service"):
        chosen = [owner for owner, found in labels.items() if service["spec"]["selector"].items() <= found.items()]
        assert len(chosen) == 1, name(service)
    for budget in of_kind(objects, "PodDisruptionBudget"):
        wanted = budget["spec"]["selector"]["matchLabels"]
        assert [owner for owner, found in labels.items() if wanted.items() <= found.items()], name(budget)
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        [deployment] = [one for one in objects if name(one) == f"{target['kind']} {target['name']}"]
        assert "replicas" not in deployment["spec"], "an apply would undo what the autoscaler did"


def test_services_and_the_ingress_lead_to_ports_that_exist(objects):
    ports = {
        port["name"]: port["containerPort"]
        for _, container, _ in containers(objects)
        for port in container.get("ports", [])
    }
    for service in of_kind(objects, "Service"):
        for port in service["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            assert target in ports or target in ports.values(), name(service)
    [ingress] = of_kind(objects, "Ingress")
    [rule] = ingress["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert path["path"] == PREFIX
    assert path["backend"]["service"] == {"name": "web", "port": {"name": "http"}}
    [web] = [found for found in of_kind(objects, "Service") if found["metadata"]["name"] == "web"]
    assert web["spec"]["ports"][0]["name"] == "http"
    assert rule["host"] not in ("", "HOST")


def test_probes_ask_under_the_prefix(objects):
    [web] = [found for found in of_kind(objects, "Deployment") if found["metadata"]["name"] == "web"]
    [container] = web["spec"]["template"]["spec"]["containers"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    alive = f"{PREFIX}/health"
    assert paths == {"startup": alive, "readiness": f"{PREFIX}/health/ready", "liveness": alive}


def test_whatever_runs_on_is_started_again_when_it_hangs(objects):
    [check] = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for one in of_kind(objects, "Deployment"):
        [container] = one["spec"]["template"]["spec"]["containers"]
        probe = container["livenessProbe"]
        if container["args"] != ["web"]:
            assert probe["exec"]["command"] == json.loads(check), name(one)
            # a worker that found its Redis again half a minute later has to be left alone
            assert probe["periodSeconds"] * (probe["failureThreshold"] - 1) >= STALE_SECONDS, name(one)
            assert probe["timeoutSeconds"] > 2 * ANSWER_SECONDS, name(one)
            assert probe["terminationGracePeriodSeconds"] < 60, "who hangs is not waited for as for a long job"


def test_body_size_of_the_ingress_is_that_of_the_application(objects):
    [ingress] = of_kind(objects, "Ingress")
    [settings] = of_kind(objects, "ConfigMap")
    given = {"APP_ENV": "test", "MAX_UPLOAD_MB": settings["data"]["MAX_UPLOAD_MB"]}
    size = Config.from_env(given).flask()["MAX_CONTENT_LENGTH"]
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == f"{size >> 20}m"


def test_pod_outlives_the_requests_under_way(objects):
    """The pause before the end and gunicorn's own have to fit into the time that a pod gets to end."""
    [web] = [found for found in of_kind(objects, "Deployment") if found["metadata"]["name"] == "web"]
    pod = web["spec"]["template"]["spec"]
    [_, pause] = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    settings: dict = {"__file__": str(ROOT / "gunicorn.conf.py")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APP_ENV", "development")
        exec((ROOT / "gunicorn.conf.py").read_text(), settings)
    assert int(pause) + settings["graceful_timeout"] < pod["terminationGracePeriodSeconds"]
    assert web["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_every_queue_has_its_worker(objects):
    args = [container["args"] for _, container, _ in containers(objects) if container.get("args", [""])[0] == "worker"]
    assert sorted(args) == sorted(["worker", f"--queues={name}"] for name in QUEUES)


def test_there_is_one_scheduler(objects):
    [beat] = [found for found in of_kind(objects, "Deployment") if found["metadata"]["name"] == "beat"]
    assert (beat["spec"]["replicas"], beat["spec"]["strategy"]) == (1, {"type": "Recreate"})


def test_nobody_talks_to_anybody_unless_a_policy_says_so(objects):
    policies = {found["metadata"]["name"]: found["spec"] for found in of_kind(objects, "NetworkPolicy")}
    deny = policies.pop("default-deny")
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for owner, policy in policies.items():
        for rule in [*policy.get("ingress", []), *policy.get("egress", [])]:
            assert rule.get("ports"), f"{owner} opens every port"
            assert rule.get("from") or rule.get("to"), f"{owner} opens to everybody"
    assert policies["dns"]["podSelector"] == {}
    assert policies["dns"]["egress"][0]["to"][0]["podSelector"]["matchLabels"] == {"k8s-app": "kube-dns"}


DATABASES = {
    "dev": {("postgresql", 5432), ("valkey", 6379)},
    "production": {("10.0.0.0/8", 5432), ("10.0.0.0/8", 6379)},
    "digitalocean": {("10.0.0.0/8", 25060), ("10.0.0.0/8", 25061)},
}
MAIL = {"dev": (465, 587), "production": (465, 587), "digitalocean": (465, 587, 2525)}


def selects(selector: dict, labels: dict) -> bool:
    """Tell whether a selector selects what has these labels."""
    wanted = [(key, [value]) for key, value in selector.get("matchLabels", {}).items()]
    for one in selector.get("matchExpressions", []):
        assert one["operator"] == "In"
        wanted.append((one["key"], one["values"]))
    return all(labels.get(key) in values for key, values in wanted)


def lanes(objects, labels, way: str) -> set:
    """Return with whom a pod with these labels may begin to talk ("egress"), or who with it ("ingress"), by port."""
    side = "to" if way == "egress" else "from"
    found = set()
    for policy in (one["spec"] for one in of_kind(objects, "NetworkPolicy")):
        if way.capitalize() in policy["policyTypes"] and selects(policy["podSelector"], labels):
            for rule in policy.get(way, []):
                for other in rule[side]:
                    peer = [other[key] for key in ("namespaceSelector", "podSelector") if key in other]
                    words = [word for selector in peer for word in selector["matchLabels"].values()]
                    who = other["ipBlock"]["cidr"] if "ipBlock" in other else "/".join(words)
                    found |= {(who, port["port"]) for port in rule["ports"]}
    return found


def test_each_pod_reaches_what_it_needs_and_nothing_else(objects, overlay):
    """The policies name labels of others; a misspelt one would cut the site off."""
    dns, proxy, databases = {("kube-system/kube-dns", 53)}, {("ingress-nginx", "http")}, DATABASES[overlay]
    web = proxy | {("monitoring", "http")}
    mail = {("0.0.0.0/0", port) for port in MAIL[overlay]}
    stores = {who: {("todos", port)} for who, port in databases} if overlay == "dev" else {}
    for found, template in workloads(objects):
        labels = template["metadata"]["labels"]
        part = labels["app.kubernetes.io/component"]
        into = web if part == "web" else stores.get(part, set())
        out = dns if part in stores else dns | databases
        out |= mail if part.startswith("worker-") else set()
        assert (lanes(objects, labels, "ingress"), lanes(objects, labels, "egress")) == (into, out), name(found)
    solver = {"acme.cert-manager.io/http01-solver": "true"}
    assert lanes(objects, solver, "ingress") == (set() if overlay == "dev" else {("ingress-nginx", 8089)})


def test_what_a_migration_needs_can_be_applied_before_the_rest(objects):
    """`kubectl apply --selector todos/stage=prepare` comes first: see k8s/README.md."""
    prepared = {name(found) for found in objects if found["metadata"].get("labels", {}).get("todos/stage") == "prepare"}
    pods = ("Deployment", "StatefulSet", "Job", "CronJob", "Namespace", "ServiceAccount", "ConfigMap", "Secret")
    assert {name(found) for found in of_kind(objects, *pods[3:])} - {"CronJob backup"} <= prepared
    assert "Job migrate" in prepared
    assert "NetworkPolicy databases" in prepared
    assert not any(found.startswith("Deployment") for found in prepared)


def test_production_has_two_of_what_people_wait_for(rendered):
    for overlay in ("production", "digitalocean"):
        low = {
            found["metadata"]["name"]: found["spec"]["minReplicas"]
            for found in of_kind(rendered[overlay], "HorizontalPodAutoscaler")
        }
        assert low["web"] >= 2
        assert low["worker-interactive"] >= 2
        [ingress] = of_kind(rendered[overlay], "Ingress")
        [tls] = ingress["spec"]["tls"]
        assert tls["hosts"] == [ingress["spec"]["rules"][0]["host"]]
        assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
        [settings] = of_kind(rendered[overlay], "ConfigMap")
        assert settings["data"].get("SESSION_COOKIE_SECURE", "1") == "1"
        assert settings["data"]["TRUSTED_HOSTS"] == tls["hosts"][0]


def test_image_of_a_private_registry_is_fetched_with_the_secret_that_the_readme_makes(rendered):
    for overlay in ("production", "digitalocean"):
        [account] = [found for found in rendered[overlay] if found["kind"] == "ServiceAccount"]
        assert account["imagePullSecrets"] == [{"name": "registry"}]
    assert "--namespace todos --name registry | kubectl apply" in (ROOT / "k8s" / "README.md").read_text()


def test_what_the_readme_stops_it_starts_again():
    """Neither `apply`, for want of `replicas`, nor an autoscaler starts a Deployment that is at 0."""
    lines = [line.split() for line in documented() if " scale deployment/" in line]
    stopped, started = ([word for word in line if word.startswith("deployment/")] for line in lines)
    beat = yaml.safe_load((ROOT / "k8s" / "base" / "beat.yaml").read_text())
    assert beat["spec"]["replicas"] == 1
    assert set(stopped) - set(started) == {"deployment/beat"}
    assert int(lines[1][-1].removeprefix("--replicas=")) > 0


def test_nightly_backup_tidies_what_is_old_when_there_is_a_new_one(rendered, tmp_path):
    [cronjob] = [found for found in rendered["production"] if found["kind"] == "CronJob"]
    [container] = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    (tmp_path / "flask").write_text('#!/bin/sh\n[ "$2" = verify ] || touch "$3"\n')
    (tmp_path / "flask").chmod(0o755)
    hour = 3600
    for name, age in (("old.jsonl.gz", 16 * 24), ("kept.jsonl.gz", 13 * 24), ("cut.part", 3), ("now.part", 1)):
        (tmp_path / f"todos-{name}").touch()
        os.utime(tmp_path / f"todos-{name}", (time.time() - age * hour,) * 2)
    words = [word.replace("/backups", str(tmp_path)) for word in container["args"]]
    subprocess.run(words, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    left = {path.name for path in tmp_path.glob("todos-*")}
    assert len(left) == 3
    assert {"todos-kept.jsonl.gz", "todos-now.part"} <= left


def test_repository_holds_no_secret():
    git = ["git", "ls-files", ".env", "secrets", "k8s/**/secrets.env"]
    files = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    assert files.stdout == ""  # and so it is in an unpacked archive, which has no history


def test_keys_are_made_once(tmp_path):
    (tmp_path / "kustomization.yaml").touch()
    keys.main([str(tmp_path)])
    made = (tmp_path / "secrets.env").read_text()
    with pytest.raises(SystemExit, match="exists already"):
        keys.main([str(tmp_path)])
    assert (tmp_path / "secrets.env").read_text() == made
    assert (tmp_path / "secrets.env").stat().st_mode & 0o077 == 0


def documented() -> list[str]:
    """Every kubectl command of k8s/README.md, without what the shell makes of it."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "k8s" / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = [re.split(r"\s[|<>]\s?|\s#", line)[0].strip() for line in lines if line.startswith("kubectl ")]
    assert len(found) > 30
    return found


@pytest.mark.parametrize("line", sorted(set(documented())))
def test_documented_command_is_one_that_kubectl_takes_for_things_that_exist(line, rendered, k8s):
    """It gets as far as asking a cluster, which is not there: arguments and files were right then."""
    kubectl = shutil.which("kubectl", path=VENV) or shutil.which("kubectl")
    command = [kubectl, "--server=http://127.0.0.1:1", *shlex.split(line)[1:]]
    environ = {"HOME": str(k8s), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=k8s.parent, env=environ, capture_output=True, text=True, timeout=60)
    if line.startswith("kubectl kustomize"):
        assert done.returncode == 0, done.stderr
    else:
        assert re.search(r"127\.0\.0\.1:1.*refused", done.stderr), done.stderr
    known = {name(found).lower() for found in rendered["digitalocean"]}
    named = re.findall(r"\b(deployment|cronjob|service)/([a-z-]+)", line)
    assert {f"{kind} {thing}" for kind, thing in named} <= known, line
    for key, value in re.findall(r"--selector (\S+)=(\S+)", line):
        assert any(found["metadata"].get("labels", {}).get(key) == value for found in rendered["digitalocean"]), line
