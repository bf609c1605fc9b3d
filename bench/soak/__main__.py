"""Do a run: MINUTES=30 for about so long, DATABASE=sqlite or postgresql for one of them, SEED= for the same chances."""

import logging
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.soak import faults
from bench.soak.phases import PHASES
from bench.soak.runs import Soak
from bench.soak.site import Site
from tests.factories import create_todo, create_user
from tests.faults.processes import environment

KINDS = ("sqlite", "postgresql")
FULL_MINUTES = 15  # for one database, in which everything is done that the figures promise; less does less of it
MORE = {"MAX_ACTIVE_JOBS": "10000", "LOGIN_LIMIT": "1000 per minute"}


def soak(kind: str, folder: Path, scale: float, seed: int, phases: list[str]) -> Soak:
    """Do one run over one database."""
    with ExitStack() as stack:
        app, database, broker = stack.enter_context(faults.installed(kind, folder, **MORE))
        with app.app_context():
            owner = create_user("alice")
            exports = [create_todo(owner, f"To be exported {number}").id for number in range(200)]
            owner_id = owner.id
        counts = folder / "metrics"
        counts.mkdir()
        more = MORE | {"PROMETHEUS_MULTIPROC_DIR": str(counts)}
        chance = random.Random(seed)
        site = Site(folder, environment(database.uri, broker.url, **more), chance)
        stack.callback(site.end)
        found = Soak(app, site, broker, database, chance, scale, owner_id, exports)
        for name in phases:
            began = time.monotonic()
            print(f"{kind}: {name}", flush=True)
            PHASES[name](found)
            print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
    return found


def table(runs: dict[str, Soak]) -> str:
    """Return the figures as Markdown."""
    names = list(dict.fromkeys(name for run in runs.values() for name in run.figures))
    lines = [f"| | {' | '.join(runs)} |", "|---|" + "---|" * len(runs)]
    lines += [f"| {name} | {' | '.join(run.figures.get(name, '') for run in runs.values())} |" for name in names]
    return "\n".join(lines)


def main() -> int:
    """Do the runs, print their figures, and return 1 if something is wrong."""
    given = os.environ.get("DATABASE", "both")
    kinds = KINDS if given == "both" else (given,)
    minutes, seed = float(os.environ.get("MINUTES", "30")), int(os.environ.get("SEED") or random.randrange(10**6))
    phases = os.environ.get("PHASES", ",".join(PHASES)).split(",")
    if set(kinds) - set(KINDS) or set(phases) - set(PHASES):
        sys.exit(f"DATABASE is one of {', '.join(KINDS)} and both; PHASES are of {', '.join(PHASES)}.")
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, Python {platform.python_version()}"
    print(f"SEED={seed} MINUTES={minutes:g} DATABASE={given}: {machine}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # and stop whatever was started
    logging.getLogger("app.tasks.queue").setLevel(logging.ERROR)  # that Redis is away is no news
    began, runs = time.monotonic(), {}
    folders = {kind: Path(tempfile.mkdtemp(prefix=f"todos-soak-{kind}-")) for kind in kinds}
    for kind, folder in folders.items():
        runs[kind] = soak(kind, folder, minutes / len(kinds) / FULL_MINUTES, seed, phases)
        if not runs[kind].problems:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{table(runs)}\n\nSEED={seed}, {(time.monotonic() - began) / 60:.1f} minutes, {machine}")
    for kind, run in runs.items():
        for problem in run.problems:
            print(f"PROBLEM on {kind}: {problem}\n  logs: {folders[kind]}")
    return int(any(run.problems for run in runs.values()))


if __name__ == "__main__":
    sys.exit(main())
