"""Containers of the image, as strict as an orchestrator would run them, and a visitor of the site."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

IMAGE = "localhost/todos:test"
STANDIN = "localhost/standin:1"
PREFIX = "/todo-flask-mvc"
PATIENCE = 120  # seconds
# the network is the loopback that `make test-deploy` has made
MACHINE = ["--network=host", "--no-healthcheck"]
STRICT = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges"]


def podman(*arguments: str, check: bool = True, timeout: float = PATIENCE) -> str:
    """Run podman and return what it writes.

    Raises:
        AssertionError: when it fails.
    """
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, timeout=timeout)
    assert not check or done.returncode == 0, f"podman {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Return what the condition returns as soon as it holds; `what` says what did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"did not happen: {what}")


def logs(name: str) -> str:
    """Return what a container has written, on both outputs."""
    done = subprocess.run(["podman", "logs", name], capture_output=True, text=True)
    return done.stdout + done.stderr


class Container:
    """A container that was started."""

    def __init__(self, name: str, command: list[str], *options: str, image: str = IMAGE) -> None:
        self.name = name
        podman("rm", "--force", "--time=0", "--volumes", "--ignore", name)
        podman(
            "run", "--detach", "--name", name, *MACHINE, *STRICT, "--tmpfs=/tmp:mode=1777", *options, image, *command
        )

    def logs(self) -> str:
        """Return what it has written, on both outputs."""
        return logs(self.name)

    def state(self, field: str) -> str:
        """Return a field of its state."""
        return podman("inspect", "--format", f"{{{{.State.{field}}}}}", self.name).strip()

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in it."""
        return podman("exec", self.name, *command, check=check)

    def wait_for(self, text: str) -> None:
        """Return when it has written the text."""
        wait_until(lambda: text in self.logs() or self.state("Running") == "false", f"{text!r}\n{self.logs()}")
        assert text in self.logs(), self.logs()

    def signal(self, name: str = "TERM") -> None:
        """Send a signal to its first process."""
        podman("kill", f"--signal={name}", self.name)

    def end(self) -> int:
        """Wait for its end and return the exit code."""
        return int(podman("wait", self.name).strip())

    def stop(self) -> int:
        """Ask it to end, as an orchestrator does, and return the exit code."""
        self.signal()
        return self.end()

    def remove(self) -> None:
        """End it at once and forget it, its volumes included."""
        podman("rm", "--force", "--time=0", "--volumes", "--ignore", self.name)


class Visitor(requests.Session):
    """A browser without a screen: follows redirects, keeps cookies, sends the token of the last page."""

    def __init__(self, url: str, certificate: Path | None = None) -> None:
        super().__init__()
        self.url = url
        self.trust_env = False
        self.verify = str(certificate) if certificate else True
        self.token = ""
        self.referer = self.url + "/"

    def request(self, method: str, path: str, **options: Any) -> requests.Response:  # type: ignore[override]
        """Ask for a path under the prefix, or for a whole address."""
        address = path if path.startswith("http") else self.url + path
        answer = super().request(method, address, timeout=PATIENCE, **options)
        if found := re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.text if "html" in kind(answer) else ""):
            self.token = found[1]
        return answer

    def submit(self, path: str, data: dict[str, Any], **options: Any) -> requests.Response:
        """Send a form."""
        headers = {"Referer": self.referer, **options.pop("headers", {})}
        return self.post(path, data={"csrf_token": self.token, **data}, headers=headers, **options)

    def sign_in(self, username: str, password: str) -> "Visitor":
        """Log in."""
        self.get("/login/")
        answer = self.submit("/login/", {"username": username, "password": password})
        assert answer.url.endswith("/todos"), answer.text
        return self


def kind(answer: requests.Response) -> str:
    return str(answer.headers.get("Content-Type", ""))
