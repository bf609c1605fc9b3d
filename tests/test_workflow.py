"""The workflow of GitHub does what .ci/run does, and pushes an image for both platforms when a version is tagged."""

import re

import pytest
import yaml

from config import ROOT

SCRIPT = (ROOT / ".ci" / "run").read_text()
SOURCE = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
JOBS = yaml.safe_load(SOURCE)["jobs"]


@pytest.fixture
def image():
    """The step that builds the image."""
    [step] = [step for step in JOBS["image"]["steps"] if "build-push-action" in step.get("uses", "")]
    return step["with"]


def test_it_runs_the_same_targets_as_the_script_and_lets_nothing_be_left_out():
    targets = re.findall(r"^make (\S+)", SCRIPT, re.MULTILINE)
    assert targets == ["lint", "test", "test-deploy"]
    assert set(re.findall(r"(?:run: |PATH )make ([a-z-]+)", SOURCE)) == set(targets)
    for switch in re.findall(r"^export (REQUIRE_[A-Z]+)=1", SCRIPT, re.MULTILINE):
        assert re.search(rf'{switch}(=1|: "1")', SOURCE), switch


def test_it_tests_every_python_that_is_supported():
    [oldest] = re.findall(r'^requires-python = ">=([0-9.]+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    versions = JOBS["test"]["strategy"]["matrix"]["python"]
    assert versions[0] == oldest
    assert f"python:{versions[-1]}-slim" in (ROOT / "Dockerfile").read_text()
    assert versions == [f"3.{minor}" for minor in range(int(oldest[2:]), int(versions[-1][2:]) + 1)]


def test_image_is_for_both_platforms_says_what_it_is_and_is_pushed_for_a_tag_alone(image):
    assert image["platforms"] == "linux/amd64,linux/arm64"
    assert image["push"] == "${{ startsWith(github.ref, 'refs/tags/') }}"
    assert image["sbom"] is True
    given = {line.split("=")[0] for line in image["build-args"].splitlines()}
    assert given == set(re.findall(r"^ARG ([A-Z]+)=", (ROOT / "Dockerfile").read_text(), re.MULTILINE)) - {
        "PYTHON_IMAGE"
    }
    assert set(JOBS["image"]["needs"]) == set(JOBS) - {"image"}


def test_it_may_read_and_no_more_but_where_it_pushes():
    assert yaml.safe_load(SOURCE)["permissions"] == {"contents": "read"}
    assert [name for name, job in JOBS.items() if "permissions" in job] == ["image"]


def test_every_action_is_named_by_its_commit():
    used = re.findall(r"uses: (.*)", SOURCE)
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[0-9.]+", action)] == []
