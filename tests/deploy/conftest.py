"""A whole installation of containers on a loopback of its own, started once; `make test-deploy` runs these tests."""

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.deploy.containers import IMAGE, MACHINE, PREFIX, STANDIN, Container, Visitor, podman, wait_until

# they need the image and a network namespace, which tests/deploy/images.sh and the Makefile make
collect_ignore_glob = [] if os.environ.get("TEST_DEPLOY") else ["test_*.py"]
HERE = Path(__file__).parent


@dataclass
class Site:
    """The containers, and what one needs to know to use them."""

    folder: Path
    settings: list[str]
    database: str
    certificate: Path
    admin: tuple[str, str] = ("", "")
    containers: dict[str, Container] = field(default_factory=dict)

    def start(self, name: str, *command: str, **environ: str) -> Container:
        """Start a container of the image."""
        more = [f"--env={key}={value}" for key, value in environ.items()]
        self.containers[name] = Container(f"todos-{name}", list(command), *self.settings, *more)
        return self.containers[name]

    def start_web(self, name: str, port: int, **environ: str) -> Container:
        """Start a web server and return it when it is ready for requests."""
        web = self.start(name, "web", PORT=str(port), **environ)
        probe = Visitor(f"http://127.0.0.1:{port}{PREFIX}")
        wait_until(lambda: answers(probe, "/health/ready"), f"{name} is ready\n{web.logs()}")
        return web

    def route(self, *ports: int) -> None:
        """Let the proxy send requests to these web servers, as the ingress does when pods come and go."""
        servers = " ".join(f"server 127.0.0.1:{port};" for port in ports)
        conf = self.folder / "nginx" / "nginx.conf"
        conf.write_text((HERE / "ingress.conf").read_text().format(servers=servers))
        if "ingress" in self.containers:
            self.containers["ingress"].signal("HUP")

    def visitor(self, signed_in: bool = True) -> Visitor:
        """Return somebody who comes through the proxy."""
        found = Visitor(f"https://localhost:8443{PREFIX}", self.certificate)
        return found.sign_in(*self.admin) if signed_in else found

    def sql(self, statement: str, *values: object) -> list[tuple]:
        """Run a statement on the database."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


def answers(visitor: Visitor, path: str) -> bool:
    try:
        return visitor.get(path).status_code == 200
    except OSError:
        return False


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose files containers may read."""
    found = tmp_path_factory.mktemp("deploy")
    for path in (found, *found.parents[:3]):
        path.chmod(0o755)
    return found


@pytest.fixture(scope="session")
def keep() -> Iterator[Callable[[Container], Container]]:
    """Returns a function that takes a container, to be removed at the end."""
    kept: list[Container] = []

    def take(container: Container) -> Container:
        kept.append(container)
        return container

    yield take
    for container in kept:
        container.remove()


@pytest.fixture(scope="session")
def postgresql(folder: Path, keep: Callable[[Container], Container]) -> str:
    """The URI of a PostgreSQL in a container."""
    (folder / "password").write_text(password := secrets.token_hex(16))
    environ = ["POSTGRES_USER=todos", "POSTGRES_DB=todos", "POSTGRES_PASSWORD_FILE=/run/password", "PGDATA=/data/data"]
    options = [f"--env={pair}" for pair in environ] + [f"--volume={folder}/password:/run/password:ro", "--user=70:70"]
    options += ["--tmpfs=/data:mode=1777"]
    keep(Container("todos-postgresql", [], *options, image=STANDIN))
    uri = f"postgresql://todos:{password}@127.0.0.1:5432/todos"

    def is_up() -> bool:
        try:
            psycopg.connect(uri, connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    wait_until(is_up, "PostgreSQL is up")
    return uri


@pytest.fixture(scope="session")
def valkey(keep: Callable[[Container], Container]) -> str:
    """The URL of a Valkey in a container."""
    password = secrets.token_hex(16)
    command = ["valkey-server", "--requirepass", password, "--save", "", "--dir", "/tmp"]
    found = keep(Container("todos-valkey", command, "--user=10001:10001", image=STANDIN))
    found.wait_for("Ready to accept connections")
    return f"redis://:{password}@127.0.0.1:6379/0"


@pytest.fixture(scope="session")
def certificate(folder: Path) -> Path:
    """The certificate of localhost, made for this run."""
    tls = folder / "tls"
    tls.mkdir()
    tls.chmod(0o777)
    request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    files = ["-keyout", "/tls/tls.key", "-out", "/tls/tls.crt"]
    podman("run", "--rm", *MACHINE, f"--volume={tls}:/tls", STANDIN, "openssl", *request.split(), *files)
    for file in tls.iterdir():
        file.chmod(0o644)
    return tls / "tls.crt"


@pytest.fixture(scope="session")
def site(
    folder: Path, postgresql: str, valkey: str, certificate: Path, keep: Callable[[Container], Container]
) -> Iterator[Site]:
    """Migrated, with an admin, two web servers behind the proxy, a worker and the scheduler."""
    secret = folder / "secrets"
    secret.mkdir()
    (secret / "SECRET_KEY").write_text(secrets.token_hex(32))
    (secret / "SQLALCHEMY_DATABASE_URI").write_text(postgresql)
    (secret / "REDIS_URL").write_text(valkey)
    environ = {"SCRIPT_NAME": PREFIX, "HOST": "127.0.0.1", "PROXY_HOPS": "1", "TRUSTED_HOSTS": "localhost"}
    environ |= {f"{file.name}_FILE": f"/run/secrets/{file.name}" for file in secret.iterdir()}
    options = [f"--env={name}={value}" for name, value in environ.items()]
    found = Site(folder, [*options, f"--volume={secret}:/run/secrets:ro"], postgresql, certificate)
    try:
        started(found)
        yield found
    finally:
        for container in found.containers.values():
            container.remove()


def started(site: Site) -> None:
    """Start everything in the order of compose.yaml and k8s/."""
    migrate = site.start("migrate", "migrate")
    assert migrate.end() == 0, migrate.logs()
    admin = site.start("admin", "flask", "first-admin")
    assert admin.end() == 0, admin.logs()
    told = dict(line.split(": ") for line in admin.logs().splitlines() if line.startswith(("Admin: ", "Password: ")))
    site.admin = (told["Admin"], told["Password"])
    site.start("worker", "worker")
    site.start("beat", "beat")
    for number in (1, 2):
        site.start_web(f"web{number}", 5000 + number)
    (site.folder / "nginx").mkdir()
    site.route(5001, 5002)
    options = [f"--volume={site.folder}/nginx:/etc/ingress:ro", f"--volume={site.folder}/tls:/etc/tls:ro"]
    command = ["nginx", "-c", "/etc/ingress/nginx.conf", "-g", "daemon off;"]
    site.containers["ingress"] = Container("todos-ingress", command, "--user=101:101", *options, image=STANDIN)
    wait_until(lambda: answers(site.visitor(signed_in=False), "/health"), "the proxy answers")


@pytest.fixture(scope="session")
def image() -> dict:
    """What is known of the image."""
    [found] = json.loads(subprocess.run(["podman", "inspect", IMAGE], capture_output=True, check=True).stdout)
    return found
