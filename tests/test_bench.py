"""The long run, which nobody starts every day, has to begin all the same."""

import os
import subprocess
import sys

from config import ROOT


def test_long_run_says_what_it_takes():
    given = os.environ | {"DATABASE": "oracle"}
    run = [sys.executable, "-m", "bench.soak"]
    done = subprocess.run(run, cwd=ROOT, env=given, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "DATABASE is one of sqlite, postgresql and both; PHASES are of Kills, Redis, Database" in done.stderr
