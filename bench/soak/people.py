"""Who uses the site meanwhile: people with a browser, whose waiting is timed, and a program that submits jobs."""

import re
import time
from collections.abc import Sequence
from threading import Event, Thread

import requests
from flask import Flask

from app.extensions import db
from app.services.permissions import load_user
from app.tasks.runner import submit
from bench.soak.jobs import add_row
from tests.factories import PASSWORD


class Person(Thread):
    """Looks at their todos and jobs and submits an export, again and again, whatever happens to the site.

    Args:
        url: of the site.
        todos: ids of what is exported, one after the other.
        pause: seconds between two rounds.
        pages: what is looked at in each round, before an export is submitted.
        most: how many exports to submit.
    """

    def __init__(
        self,
        url: str,
        todos: Sequence[int],
        pause: float = 0.5,
        pages: Sequence[str] = ("/todos", "/jobs"),
        most: int = 10**6,
    ) -> None:
        super().__init__(daemon=True)
        self.url, self.todos, self.pause, self.pages, self.most = url, todos, pause, pages, most
        self.over = Event()
        self.slowest: dict[str, float] = {}
        self.accepted: set[int] = set()  # jobs that a page said were submitted
        self.submitted = 0
        self.answers = self.cut = 0
        self.refused: list[str] = []
        self.session = requests.Session()
        self.session.trust_env = False
        form = {"csrf_token": self.token("/login/"), "username": "alice", "password": PASSWORD}
        answer = self.session.post(f"{url}/login/", form, timeout=60)
        answer.raise_for_status()
        self.form = {"csrf_token": self.token("/filters"), "kind": "csv"}

    def token(self, page: str) -> str:
        """Return the CSRF token of a page."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.session.get(self.url + page, timeout=60).text)
        assert found, page
        return found[1]

    def run(self) -> None:
        """Go round until it is over."""
        while not self.over.is_set() and len(self.accepted) < self.most:
            for page in self.pages:
                self.ask("GET", page, page)
            todo = self.todos[self.submitted % len(self.todos)]
            self.submitted += 1
            answer = self.ask("POST", f"/selection/export?id={todo}", "submitting", self.form)
            if answer is not None and answer.status_code == 302:
                self.accepted.add(int(answer.headers["Location"].rsplit("/", 1)[1]))
            self.over.wait(self.pause)

    def ask(self, method: str, path: str, name: str, form: dict[str, str] | None = None) -> requests.Response | None:
        """Ask for a page, note how long it took, and return it unless the server was killed meanwhile."""
        began = time.monotonic()
        try:
            answer = self.session.request(method, self.url + path, data=form, timeout=90, allow_redirects=False)
        except requests.RequestException:
            self.cut += 1
            self.over.wait(0.2)
            return None
        self.slowest[name] = max(self.slowest.get(name, 0), time.monotonic() - began)
        self.answers += 1
        if answer.status_code != (302 if form else 200):
            self.refused.append(f"{answer.status_code} {path}")
        return answer

    def stop(self) -> "Person":
        """End, and wait for the last answer."""
        self.over.set()
        self.join()
        return self


class Program(Thread):
    """Submits jobs that add a todo each.

    Args:
        app: the application, over the same database and Redis.
        owner_id: whose jobs.
        title: what the titles of the todos begin with.
        most: how many.
        pause: seconds between two.
        may_go_on: says whether to submit one more now.
    """

    def __init__(self, app: Flask, owner_id: int, title: str, most: int, pause: float, may_go_on=lambda: True) -> None:
        super().__init__(daemon=True)
        self.app, self.owner_id, self.title, self.most, self.pause = app, owner_id, title, most, pause
        self.may_go_on = may_go_on
        self.titles: list[str] = []
        self.slowest = 0.0
        self.over = Event()

    def run(self) -> None:
        """Submit until all are submitted, or it is over."""
        while len(self.titles) < self.most and not self.over.is_set():
            if self.may_go_on():
                self.submit()
            self.over.wait(self.pause)

    def submit(self) -> None:
        """Submit one."""
        title, began = f"{self.title} {len(self.titles)}", time.monotonic()
        with self.app.app_context():
            viewer = load_user(self.owner_id)
            assert viewer
            submit(viewer, add_row, title=title)
            db.session.remove()
        self.titles.append(title)
        self.slowest = max(self.slowest, time.monotonic() - began)

    def stop(self) -> None:
        """End, and submit what is missing."""
        self.over.set()
        self.join()
        while len(self.titles) < self.most:
            self.submit()
