"""Stops and restarts: nothing that was begun is lost, and nobody who visits meanwhile sees an error."""

import re
import socket
import threading
import time
from urllib.parse import urlencode

import psycopg
import pytest

from tests.deploy.containers import PREFIX, wait_until
from tools.health import HEARTBEAT

PORT = 5009
SIZE = 4 << 20


class Wire:
    """A visitor who comes past the proxy, which would hand an upload on only when it is whole, and as if by https."""

    def __init__(self) -> None:
        self.headers = f"Host: localhost:{PORT}\r\nX-Forwarded-Proto: https\r\nReferer: https://localhost:{PORT}/\r\n"
        self.token = ""

    def open(self, method: str, path: str, kind: str, length: int) -> socket.socket:
        """Send the head of a request."""
        connection = socket.create_connection(("localhost", PORT))
        head = f"{method} {PREFIX}{path} HTTP/1.1\r\n{self.headers}Connection: close\r\n"
        connection.sendall(f"{head}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode())
        return connection

    def ask(self, method: str, path: str, body: str = "") -> None:
        """Send a request, and keep cookie and token of the answer."""
        with self.open(method, path, "application/x-www-form-urlencoded", len(body)) as connection:
            connection.sendall(body.encode())
            answer = connection.makefile("rb").read().decode()
        if cookie := re.search(r"Set-Cookie: (todos_session=[^;]+)", answer):
            self.headers = re.sub(r"Cookie: .*\r\n", "", self.headers) + f"Cookie: {cookie[1]}\r\n"
        if token := re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer):
            self.token = token[1]


def upload_form(token: str, title: str) -> bytes:
    """Return the body of the form that adds a todo with a file."""
    fields = {"csrf_token": token, "title": title, "notes": "", "due_on": "", "priority": "2"}
    parts = [
        f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()
    ]
    parts += ['--xx\r\nContent-Disposition: form-data; name="attachments"; filename="long.txt"\r\n']
    return ("".join(parts) + "Content-Type: text/plain\r\n\r\n").encode() + b"x" * SIZE + b"\r\n--xx--\r\n"


def test_upload_under_way_is_saved_when_the_web_server_is_told_to_end(site):
    web = site.start_web("web9", PORT)
    wire = Wire()
    wire.ask("GET", "/login/")
    form = {"csrf_token": wire.token, "username": site.admin[0], "password": site.admin[1]}
    wire.ask("POST", "/login/", urlencode(form))
    wire.ask("GET", "/todos")
    body = upload_form(wire.token, "Uploaded while it ended")
    with wire.open("POST", "/todos", "multipart/form-data; boundary=xx", len(body)) as connection:
        connection.sendall(body[: len(body) // 2])
        time.sleep(1)
        web.signal()
        web.wait_for("Handling signal: term")
        time.sleep(1)
        connection.sendall(body[len(body) // 2 :])
        assert b" 302 " in connection.makefile("rb").readline()
    assert web.end() == 0
    query = "SELECT a.size FROM attachments a JOIN todos t ON t.id = a.todo_id WHERE t.title = %s"
    assert site.sql(query, "Uploaded while it ended") == [(SIZE,)]


@pytest.fixture
def held(site):
    """An export reads what it wants and cannot store it until this is let go, so that it takes as long as we like."""
    with psycopg.connect(site.database) as connection:
        connection.execute("LOCK TABLE attachments IN EXCLUSIVE MODE")
        yield connection


def start_export(site) -> int:
    """Start an export and return the id of its job when it runs."""
    admin = site.visitor()
    admin.get("/todos")
    job = int(admin.submit("/selection/export?all=1", {"kind": "csv"}).url.rsplit("/", 1)[1])
    wait_until(lambda: status(site, job) == "running", "the job runs")
    return job


def status(site, job: int) -> str:
    [(found,)] = site.sql("SELECT status FROM jobs WHERE id = %s", job)
    return str(found)


def test_job_under_way_is_finished_when_the_worker_is_told_to_end(site, held):
    job, worker = start_export(site), site.containers["worker"]
    worker.signal()
    worker.wait_for("Warm shutdown")
    held.rollback()
    assert worker.end() == 0
    assert status(site, job) == "succeeded"
    site.start("worker", "worker")


def test_job_of_a_worker_that_was_killed_goes_to_the_next(site, held):
    job, worker = start_export(site), site.containers["worker"]
    worker.signal("KILL")
    worker.end()
    held.rollback()
    site.sql("UPDATE jobs SET lease_expires_at = now() WHERE id = %s", job)
    site.start("worker", "worker")
    wait_until(lambda: status(site, job) == "succeeded", "another worker finishes the job")
    assert site.sql("SELECT attempt FROM jobs WHERE id = %s", job) == [(2,)]


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_worker_or_scheduler_that_hangs_is_not_healthy(site, image, name):
    [_, *check] = image["Healthcheck"]["Test"]
    container = site.containers[name]
    container.run(*check)
    container.signal("STOP")
    container.run("touch", "--date=2 minutes ago", HEARTBEAT)
    with pytest.raises(AssertionError, match="the process hangs"):
        container.run(*check)
    container.signal("CONT")
    wait_until(lambda: container.run("find", HEARTBEAT, "-mmin", "-1"), "it goes on")
    container.run(*check)


class Load(threading.Thread):
    """Somebody who reads and adds todos without a pause."""

    def __init__(self, site, name: str) -> None:
        super().__init__(name=name)
        self.visitor = site.visitor()
        self.over = threading.Event()
        self.added: list[str] = []
        self.trouble: list[str] = []

    def run(self) -> None:
        while not self.over.is_set():
            try:
                self.once(f"Added by {self.name}, number {len(self.added)}")
            except OSError as error:
                self.trouble.append(repr(error))

    def once(self, title: str) -> None:
        page = self.visitor.get("/todos")
        answer = self.visitor.submit("/todos", {"title": title, "notes": "", "due_on": "", "priority": "2"})
        self.trouble += [f"{found.status_code} {found.url}" for found in (page, answer) if found.status_code != 200]
        self.added.append(title)


def test_nobody_notices_that_the_web_servers_are_replaced_one_by_one(site):
    """As Kubernetes does with maxUnavailable 0: a new one is ready before an old one gets no more requests, and that
    one is told to end after the pause of preStop."""
    load = [Load(site, f"visitor {number}") for number in range(3)]
    for thread in load:
        thread.start()
    ports = [5001, 5002]
    try:
        for old, name, port in ((5001, "web1", 5003), (5002, "web2", 5004)):
            replaced = site.containers[name]
            site.start_web(f"web{port - 5000}", port)
            ports = [port, *(kept for kept in ports if kept != old)]
            site.route(*ports)
            time.sleep(2)  # the pause of preStop
            assert replaced.stop() == 0
            assert "Traceback" not in replaced.logs()
        time.sleep(1)
    finally:
        for thread in load:
            thread.over.set()
            thread.join()
    assert [thread.trouble for thread in load] == [[], [], []]
    wanted = {title for thread in load for title in thread.added}
    assert len(wanted) > 10
    assert {title for (title,) in site.sql("SELECT title FROM todos WHERE title LIKE 'Added by %%'")} == wanted
