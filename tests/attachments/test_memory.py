"""A file of 100 MB passes through a web worker without being held in its memory."""

import hashlib
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

from config import ROOT
from tests.attachments.conftest import stored
from tests.factories import PASSWORD

MEGABYTE = 1 << 20
SIZE = 100 * MEGABYTE
ALLOWED = 32 * MEGABYTE
BLOCK = b"".join(b"%015d\n" % number for number in range(MEGABYTE // 16))
BOUNDARY = "a-boundary-that-no-file-contains"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """A gunicorn with one worker, and a browser that is signed in to it."""

    def __init__(self, uri: str, redis: str, folder: Path) -> None:
        self.port = free_port()
        self.cookie = ""
        given = {"SQLALCHEMY_DATABASE_URI": uri, "REDIS_URL": redis, "PORT": str(self.port), "TMPDIR": str(folder)}
        fixed = {"SECRET_KEY": "k" * 40, "SESSION_COOKIE_SECURE": "0", "MAX_UPLOAD_MB": "200", "WEB_CONCURRENCY": "1"}
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "run:app"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "LOG_LEVEL": "WARNING"} | given | fixed,
            stdout=self.log,
            stderr=self.log,
        )

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                assert self.ask("GET", "/health")[0] == 200
                return
            except OSError:
                time.sleep(0.05)
        self.log.seek(0)
        raise AssertionError(f"gunicorn did not start: {self.log.read()}")

    def stop(self) -> None:
        """End it, by force if it does not end by itself."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    @property
    def worker(self) -> psutil.Process:
        """Return the process that serves requests."""
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """Send a request and return status and text; cookies are kept."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, {"Cookie": self.cookie} | headers)  # type: ignore[arg-type]
        answer = connection.getresponse()
        if cookie := answer.getheader("Set-Cookie"):
            self.cookie = cookie.partition(";")[0]
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def token(self, path: str) -> str:
        """Return the CSRF token of a page's form."""
        found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.ask("GET", path)[1])
        assert found
        return found[1]

    def sign_in(self, username: str) -> None:
        """Log in by the form."""
        form = {"csrf_token": self.token("/login/"), "username": username, "password": PASSWORD}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert self.ask("POST", "/login/", urlencode(form), **kind)[0] == 302

    def upload(self, blocks: int) -> None:
        """Add a todo with a file of so many megabytes, sent as a stream."""
        fields = {"csrf_token": self.token("/todos"), "title": f"{blocks} MB"}
        part = '--{}\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        head = "".join(part.format(BOUNDARY, name, value) for name, value in fields.items())
        head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="attachments"; filename="a.txt"\r\n\r\n'
        tail = f"\r\n--{BOUNDARY}--\r\n"

        def body() -> Iterator[bytes]:
            yield head.encode()
            for _ in range(blocks):
                yield BLOCK
            yield tail.encode()

        length = str(len(head) + blocks * len(BLOCK) + len(tail))
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        assert self.ask("POST", "/todos", body(), **{"Content-Type": kind, "Content-Length": length})[0] == 302

    def download(self, path: str) -> str:
        """Return the SHA-256 of a file, of which one megabyte at a time is held here."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", path, headers={"Cookie": self.cookie})
        answer = connection.getresponse()
        digest = hashlib.sha256()
        while data := answer.read(MEGABYTE):
            digest.update(data)
        connection.close()
        return digest.hexdigest()


@contextmanager
def growth_of(process: psutil.Process) -> Iterator[list[int]]:
    """Watch a process and leave in the list by how many bytes its memory grew at most."""
    before, ended = process.memory_info().rss, threading.Event()
    seen, grown = [before], []

    def watch() -> None:
        while not ended.wait(0.01):
            seen.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield grown
    finally:
        ended.set()
        watcher.join()
        grown.append(max(seen) - before)


@pytest.fixture
def site(migrated, valkey, cast, tmp_path):
    found = Site(migrated, valkey.url, tmp_path)
    try:
        found.wait()
        found.sign_in("alice")
        yield found
    finally:
        found.stop()


def test_large_file_is_never_held_in_memory(site):
    site.upload(1)  # what is loaded once only does not count
    site.download(f"/files/{stored()[0].id}")
    with growth_of(site.worker) as uploading:
        site.upload(SIZE // MEGABYTE)
    file = stored()[1]
    assert file.size == SIZE
    assert file.sha256 == hashlib.sha256(BLOCK * (SIZE // MEGABYTE)).hexdigest()
    with growth_of(site.worker) as downloading:
        digest = site.download(f"/files/{file.id}")
    assert digest == file.sha256
    assert uploading[0] <= ALLOWED
    assert downloading[0] <= ALLOWED
