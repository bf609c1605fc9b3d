"""The four parts of a run; each says what it did, and what is wrong with it."""

import time
from collections import Counter
from collections.abc import Callable
from io import BytesIO

from redis import Redis
from sqlalchemy import func, select

from app.db import utcnow
from app.extensions import db
from app.models import Job
from app.services import imports
from app.services.permissions import load_user
from app.tasks.runner import REGISTRY, submit
from bench.soak import faults
from bench.soak.jobs import add_row, add_rows
from bench.soak.people import Program
from bench.soak.runs import Soak
from tests.faults.processes import heal

SLOWEST = 3.0  # seconds that a page may take while Redis is away
BACK_SECONDS = 30  # within which workers take jobs again
WAITING = 200  # jobs that wait at most in the last part
KEYS, CONNECTIONS, CLIENTS = 50, 60, 60  # the most in Redis and the database
MB, SHARE = 50, 1.3  # by which memory may grow


def kills(soak: Soak) -> None:
    """Kill everybody at random points of imports, while somebody uses the site."""
    rows, number = min(20_000, soak.scaled(20_000)), soak.scaled(100, 5)
    person, wanted, done, imports_of = soak.person(), Counter[str](), Counter[str](), []
    while sum(done.values()) < number:
        if not imports_of or not is_active(soak, imports_of[-1]):
            title = f"Import {len(imports_of) + 1}"
            imports_of.append(start_import(soak, title, rows))
            wanted.update(f"{title} row {row}" for row in range(rows))
        time.sleep(soak.chance.uniform(0.2, 2))
        done[soak.site.kill_one(worker_of(soak, imports_of[-1]))] += 1
    found = soak.settle("Import", wanted, person.stop())
    with soak.app.app_context():
        begun = db.session.scalar(select(func.sum(Job.attempt)).where(Job.id.in_(imports_of)))
    who = ", ".join(f"{count} {name}" for name, count in sorted(done.items()))
    times = f"during {len(imports_of)} imports of {rows:,} rows, which were begun {begun} times"
    soak.say("Killed with kill -9", f"{number} times ({who}) {times}")
    soak.say("Every job ended, each row once", found)
    soak.say("Pages meanwhile", f"{person.answers:,} answered, {person.cut} cut off by a kill")
    soak.check(not person.refused, f"pages failed: {person.refused[:5]}")
    orphans = soak.site.orphans()
    soak.say("Children that outlived their parents", str(orphans))
    soak.check(not orphans, f"{orphans} children outlived their parents")


def start_import(soak: Soak, title: str, rows: int) -> int:
    """Submit an import and return its job's id."""
    text = "title,tags\n" + "".join(f"{title} row {row},home\n" for row in range(rows))
    with soak.app.app_context():
        viewer = load_user(soak.owner_id)
        assert viewer
        file = imports.keep(viewer, BytesIO(text.encode()), "rows.csv", 25)
        args = {"file": file.id, "sha256": file.sha256, "mapping": {"title": "title", "tags": "tags"}}
        return submit(viewer, REGISTRY["todos.import"], **args, whole=False, change=False).id


def worker_of(soak: Soak, job_id: int) -> str | None:
    """Return who works on a job."""
    with soak.app.app_context():
        return db.session.scalar(select(Job.worker).where(Job.id == job_id, Job.status == "running"))


def is_active(soak: Soak, job_id: int) -> bool:
    """Tell whether a job has not ended."""
    with soak.app.app_context():
        return db.session.scalar(select(Job.status).where(Job.id == job_id)) in ("queued", "running")


