"""Two workers, a scheduler and a web server, killed and started again as a supervisor would."""

import random
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

from config import ROOT
from tests.faults.processes import Process, wait_until

WORKERS = ("one", "two")
CELERY = ["-m", "celery", "-A", "bench.soak.worker"]
COMMANDS = {
    "scheduler": [*CELERY, "beat", "--loglevel", "INFO"],
    "web": ["-m", "gunicorn", "run:app"],
    **{name: [*CELERY, "worker", "--loglevel", "INFO"] for name in WORKERS},
}
READY = {"scheduler": "beat: Starting...", "web": "Listening at"} | dict.fromkeys(WORKERS, " ready.")
VICTIMS = ("worker child", "worker parent", "scheduler", "web worker", "web master")


class Program(Process):
    """A process as an operator starts it, since its memory is measured; tests fork theirs from one that is warm.

    Args:
        name: what a worker calls itself.
    """

    def __init__(self, command: list[str], environ: dict[str, str], log: Path, name: str) -> None:
        self.log, self.name = log, name
        options = {"env": environ, "cwd": ROOT, "stdin": subprocess.DEVNULL, "start_new_session": True}
        with log.open("wb") as output:
            self.popen = subprocess.Popen([sys.executable, *command], stdout=output, stderr=output, **options)


class Site:
    """All processes of an installation but its database and Redis."""

    def __init__(self, folder: Path, environ: dict[str, str], chance: random.Random) -> None:
        self.folder, self.chance, self.started = folder, chance, 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.environ, self.url = environ | {"PORT": port}, f"http://127.0.0.1:{port}"
        self.ended: list[str] = []  # what died without being killed
        self.family: set[psutil.Process] = set()  # whoever was a child of a process that was killed
        self.processes = {name: self.start(name) for name in COMMANDS}
        for name, process in self.processes.items():
            process.wait_for(READY[name])

    def start(self, name: str) -> Program:
        """Start a process; a worker gets a name that no other had."""
        self.started += 1
        command, label = COMMANDS[name], f"{name}-{self.started}@soak"
        log = self.folder / f"{self.started:03}-{name}.log"
        return Program([*command, "-n", label] if name in WORKERS else command, self.environ, log, label)

    def kill_one(self, busy: str | None) -> str:
        """Kill somebody at random and return who that was; a supervisor starts again what it had started.

        Args:
            busy: the worker that works on what is to be hit, if one does.
        """
        self.look()
        victim = self.chance.choice(VICTIMS)
        found = [name for name in WORKERS if self.processes[name].name == busy] or WORKERS
        name = self.chance.choice(found) if victim.startswith("worker") else victim.split()[0]
        process = self.processes[name]
        process.wait_for(READY[name])
        children = psutil.Process(process.popen.pid).children
        if victim in ("worker child", "web worker"):
            self.chance.choice(wait_until(children, f"{name} has children")).kill()
        else:
            self.family |= set(children())
            process.popen.kill()
            time.sleep(self.chance.uniform(0, 2))  # for which its children are alone
            process.kill()
            self.processes[name] = self.start(name)
        return victim

    def look(self) -> None:
        """Note who ended without being killed, and start them again."""
        for name, process in self.processes.items():
            if not process.is_running():
                self.ended.append(f"{name}: {process.log}")
                self.processes[name] = self.start(name)

    def roll(self) -> list[int]:
        """Replace one worker after the other, as a new version does, and return how the old ones ended."""
        codes = []
        for name in WORKERS:
            old, self.processes[name] = self.processes[name], self.start(name)
            self.processes[name].wait_for(READY[name])
            codes.append(old.terminate())
        return codes

    def names(self) -> set[str]:
        """Return what the workers call themselves in the rows of jobs."""
        return {self.processes[name].name for name in WORKERS}

    def memory(self) -> Counter[str]:
        """Return how many MB the workers hold, and the web server, their children included."""
        found: Counter[str] = Counter()
        for name, process in self.processes.items():
            head = psutil.Process(process.popen.pid)
            for one in (head, *head.children()):
                try:
                    found["web" if name == "web" else "worker"] += one.memory_info().rss >> 20
                except psutil.NoSuchProcess:
                    continue
        return found

    def connections(self, file: str) -> int:
        """Return how often the file of a SQLite database is open."""
        heads = [psutil.Process(process.popen.pid) for process in self.processes.values()]
        opened = [entry.path for head in heads for one in (head, *head.children()) for entry in one.open_files()]
        return opened.count(file)

    def orphans(self) -> int:
        """Return how many children outlived their parents."""
        return sum(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in self.family)

    def end(self) -> None:
        """Stop everything at once."""
        for process in self.processes.values():
            process.kill()
