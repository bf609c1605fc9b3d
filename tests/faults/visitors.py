"""Somebody who uses the pages of a real web server while something befalls it, or Redis, or the workers."""

import http.client
import socket
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self
from urllib.parse import urlencode

from tests.conftest import Client
from tests.faults.processes import PATIENCE, Process, wait_until

PAGE_SECONDS = 3  # that a page may take, whatever befalls Redis


class Site:
    """A gunicorn of two workers at a port of its own, which keeps the port when it is started again."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.environ = environ | {"PORT": str(self.port), "WEB_CONCURRENCY": "2", "MAX_ACTIVE_JOBS": "1000"}
        self.log = log
        self.start()

    def start(self) -> Self:
        """Start it, or a new one."""
        self.process = Process(["-m", "gunicorn", "run:app"], self.environ, self.log)
        return self

    def wait(self) -> None:
        """Return when it listens."""
        self.process.wait_for("Listening at")


class Visitor:
    """A person with a browser who is signed in.

    Args:
        client: signed in, of an application with the key of the server.
        port: where the server listens.
        seconds: after which an answer is too late.
    """

    def __init__(self, client: Client, port: int, seconds: float = PAGE_SECONDS) -> None:
        self.body = urlencode({"csrf_token": client.token(), "kind": "csv"})
        self.cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in client._cookies.values())
        self.port, self.seconds = port, seconds

    def ask(self, path: str, method: str = "GET") -> http.client.HTTPResponse:
        """Return the answer to a request, which has been read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.seconds)
        headers = {"Cookie": self.cookies, "Content-Type": "application/x-www-form-urlencoded"}
        with closing(connection):
            connection.request(method, path, self.body if method == "POST" else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status in (200, 302), text
            return answer

    def export(self, todo: int) -> int:
        """Ask for the export of a todo, look at the job's page, and return the job's number."""
        location = str(self.ask(f"/selection/export?id={todo}", "POST").headers["Location"])
        self.ask(location)
        return int(location.rpartition("/")[2])


class Crowd:
    """Two visitors who go on asking for the export of a todo whatever happens to the server."""

    def __init__(self, client: Client, site: Site, todo: int) -> None:
        self.visitor, self.site, self.todo = Visitor(client, site.port, PATIENCE), site, todo
        self.accepted: list[int] = []
        self.is_over = Event()
        self.threads = [Thread(target=self._submit) for _ in range(2)]

    def _submit(self) -> None:
        while not self.is_over.wait(0.5):
            # a server that dies meanwhile may have accepted it or not
            with suppress(OSError, http.client.HTTPException):
                self.accepted.append(self.visitor.export(self.todo))

    def wait(self) -> None:
        """Return when pages are answered again."""
        before = len(self.accepted)
        wait_until(lambda: len(self.accepted) > before + 1, f"pages are answered\n{self.site.process.output()}")

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        self.site.process.kill()
