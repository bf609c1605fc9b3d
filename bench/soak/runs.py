"""A run over one database: what it works with, what it found, and whether everything is there once."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field

from flask import Flask
from sqlalchemy import func, select

from app.extensions import db
from app.models import Attachment, Job, Todo
from bench.soak import faults
from bench.soak.people import Person
from bench.soak.site import Site
from tools.valkey import Server

PATIENCE = 300  # seconds for all jobs to end


@dataclass
class Soak:
    """One run over one database."""

    app: Flask
    site: Site
    broker: Server
    database: faults.Postgresql | faults.Sqlite
    chance: random.Random
    scale: float
    owner_id: int
    exports: list[int]  # ids of the todos that people export
    figures: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    accepted: set[int] = field(default_factory=set)  # jobs that a page said were submitted
    people: int = 0

    def scaled(self, number: int, least: int = 1) -> int:
        """Return how many of something there are in a run of this length."""
        return max(least, round(number * self.scale))

    def say(self, name: str, value: str) -> None:
        """Print and keep a figure."""
        self.figures[name] = value
        print(f"  {name}: {value}", flush=True)

    def check(self, holds: bool, problem: str) -> None:
        """Keep a problem unless something holds."""
        if not holds:
            self.problems.append(problem)
            print(f"  PROBLEM: {problem}", flush=True)

    def person(self, **facts) -> Person:
        """Return somebody who begins to use the site."""
        self.people += 1  # nobody exports what somebody else does: the same work is one job
        found = Person(self.site.url, self.exports[self.people % 2 :: 2], **facts)
        found.start()
        return found

    def wait(self) -> None:
        """Return when all jobs have ended, or nobody would wait any longer."""
        deadline = time.monotonic() + PATIENCE
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.5)
        self.check(not self.left(), f"{self.left()} jobs did not end within {PATIENCE} s")

    def left(self) -> int:
        """Return how many jobs have not ended, parts included."""
        with self.app.app_context():
            return db.session.scalar(select(func.count()).where(Job.status.in_(("queued", "running")))) or 0

    def settle(self, about: str, titles: Counter[str], *people: Person) -> str:
        """Wait, and return how many rows and exports there are, each once."""
        self.wait()
        self.site.look()
        ended, self.site.ended = self.site.ended, []
        self.check(not ended, f"{about}: ended by themselves: {ended}")
        mine = {number for one in people for number in one.accepted}
        self.accepted |= mine
        with self.app.app_context():
            there = Counter(db.session.scalars(select(Todo.title).where(Todo.title.startswith(about))))
            bad = db.session.execute(select(Job.id, Job.name, Job.status, Job.error).where(Job.status != "succeeded"))
            bad = [tuple(row) for row in bad]
            known = set(db.session.scalars(select(Job.id).where(Job.id.in_(self.accepted))))
            files = Counter(db.session.scalars(select(Attachment.job_id).where(Attachment.job_id.is_not(None))))
            done = set(db.session.scalars(select(Job.id).where(Job.name == "todos.export")))
        lost, doubled = (titles - there).total(), (there - titles).total()
        lost_jobs, twice = len(self.accepted - known) + len(done - set(files)), sum(n > 1 for n in files.values())
        self.check(not bad, f"{about}: jobs not succeeded: {bad[:5]}")
        self.check(not lost + doubled + lost_jobs + twice, f"{about}: lost or doubled")
        mine_text = f"; {len(mine):,} exports by HTTP, {lost_jobs} lost, {twice} doubled" if people else ""
        rows = f"{there.total():,} of {titles.total():,} rows, {lost} lost, {doubled} doubled"
        return rows + mine_text
