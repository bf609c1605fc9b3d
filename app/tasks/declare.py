"""How a job is declared, and what its function sees; nothing here knows what runs it."""

import hashlib
import json
import random
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from app.db import transaction
from app.errors import NotFound
from app.models.users import User
from app.services import jobs_runs
from app.services.jobs_parts import Part

T = TypeVar("T")
Facts = dict[str, Any]
KeyFunction = Callable[[int | None, Facts], str | None]
REGISTRY: dict[str, "Spec"] = {}
# a connection that was cut, a deadlock, a lock that was not to be had: the batch was rolled back
TRANSIENT: tuple[type[Exception], ...] = (OperationalError, InterfaceError)


class Stopping(Exception):
    """The worker was told to end: the job goes back to the queue."""


def same_work(owner_id: int | None, args: Facts) -> str | None:
    """Make a second click return the active job: the key of equal work by the same person."""
    return hashlib.sha256(json.dumps([owner_id, args], sort_keys=True).encode()).hexdigest()


def add_up(results: Sequence[Facts]) -> Facts:
    """Return one result of many: numbers are added, lists joined, of everything else the last counts."""
    total: Facts = {}
    for name, value in (pair for result in results for pair in result.items()):
        known = total.get(name)
        is_sum = isinstance(known, int | float | list) and isinstance(value, type(known))
        total[name] = known + value if is_sum else value
    return total


@dataclass(frozen=True)
class Spec:
    """A declared job.

    Args:
        name: the name stored in rows and messages; never change it.
        title: what people read.
        permission: what the starter needs, when submitting and again when it starts; None for the system's own.
        key: the idempotency key from the owner's id and the arguments; None for work that may run twice.
        time_limit: seconds after which an attempt fails; of a split job, an attempt at a part.
        told: whether its owner is notified of its end.
        queue: "interactive" for what somebody waits for, "bulk" for what may wait behind it, or what tells from the
            arguments.
        attempts: how often it is begun without getting further before it fails, because workers died or because of
            `retry_on`.
        retry_on: errors that pass, after which it is begun again.
        backoff: seconds before the second attempt, which double with each further one, and the most of them.
        plan: for large work, what returns its parts; it is called once, with the run and the job's arguments, and
            the function then for each part, with the part's arguments too.
        finish: what makes one result of the parts' results, in the order of the plan.
    """

    name: str
    function: Callable[..., Facts]
    _: KW_ONLY
    title: str
    permission: tuple[str, str] | None
    key: KeyFunction = same_work
    time_limit: int = 300
    told: bool = True
    queue: str | Callable[[Facts], str] = "interactive"
    attempts: int = 3
    retry_on: tuple[type[Exception], ...] = TRANSIENT
    backoff: tuple[int, int] = (10, 600)
    plan: Callable[..., Iterable[Part]] | None = None
    finish: Callable[[Sequence[Facts]], Facts] = add_up

    def queue_of(self, args: Facts) -> str:
        """Return the queue for a job with these arguments."""
        return self.queue if isinstance(self.queue, str) else self.queue(args)

    def delay(self, attempt: int) -> timedelta:
        """Return how long to wait after an attempt; up to half of it is chance, so that not all come back at once."""
        first, most = self.backoff
        return timedelta(seconds=min(first * 2 ** (attempt - 1), most) * random.uniform(0.5, 1))  # noqa: S311


def told() -> set[str]:
    """Return the names of the jobs of whose end their owners are told."""
    return {spec.name for spec in REGISTRY.values() if spec.told}


def job(name: str, **facts: Any) -> Callable[[Callable[..., Facts]], Spec]:
    """Declare a job; see `Spec` for the facts."""

    def declare(function: Callable[..., Facts]) -> Spec:
        REGISTRY[name] = Spec(name, function, **facts)
        return REGISTRY[name]

    return declare


@dataclass
class Run:
    """One attempt at a job, as the job's function sees it."""

    job_id: int
    attempt: int
    owner: User | None
    done: int = 0
    found: Facts = field(default_factory=dict)  # the result so far: kept with each batch, also of earlier attempts
    is_stopping: Callable[[], bool] = lambda: False
    came_further: bool = False  # than any attempt before
    _walk: Generator[Any, None, None] | None = None

    @property
    def starter(self) -> User:
        """Who asked for the job.

        Raises:
            NotFound: when they are gone.
        """
        if self.owner is None:
            raise NotFound("The person who asked for this is gone.")
        return self.owner

    def batches(self, items: Sequence[T], size: int = 100, resume: bool = True) -> Iterator[Sequence[T]]:
        """Yield the items in batches; the work on a batch and its progress are committed together.

        Args:
            items: the same ones, in the same order, at each attempt.
            size: how many at a time.
            resume: go on after the batches that an earlier attempt committed; False for work that leaves nothing
                behind before its end.
        """
        walk = self._batches(items, size, resume)
        self._walk = walk
        return walk

    def _batches(self, items: Sequence[T], size: int, resume: bool) -> Generator[Sequence[T], None, None]:
        first = self.done if resume else 0
        for start in range(first, len(items), size):
            if start > first:
                self.check()
            with transaction():
                batch = items[start : start + size]
                yield batch
                jobs_runs.advance(self.job_id, self.attempt, start + len(batch), len(items), self.found, resume)
            self.came_further = resume

    def check(self) -> None:
        """Give the job back if its worker has to end; for steps of one's own between transactions.

        Raises:
            Stopping: see above; a job's function lets it pass.
        """
        if self.is_stopping():
            raise Stopping

    def close(self) -> None:
        """Roll a batch back that was left in the middle; whoever keeps the exception would keep it open."""
        if self._walk is not None:
            self._walk.close()


__all__ = ["REGISTRY", "TRANSIENT", "Part", "Run", "Spec", "Stopping", "add_up", "job", "same_work", "told"]
