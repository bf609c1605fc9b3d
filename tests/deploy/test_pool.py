"""Through a PgBouncer, which hands each transaction to whichever of its connections is free: see docs/scale.md."""

import threading
from urllib.parse import urlsplit

import pytest

from tests.deploy.containers import STANDIN, Container

PORT, POOL = 5010, 6432
CONFIG = """
[databases]
todos = host=127.0.0.1 port=5432 user=todos password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_prepared_statements = 0
"""


@pytest.fixture(scope="module")
def pooled(site):
    """The file of a secret that leads through the pool."""
    folder = site.folder / "pool"
    folder.mkdir()
    password = urlsplit(site.database).password
    (folder / "pgbouncer.ini").write_text(CONFIG.format(password=password, port=POOL))
    options = [f"--volume={folder}:/etc/pool:ro", "--user=70:70"]
    pool = site.containers["pool"] = Container(
        "todos-pool", ["pgbouncer", "/etc/pool/pgbouncer.ini"], *options, image=STANDIN
    )
    pool.wait_for("process up")
    (site.folder / "secrets" / "POOLED").write_text(site.database.replace(":5432", f":{POOL}"))
    return "/run/secrets/POOLED"


def test_statements_of_many_visitors_never_meet(site, pooled):
    web = site.start_web("web10", PORT, SQLALCHEMY_DATABASE_URI_FILE=pooled)
    site.route(PORT)
    trouble: list[str] = []

    def visit(number: int) -> None:
        visitor = site.visitor()
        for count in range(8):  # the driver would prepare what it sends for the sixth time
            answers = [visitor.get("/todos"), visitor.get("/users")]
            todo = {"title": f"Pooled {number}-{count}", "notes": "", "due_on": "", "priority": "2"}
            answers.append(visitor.submit("/todos", todo))
            trouble.extend(f"{found.status_code} {found.url}" for found in answers if found.status_code != 200)

    threads = [threading.Thread(target=visit, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    site.route(5001, 5002)
    assert trouble == [], web.logs()
    assert site.sql("SELECT count(*) FROM todos WHERE title LIKE 'Pooled %%'") == [(32,)]
    web.remove()


def test_migration_refuses_the_pool(site, pooled):
    migrate = site.start("pooled-migrate", "migrate", SQLALCHEMY_DATABASE_URI_FILE=pooled)
    assert migrate.end() == 1
    assert "leads through a connection pool" in migrate.logs()
    assert "Traceback" not in migrate.logs()
