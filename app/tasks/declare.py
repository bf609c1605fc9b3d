"""How a job is declared, and what its function sees; nothing here knows what runs it."""

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from app.db import transaction
from app.models.users import User
from app.services import jobs

T = TypeVar("T")
KeyFunction = Callable[[int | None, dict[str, Any]], str | None]
REGISTRY: dict[str, "Spec"] = {}


def same_work(owner_id: int | None, args: dict[str, Any]) -> str | None:
    """Make a second click return the active job: the key of equal work by the same person."""
    return hashlib.sha256(json.dumps([owner_id, args], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Spec:
    """A declared job."""

    name: str
    title: str
    permission: tuple[str, str] | None
    key: KeyFunction
    time_limit: int
    function: Callable[..., dict[str, Any]]
    told: bool


def job(
    name: str,
    *,
    title: str,
    permission: tuple[str, str] | None,
    key: KeyFunction = same_work,
    time_limit: int = 300,
    told: bool = True,
) -> Callable[[Callable[..., dict[str, Any]]], Spec]:
    """Declare a job.

    Args:
        name: the name stored in rows and messages; never change it.
        title: what people read.
        permission: what the starter needs, when submitting and again when it starts; None for the system's own.
        key: the idempotency key from the owner's id and the arguments; None for work that may run twice.
        time_limit: seconds after which it fails.
        told: whether its owner is notified of its end.
    """

    def declare(function: Callable[..., dict[str, Any]]) -> Spec:
        spec = Spec(name, title, permission, key, time_limit, function, told)
        REGISTRY[name] = spec
        return spec

    return declare


@dataclass
class Run:
    """One attempt at a job, as the job's function sees it."""

    job_id: int
    attempt: int
    owner: User | None
    done: int = 0
    told: bool = False
    _walk: Generator[Any, None, None] | None = None

    def batches(self, items: Sequence[T], size: int = 100, resume: bool = True) -> Iterator[Sequence[T]]:
        """Yield the items in batches; the work on a batch and its progress are committed together.

        Args:
            items: the same ones, in the same order, at each attempt.
            size: how many at a time.
            resume: go on after the batches that an earlier attempt committed; False for work that leaves nothing
                behind before its end.
        """
        walk = self._batches(items, size, self.done if resume else 0)
        self._walk = walk
        return walk

    def _batches(self, items: Sequence[T], size: int, first: int) -> Generator[Sequence[T], None, None]:
        for start in range(first, len(items), size):
            with transaction():
                batch = items[start : start + size]
                yield batch
                jobs.advance(self.job_id, self.attempt, start + len(batch), len(items))

    def close(self) -> None:
        """Roll a batch back that was left in the middle; whoever keeps the exception would keep it open."""
        if self._walk is not None:
            self._walk.close()
