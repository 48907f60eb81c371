"""`deepscribble sync` and `annotate omero://…` as they are typed: who logs in, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from deepscribble.cli import app
from deepscribble.cli.report import LOGIN_REFUSED, reported
from deepscribble.errors import SessionEnded
from deepscribble.server.app import background

SECRET = "hunter2-secret"
DEAD = "omero://127.0.0.1:1/Image:1"


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """A user who never logged in anywhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("OMERO_USERDIR", str(tmp_path / "omero"))
    for name in ("OMERO_USER", "OMERO_PASSWORD", "OMERO_SESSION", "ICE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def run(*words, command="annotate", env=None):
    result = CliRunner(env={"COLUMNS": "120"} | (env or {})).invoke(app, [command, *words])
    assert SECRET not in result.output
    return result


@pytest.mark.parametrize("command", ["annotate", "sync"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["omero://h/Image"], "write omero://HOST[:PORT]/KIND:ID"),
        ([f"omero://ada:{SECRET}@h/Image:1"], "name the user with --user"),
        (["omero://h/Folder:1"], "name one of Image"),
        ([DEAD], "say who logs in"),
        ([DEAD, "--user", "ada"], "there is no terminal to ask"),
        ([DEAD, "--session"], "there is no terminal to ask"),
        ([DEAD, "--user", "ada", "--password-file", "not-there"], "cannot be read"),
        ([DEAD, "--password-file", "not-there"], "say whose password"),
        ([DEAD, "--user", "ada", "--plane", "1"], "is not Z,T"),
        ([DEAD, "--user", "ada", "--color", "red=Tumor"], "is not #RRGGBB=CLASS"),
        ([DEAD, "--user", "ada", "--certificates", "not-there.pem"], "is no file"),
    ],
)
def test_what_is_wrong_is_said_before_anything_begins(command, words, said):
    pytest.importorskip("omero")
    result = run(*words, command=command)
    assert result.exit_code == 1
    assert said in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--every", "soon"], "write 30s, 5m or 1h"),
        (["--every", "0s"], "1s at least"),
        (["--metrics", "9464"], "is not HOST:PORT"),
        (["--health", "no/such/folder/health.json"], "cannot be written"),
    ],
)
def test_options_of_sync_are_checked(words, said):
    result = run(DEAD, "--user", "ada", *words, command="sync", env={"OMERO_PASSWORD": SECRET})
    assert result.exit_code == 1
    assert said in result.stderr


def test_options_for_omero_mean_nothing_for_a_folder(tmp_path):
    result = run(str(tmp_path), "--user", "ada")
    assert result.exit_code == 1
    assert "for these only; leave it out" in result.stderr


def test_a_dead_port_is_a_sentence(tmp_path):
    pytest.importorskip("omero")
    (tmp_path / "pw").write_text(f"{SECRET}\n")
    result = run(DEAD, "--user", "ada", "--password-file", str(tmp_path / "pw"), "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)["error"]
    assert said["type"] == "StoreUnavailable"
    assert "no OMERO server listens there" in said["message"]


@pytest.fixture
def server(standin):
    engine = standin.StandInEngine()
    with background(lambda: engine, engine.limits.message_bytes) as address:
        yield address


@pytest.fixture
def biopsy(omero_server):
    """An address on the server, and who logs in there."""
    pixels = np.random.default_rng(3).integers(0, 255, (90, 80, 3), dtype=np.uint8)
    image = omero_server.image(pixels, name="biopsy [1].svs")
    env = {"OMERO_USER": omero_server.user, "OMERO_PASSWORD": omero_server.password}
    return image, f"omero://{omero_server.host}:{omero_server.port}", env


def test_annotate_on_omero_writes_once_and_then_nothing(omero_server, biopsy, server, tmp_path):
    image, host, env = biopsy
    states = [
        json.loads(
            run(f"{host}/Image:{image}", "--server", server, "--json", *more, env=env).stdout
        )["images"][0]
        for more in (["--dry-run"], [], [])
    ]
    assert [state["state"] for state in states] == ["planned", "written", "unchanged"]
    assert states[0]["name"] == "biopsy [1].svs"
    with omero_server.gateway() as connection:
        found = connection.getRoiService().findByImage(image, None, connection.SERVICE_OPTS)
        assert len(found.rois) == 1
    (journal,) = Path(tmp_path / "state").rglob("deepscribble-journal.jsonl")
    assert omero_server.password not in journal.read_text()


def test_sync_once_looks_and_ends(biopsy, server, tmp_path):
    image, host, env = biopsy
    more = ["--server", server, "--once", "--health", str(tmp_path / "health.json")]
    result = run(f"{host}/Image:{image}", *more, command="sync", env=env)
    assert result.exit_code == 0
    # Nobody has drawn there.
    assert result.stderr == "images watched: 1\n"
    assert json.loads((tmp_path / "health.json").read_text())["images"] == 1


def test_sync_ends_with_a_sentence_where_there_is_nothing_to_watch(biopsy, server):
    _, host, env = biopsy
    result = run(f"{host}/Dataset:999999", "--server", server, command="sync", env=env)
    assert result.exit_code == 1
    assert "has no such Dataset" in result.stderr


@pytest.mark.parametrize("command", ["annotate", "sync"])
def test_a_wrong_password_is_a_sentence_and_a_code_of_its_own(omero_server, server, command):
    place = f"omero://{omero_server.host}:{omero_server.port}/Image:1"
    words = [place, "--user", omero_server.user, "--server", server]
    result = run(*words, command=command, env={"OMERO_PASSWORD": SECRET})
    assert result.exit_code == LOGIN_REFUSED
    assert "its name or password is wrong" in result.stderr


def test_a_password_file_is_of_nobody_but_who_is_named(omero_server, server, tmp_path):
    pytest.importorskip("omero")
    host = f"omero://{omero_server.host}:{omero_server.port}"
    kept = tmp_path / ".omero"
    kept.write_text(f"omero.user={omero_server.user}\nomero.pass={omero_server.password}\n")
    kept.chmod(0o600)
    (tmp_path / "pw").write_text(f"{SECRET}\n")
    words = [f"{host}/Image:999999", "--server", server, "--password-file", str(tmp_path / "pw")]
    result = run(*words)
    assert result.exit_code == 1
    assert "say whose password" in result.stderr
    # With the user named, the password of the file counts, not the one in ~/.omero.
    result = run(*words, env={"OMERO_USER": omero_server.user})
    assert result.exit_code == LOGIN_REFUSED


def test_the_key_of_a_session_will_do(omero_server):
    place = f"omero://{omero_server.host}:{omero_server.port}/Image:999999"
    key = omero_server.session_key()
    result = run(place, env={"OMERO_SESSION": key})
    assert result.exit_code == 1
    assert "has no such Image" in result.stderr
    assert key not in result.output


def test_a_session_that_is_over_has_the_code_of_a_refused_login(capsys):
    with pytest.raises(typer.Exit) as caught, reported(as_json=False):
        raise SessionEnded("host:4064: the OMERO server refuses the session key")
    assert caught.value.exit_code == LOGIN_REFUSED
    assert "refuses the session key" in capsys.readouterr().err
