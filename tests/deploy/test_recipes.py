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
from deepscribble.cli.report import LOGIN_REFUSED

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


def test_a_refused_login_is_not_tried_for_ever():
    unit, compose = UNIT.read_text(), (DEPLOY / "compose.yaml").read_text()
    assert f"\nRestartPreventExitStatus={LOGIN_REFUSED}\n" in unit
    assert re.search(r"^StartLimitBurst=\d+$", unit.split("[Service]")[0], re.MULTILINE)
    assert "    restart: on-failure:" in compose.split("  sync:\n")[1]


def test_two_jobs_under_systemd_share_no_folder_and_no_port():
    settings = dict(
        line.split("=", 1)
        for line in UNIT.read_text().replace("\\\n", " ").splitlines()
        if "=" in line and not line.startswith("#")
    )
    for name in ("RuntimeDirectory", "StateDirectory"):
        assert settings[name] == "%N"
    assert settings["EnvironmentFile"] == "/etc/deepscribble/%N.env"
    assert "XDG_STATE_HOME=%S/%N" in settings["Environment"]
    assert "--metrics ${METRICS} --health %t/%N/" in settings["ExecStart"]


def test_no_recipe_holds_a_password():
    for path in (UNIT, DEPLOY / "compose.yaml", DEPLOY / "Dockerfile"):
        assert not re.search(r"OMERO_PASSWORD|--password[ =]", path.read_text())


def test_the_password_beside_the_compose_file_is_never_committed():
    file = re.search(r"^    file: (.+)$", (DEPLOY / "compose.yaml").read_text(), re.MULTILINE)
    assert file is not None
    assert f"/deploy/{file[1]}" in (DEPLOY.parent / ".gitignore").read_text().splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("name", [UNIT.name, UNIT.name.replace(".", "@lung.")])
def test_systemd_reads_the_unit(tmp_path, name):
    # The command itself is not installed where a unit would look for it.
    unit = tmp_path / name
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
