"""The alert rules, by Prometheus' own tool: valid, loud when they should be, and silent when all is well."""

from pathlib import Path

import pytest

from config import ROOT
from tests.deploy.containers import MACHINE, STANDIN, podman

RULES = "/deploy/alerts.yml"
CASES = "/tests/alerts_test.yml"


@pytest.mark.parametrize("command", [("check", "rules", RULES), ("test", "rules", CASES)])
def test_alerts_fire_when_they_should_and_only_then(command):
    files = [f"--volume={ROOT}/deploy:/deploy:ro", f"--volume={Path(__file__).parent}:/tests:ro"]
    assert "SUCCESS" in podman("run", "--rm", *MACHINE, *files, STANDIN, "promtool", *command)
