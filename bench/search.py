"""What the one-box search costs with many todos: `python -m bench.search [--rows N] [--rounds N]`.

It prints the median time of a whole request, in milliseconds, for a member with 200 of the todos and for an admin who
searches all of them, on SQLite and, where TEST_DATABASE_URL names one, on an empty PostgreSQL database.
"""

import argparse
import os
import statistics
import tempfile
import time
from random import Random
from typing import Any

from sqlalchemy import insert

from app import create_app
from app.extensions import db
from app.models import Attachment, Tag, Todo, todo_tags
from app.services.demo_words import notes, titles
from tests.conftest import Client, migrate, settings
from tests.factories import create_user

SEARCHES = {
    "list, no search": "/todos?show=open",
    "a word of one in twenty": "/todos?q=kitchen",
    "two words": "/todos?q=kitchen+budget",
    "a word of a file": "/todos?q=invoice-77",
    "a tag": "/todos?q=tag7",
    "nothing": "/todos?q=xylophone",
}


def fill(rows: int, owner: int, others: int) -> None:
    """Add todos with notes, tags and files; every 500th of 100,000 is the owner's."""
    rng, session = Random(1), db.session
    words = [title for title, _ in titles(rng, 900)]
    tags = list(session.scalars(insert(Tag).returning(Tag.id), [tag(number) for number in range(50)]))
    share = max(1, rows // 200)
    for first in range(0, rows, 10_000):
        new = [
            {
                "title": f"{rng.choice(words)} {place}",
                "notes": notes(rng),
                "owner_id": others if place % share else owner,
            }
            for place in range(first, min(rows, first + 10_000))
        ]
        ids = list(session.scalars(insert(Todo).returning(Todo.id), new))
        session.execute(insert(todo_tags), [{"todo_id": pk, "tag_id": rng.choice(tags)} for pk in ids])
        file = {"content_type": "image/png", "size": 1, "sha256": "0" * 64}
        session.execute(insert(Attachment), [file | {"todo_id": pk, "name": f"invoice-{pk}.png"} for pk in ids[::4]])
        session.commit()


def tag(number: int) -> dict[str, str]:
    """Return the columns of a tag."""
    return {"name": f"tag{number}", "key": f"tag{number}", "colour": "grey"}


def measured(client: Any, path: str, rounds: int) -> float:
    """Return the median time of a request in milliseconds, after one that is not counted."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        answer = client.get(path)
        answer.get_data()
        times.append((time.perf_counter() - start) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}")
    return statistics.median(times[1:])


def main() -> None:
    """Measure and print a table for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for uri in filter(None, (f"sqlite:///{folder}/search.db", os.environ.get("TEST_DATABASE_URL"))):
            app = create_app(settings(uri))
            app.test_client_class = Client
            migrate(app)
            with app.app_context():
                ada, member = create_user("ada", "Admin"), create_user("member")
                fill(given.rows, member.id, ada.id)
                clients = [app.test_client().sign_in(person) for person in (member, ada)]
            print(f"\n{uri.split(':')[0]}, {given.rows:,} todos: milliseconds\n")
            print("| search | member | admin, all |\n|---|---|---|")
            for name, path in SEARCHES.items():
                found = [
                    measured(clients[0], path, given.rounds),
                    measured(clients[1], f"{path}&scope=all", given.rounds),
                ]
                print(f"| {name} | {found[0]:.0f} | {found[1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
