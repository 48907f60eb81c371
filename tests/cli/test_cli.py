"""The commands as a person or a machine types them: arguments, files, errors, exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import numpy as np
import pytest
import shapely
import tifffile
from PIL import Image
from typer.testing import CliRunner, Result

from deepscribble.cli import app
from deepscribble.server.app import background
from deepscribble.stores import read_features, read_polygons

STROKE = {
    "type": "Feature",
    "id": "11111111-0000-4000-8000-000000000000",
    "geometry": {"type": "LineString", "coordinates": [[30, 30], [60, 40]]},
    "properties": {"objectType": "annotation", "classification": {"name": "Tumor"}},
}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder with an image and strokes."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("tissue.png")
    Path("strokes.geojson").write_text(json.dumps([STROKE]))
    return tmp_path


def refused(result: Result) -> str:
    """The one sentence on stderr of a command that refused."""
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_segment_writes_the_outline_in_level_0_and_tells_what_it_did(server: str) -> None:
    result = run("segment", "tissue.png", "--mpp", 0.5, "--region", "20,10,100,90",
                 "--server", server)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    (polygon,) = read_polygons("tissue.deepscribble.geojson")
    assert polygon.exterior.min(axis=0).tolist() == [20, 10]
    assert polygon.exterior.max(axis=0).tolist() == [120, 100]
    assert "tissue.deepscribble.geojson" in result.stdout
    assert result.stderr == ""


def test_pixels_are_sent_at_the_model_s_scale_but_never_enlarged(server: str, engine: Any) -> None:
    run("segment", "tissue.png", "--mpp", 0.5, "--server", server)
    run("segment", "tissue.png", "--mpp", 4, "--server", server)
    sizes = [pixels.shape for pixels in engine.pixels.values()]
    assert sizes == [(60, 80, 3), (120, 160, 3)]


def test_refine_sends_the_strokes_and_writes_their_ids(server: str, engine: Any) -> None:
    result = run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5, "--server", server,
                 "--class", "Necrosis", "-o", "out.geojson")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert [stroke.id for stroke in engine.strokes] == [STROKE["id"]]
    (feature,) = read_features("out.geojson")
    assert feature.class_name == "Necrosis"
    assert feature.metadata["deepscribble.strokes"] == STROKE["id"]
    assert "Warning: cut" in result.stderr


@pytest.mark.parametrize("command", ["segment", "annotate"])
@pytest.mark.parametrize("name", ["", " "])
def test_a_class_without_a_name_is_refused(command: str, name: str) -> None:
    result = run(command, "tissue.png", "--class", name)
    assert result.exit_code == 2
    assert "give the name of a class" in result.stderr


def test_classes_on_the_command_line_change_what_strokes_say(server: str, engine: Any) -> None:
    result = run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5, "--server", server,
                 "--foreground", "Gland", "--background", "Tum*")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert [stroke.label.name for stroke in engine.strokes] == ["BACKGROUND"]


def test_a_prior_goes_along(server: str) -> None:
    ring = [[5, 5], [50, 5], [50, 40], [5, 5]]
    prior = {**STROKE, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    Path("prior.geojson").write_text(json.dumps(prior))
    result = run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5, "--server", server,
                 "--prior", "prior.geojson")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    (polygon,) = read_polygons("tissue.deepscribble.geojson")
    assert {tuple(point) for point in polygon.exterior} == {(5, 5), (50, 5), (50, 40)}


def test_areas_of_other_classes_are_no_prior_and_none_at_all_is_told(server: str) -> None:
    ring = [[5, 5], [50, 5], [50, 40], [5, 5]]
    area = {**STROKE, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    stroma = {**area, "properties": {"classification": {"name": "Stroma"}}}
    Path("prior.geojson").write_text(json.dumps([area, stroma, {**area, "properties": {}}]))
    Path("stroma.geojson").write_text(json.dumps(stroma))
    for prior, polygons, warned in (("prior.geojson", 2, False), ("stroma.geojson", 0, True)):
        result = run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5, "--server", server,
                     "--prior", prior, "--json")  # fmt: skip
        said = json.loads(result.stdout)
        assert said["polygons"] == polygons
        assert ("PRIOR_EMPTY" in [warning["code"] for warning in said["warnings"]]) is warned


def test_json_is_one_object_with_everything(server: str) -> None:
    result = run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5, "--server", server,
                 "--overlay", "out.png", "--json")  # fmt: skip
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert said["output"] == "tissue.deepscribble.geojson"
    assert said["overlay"] == "out.png"
    assert said["polygons"] == 1
    assert said["models"] == [{"name": "refine", "digest": "sha256:00"}]
    assert said["stroke_ids"] == [STROKE["id"]]
    assert said["milliseconds"]["total"] >= 1
    assert [warning["code"] for warning in said["warnings"]] == ["STROKE_CLIPPED"]
    assert result.stderr == ""


def test_the_overlay_shows_strokes_where_they_were_drawn(server: str) -> None:
    Image.new("RGB", (160, 120), "white").save("tissue.png")
    for _ in range(2):
        # The second run replaces the picture of the first.
        result = run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5, "--server", server,
                     "--overlay", "out.png")  # fmt: skip
        assert result.exit_code == 0, result.stderr
    picture = np.array(Image.open("out.png").convert("RGB"))
    assert picture.shape == (60, 80, 3)
    # The stroke's middle, (45, 35) in level 0, is blue; the outline runs along the border.
    assert picture[17, 22].tolist() == [0, 110, 255]
    assert picture[30, 79].tolist() == [255, 230, 0]
    assert picture[50, 40].tolist() == [255, 255, 255]


def test_models_lists_them(server: str) -> None:
    table = run("models", "--server", server)
    assert table.exit_code == 0
    assert "guide-tumor" in table.stdout
    said = json.loads(run("models", "--server", server, "--json").stdout)
    assert [model["name"] for model in said["models"] if model["is_default"]] == [
        "guide-tumor", "refine",
    ]  # fmt: skip
    assert said["models"][0]["card"]["training"] == {"licence": "CC0"}
    assert said["server"]["limits"]["image_pixels"] == 4_000_000


def test_results_are_replaced_but_nothing_else_ever_is(server: str) -> None:
    def again(*more: object) -> Result:
        return run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5, "--server", server,
                   *more)  # fmt: skip

    assert again().exit_code == 0
    assert again().exit_code == 0
    Path("mine.geojson").write_text(json.dumps([STROKE]))
    Image.new("RGB", (2, 2)).save("mine.png")
    kept = {path: path.read_bytes() for path in Path().iterdir()}
    assert "mine.geojson" in refused(again("-o", "mine.geojson"))
    assert "mine.png" in refused(again("--overlay", "mine.png"))
    assert "replace an input" in refused(again("-o", "strokes.geojson"))
    assert "replace an input" in refused(again("--overlay", "tissue.png"))
    assert "one file" in refused(again("-o", "new", "--overlay", "new"))
    assert {path: path.read_bytes() for path in Path().iterdir()} == kept


def test_an_unwritable_output_is_refused_before_any_work() -> None:
    # Nothing listens there: a command that worked first would name the server.
    for output in ("absent/out.geojson", "."):
        said = refused(run("segment", "tissue.png", "--mpp", 0.5, "-o", output,
                           "--server", "127.0.0.1:1"))  # fmt: skip
        assert output in said


def test_missing_scale_says_what_to_do() -> None:
    assert "--mpp" in refused(run("segment", "tissue.png"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("segment", "absent.png"), "absent.png"),
        (("segment", "strokes.geojson", "--mpp", "0.5"), "strokes.geojson"),
        (("segment", "tissue.png", "--mpp", "0"), "mpp"),
        (("segment", "tissue.png", "--mpp", "-1"), "mpp"),
        (("segment", "tissue.png", "--mpp", "nan"), "mpp"),
        (("segment", "tissue.png", "--mpp", "0.5", "--region", "0,0,0,10"), "region.width"),
        (("segment", "tissue.png", "--mpp", "0.5", "--region", "100,0,61,10"), "160 x 120"),
        (("segment", "tissue.png", "--mpp", "0.5", "--region", "-5,0,10,10"), "region.x"),
        (("refine", "tissue.png", "absent.geojson", "--mpp", "0.5"), "absent.geojson"),
        (("refine", "tissue.png", "tissue.png", "--mpp", "0.5", "-o", "o"), "tissue.png"),
        (("segment", "tissue.png", "--mpp", "0.5", "--server", "nonsense"), "nonsense"),
        (("segment", "tissue.png", "--mpp", "0.5", "--server", "127.0.0.1:1"), "127.0.0.1:1"),
        (("models", "--server", "127.0.0.1:1", "--models", "x"), "--models"),
        (("models", "--server", "127.0.0.1:1", "--device", "cpu"), "--device"),
        (("models", "--models", "absent"), "absent"),
        (("serve", "--listen", "nonsense"), "nonsense"),
        (("serve", "--listen", "0.0.0.0:0"), "0.0.0.0"),
        (("serve", "--listen", "127.0.0.1:0", "--http", "0.0.0.0:0"), "http: 0.0.0.0"),
        (("serve", "--listen", "127.0.0.1:0", "--http", "8080"), "http: '8080'"),
    ],
)
def test_refusals_name_the_thing_for_people_and_machines(
    arguments: tuple[str, ...], says: str
) -> None:
    assert says in refused(run(*arguments))
    result = run(*arguments, "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert says in error["message"]
    assert error["type"]
    assert result.stderr == ""
    assert sorted(path.name for path in Path().iterdir()) == ["strokes.geojson", "tissue.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("segment",),
        ("segment", "tissue.png", "--region", "1,2,3"),
        ("segment", "tissue.png", "--region", "a,b,c,d"),
        ("segment", "tissue.png", "--mpp", "wide"),
        ("segment", "tissue.png", "--device", "abacus"),
        ("refine", "tissue.png"),
        ("draw", "tissue.png"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_region_over_the_server_s_limit_is_refused_before_reading(
    server: str, folder: Path
) -> None:
    # Sparse: nothing of it could be read, and nothing must be.
    tifffile.imwrite(folder / "huge.tif", shape=(40_000, 40_000, 3), dtype=np.uint8,
                     tile=(256, 256), compression="zlib", photometric="rgb",
                     data=iter([b"\0"] * 24_649))  # fmt: skip
    said = refused(run("segment", "huge.tif", "--mpp", 1, "--server", server))
    assert "image_pixels of 4000000" in said
    assert "--region" in said


def test_a_server_that_fails_leaves_nothing_behind(server: str, engine: Any) -> None:
    engine.failure = RuntimeError("boom")
    refused(run("segment", "tissue.png", "--mpp", 0.5, "--server", server, "--overlay", "o.png"))
    assert sorted(path.name for path in Path().iterdir()) == ["strokes.geojson", "tissue.png"]


def test_a_bare_install_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deepscribble.server", None)
    for command in (("segment", "tissue.png", "--mpp", 0.5), ("serve",), ("models",)):
        assert "pip install 'deepscribble[server]'" in refused(run(*command))
    monkeypatch.setitem(sys.modules, "deepscribble.learning.cli", None)
    assert "pip install 'deepscribble[train]'" in refused(run("train", "guide"))


def test_training_has_its_own_commands() -> None:
    result = run("train", "--help")
    assert result.exit_code == 0
    assert {"guide", "refine"} <= set(re.findall(r"\w+", result.stdout))
    assert run("train", "guide", "--nonsense").exit_code == 2


def test_a_taken_port_is_refused(untrained_models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert address in refused(run("serve", "--listen", address, "--models", untrained_models))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_where_it_listens_and_ends_when_told(
    untrained_models: Path, number: signal.Signals
) -> None:
    program = "from deepscribble.cli.main import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--listen", "127.0.0.1:0", "--http",
         "127.0.0.1:0", "--device", "cpu", "--models", str(untrained_models), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    said = json.loads(server.stdout.readline())["message"]
    address, web = re.findall(r"127\.0\.0\.1:\d+", said)
    assert run("models", "--server", address).exit_code == 0
    assert httpx2.get(f"http://{web}/healthz", trust_env=False).json() == {"status": "serving"}
    server.send_signal(number)
    _, stderr = server.communicate(timeout=20)
    assert server.returncode == 0
    assert "Traceback" not in stderr


def test_ctrl_c_exits_with_130_and_no_traceback(standin: ModuleType, folder: Path) -> None:
    engine = standin.StandInEngine()
    engine.gate.clear()
    with background(lambda: engine, engine.settings.message_bytes) as address:
        program = "from deepscribble.cli.main import main; main()"
        client = subprocess.Popen(
            [sys.executable, "-c", program, "segment", "tissue.png", "--mpp", "0.5",
             "--server", address],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while not engine.calls:
            assert client.poll() is None
        client.send_signal(signal.SIGINT)
        _, stderr = client.communicate(timeout=20)
        engine.gate.set()
    assert client.returncode == 130
    assert "Traceback" not in stderr
    assert sorted(os.listdir(folder)) == ["strokes.geojson", "tissue.png"]


def test_without_a_server_one_is_started_and_strokes_are_obeyed(untrained_models: Path) -> None:
    result = run("refine", "tissue.png", "strokes.geojson", "--mpp", 1, "--device", "cpu",
                 "--models", untrained_models, "--json")  # fmt: skip
    assert result.exit_code == 0, result.stdout
    said = json.loads(result.stdout)
    assert said["stroke_ids"] == [STROKE["id"]]
    line = shapely.LineString(STROKE["geometry"]["coordinates"])
    area = shapely.union_all(
        [
            shapely.Polygon(polygon.exterior, polygon.holes)
            for polygon in read_polygons(said["output"])
        ]
    )
    assert area.covers(line)


def test_a_real_slide_in_level_0(untrained_models: Path, shared: Path) -> None:
    result = run("segment", shared / "slides" / "CMU-1-Small-Region.svs", "--device", "cpu",
                 "--region", "900,1200,300,280", "--models", untrained_models)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    for polygon in read_polygons("CMU-1-Small-Region.deepscribble.geojson"):
        assert (polygon.exterior.min(axis=0) >= (900, 1200)).all()
        assert (polygon.exterior.max(axis=0) <= (1200, 1480)).all()


def drawn(kind: str, coordinates: Any, name: str = "Tumor", **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": f"{name}-{kind}",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"classification": {"name": name}, **properties},
    }


BAD_STROKES: dict[str, tuple[str, str]] = {
    "empty": ("", "bad.geojson"),
    "cut off": ('{"type": "FeatureCollection", "features": [', "bad.geojson"),
    "no features": ('{"type": "FeatureCollection"}', "bad.geojson"),
    "a number without end": (f"[{'1' * 5000}]", "bad.geojson"),
    "half a character": (json.dumps([STROKE, STROKE | {"id": "\ud800"}]), "feature 1"),
    "nan": (json.dumps([drawn("LineString", [[1, 1], [float("nan"), 2]])]), "feature 0"),
    "infinite": (json.dumps([drawn("Point", [float("inf"), 2])]), "feature 0"),
    "no coordinates": (json.dumps([STROKE, drawn("LineString", [])]), "feature 1"),
    "no width": (json.dumps([drawn("Point", [9, 9], metadata={"stroke width": "0"})]), "feature 0"),
    "absurd width": (
        json.dumps([drawn("Point", [9, 9], metadata={"stroke width": "1e300"})]),
        "feature 0",
    ),
}


@pytest.mark.parametrize("kind", BAD_STROKES)
def test_bad_strokes_are_refused_by_file_and_feature_and_nothing_is_written(
    kind: str, folder: Path
) -> None:
    text, says = BAD_STROKES[kind]
    Path("bad.geojson").write_text(text)
    kept = sorted(os.listdir(folder))
    said = refused(run("refine", "tissue.png", "bad.geojson", "--mpp", 0.5, "--overlay", "o.png"))
    assert "bad.geojson" in said
    assert says in said
    assert sorted(os.listdir(folder)) == kept


def test_a_bad_prior_is_refused_by_file_and_feature() -> None:
    ring = [[0, 0], [1e12, 0], [1e12, 1e12], [0, 0]]
    Path("far.geojson").write_text(json.dumps([drawn("Polygon", [ring])]))
    said = refused(run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5,
                       "--prior", "far.geojson"))  # fmt: skip
    assert "far.geojson: feature 0" in said


def test_strokes_that_need_a_word_are_drawn_with_a_warning(untrained_models: Path) -> None:
    bow = [[20, 60], [60, 100], [60, 60], [20, 100], [20, 60]]
    features = [
        drawn("LineString", [[900, 900], [950, 950]]),
        drawn("MultiLineString", [[[150, 20], [200, 25]]]),
        drawn("Polygon", [bow]),
        drawn("LineString", [[100, 60], [130, 60]], "Stroma"),
        drawn("MultiPoint", [[115, 60]]),
    ]
    Path("strokes.geojson").write_text(json.dumps(features))
    result = run("refine", "tissue.png", "strokes.geojson", "--mpp", 1, "--device", "cpu",
                 "--models", untrained_models, "--json")  # fmt: skip
    assert result.exit_code == 0, result.stdout
    said = json.loads(result.stdout)
    assert [(warning["code"], warning["stroke_id"]) for warning in said["warnings"]] == [
        ("STROKE_OUTSIDE", "Tumor-LineString"),
        ("STROKE_CLIPPED", "Tumor-MultiLineString"),
        ("STROKE_CROSSES_ITSELF", "Tumor-Polygon"),
        ("STROKES_OVERLAP", "Tumor-MultiPoint"),
    ]
    assert said["stroke_ids"] == [feature["id"] for feature in features[1:]]
    area = shapely.union_all(
        [
            shapely.Polygon(polygon.exterior, polygon.holes)
            for polygon in read_polygons(said["output"])
        ]
    )
    assert area.covers(shapely.Point(115, 60))
    assert area.disjoint(shapely.LineString([(100, 60), (105, 60)]))


GRAY = np.random.default_rng(0).integers(0, 256, (120, 160), dtype=np.uint8)
RGBA = np.repeat(GRAY[:, :, None], 4, axis=2)


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (Image.fromarray(GRAY), "grayscale"),
        (Image.fromarray(RGBA), "transparency"),
        (Image.fromarray(GRAY.astype(np.uint16) * 256), "16-bit"),
        (Image.fromarray(RGBA[:, :, :3]).quantize(16), "palette"),
    ],
    ids=["gray", "rgba", "16-bit", "palette"],
)
def test_unusual_images_are_read_with_a_warning(
    picture: Image.Image, says: str, server: str
) -> None:
    for name in ("unusual.png", "unusual.tif"):
        picture.save(name)
        result = run("segment", name, "--mpp", 0.5, "--server", server)
        assert result.exit_code == 0, result.stderr
        assert "Warning: " in result.stderr
        assert says in result.stderr
        assert name in result.stderr


def test_damaged_and_oversized_images_are_refused_by_name() -> None:
    whole = Path("tissue.png").read_bytes()
    Path("cut.png").write_bytes(whole[: len(whole) // 2])
    Path("empty.png").write_bytes(b"")
    # 20,000 x 20,000 pixels by its header.
    size = (20_000).to_bytes(4, "big")
    header = b"IHDR" + size * 2 + b"\x08\x02\0\0\0"
    crc = zlib.crc32(header).to_bytes(4, "big")
    Path("bomb.png").write_bytes(whole[:8] + b"\0\0\0\x0d" + header + crc + b"\0\0\0\0IDAT")
    for name in ("cut.png", "empty.png"):
        assert name in refused(run("segment", name, "--mpp", 0.5))
    said = refused(run("segment", "bomb.png", "--mpp", 0.5))
    assert "bomb.png" in said
    assert "limit" in said
    assert not list(Path().glob("*.geojson.*"))
    assert not list(Path().glob("*.deepscribble.geojson"))


@pytest.mark.parametrize("mpp", ["inf", "1e-9", "1e9"])
def test_an_absurd_scale_is_refused(mpp: str) -> None:
    assert "usable range" in refused(run("segment", "tissue.png", "--mpp", mpp))


def test_missing_and_tampered_weights_are_refused_by_name(
    untrained_models: Path, folder: Path
) -> None:
    models = shutil.copytree(untrained_models, folder / "models")
    weights = models / "refine" / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    command = ("segment", "tissue.png", "--mpp", 1, "--device", "cpu", "--models", models)
    assert f"{weights}: these are not the weights" in refused(run(*command))
    weights.unlink()
    assert f"{weights}: the weights cannot be read" in refused(run(*command))
    assert sorted(os.listdir(folder)) == ["models", "strokes.geojson", "tissue.png"]


def test_a_server_killed_in_the_middle_is_named_and_nothing_is_written(folder: Path) -> None:
    standin = Path(__file__).parents[1] / "standin.py"
    with subprocess.Popen(
        [sys.executable, str(standin), "127.0.0.1:0", "--slow"], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        address = child.stdout.readline().strip()
        timer = threading.Timer(1.0, child.kill)
        timer.start()
        said = refused(run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5,
                           "--server", address, "--overlay", "o.png"))  # fmt: skip
    assert f"{address}, or it went away" in said
    assert sorted(os.listdir(folder)) == ["strokes.geojson", "tissue.png"]


def test_a_stroke_wider_than_any_picture_is_drawn(server: str) -> None:
    wide = drawn("LineString", [[5, 5], [90, 70]], metadata={"stroke width": "1e9"})
    Path("strokes.geojson").write_text(json.dumps([wide]))
    result = run("refine", "tissue.png", "strokes.geojson", "--mpp", 0.5, "--server", server,
                 "--overlay", "out.png")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert Path("out.png").exists()
