"""`deepscribble annotate PROJECT.qpproj`, on a real project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deepscribble.cli import app
from deepscribble.server.app import background

pytestmark = pytest.mark.qupath


@pytest.fixture
def server(standin: ModuleType) -> Iterator[str]:
    engine = standin.StandInEngine()
    with background(lambda: engine, engine.settings.message_bytes) as address:
        yield address


def annotate(project: Any, server: str, *more: str) -> Result:
    words = ["annotate", str(project.file), "--server", server, "--json", *more]
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, words)


def test_a_project_is_annotated_once_and_then_left_alone(project: Any, server: str) -> None:
    people = project.people()
    first = annotate(project, server)
    assert first.exit_code == 0, first.output
    (image,) = json.loads(first.stdout)["images"]
    assert (image["name"], image["state"]) == ("Fall 1 #2 für.tif", "written")
    assert image["added"] == len(project.ours()) > 0
    assert project.people() == people
    before = project.files()
    second = annotate(project, server)
    (image,) = json.loads(second.stdout)["images"]
    assert (second.exit_code, image["state"]) == (0, "unchanged")
    changed = {name for name, what in project.files().items() if before.get(name) != what}
    assert {name.rpartition("/")[2] for name in changed} <= {
        "deepscribble-journal.jsonl",
        ".deepscribble.lock",
    }


def test_a_dry_run_writes_nothing(project: Any, server: str) -> None:
    before = project.data.read_bytes()
    said = annotate(project, server, "--dry-run")
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["added"] > 0
    assert project.data.read_bytes() == before
    assert not (project.file.parent / "deepscribble-backup").exists()


def test_a_project_that_is_damaged_says_so(project: Any, server: str) -> None:
    project.file.write_text("{")
    said = annotate(project, server)
    assert said.exit_code == 1
    assert "QuPath cannot open the project" in json.loads(said.stdout)["error"]["message"]
