"""`deepscribble sync` and `annotate omero://…` as they are typed: who logs in, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from omero_standin.harness import shape
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
    with background(lambda: engine, engine.settings.message_bytes) as address:
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


@pytest.fixture
def world(own_omero_server, server):
    """Makes an image with a stroke and a shape on it, and says what stands on the server."""
    omero = own_omero_server

    class World:
        place = f"omero://{omero.host}:{omero.port}"
        standin = omero.standin

        def image(self, *, channels=3, depth=1, group="ds-annotate", **about):
            pixels = np.full((depth, 1, channels, 90, 80), 200, dtype=np.uint8)
            return omero.image(pixels, group=group, **about)

        def draw(self, image, kind, text="Tumor", **values):
            return omero.draw(image, shape(kind, text, **values))

        def stored(self):
            kinds = ("Roi", "Shape", "MapAnnotation", "ImageAnnotationLink", "RoiAnnotationLink")
            return {kind: self.standin.rows(kind) for kind in kinds}

        def run(self, image, command, *more, user="ds-ada"):
            env = {"OMERO_USER": user, "OMERO_PASSWORD": omero.people[user]}
            once = ["--once"] if command == "sync" else []
            words = [f"{self.place}/Image:{image}", *once, "--server", server, *more]
            return run(*words, command=command, env=env)

    return World()


def unscaled(world):
    return world.image(mpp=None)


def importing(world):
    image = world.image()
    world.standin.importing(image)
    return image


def drawn(kind, **values):
    def make(world):
        image = world.image()
        world.draw(image, "Polyline", Points="30,30 50,30")
        world.draw(image, kind, **values)
        return image

    return make


def outside(world):
    image = world.image()
    world.draw(image, "Polyline", Points="-50,-20 -60,-60")
    return image


COMMANDS = pytest.mark.parametrize("command", ["annotate", "sync"])


@COMMANDS
@pytest.mark.parametrize(
    ("make", "more", "said"),
    [
        (unscaled, [], "does not tell its micrometres per pixel; pass --mpp"),
        (importing, [], "has no pixels yet; wait for the end of its import"),
        (outside, [], "strokes lie outside of the image"),
        (drawn("Polyline", Points="1,2 three"), [], "'three' is not a point such as 12.5,40"),
        (drawn("Line", X1=1.0, Y1=2.0), [], "its x2 or y2 is missing"),
        (lambda world: world.image(), ["--plane", "3,0"], "section 3 (z) at moment 0 (t) is not"),
        (lambda world: world.image(depth=2), [], "has 2 sections (z)"),
        (drawn("Polyline", Points="1,2 3,4"), ["--class", "a:b"], "choose another class"),
    ],
)
def test_an_image_that_is_no_use_is_a_sentence_and_nothing_is_written(
    world, command, make, more, said
):
    image = make(world)
    if make in (unscaled, importing) or more[:1] == ["--plane"]:
        world.draw(image, "Polyline", Points="30,30 50,30")
    before = world.stored()
    result = world.run(image, command, *more)
    assert result.exit_code == 1
    assert said in result.output.replace("\n", " ")
    assert world.stored() == before


@COMMANDS
@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("Mask", {"X": 1.0, "Y": 1.0}, "1 feature of type Mask not taken for strokes"),
        ("Point", {"text": "Tumour", "X": 1.0, "Y": 1.0}, "1 feature of class Tumour not taken"),
        ("Line", {"text": "Vessel", "X1": 1.0}, "1 feature of class Vessel not taken"),
        ("Point", {"X": 1.0, "Y": 1.0, "TheZ": 7}, "1 feature of type shape on another plane"),
        # What this engine says of a stroke that it cuts at the border.
        ("Polyline", {"Points": "-50,30 50,60"}, "cut"),
    ],
)
def test_a_shape_that_is_no_use_is_a_warning_beside_the_answer(world, command, kind, values, said):
    image = drawn(kind, **values)(world)
    shapes = world.stored()["Shape"]
    result = world.run(image, command)
    assert result.exit_code == 0
    assert said in result.stderr.replace("\n", " ")
    # There is an answer, and what people drew is as it was.
    stored = world.stored()["Shape"]
    assert stored[: len(shapes)] == shapes
    assert len(stored) > len(shapes)


@COMMANDS
def test_an_image_of_a_group_that_may_only_be_read_is_left_alone(world, command):
    image = world.image(group="ds-readonly")
    world.standin.forget_calls()
    result = world.run(image, command, user="ds-bob")
    assert result.exit_code == 1
    assert "may look at the image but not annotate it" in result.output.replace("\n", " ")
    assert not any(name.startswith("IUpdate") for name in world.standin.calls())


@COMMANDS
def test_an_image_of_a_group_that_is_not_ones_own_is_not_there(world, command):
    result = world.run(world.image(), command, user="ds-eve")
    assert result.exit_code == 1
    assert "this user may not see it; check the number, the user and the user's groups" in (
        result.stderr.replace("\n", " ")
    )


@COMMANDS
def test_an_image_that_is_deleted_while_it_is_outlined_is_a_sentence(
    world, command, own_omero_server, standin, monkeypatch
):
    image = world.image()
    world.draw(image, "Polyline", Points="30,30 50,30")
    refine = standin.StandInEngine.refine

    def deleting(*arguments, **options):
        with own_omero_server.gateway() as connection:
            connection.deleteObjects("Image", [image], wait=True)
        return refine(*arguments, **options)

    monkeypatch.setattr(standin.StandInEngine, "refine", deleting)
    result = world.run(image, command)
    assert result.exit_code == 1
    assert "the image was deleted, so nothing was written" in result.output.replace("\n", " ")
    assert not any(world.stored().values())


@COMMANDS
def test_a_server_of_another_authority_is_not_talked_to(world, command, tmp_path):
    from omero_standin.certificate import write_authority

    write_authority(tmp_path / "ca.pem")
    result = world.run(world.image(), command, "--certificates", str(tmp_path / "ca.pem"))
    assert result.exit_code == 1
    assert "its certificate is not of the authority that was given" in result.stderr
