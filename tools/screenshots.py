"""Take the pictures in docs/screenshots/ from the real product with demo data: `make screenshots`."""

import io
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from config import ROOT, Config
from tools.browser import NoBrowser, launch
from tools.local import end, is_healthy, spawn, url
from tools.valkey import Server

TARGET = ROOT / "docs" / "screenshots"
SCREENS: dict[str, dict[str, Any]] = {
    # what is added to the picture's name -> Playwright's options of the screen
    "": {"viewport": {"width": 1280, "height": 800}},
    "-phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}
PATHS = {
    # name of the picture -> address; todo and job are found by looking
    "todos": "todos",
    "todos-done": "todos?show=done",
    "search": "todos?scope=all&q=report",
    "import": "todos/import",
    "export": "selection/export?all=1",
    "trash": "trash",
    "notifications": "notifications",
    "people": "users",
    "jobs": "jobs",
    "profile": "profile",
    "api-keys": "profile/keys",
    "admin-todos": "admin/todos/list/",
    "admin-tags": "admin/tags/list/",
    "admin-users": "admin/users/list/",
    "admin-roles": "admin/roles/list/",
    "admin-jobs": "admin/jobs/list/",
    "admin-overview": "admin/jobs/overview",
    "admin-audit": "admin/audit/list/",
    "error-404": "todos/1000000",
}
START_SECONDS = 60
JOB_MILLISECONDS = 60_000


@dataclass(frozen=True)
class Site:
    """The running product."""

    url: str  # ends with a slash
    password: str  # of admin


def main() -> int:
    """Write all pictures; stop everything that was started, however it ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    TARGET.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="todos-") as folder,
        running(Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        try:
            take_all(browser, site)
        finally:
            browser.close()
    return 0


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """Run the product with a database and a Valkey of its own."""
    with (folder / "log").open("wb") as log, Server(folder / "valkey.sock", folder, log) as valkey:
        environment = settings(folder, valkey.url)
        config = Config.from_env(environment)
        output = command(environment, "tools.prepare")
        password = next(line for line in output.splitlines() if line.startswith("Password: "))
        command(environment, "flask", "--app", "run", "demo", "--yes")
        processes = []
        try:
            for service in (("gunicorn", "run:app"), ("celery", "-A", "run", "worker")):
                processes.append(spawn(service, environment, log))
            deadline = time.monotonic() + START_SECONDS
            while not is_healthy(config):
                if time.monotonic() > deadline:
                    sys.exit((folder / "log").read_text())
                time.sleep(0.1)
            yield Site(url(config), password.removeprefix("Password: "))
        finally:
            end(processes)


def settings(folder: Path, redis_url: str) -> dict[str, str]:
    """Return the environment: nothing of the developer's own settings gets into the pictures."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {
        "APP_ENV": "production",
        "SECRET_KEY": secrets.token_hex(32),
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'todos.db'}",
        "REDIS_URL": redis_url,
        "PORT": str(port),
        "SESSION_COOKIE_SECURE": "0",
        "REGISTRATION_ENABLED": "1",
    }


def command(environment: dict[str, str], *arguments: str) -> str:
    """Run a Python module to its end and return what it printed; stop if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return sys.exit(done.stdout + done.stderr) if done.returncode else done.stdout


def take_all(browser: Browser, site: Site) -> None:
    """Take each page on each screen, as admin."""
    desktop = open_context(browser, site, SCREENS[""])
    sign_in(desktop, site.password)
    paths = PATHS | find_paths(desktop)
    state = desktop.storage_state()
    for suffix, screen in SCREENS.items():
        anonymous = open_context(browser, site, screen)
        take(anonymous, "login/", f"login{suffix}")
        context = open_context(browser, site, screen | {"storage_state": state})
        for name, path in paths.items():
            take(context, path, f"{name}{suffix}")


def open_context(browser: Browser, site: Site, options: dict[str, Any]) -> BrowserContext:
    """Return a browser that remembers nothing of the others."""
    return browser.new_context(base_url=site.url, locale="en-US", reduced_motion="reduce", **options)


def sign_in(context: BrowserContext, password: str) -> None:
    """Sign in as the admin."""
    page = context.new_page()
    page.goto("login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/todos")
    page.close()


def find_paths(context: BrowserContext) -> dict[str, str]:
    """Return the addresses that depend on the data: a todo with pictures, somebody busy, a finished export.

    Three todos that are done go to the trash, so that it is not empty.
    """
    page = context.new_page()
    page.goto("todos?show=done")
    for _ in range(3):
        page.get_by_role("button", name="Delete “").first.click()
        page.get_by_role("button", name="Undo").wait_for()
    for address in ("todos?scope=all", "todos"):
        page.goto(address)
        page.get_by_role("button", name="Export").click()
        page.get_by_role("button", name="Export").click()
        page.get_by_role("link", name="Download").wait_for(timeout=JOB_MILLISECONDS)
    job = page.url
    page.goto("todos")
    rows = page.locator("li.todo")
    for lively in (".excerpt", ".files a:nth-child(2) img", ".people a"):
        rows = rows.filter(has=page.locator(lively))
    todo = rows.locator("a.todo-title").first.get_attribute("href") or ""
    page.goto("users")
    person = page.locator(".person-card h2 a").nth(1).get_attribute("href") or ""
    page.close()
    edit = f"admin/todos/edit/{todo.rpartition('/')[2]}"
    return {"todo": todo, "admin-todo-edit": edit, "person": person, "job": job}


def take(context: BrowserContext, path: str, name: str) -> None:
    """Write one picture, with as few colours as the eye allows."""
    page = context.new_page()
    page.goto(path, wait_until="networkidle")
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    page.close()
    picture.convert("RGB").quantize(256).save(TARGET / f"{name}.png", optimize=True)
    print(f"{TARGET.relative_to(ROOT)}/{name}.png", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NoBrowser as error:
        sys.exit(str(error))
