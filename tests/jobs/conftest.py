"""Jobs of our own, the queue to look into, and other workers to race against."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from app.tasks.runner import REGISTRY, Spec, job
from tools.valkey import Server

QUEUE = "todos:interactive"


@pytest.fixture
def declare() -> Iterator[Callable[..., Spec]]:
    """Returns a function that declares a job until the end of the test; like any job, it is known by its name."""
    before = dict(REGISTRY)

    def add(function: Callable[..., Any], name: str = "tests.work", **facts: Any) -> Spec:
        return job(name, **({"title": "Work", "permission": None} | facts))(function)

    yield add
    REGISTRY.clear()
    REGISTRY.update(before)


class Queue:
    """The messages that wait in Redis."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def __len__(self) -> int:
        return int(self.redis.llen(QUEUE))

    def clear(self) -> None:
        """Forget all messages."""
        self.redis.delete(QUEUE)


@pytest.fixture
def queue(valkey: Server) -> Iterator[Queue]:
    """The queue, empty at the start."""
    with Redis.from_url(valkey.url) as redis:
        found = Queue(redis)
        found.clear()
        yield found
        found.clear()


@pytest.fixture
def elsewhere(app: Flask) -> Callable[..., list[Any]]:
    """Returns a function that runs work in other threads, as other processes would, and returns what they return."""

    def run(work: Callable[..., Any], *args: Any, times: int = 1) -> list[Any]:
        barrier = Barrier(times)

        def within() -> Any:
            with app.app_context():
                barrier.wait()
                return work(*args)

        with ThreadPoolExecutor(times) as pool:
            return [future.result() for future in [pool.submit(within) for _ in range(times)]]

    return run
