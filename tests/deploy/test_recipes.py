"""The recipes for running DeepScribble: what they call is there, and they say it as it is read."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from deepscribble.cli import app

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNIT = DEPLOY / "deepscribble-sync.service"


def started_by_systemd():
    text = UNIT.read_text().replace("\\\n", " ")
    command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    return shlex.split(command.removeprefix("ExecStart="))[1:]


def started_by_compose():
    text = (DEPLOY / "compose.yaml").read_text()
    listed = text.split("    command:\n", 1)[1].split("    secrets:", 1)[0]
    return [line.strip().removeprefix("- ") for line in listed.splitlines()]


@pytest.mark.parametrize("arguments", [started_by_systemd(), started_by_compose()])
def test_the_command_line_is_one(arguments):
    assert arguments[0] == "sync"
    command = typer.main.get_command(app).commands["sync"]
    context = command.make_context("sync", list(arguments[1:]))
    assert context.params["password_file"].name == "omero-password"
    assert context.params["health"].name == "health.json"


def test_no_recipe_holds_a_password():
    for path in (UNIT, DEPLOY / "compose.yaml", DEPLOY / "Dockerfile"):
        assert not re.search(r"OMERO_PASSWORD|--password[ =]", path.read_text())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_reads_the_unit(tmp_path):
    # The command itself is not installed where a unit would look for it.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/deepscribble/bin/deepscribble", "/bin/true"))
    found = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_the_image_is_made_of_what_is_there():
    text = (DEPLOY / "Dockerfile").read_text()
    kept = {
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    lines = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY")]
    names = {name for copied in lines for name in copied if not name.startswith("--from")}
    names.discard("/opt/deepscribble")
    assert names <= kept
    assert all((DEPLOY.parent / name).exists() for name in kept)
