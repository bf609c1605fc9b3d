"""Invented people, todos and files, so that a new installation has something to look around in."""

import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from flask_appbuilder.security.sqla.models import Role, assoc_user_role
from sqlalchemy import insert, select

from app.db import transaction, utcnow
from app.errors import Conflict
from app.extensions import db
from app.models.attachments import Attachment
from app.models.todos import Todo, todo_assignees
from app.models.users import User
from app.services import attachments, demo_talk, passwords, thumbnails
from app.services.demo_photos import picture
from app.services.demo_words import minutes, notes, people, stem, titles, username

SEED = 20240229
TODOS, ADMINS_TODOS, PICTURES, DOCUMENTS, TEXTS = 1000, 60, 260, 12, 18
FILES = PICTURES + DOCUMENTS + TEXTS
MANAGERS, VIEWERS = 4, 5  # the others are members
MEGAPIXELS = 64
# drawings are kept without loss, photographs are not
FORMATS = {
    "chart": ("PNG", "PNG", "WEBP"),
    "plan": ("PNG", "PNG", "WEBP"),
    "receipt": ("JPEG", "JPEG", "WEBP"),
    "board": ("JPEG", "JPEG", "WEBP"),
    "landscape": ("JPEG", "JPEG", "WEBP"),
}


@dataclass(frozen=True)
class File:
    """A file that is drawn or written, but not stored yet."""

    todo: int  # its place among the todos
    name: str
    content_type: str
    data: bytes
    pictures: Mapping[int, bytes]


def check() -> None:
    """Refuse to fill a database that was filled before or that is not ready.

    Raises:
        Conflict: with a sentence that says which.
    """
    names = [username(first, last) for first, last, _ in people()]
    with transaction() as session:
        if found := session.scalar(select(User.username).where(User.username.in_(names)).limit(1)):
            raise Conflict(f"The demo data is here already: there is a user called {found}. Nothing was added.")
        if _first_admin() is None or {"Manager", "Member", "Viewer"} - set(_role_ids()):
            raise Conflict("There are no roles or no admin yet. Run flask sync and flask first-admin first.")


def fill(password: str, advance: Callable[[int], None]) -> str:
    """Add everything in one transaction, so that nothing is left of a run that was stopped.

    Args:
        password: of all the people.
        advance: called with 1 as each file is drawn.

    Returns:
        The username of a manager.

    Raises:
        Conflict: see `check`.
        Invalid: when the password is weak.
    """
    check()
    passwords.check(password)
    rng = Random(SEED)  # noqa: S311, it invents todos
    chosen = titles(rng, TODOS)
    ours = sorted(rng.sample(range(TODOS), ADMINS_TODOS))
    files = _files(rng, chosen, ours, advance)
    hashed = passwords.hashed(password)
    with transaction() as session:
        check()  # again: drawing took a while
        admin = _first_admin() or 0
        everybody = _add_people(session, hashed)
        rows = _todo_rows(rng, chosen, ours, admin, everybody)
        ids = session.scalars(insert(Todo).returning(Todo.id, sort_by_parameter_order=True), rows).all()
        assigned = _assignments(rng, ids, rows, ours, admin, everybody)
        session.execute(insert(todo_assignees), assigned)
        demo_talk.add(session, rng, ids, rows, [kind for _, kind in chosen])
        places = sorted({*ours[::2], *rng.sample(range(TODOS), 100)})
        helpers = {place: [one["user_id"] for one in assigned if one["todo_id"] == ids[place]] for place in places}
        demo_talk.discuss(session, rng, [(ids[place], rows[place], helpers[place]) for place in places], admin)
        for file in files:
            _add_file(file, ids[file.todo], rows[file.todo])
    first, last, _ = people()[0]
    return username(first, last)


def _first_admin() -> int | None:
    """Return the id of the admin who was there first."""
    statement = select(User.id).where(User.roles.any(Role.name == "Admin"), User.active)
    return db.session.scalar(statement.order_by(User.id).limit(1))


def _role_ids() -> dict[str, int]:
    """Return name -> id of all roles."""
    return {name: pk for pk, name in db.session.execute(select(Role.id, Role.name))}


def _add_people(session: Any, password: str) -> list[int]:
    """Add everybody with the same hash, since each hash takes as long as a login; return ids, viewers last."""
    rows = [
        {
            "first_name": first,
            "last_name": last,
            "username": username(first, last),
            "email": f"{username(first, last)}@example.org",
            "password": password,
            "time_zone": zone,
        }
        for first, last, zone in people()
    ]
    ids: list[int] = session.scalars(insert(User).returning(User.id, sort_by_parameter_order=True), rows).all()
    names = ["Manager"] * MANAGERS + ["Member"] * (len(ids) - MANAGERS - VIEWERS) + ["Viewer"] * VIEWERS
    roles = _role_ids()
    pairs = [{"user_id": pk, "role_id": roles[name]} for pk, name in zip(ids, names, strict=True)]
    session.execute(insert(assoc_user_role), pairs)
    return ids