def redis(soak: Soak) -> None:
    """Let Redis fail in every way while jobs are submitted, by pages and by a program."""
    most, times = soak.scaled(500, 60), {}
    people = [soak.person(), soak.person()]
    program = Program(soak.app, soak.owner_id, "Redis", most // 2, 0.3)
    program.start()
    pids = [process.popen.pid for process in soak.site.processes.values()]
    for name, befall in faults.REDIS.items():
        time.sleep(1)
        seconds = faults.PAUSE_SECONDS * min(1, max(soak.scale, 0.1)) / (1 if name == "paused" else 3)
        befall(soak.broker)
        time.sleep(seconds)
        heal(soak.broker)
        times[f"{name} for {seconds:.0f} s"] = took = back(soak)
        print(f"  Redis {name} for {seconds:.0f} s: workers were back after {took:.1f} s", flush=True)
    while sum(len(one.accepted) for one in people) < most - most // 2:
        time.sleep(0.1)
    for one in people:
        one.stop()
    program.stop()
    found = soak.settle("Redis", Counter(program.titles), *people)
    with soak.app.app_context():
        twice = select(func.count()).where(Job.attempt > 1, Job.name.in_(("soak.row", "todos.export")))
        twice = db.session.scalar(twice.where(Job.id >= min(people[0].accepted))) or 0
    number = len(program.titles) + sum(len(one.accepted) for one in people)
    soak.say("Redis " + ", ".join(faults.REDIS), f"{number} jobs submitted meanwhile: {found}; {twice} run twice")
    soak.check(not twice, f"{twice} jobs ran twice")
    slow = {page: max(one.slowest.get(page, 0) for one in people) for page in people[0].slowest}
    text = ", ".join(f"{page} {1000 * took:.0f} ms" for page, took in slow.items())
    soak.say("Slowest answers meanwhile", f"{text}; a service submits within {1000 * program.slowest:.0f} ms")
    soak.check(max(slow.values()) <= SLOWEST, f"a page took longer than {SLOWEST} s: {text}")
    wrong = [one for person in people for one in person.refused] + ["cut off"] * sum(one.cut for one in people)
    soak.check(not wrong, f"pages failed: {wrong[:5]}")
    longest = max(times.values())
    soak.say("Workers took jobs again after", ", ".join(f"{took:.1f} s ({name})" for name, took in times.items()))
    soak.check(longest <= BACK_SECONDS, f"workers took jobs again after {longest:.0f} s only")
    soak.check(pids == [one.popen.pid for one in soak.site.processes.values()], "somebody had to be restarted")


def back(soak: Soak) -> float:
    """Return how many seconds it took until each worker has begun a job again."""
    began, names = utcnow(), soak.site.names()
    first = select(Job.worker, func.min(Job.started_at)).where(Job.started_at > began).group_by(Job.worker)
    while (utcnow() - began).total_seconds() < 3 * BACK_SECONDS:
        with soak.app.app_context():
            found = {name: at for name, at in db.session.execute(first) if name in names}
        if found.keys() == names:
            return max((at - began).total_seconds() for at in found.values())
        time.sleep(0.2)
    return 3.0 * BACK_SECONDS


def database(soak: Soak) -> None:
    """Let the database fail, and replace the workers, under load."""
    for number, (name, befall) in enumerate(soak.database.faults().items()):
        title, person = f"Fault {number}", soak.person()
        wanted = load(soak, title)
        befall()
        found = soak.settle(title, wanted, person.stop())
        failed = len(person.refused) + person.cut
        soak.say(f"Database {name} under load", f"{found}; pages that failed meanwhile: {failed}")
    wanted, person = load(soak, "Rolling"), soak.person()
    codes = soak.site.roll()
    found = soak.settle("Rolling", wanted, person.stop())
    soak.say("Workers replaced one by one under load", f"{found}; they ended with {codes}")
    soak.check(not person.refused, f"pages failed: {person.refused[:5]}")
    soak.check(set(codes) == {0}, f"workers ended with {codes}")


def load(soak: Soak, title: str) -> Counter[str]:
    """Submit a large job in parts and many small ones, wait until they run, and return the titles of all rows."""
    rows, small = soak.scaled(5000, 500), soak.scaled(200, 20)
    with soak.app.app_context():
        viewer = load_user(soak.owner_id)
        assert viewer
        submit(viewer, add_rows, title=title, count=rows, size=100)
        for number in range(small):
            submit(viewer, add_row, title=f"{title} small {number}")
    while soak.left() > small + rows // 100:
        time.sleep(0.1)
    return Counter([f"{title} {n}" for n in range(rows)] + [f"{title} small {n}" for n in range(small)])


def many(soak: Soak) -> None:
    """Run thousands of small jobs, and watch what grows."""
    number = soak.scaled(10_000, 300)
    seen: dict[str, list[int]] = {}
    waiting = lambda: soak.left() < WAITING  # noqa: E731
    person = soak.person(pause=0, most=number // 10)
    program = Program(soak.app, soak.owner_id, "Small", number - number // 10, 0, waiting)
    began = time.monotonic()
    program.start()
    while program.is_alive() or person.is_alive():
        if len(program.titles) > number // 20:
            watch(soak, seen)
        time.sleep(2)
    program.stop()
    found = soak.settle("Small", Counter(program.titles), person.stop())
    took = time.monotonic() - began
    soak.say("Small jobs", f"{number:,} in {took:.0f} s, {number / took:.0f} a second, submitted and run: {found}")
    for name, values in seen.items():
        soak.say(name, f"first {values[0]}, last {values[-1]}, most {max(values)}")
    for name, most in (("Redis keys", KEYS), ("Redis clients", CLIENTS), ("Database connections", CONNECTIONS)):
        soak.check(max(seen[name]) <= most, f"{name}: more than {most}")
    for name in ("MB of the workers", "MB of the web server"):
        soak.check(seen[name][-1] <= SHARE * seen[name][0] + MB, f"{name}: grew too much")


def watch(soak: Soak, seen: dict[str, list[int]]) -> None:
    """Note how much there is of everything."""
    memory = soak.site.memory()
    with Redis.from_url(soak.broker.url) as client:
        now = {"Redis keys": client.dbsize(), "Redis clients": len(client.client_list()) - 1}
    database = soak.database
    is_file = isinstance(database, faults.Sqlite)
    now["Database connections"] = soak.site.connections(database.path) if is_file else database.connections()
    now |= {"MB of the workers": memory["worker"], "MB of the web server": memory["web"]}
    for name, value in now.items():
        seen.setdefault(name, []).append(value)


PHASES: dict[str, Callable[[Soak], None]] = {
    "Kills": kills,
    "Redis": redis,
    "Database": database,
    "Many small jobs": many,
}
