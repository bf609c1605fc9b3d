"""How long a web server takes from its start to its first answer: `python -m bench.start [--times N]`.

It starts the command of the image, `web`, again and again, over an empty migrated database: SQLite, or the PostgreSQL
that SQLALCHEMY_DATABASE_URI names. The processor's time is what the program needs; a machine that does other things at
the same time lets it wait for longer.
"""

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from config import ROOT

COMMAND = [sys.executable, "-m", "tools.container"]


def once(environ: Mapping[str, str], port: int) -> tuple[float, float]:
    """Return the seconds until /health/ready of a new web server answers with 200, and those of a processor in them."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [*COMMAND, "web"], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        while not is_ready(port):
            time.sleep(0.01)
        return time.perf_counter() - started, spent(process.pid)
    finally:
        process.terminate()
        process.wait()


def spent(pid: int) -> float:
    """Return the seconds of a processor that a process took; on Linux."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def is_ready(port: int) -> bool:
    """Ask once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        defaults = {"SECRET_KEY": "k" * 40, "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/todos.db"}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environ = {**defaults, **os.environ, "PATH": path, "PORT": str(port)}
        subprocess.run([*COMMAND, "migrate"], cwd=ROOT, env=environ, check=True, capture_output=True)
        found = [once(environ, port) for _ in range(times)]
    for name, seconds in zip(("elapsed", "of a processor"), zip(*found, strict=True), strict=True):
        median = statistics.median(seconds)
        print(f"{name:15} best {min(seconds):.2f} s, median {median:.2f} s, worst {max(seconds):.2f} s of {times}")


if __name__ == "__main__":
    main()