def _todo_rows(
    rng: Random, chosen: Sequence[tuple[str, str]], ours: Sequence[int], admin: int, everybody: Sequence[int]
) -> list[dict[str, Any]]:
    """Return the todos as rows; of those on the admin's list, the admin owns two in three."""
    now = utcnow()
    owned = {place for index, place in enumerate(ours) if index % 3}
    rows = []
    for place, (title, _) in enumerate(chosen):
        owner = admin if place in owned else rng.choice(everybody[:-VIEWERS])
        priority = rng.choices(range(4), (6, 18, 60, 16))[0]
        rows.append({"title": title, "notes": notes(rng), "priority": priority, "owner_id": owner, **_times(rng, now)})
    return rows


def _times(rng: Random, now: datetime) -> dict[str, Any]:
    """Return when a todo was added, is due and was completed: what is due later is less often done."""
    due = _workday(now.date() + timedelta(days=rng.randint(-60, 90))) if rng.random() < 0.86 else None
    is_past = due is not None and due < now.date()
    created = now - timedelta(days=rng.uniform(1, 30))
    if due and is_past:
        created = datetime.combine(due, time(9), UTC) - timedelta(days=rng.uniform(2, 30))
    completed = None
    if rng.random() < (0.9 if is_past else 0.24):
        completed = created + (now - created) * rng.uniform(0.1, 0.95)
        if due and is_past:
            completed = min(completed, datetime.combine(due, time(16), UTC) + timedelta(hours=rng.uniform(-40, 40)))
            completed = max(completed, created + timedelta(hours=1))
    return {
        "due_on": due,
        "complete": completed is not None,
        "completed_at": completed,
        "created_at": created,
        "updated_at": completed or created + (now - created) * rng.uniform(0, 0.5),
    }


def _workday(day: date) -> date:
    """Return the day, or the Friday before a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))


def _assignments(
    rng: Random,
    ids: Sequence[int],
    rows: Sequence[Mapping[str, Any]],
    ours: Sequence[int],
    admin: int,
    everybody: Sequence[int],
) -> list[dict[str, int]]:
    """Return who is assigned to what: up to four people, and the admin to the rest of the admin's list."""
    found: list[dict[str, int]] = []
    for place, (todo_id, row) in enumerate(zip(ids, rows, strict=True)):
        count = rng.choices(range(5), (34, 34, 18, 9, 5))[0]
        chosen = rng.sample(everybody, count)
        if place in ours and row["owner_id"] != admin:
            chosen = [admin, *chosen[:3]]
        found += [{"todo_id": todo_id, "user_id": pk} for pk in chosen if pk != row["owner_id"]]
    return found


def _files(
    rng: Random, chosen: Sequence[tuple[str, str]], ours: Sequence[int], advance: Callable[[int], None]
) -> list[File]:
    """Draw and write all files; every second todo of the admin has some."""
    having = [*ours[::2], *rng.sample(range(TODOS), 170)]
    wanted = []
    for index in range(FILES):
        place = having[index] if index < len(having) else rng.choice(having)
        format_name = rng.choice(FORMATS[chosen[place][1]])
        if index >= PICTURES:
            format_name = "PDF" if index < PICTURES + DOCUMENTS else "text"
        wanted.append((place, *chosen[place], format_name, index))
    found = []
    with ThreadPoolExecutor(2) as pool:  # Pillow lets other threads run while it scales and compresses
        for file in pool.map(lambda order: _file(*order), wanted):
            found.append(file)
            advance(1)
    return found


def _file(place: int, title: str, kind: str, format_name: str, index: int) -> File:
    """Draw or write one file, from a seed of its own: threads finish in any order."""
    rng = Random(f"{SEED}:{index}")  # noqa: S311, it names files
    if format_name == "text":
        return File(place, f"minutes-{index:03}.txt", "text/plain", minutes(rng, title).encode(), {})
    data, extension, content_type = picture(f"{SEED}:{index}", kind, format_name)
    pictures = thumbnails.draw(io.BytesIO(data), MEGAPIXELS) if content_type.startswith("image/") else {}
    return File(place, f"{stem(rng, kind)}.{extension}", content_type, data, pictures)


def _add_file(file: File, todo_id: int, todo: Mapping[str, Any]) -> None:
    """Store a file with its pictures, as if it had come with its todo."""
    row: Attachment = attachments.store(
        io.BytesIO(file.data), file.name, file.content_type, uploader_id=todo["owner_id"]
    )
    row.todo_id, row.created_at = todo_id, todo["created_at"]
    db.session.flush()
    for variant, data in file.pictures.items():
        attachments.save_picture(row.id, variant, data)
