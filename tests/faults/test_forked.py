"""The processes of these tests are as real as those that `python -m` starts."""

import signal

import pytest

from tests.faults.processes import PATIENCE, Process

PROGRAM = '''
"""Fail if anything of the tests, or of another program, is here."""
import os, signal, sys, threading

ours = {"app", "config", "run", "gunicorn", "prometheus_client", "pytest"}
assert not ours & {name.split(".")[0] for name in sys.modules}, sys.modules
assert os.environ == {"ONLY": "this"}, os.environ
assert threading.active_count() == 1
assert os.getpid() == os.getpgrp() == os.getsid(0)
assert os.getcwd() == sys.path[0]
log = os.readlink("/proc/self/fd/1")
for number in range(100):
    if os.path.lexists(name := f"/proc/self/fd/{number}"):
        assert os.readlink(name) in (os.devnull, log), (number, os.readlink(name))
print(__name__, "runs with", sys.argv[1:], flush=True)
if sys.argv[1:]:
    signal.pause()
sys.exit("The last word.")
'''


@pytest.fixture(params=[["-m", "program"], ["program.py"]], ids=["module", "script"])
def start(request, tmp_path):
    """Returns a function that starts the program with arguments."""
    (tmp_path / "program.py").write_text(PROGRAM)
    started = []

    def begin(*arguments):
        started.append(
            Process([*request.param, *arguments], {"ONLY": "this"}, tmp_path / f"{len(started)}.log", tmp_path)
        )
        return started[-1]

    yield begin
    for process in started:
        process.kill()


def test_program_finds_nothing_but_what_it_was_given_and_ends_as_it_wants_to(start):
    process = start()
    assert process.popen.wait(PATIENCE) == 1
    assert process.output() == "__main__ runs with []\nThe last word.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_program_that_is_killed_is_gone_and_the_next_one_is_not(start, number):
    first, second = start("one"), start("two")
    for process in (first, second):
        process.wait_for("runs with")
    first.popen.send_signal(number)
    assert first.popen.wait(PATIENCE) == -number
    assert second.is_running()
