"""`deepscribble annotate` as a person types it: tables, JSON, exit codes, stopped and resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.geometry
from PIL import Image
from typer.testing import CliRunner, Result

from deepscribble.cli import app

NAMES = ("a.png", "b.png", "ä #1.png")


def stroke(x: float, y: float, class_name: str = "Tumor") -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": f"{class_name} {x:g}",
        "geometry": {"type": "LineString", "coordinates": [[x - 15, y], [x + 15, y + 4]]},
        "properties": {"objectType": "annotation", "classification": {"name": class_name}},
    }


STROKES = [stroke(60, 60), stroke(110, 60, "Stroma")]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a project of three images in `slides`."""
    monkeypatch.chdir(tmp_path)
    slides = tmp_path / "slides"
    slides.mkdir()
    for number, name in enumerate(NAMES):
        random = np.random.default_rng(number)
        Image.fromarray(random.integers(0, 256, (160, 200, 3), dtype=np.uint8)).save(slides / name)
        strokes = json.dumps({"type": "FeatureCollection", "features": STROKES})
        (slides / name).with_suffix(".geojson").write_text(strokes)
    return slides


def run(*arguments: object) -> Result:
    words = ["annotate", *(str(argument) for argument in arguments)]
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, words)


def again(server: str, *more: object) -> Result:
    return run("slides", "--mpp", 0.5, "--server", server, *more)


def rows(result: Result) -> dict[str, list[str]]:
    """The cells of the table by the name of the image."""
    cells = (
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in result.stdout.splitlines()
        if line.startswith("│")
    )
    return {name: rest for name, *rest in cells}


def trace(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_table_says_what_became_of_each_image(server: str) -> None:
    result = again(server)
    assert result.exit_code == 0, result.stderr
    assert rows(result) == {name: ["written", "1", "", "", "", ""] for name in NAMES}
    result = again(server)
    assert result.exit_code == 0
    assert rows(result) == {name: ["unchanged", "", "", "", "1", ""] for name in NAMES}


def test_json_is_one_object_with_everything(server: str, folder: Path) -> None:
    (folder / "b.geojson").write_text("{")
    result = again(server, "--json")
    assert result.exit_code == 3
    said = json.loads(result.stdout)
    assert said["added"] == 2
    assert [image["state"] for image in said["images"]] == ["written", "failed", "written"]
    assert "b.geojson" in said["images"][1]["problems"][0]
    assert said["images"][0]["warnings"][0]["code"] == "STROKE_CLIPPED"
    assert said["dry_run"] is False


def test_a_glob_and_classes_choose(server: str, engine: Any, folder: Path) -> None:
    result = again(server, "--images", "[ab].png", "--class", "Necrosis", "--foreground", "Str*",
                   "--background", "Tumor")  # fmt: skip
    assert result.exit_code == 0
    assert set(rows(result)) == {"a.png", "b.png"}
    assert [one.label.name for one in engine.strokes] == ["BACKGROUND", "FOREGROUND"]
    made = json.loads((folder / "a.geojson").read_text())["features"][-1]
    assert made["properties"]["classification"] == "Necrosis"


def test_regions_of_another_class(server: str, folder: Path) -> None:
    ring = [[20, 20], [90, 20], [90, 80], [20, 80], [20, 20]]
    roi = stroke(0, 0, "ROI") | {"geometry": {"type": "Polygon", "coordinates": [ring]}}
    path = folder / "a.geojson"
    path.write_text(json.dumps([*STROKES, roi]))
    assert again(server, "--images", "a.png", "--regions", "ROI").exit_code == 0
    made = json.loads(path.read_text())[-1]
    assert shapely.geometry.shape(made["geometry"]).bounds == (20, 20, 90, 80)


def test_a_dry_run_writes_nothing(server: str, folder: Path) -> None:
    before = trace(folder)
    result = again(server, "--dry-run")
    assert result.exit_code == 0
    assert rows(result)["a.png"] == ["planned", "1", "", "", "", ""]
    assert "Nothing was written" in result.stdout
    assert trace(folder) == before


def test_exit_codes_tell_partial_failure_from_none_done(server: str, folder: Path) -> None:
    (folder / "b.geojson").write_text("")
    result = again(server)
    assert result.exit_code == 3
    assert "b.png:" in result.stdout
    assert "the file is empty" in result.stdout
    assert again(server, "--images", "b.png").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("absent",), "absent"),
        (("slides/a.png",), "a.png: no such folder"),
        (("absent.qpproj",), "absent.qpproj"),
        (("empty",), "holds no images"),
        (("slides", "--images", "*.svs"), "there are 3, such as 'a.png'"),
        (("slides", "--server", "127.0.0.1:1"), "127.0.0.1:1"),
        (("slides", "--models", "absent"), "absent"),
    ],
)
def test_refusals_name_the_thing_for_people_and_machines(
    arguments: tuple[str, ...], says: str
) -> None:
    Path("empty").mkdir()
    before = trace(Path())
    result = run(*arguments)
    assert result.exit_code == 1
    assert says in result.stderr
    assert result.stdout == ""
    result = run(*arguments, "--json")
    assert result.exit_code == 1
    assert says in json.loads(result.stdout)["error"]["message"]
    assert trace(Path()) == before


