"""compose.yaml: what runs, in which order, with which limits and secrets."""

import re

import pytest
import yaml

from app.models.jobs import QUEUES
from config import ROOT, Config
from tools import keys

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {"web", "worker-interactive", "worker-bulk", "beat", "migrate"}


@pytest.fixture(params=SERVICES)
def service(request):
    return SERVICES[request.param] | {"name": request.param}


def test_every_service_is_there():
    assert set(SERVICES) == OURS | {"postgresql", "valkey", "nginx"}


def test_every_service_has_limits_and_comes_back(service):
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["restart"] == ("on-failure" if service["name"] == "migrate" else "unless-stopped")


def test_what_is_ours_is_locked_up(service):
    if service["name"] in OURS | {"valkey", "nginx"}:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_images_of_others_are_pinned(service):
    if service["name"] not in OURS:
        assert re.fullmatch(r"docker\.io/\S+:\d+\.\d+\.\d+-alpine|docker\.io/\S+:\d+\.\d+-alpine", service["image"])


def test_nothing_of_ours_starts_before_the_migration():
    for name in OURS - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"]["postgresql"] == {"condition": "service_healthy"}
    assert SERVICES["nginx"]["depends_on"]["web"] == {"condition": "service_healthy"}
    for name in ("postgresql", "valkey"):
        assert SERVICES[name]["healthcheck"]["test"]


def test_whatever_runs_on_has_its_health_checked():
    """By the image's own check, but for those that are none of ours; a migration ends by itself."""
    off = {name for name, one in SERVICES.items() if one.get("healthcheck", {}).get("disable")}
    assert off == {"migrate"}


def test_every_queue_has_its_worker():
    assert {name: SERVICES[f"worker-{name}"]["command"] for name in QUEUES} == {
        name: ["worker", f"--queues={name}"] for name in QUEUES
    }


def test_settings_are_ones_of_the_application(service):
    if service["name"] in OURS:
        names = {name.removesuffix("_FILE") for name in service["environment"]}
        assert names <= set(Config.__dataclass_fields__)
        files = {value for name, value in service["environment"].items() if name.endswith("_FILE")}
        assert files == {f"/run/secrets/{secret}" for secret in service["secrets"]}


def test_one_command_makes_every_secret_and_variable_that_is_named(tmp_path, capsys):
    keys.compose(tmp_path)
    for secret in COMPOSE["secrets"].values():
        assert (tmp_path / secret["file"]).is_file()
    variables = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    made = {line.split("=")[0] for line in (tmp_path / ".env").read_text().splitlines() if "=" in line}
    assert variables == {name for name in made if not name.startswith("#")}
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    with pytest.raises(SystemExit, match="has secrets already"):
        keys.compose(tmp_path)
    capsys.readouterr()


def test_body_size_of_the_proxy_is_that_of_the_application():
    size = Config.from_env({"APP_ENV": "test"}).flask()["MAX_CONTENT_LENGTH"]
    assert f"client_max_body_size {size >> 20}m;" in (ROOT / "compose" / "nginx.conf").read_text()
