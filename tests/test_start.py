"""What a process does before it serves: it imports what it needs and no more. Seconds are measured by bench.start."""

import json
import subprocess
import sys

import pytest

from config import ROOT
from tests.faults.processes import environment

MODULES = 1850  # 1,780 in November 2026, 1.1 seconds of a processor: think before you raise it
OF_TESTS_AND_TOOLS = {
    "pytest",
    "hypothesis",
    "playwright",
    "faker",
    "mypy",
    "piptools",
    "tests",
    "tools",
    "bench",
    "pip",
}
SCRIPT = "import gc, json, sys, run; print(json.dumps([sorted(sys.modules), gc.isenabled(), gc.get_freeze_count()]))"


@pytest.fixture(scope="module")
def started():
    """The modules of a process that is ready, whether it collects garbage, and among how many objects it does not."""
    environ = environment("sqlite:////nowhere/todos.db", "redis://localhost")
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_start_imports_little(started):
    modules, _, _ = started
    assert {name.split(".")[0] for name in modules} & OF_TESTS_AND_TOOLS == set()
    assert len(modules) < MODULES


def test_garbage_is_collected_once_everything_is_loaded_but_not_among_that(started):
    _, collects, frozen = started
    assert collects
    assert frozen > 100_000
