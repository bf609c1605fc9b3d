"""Ours against stock Flask-AppBuilder on one machine: `python -m bench.compare [--rows N] [--rounds N]`.

Absolute times on a shared machine say little. So each round measures one after the other, and the table shows the
median over the rounds of the ratio ours / stock, beside both medians in milliseconds and the statements of a request.
Each runs in a process of its own, through WSGI, over a SQLite file with as many rows and people.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import event

from app import create_app
from bench import stock
from tests.conftest import Client, migrate, settings
from tests.factories import create_user
from tests.test_budgets import fill

# what is done -> (our path, the peer's path)
SCENARIOS = {
    "list": ("/admin/todos/list/", "/taskview/list/"),
    "list, page 20": ("/admin/todos/list/?page_TodoAdmin=20", "/taskview/list/?page_TaskView=20"),
    "list, sorted": (
        "/admin/todos/list/?_oc_TodoAdmin=title&_od_TodoAdmin=asc",
        "/taskview/list/?_oc_TaskView=title&_od_TaskView=asc",
    ),
    "list, filtered": ("/admin/todos/list/?_flt_0_title=Todo", "/taskview/list/?_flt_0_title=Todo"),
    "edit form": ("/admin/todos/edit/7", "/taskview/edit/7"),
    "end users' list": ("/todos?scope=all", "/taskview/list/"),
}


def ours(folder: str, rows: int, people: int) -> tuple[Flask, Callable[[str], Any]]:
    """Return our application with data, and a function that gets a path as an admin."""
    app = create_app(settings(f"sqlite:///{folder}/ours.db"))
    app.test_client_class = Client
    migrate(app)
    with app.app_context():
        ada = create_user("ada", "Admin")
        for number in range(people - 1):
            create_user(f"c{number:04}")
        fill(ada, rows)
        client = app.test_client().sign_in(ada)
    return app, client.get


def peer(folder: str, rows: int, people: int) -> tuple[Flask, Callable[[str], Any]]:
    """Return the stock application with data, and a function that gets a path as an admin."""
    app = stock.create_app(f"sqlite:///{folder}/stock.db", rows, people)
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = "1", True
    return app, client.get


def serve(pipe: Any, make: Callable[..., tuple[Flask, Callable[[str], Any]]], *sizes: Any) -> None:
    """Build one side, then measure the paths that come through the pipe until None does."""
    app, get = make(*sizes)
    pipe.send("ready")
    while (path := pipe.recv()) is not None:
        count = statements(app, get, path)
        pipe.send((milliseconds(get, path), count))


def milliseconds(get: Callable[[str], Any], path: str, requests: int = 20) -> float:
    """Return the time of one request, the mean of a few."""
    start = time.perf_counter()
    for _ in range(requests):
        assert get(path).status_code == 200, path
    return (time.perf_counter() - start) / requests * 1000


def statements(app: Flask, get: Callable[[str], Any], path: str) -> int:
    """Return how many statements a request runs."""
    found: list[str] = []

    def note(*args: Any) -> None:
        found.append(args[2])

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "before_cursor_execute", note)
    get(path)
    event.remove(engine, "before_cursor_execute", note)
    return len(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    print(f"{wanted.rows:,} todos, {wanted.people} people, SQLite; median of {wanted.rounds} rounds\n")
    print("| | ours, ms | stock, ms | ours / stock | statements, ours | stock |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        pipes = [start(make, folder, wanted.rows, wanted.people) for make in (ours, peer)]
        for name, paths in SCENARIOS.items():
            print(row(name, [[ask(*pair) for pair in zip(pipes, paths, strict=True)] for _ in range(wanted.rounds)]))
        for pipe in pipes:
            pipe.send(None)


def start(*task: Any) -> Any:
    """Start a side in a process of its own and wait until it is ready."""
    mine, its = multiprocessing.get_context("spawn").Pipe()
    multiprocessing.get_context("spawn").Process(target=serve, args=(its, *task), daemon=True).start()
    assert mine.recv() == "ready"
    return mine


def ask(pipe: Any, path: str) -> tuple[float, int]:
    """Return milliseconds and statements of a path on one side."""
    pipe.send(path)
    answer: tuple[float, int] = pipe.recv()
    return answer


def row(name: str, rounds: list[list[tuple[float, int]]]) -> str:
    """Return a row of the table."""
    mine, theirs = (statistics.median(one[side][0] for one in rounds) for side in (0, 1))
    ratio = statistics.median(one[0][0] / one[1][0] for one in rounds)
    return f"| {name} | {mine:.1f} | {theirs:.1f} | {ratio:.2f} | {rounds[0][0][1]} | {rounds[0][1][1]} |"


if __name__ == "__main__":
    main()
