"""A run over a folder: each image to its end, whatever happens to the others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from deepscribble.client import Client
from deepscribble.errors import LimitExceeded, OutputRefused, Overloaded, ServerUnavailable
from deepscribble.jobs import ImageReport, Job, Journal, State, annotate, exit_code, runner
from deepscribble.server.app import background
from deepscribble.stores import open_folder

Features = list[dict[str, Any]]
Add = Callable[..., Path]
Drawn = Callable[..., dict[str, Any]]


def run(folder: Path, client: Client, **options: Any) -> dict[str, ImageReport]:
    store = open_folder(folder)
    job = Job(**{"mpp": 0.5, **options})
    return {report.name: report for report in annotate(store, store.images(), client, job)}


@contextmanager
def outlining(
    engine: Any, work: Callable[[], dict[str, ImageReport]]
) -> Iterator[dict[str, ImageReport]]:
    """Reports of a run, there after the block; in it, the first image is with the server."""
    engine.gate.clear()
    reports: dict[str, ImageReport] = {}
    thread = threading.Thread(target=lambda: reports.update(work()))
    thread.start()
    while not engine.calls:
        thread.join(0.01)
    try:
        yield reports
    finally:
        engine.gate.set()
        thread.join()


def numbers(report: ImageReport) -> tuple[int, ...]:
    return report.added, report.updated, report.removed, report.unchanged, report.kept


def read(path: Path) -> tuple[Features, Features]:
    """The features of a file that a person drew, and ours."""
    found = json.loads(path.read_text())["features"]
    return [one for one in found if not is_ours(one)], [one for one in found if is_ours(one)]


def is_ours(feature: dict[str, Any]) -> bool:
    return "metadata" in feature["properties"]


def trace(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Every file of a folder, with its content and time."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_strokes_become_outlines_beside_them(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn, region: Drawn
) -> None:
    drawn = [stroke(100, 100), stroke(300, 200), stroke(120, 100, "n", "Stroma")]
    path = add("a.png", *drawn)
    around = add("b.png", region(50, 50, 250, 250), stroke(100, 100))
    bare = add("c.png")
    reports = run(tmp_path, client)
    assert [report.state for report in reports.values()] == [State.WRITTEN] * 3
    human, ours = read(path)
    assert human == drawn
    assert [one["geometry"]["coordinates"][0][0] for one in ours] == [[90, 90], [290, 190]]
    metadata = ours[0]["properties"]["metadata"]
    assert metadata["deepscribble.strokes"] == "s100,s300,n120"
    assert metadata["deepscribble.model.refine"] == "sha256:00"
    assert ours[0]["properties"]["classification"]["name"] == "Tumor"
    assert read(around)[1][0]["properties"]["metadata"]["deepscribble.part"] == "50,50,200,200"
    assert read(bare)[1][0]["geometry"]["coordinates"][0][2] == [400, 300]


def test_a_second_run_changes_nothing_with_the_journal_and_without(
    tmp_path: Path, client: Client, engine: Any, add: Add, stroke: Drawn
) -> None:
    add("a.png", stroke(100, 100), stroke(300, 200))
    add("b.png")
    first = run(tmp_path, client)
    before, asked = trace(tmp_path), len(engine.calls)
    again = run(tmp_path, client)
    assert trace(tmp_path) == before
    assert len(engine.calls) == asked
    assert [numbers(report) for report in again.values()] == [(0, 0, 0, 2, 0), (0, 0, 0, 1, 0)]
    assert [report.warnings for report in again.values()] == [
        report.warnings for report in first.values()
    ]
    journal = Journal(tmp_path).path
    journal.unlink()
    del before[journal]
    anew = run(tmp_path, client)
    assert {report.state for report in anew.values()} == {State.UNCHANGED}
    assert len(engine.calls) > asked
    after = trace(tmp_path)
    del after[journal]
    assert after == before


def test_a_further_stroke_changes_what_it_reaches_and_nothing_else(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn
) -> None:
    strokes = [stroke(100, 100), stroke(300, 200)]
    path = add("a.png", *strokes)
    run(tmp_path, client)
    before = read(path)[1]
    path.write_text(json.dumps({"features": [*strokes, stroke(200, 100), *before]}))
    (report,) = run(tmp_path, client).values()
    # Those within reach of the new stroke name it; all are within 128 µm here.
    assert numbers(report) == (1, 2, 0, 0, 0)
    after = read(path)[1]
    assert [one["id"] for one in after[:2]] == [one["id"] for one in before]
    path.write_text(json.dumps({"features": [strokes[0], *after]}))
    (report,) = run(tmp_path, client).values()
    assert numbers(report) == (0, 1, 2, 0, 0)


def test_other_input_is_done_anew(
    tmp_path: Path, client: Client, engine: Any, add: Add, stroke: Drawn
) -> None:
    add("a.png", stroke(100, 100))
    run(tmp_path, client)
    add("a.png")
    for options in ({}, {"class_name": "Necrosis"}, {"mpp": 1.0}):
        asked = len(engine.calls)
        run(tmp_path, client, **options)
        assert len(engine.calls) == asked + 1


def test_results_of_another_class_or_place_are_left_there(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn, region: Drawn
) -> None:
    path = add("a.png", region(0, 0, 60, 60), region(200, 0, 260, 60))
    run(tmp_path, client)
    first, second = read(path)[1]
    foreign = json.loads(json.dumps(second))
    foreign["id"] = "of a script in QuPath"
    metadata = foreign["properties"]["metadata"]
    del metadata["deepscribble.part"]
    # So the scripts mark the area that they answered: x, y, width, height, z, t.
    metadata["deepscribble.region"] = "200,0,60,60,0,0"
    path.write_text(json.dumps({"features": [region(0, 0, 60, 60), first, second, foreign]}))
    # The second region is gone, and what annotate made for it; the script's result is not.
    (report,) = run(tmp_path, client).values()
    assert numbers(report) == (0, 0, 1, 1, 0)
    assert [one["id"] for one in read(path)[1]] == [first["id"], foreign["id"]]
    (report,) = run(tmp_path, client, class_name="Necrosis").values()
    assert numbers(report) == (1, 0, 0, 0, 0)
    assert len(read(path)[1]) == 3


def test_what_a_person_locked_or_edited_stays_and_is_not_drawn_over(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn
) -> None:
    path = add("a.png", stroke(100, 100), stroke(300, 200))
    run(tmp_path, client)
    human, (locked, edited) = read(path)
    locked["properties"]["isLocked"] = True
    edited["geometry"]["coordinates"][0][1] = [312, 190]
    path.write_text(json.dumps({"features": [*human, locked, edited]}))
    (report,) = run(tmp_path, client).values()
    assert report.state is State.UNCHANGED
    assert numbers(report) == (0, 0, 0, 0, 2)
    assert read(path)[1] == [locked, edited]
    (again,) = run(tmp_path, client).values()
    assert numbers(again) == (0, 0, 0, 0, 2)


def test_a_dry_run_says_the_same_and_writes_nothing(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn
) -> None:
    add("a.png", stroke(100, 100))
    add("b.png")
    before = trace(tmp_path)
    dry = run(tmp_path, client, is_dry=True)
    assert trace(tmp_path) == before
    assert {report.state for report in dry.values()} == {State.PLANNED}
    wet = run(tmp_path, client)
    assert [numbers(report) for report in dry.values()] == [
        numbers(report) for report in wet.values()
    ]
    assert {report.state for report in run(tmp_path, client, is_dry=True).values()} == {
        State.UNCHANGED
    }


def test_the_journal_explains_every_annotation(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn
) -> None:
    path = add("a.png", stroke(100, 100))
    run(tmp_path, client)
    human, (made,) = read(path)
    path.write_text(json.dumps({"features": [*human, stroke(108, 100), made]}))
    run(tmp_path, client)
    lines = [json.loads(line) for line in Journal(tmp_path).path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["change", "done"] * 2
    first, _, second, _ = lines
    assert first["image"] == "a.png"
    assert first["changes"] == [{"id": made["id"], "before": None, "after": made}]
    (part,) = second["parts"]
    assert part["models"] == {"refine": "sha256:00"}
    assert [one["id"] for one in part["strokes"]] == ["s100", "s108"]
    assert part["strokes"][0]["parts"] == [[[96, 100], [104, 100]]]
    change = next(change for change in second["changes"] if change["id"] == made["id"])
    assert json.dumps(change["before"]["geometry"]["coordinates"]) == json.dumps(
        made["geometry"]["coordinates"]
    )
    assert change["before"]["metadata"] == made["properties"]["metadata"]
    assert second["version"]
    assert second["time"] > first["time"]


def test_bad_images_are_reported_and_stop_no_other(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn, region: Drawn
) -> None:
    good = [add(name, stroke(100, 100)) for name in ("a.png", "z.png")]
    add("broken json.png").write_text('{"features": [')
    add("broken stroke.png", stroke(float("nan"), 3))
    add("broken.png", stroke(100, 100))
    (tmp_path / "broken.png").write_bytes((tmp_path / "a.png").read_bytes()[:500])
    (tmp_path / "empty.svs").touch()
    add("elsewhere.png", region(500, 500, 600, 600))
    add("tiny.png", region(50, 50, 50.5, 50.5))
    add("huge.png", size=(1000, 1000))
    add("read-only.png", stroke(100, 100)).chmod(0o444)
    before = trace(tmp_path)
    reports = run(tmp_path, client)
    says = {
        "broken json.png": "not JSON",
        "broken stroke.png": "NaN",
        "broken.png": "broken.png",
        "empty.svs": "empty.svs",
        "elsewhere.png": "lie outside of the image",
        "tiny.png": "is smaller than a pixel",
        "huge.png": "draw smaller regions",
        "read-only.png": "read-only",
    }
    for name, text in says.items():
        assert reports[name].state is State.FAILED, reports[name]
        (problem,) = reports[name].problems
        assert text in problem
    assert reports["a.png"].state is reports["z.png"].state is State.WRITTEN
    assert exit_code(list(reports.values())) == 3
    after = trace(tmp_path)
    assert {path for path in before if before[path] != after[path]} == set(good)


def test_without_a_scale_it_is_said_what_to_do(tmp_path: Path, client: Client, add: Add) -> None:
    add("a.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "b.tif", resolution=20000, resolution_unit=3)
    reports = run(tmp_path, client, mpp=None)
    assert "--mpp" in reports["a.png"].problems[0]
    assert reports["b.tif"].state is State.WRITTEN
    assert run(tmp_path, client, mpp=3.0)["b.tif"].state is State.UNCHANGED


def test_a_region_that_fails_keeps_what_it_had(
    tmp_path: Path, client: Client, engine: Any, add: Add, region: Drawn, stroke: Drawn
) -> None:
    path = add("a.png", region(0, 0, 60, 60, "left"), region(200, 0, 300, 60, "right"))
    run(tmp_path, client)
    human, before = read(path)
    engine.refuses = 200
    path.write_text(json.dumps({"features": [*human, stroke(30, 30), *before]}))
    (report,) = run(tmp_path, client).values()
    assert report.state is State.PARTIAL
    assert report.problems == ("right: no",)
    after = read(path)[1]
    assert after[1] == before[1]
    assert after[0]["geometry"] != before[0]["geometry"]
    assert exit_code([report]) == 3
    # What failed is tried again.
    engine.refuses = -1
    assert run(tmp_path, client)["a.png"].state is State.UNCHANGED


def test_a_file_that_changes_meanwhile_is_a_conflict(
    tmp_path: Path, client: Client, engine: Any, add: Add, stroke: Drawn
) -> None:
    path = add("a.png", stroke(100, 100))
    add("b.png", stroke(100, 100))
    drawn = json.dumps({"features": [stroke(100, 100), stroke(200, 200)]})
    with outlining(engine, lambda: run(tmp_path, client)) as reports:
        path.write_text(drawn)
    assert reports["a.png"].state is State.CONFLICT
    assert "run again" in reports["a.png"].problems[0]
    assert path.read_text() == drawn
    assert reports["b.png"].state is State.WRITTEN
    assert run(tmp_path, client)["a.png"].state is State.WRITTEN


def test_an_image_that_is_replaced_or_vanishes_meanwhile_stops_no_other(
    tmp_path: Path, client: Client, engine: Any, add: Add, stroke: Drawn
) -> None:
    for name in ("replaced.png", "then.png", "z.png"):
        add(name, stroke(100, 100))
    store = open_folder(tmp_path)
    images = store.images()
    (tmp_path / "then.png").unlink()

    def work() -> dict[str, ImageReport]:
        return {each.name: each for each in annotate(store, images, client, Job(mpp=0.5))}

    with outlining(engine, work) as reports:
        Image.new("RGB", (500, 300)).save(tmp_path / "replaced.png")
    assert reports["then.png"].state is State.FAILED
    assert "then.png: the image cannot be read (No such file" in reports["then.png"].problems[0]
    assert reports["z.png"].state is State.WRITTEN
    # Its outline is that of the former file, so it is done again.
    asked = len(engine.calls)
    run(tmp_path, client)
    assert len(engine.calls) == asked + 1


def test_an_image_that_vanishes_during_its_outline_ends_only_itself(
    tmp_path: Path, client: Client, engine: Any, add: Add, stroke: Drawn
) -> None:
    add("a.png", stroke(100, 100))
    add("b.png", stroke(100, 100))
    with outlining(engine, lambda: run(tmp_path, client)) as reports:
        (tmp_path / "a.png").unlink()
    # All of its pixels were read.
    assert [report.state for report in reports.values()] == [State.WRITTEN] * 2


def test_a_file_that_is_read_only_leaves_no_change_in_the_journal(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn
) -> None:
    add("a.png", stroke(100, 100)).chmod(0o444)
    for _ in range(2):
        (report,) = run(tmp_path, client).values()
        assert report.state is State.FAILED
        assert "read-only" in report.problems[0]
    assert not Journal(tmp_path).path.exists()


def test_a_server_that_goes_away_ends_the_run_and_the_next_goes_on(
    tmp_path: Path, server: str, engine: Any, add: Add, stroke: Drawn
) -> None:
    for name in "abcd":
        add(f"{name}.png", stroke(100, 100))
    store = open_folder(tmp_path)
    reports = []
    with ExitStack() as mortal:
        address = mortal.enter_context(background(lambda: engine, engine.settings.message_bytes))
        with Client(address) as client:
            for report in annotate(store, store.images(), client, Job(mpp=0.5)):
                reports.append(report)
                mortal.close()
    states = [report.state for report in reports]
    # The second may have been asked for while the first was written.
    done = states.count(State.WRITTEN)
    assert done in (1, 2)
    assert states == [State.WRITTEN] * done + [State.FAILED] + [State.NOT_REACHED] * (3 - done)
    asked, left = len(engine.calls), 4 - done
    with Client(server) as client:
        again = run(tmp_path, client)
    assert len(engine.calls) == asked + left
    assert [report.state for report in again.values()] == (
        [State.UNCHANGED] * done + [State.WRITTEN] * left
    )


def test_errors_of_the_server_are_those_of_the_image(
    tmp_path: Path, client: Client, engine: Any, add: Add, stroke: Drawn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(runner, "PATIENCE_SECONDS", (0.0, 0.0))
    add("a.png", stroke(100, 100))
    for failure in (LimitExceeded("strokes: too many"), Overloaded("busy")):
        engine.failure, asked = failure, len(engine.calls)
        (report,) = run(tmp_path, client).values()
        assert report.state is State.FAILED
        assert str(failure) in report.problems[0]
        assert len(engine.calls) - asked == (3 if isinstance(failure, Overloaded) else 1)
    engine.failure = None
    assert run(tmp_path, client)["a.png"].state is State.WRITTEN


def test_no_server_and_a_second_writer_are_refused_at_once(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn
) -> None:
    add("a.png", stroke(100, 100))
    with Client("127.0.0.1:1") as nobody, pytest.raises(ServerUnavailable):
        run(tmp_path, nobody)
    with (
        FileLock(tmp_path / ".deepscribble.lock"),
        pytest.raises(OutputRefused, match="another run"),
    ):
        run(tmp_path, client)
    assert run(tmp_path, client)["a.png"].state is State.WRITTEN


def test_a_person_s_annotations_outlive_any_number_of_runs(
    tmp_path: Path, client: Client, add: Add, stroke: Drawn, region: Drawn
) -> None:
    random = np.random.default_rng(1)
    path = add("a.png", region(0, 0, 400, 300))
    human: Sequence[dict[str, Any]] = []
    for _ in range(8):
        points = random.integers(20, 280, (random.integers(0, 4), 2)).tolist()
        human = [region(0, 0, 400, 300), *(stroke(x, y, f"{y} ") for x, y in points)]
        path.write_text(json.dumps({"features": [*human, *read(path)[1]]}))
        (report,) = run(tmp_path, client).values()
        assert report.state is not State.FAILED
        assert read(path)[0] == human


def test_exit_codes() -> None:
    def code(*states: State) -> int:
        return exit_code([ImageReport("i", "i", state) for state in states])

    assert code() == code(State.WRITTEN, State.UNCHANGED) == code(State.PLANNED) == 0
    assert code(State.FAILED, State.CONFLICT) == code(State.NOT_REACHED) == 1
    assert code(State.FAILED, State.UNCHANGED) == code(State.PARTIAL) == 3