def test_help_has_examples_and_exit_codes() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "deepscribble annotate project.qpproj" in result.stdout
    assert "130  stopped by Ctrl-C" in result.stdout


def test_a_run_that_is_stopped_goes_on_where_it_was(server: str, engine: Any, folder: Path) -> None:
    permits = threading.Semaphore(0)
    engine.gate = SimpleNamespace(wait=permits.acquire, set=lambda: permits.release(100))
    journal = folder / "deepscribble-journal.jsonl"
    for done, how in enumerate((signal.SIGINT, signal.SIGKILL), 1):
        asked = len(engine.calls)
        permits.release()
        with subprocess.Popen(
            [sys.executable, "-c", "from deepscribble.cli.main import main; main()", "annotate",
             "slides", "--mpp", "0.5", "--server", server],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as child:  # fmt: skip
            # The first image that is not done goes through, and the next one hangs.
            wait(lambda at=asked: len(engine.calls) > at + 1)
            wait(
                lambda images=done: (
                    journal.is_file() and journal.read_text().count('"event": "done"') == images
                )
            )
            child.send_signal(how)
            stdout, _ = child.communicate(timeout=60)
        permits.release()
        if how is signal.SIGINT:
            assert child.returncode == 130
            assert "the same command goes on" in stdout
            assert "not reached" in stdout
        else:
            assert child.returncode == -signal.SIGKILL
    for path in folder.glob("*.geojson"):
        assert json.loads(path.read_text())["features"][:2] == STROKES
    engine.gate.set()
    asked = len(engine.calls)
    result = again(server)
    assert result.exit_code == 0
    assert [cells[0] for cells in rows(result).values()] == ["unchanged", "unchanged", "written"]
    assert len(engine.calls) == asked + 1


def wait(happened: Any) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end, "nothing happened for a minute"
        time.sleep(0.005)


def test_the_whole_road_with_networks(untrained_models: Path, folder: Path) -> None:
    """Restless networks, so that anything that does not hold shows."""

    def outline(*more: str) -> dict[str, Any]:
        result = run("slides", "--mpp", 1, "--models", untrained_models, "--device", "cpu",
                     "--images", "[ab].png", "--json", *more)  # fmt: skip
        assert result.exit_code == 0, result.stdout
        said: dict[str, Any] = json.loads(result.stdout)
        return said

    assert outline("--dry-run")["added"] == outline()["added"] > 0
    before = trace(folder)
    for name in ("a.geojson", "b.geojson"):
        features = json.loads((folder / name).read_text())["features"]
        assert features[:2] == STROKES
        shapes = [shapely.geometry.shape(one["geometry"]) for one in features[2:]]
        tumor, stroma = (shapely.geometry.shape(one["geometry"]) for one in STROKES)
        outlined = shapely.union_all(shapes)
        assert outlined.covers(tumor)
        assert not outlined.intersects(stroma)
    journal = folder / "deepscribble-journal.jsonl"
    journal.unlink()
    said = outline()
    assert (said["added"], said["updated"], said["removed"]) == (0, 0, 0)
    after = trace(folder)
    assert {path for path in before if before[path] != after[path]} == {journal}
