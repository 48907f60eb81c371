"""The scripts inside QuPath, run by a QuPath core against a real server."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import shapely
import tifffile

from deepscribble.client import Client
from deepscribble.geometry import Outline, Polygon, Region
from deepscribble.jobs.plan import Part
from deepscribble.jobs.results import to_results
from deepscribble.server import Faces, background_faces
from deepscribble.stores import to_feature

pytestmark = pytest.mark.qupath

WIDTH, HEIGHT = 256, 192
LIMIT_BYTES = 4096

MOMENT = 1.0
"""Seconds between what a person sees and takes back; it takes that long with any hand."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blobs in the colours of H&E, under a name that QuPath and scripts may stumble over."""
    return painted(tmp_path_factory.mktemp("images") / "Präparat #1.png", WIDTH, HEIGHT)


def painted(path: Path, width: int, height: int) -> Path:
    noise = np.random.default_rng(4).normal(size=(height, width)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), 12)[..., None]
    colours = np.where(blobs > 0, [[150, 80, 130]], [[225, 190, 235]]).astype(np.uint8)
    path.write_bytes(cv2.imencode(".png", colours)[1].tobytes())
    return path


def drawn(kind: str, coordinates: Any, class_name: str | None = "Tumor", **more: Any) -> Any:
    """An annotation as a hand draws it."""
    properties = {"objectType": "annotation", **more}
    if class_name is not None:
        properties["classification"] = class_name
    return {
        "type": "Feature",
        "id": str(uuid.uuid4()),
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": properties,
    }


def box(left: int, top: int, right: int, bottom: int, *rest: Any, **more: Any) -> Any:
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return drawn("Polygon", [ring], *rest, **more)


def tumor() -> Any:
    return drawn("LineString", [[50, 50], [90, 70], [120, 60]])


def not_tumor() -> Any:
    return drawn("LineString", [[150, 130], [190, 150]], "Stroma")


class Desk:
    """A pathologist's place: QuPath with an image, the scripts, and the server behind a relay."""

    def __init__(self, core: Any, relay: Any, folder: Path) -> None:
        self.core, self.relay, self.folder = core, relay, folder

    def run(self, script: str) -> None:
        self.core("script", path=str(self.folder / f"{script}.groovy"))

    def draw(self, *strokes: Any) -> None:
        self.core.add(*strokes)

    def obeys(self, *strokes: Any) -> bool:
        """Whether every drawn point is on its side of the outline."""
        mask = self.core.mask()
        return all(
            mask.contains(shapely.points(point))
            == (stroke["properties"]["classification"] == "Tumor")
            for stroke in strokes
            for point in shapely.get_coordinates(shapely.geometry.shape(stroke["geometry"]))
        )


@pytest.fixture
def at_desk(
    core: Any, relay: Any, installed: Callable[..., Path], image: Path
) -> Callable[..., Desk]:
    def sit_down(path: Path = image, mpp: float | None = 1.0, window: bool = True, **settings: str):
        core("open", path=str(path), window=window, **({} if mpp is None else {"mpp": mpp}))
        settings.setdefault("server", f"'http://{relay.address}'")
        return Desk(core, relay, installed(**settings))

    return sit_down


@pytest.fixture
def live(at_desk: Callable[..., Desk]) -> Desk:
    desk = at_desk()
    desk.run("RefineLive")
    return desk


def test_each_version_segments_refines_and_undoes(
    each_core: Any, relay: Any, installed: Callable[..., Path], image: Path
) -> None:
    each_core("open", path=str(image), mpp=0.5, window=True)
    desk = Desk(each_core, relay, installed(server=f"'http://{relay.address}'"))
    each_core("view", bounds=[0, 0, WIDTH, HEIGHT])
    desk.run("Segment")
    before = set(each_core.outline())
    desk.run("RefineLive")
    desk.draw(first := tumor())
    desk.core.wait(lambda: desk.obeys(first), "obedience")
    between = set(each_core.features())
    desk.draw(second := not_tumor())
    desk.core.wait(lambda: desk.obeys(first, second), "obedience")
    time.sleep(MOMENT)
    desk.core("undo")
    desk.core.wait(lambda: set(each_core.features()) == between, "one correction undone")
    time.sleep(MOMENT)
    desk.core("undo")
    desk.core.wait(lambda: set(each_core.features()) == before, "both corrections undone")
    desk.run("StopLive")
    assert each_core.state()["dialogs"] == []


def same_shape(one: shapely.Geometry, other: shapely.Geometry) -> bool:
    """Whether two shapes are one but for QuPath's rounding of coordinates."""
    return bool(one.symmetric_difference(other).area <= 0.02 * (one.length + 1))


def test_segment_outlines_the_selected_annotation_as_the_python_client_does(
    at_desk: Callable[..., Desk], faces: Faces, image: Path
) -> None:
    desk = at_desk(window=False)
    region = box(40, 30, 200, 180, None)
    desk.draw(region)
    before = desk.core.features()
    desk.core("select", id=region["id"])

    desk.run("Segment")

    with Client(faces.grpc) as client:
        pixels = cv2.cvtColor(cv2.imread(str(image)), cv2.COLOR_BGR2RGB)[30:180, 40:200]
        expected = client.open(Region(40, 30, 160, 150, 1.0), pixels.copy()).segment().polygons
    found = {id: shapely.geometry.shape(it["geometry"]) for id, it in desk.core.outline().items()}
    assert len(found) == len(expected) > 1
    assert any(polygon.holes for polygon in expected)
    wanted = [shapely.Polygon(polygon.exterior, polygon.holes) for polygon in expected]
    assert all(any(same_shape(one, other) for other in wanted) for one in found.values())
    for feature in desk.core.outline().values():
        properties = feature["properties"]
        assert properties["classification"] == {"name": "Tumor", "color": [200, 0, 0]}
        assert set(properties["measurements"]) == {"Area µm^2", "Mean probability"}
        assert properties["metadata"]["deepscribble.region"] == "40,30,160,150,0,0"
        assert properties["metadata"]["deepscribble.model.guide-tumor"].startswith("sha256:")
    assert desk.core.features()[region["id"]] == before[region["id"]]


def test_segment_outlines_what_the_window_shows(at_desk: Callable[..., Desk]) -> None:
    desk = at_desk()
    desk.core("view", bounds=[-50, 60, 200, 900])
    desk.run("Segment")
    left, top, right, bottom = desk.core.mask().bounds
    assert 0 <= left < right <= 150
    assert 60 <= top < bottom <= HEIGHT
    before = desk.core.outline()
    desk.run("Segment")
    assert desk.core.outline() == before, "the same again changes nothing"


STROKES: tuple[tuple[str, Any], ...] = (
    ("LineString", [[50, 50], [90, 70]]),
    ("LineString", [[50, 50], [90, 70], [120, 60]]),
    ("MultiPoint", [[45, 45], [100, 75], [130, 110]]),
    ("Polygon", [[[45, 45], [75, 47], [70, 80], [47, 75], [45, 45]]]),
    (
        "Polygon",
        [
            [[45, 45], [125, 45], [125, 125], [45, 125], [45, 45]],
            [[70, 70], [70, 100], [100, 100], [100, 70], [70, 70]],
        ],
    ),
)


def test_every_kind_of_stroke_is_obeyed(live: Desk) -> None:
    for kind, coordinates in STROKES:
        for class_name in ("Tumor", "Stroma"):
            live.draw(stroke := drawn(kind, coordinates, class_name))
            live.core.answered(stroke["id"])
            assert live.obeys(stroke)
            live.core("remove", id=stroke["id"])


def test_nothing_that_a_person_made_is_touched(live: Desk) -> None:
    people = (
        box(10, 10, 240, 180, None, name="DeepScribble?", isLocked=True),
        box(60, 30, 110, 100, "Necrosis", measurements={"Area µm^2": 1.0}),
        drawn("MultiPoint", [[55, 55], [105, 65]], "Immune cells", color=[1, 2, 3]),
        box(75, 55, 80, 60, "Tumor: Positive", metadata={"seen by": "M. Ö."}),
        box(65, 65, 70, 70, "Stroma", objectType="detection"),
    )
    live.draw(*people)
    before = live.core.features()
    first, second = tumor(), not_tumor()
    live.draw(first)
    live.core.wait(live.core.outline, "an outline")
    live.draw(second)
    live.core.wait(lambda: live.obeys(first, second), "obedience")

    after = live.core.features()
    assert {id: after[id] for id in before} == before
    assert set(after) - set(before) - set(live.core.outline()) == {first["id"], second["id"]}


def test_results_are_replaced_by_id_but_for_locked_and_edited_ones(live: Desk) -> None:
    first = tumor()
    live.draw(first)
    before = live.core.answered(first["id"])
    large = sorted(before, key=lambda id: -before[id]["properties"]["measurements"]["Area µm^2"])
    locked, edited = large[:2]
    live.core("lock", id=locked)
    live.core("reshape", id=edited, feature=box(30, 30, 60, 50))
    second = drawn("LineString", [[10, 10], [240, 180]], "Stroma")
    live.draw(second)
    after = live.core.answered(first["id"], second["id"])

    assert set(before) - set(after), "the others gave way"
    assert after[locked]["geometry"] == before[locked]["geometry"]
    assert after[locked]["properties"]["isLocked"]
    assert shapely.geometry.shape(after[edited]["geometry"]).bounds == (30, 30, 60, 50)
    theirs = shapely.geometry.shape(after[locked]["geometry"])
    others = [shapely.geometry.shape(after[id]["geometry"]) for id in set(after) - set(before)]
    assert not any(theirs.intersection(it).area >= it.area / 2 for it in others)


def test_pixels_are_sent_once_and_then_less_than_4_kb_for_each_stroke(live: Desk) -> None:
    live.draw(first := tumor())
    live.core.answered(first["id"])
    ids = [first["id"]]
    angles = np.linspace(0, 6 * np.pi, 600)
    spiral = np.stack([128 + 4 * angles * np.cos(angles), 96 + 4 * angles * np.sin(angles)], 1)
    strokes = [
        drawn("LineString", spiral.round(2).tolist(), "Stroma"),
        box(20, 20, 40, 40),
        *(drawn("LineString", [[50 + 9 * n, 40], [60 + 9 * n, 150]]) for n in range(5)),
    ]
    sizes = []
    for stroke in strokes:
        before = len(live.relay.sent)
        live.draw(stroke)
        ids.append(stroke["id"])
        live.core.answered(*ids)
        sizes.append(len(live.relay.sent) - before)
    assert live.relay.requests().count("PUT /v1/regions") == 1
    assert max(sizes) <= LIMIT_BYTES, sizes
    assert live.obeys(*strokes[2:]), "also the vertices that were not sent"


def test_a_server_that_was_restarted_is_told_everything_again(
    live: Desk, untrained_models: Path
) -> None:
    live.draw(first := tumor())
    live.core.answered(first["id"])
    with background_faces(untrained_models, "cpu") as fresh:
        live.relay.target = fresh.http
        live.relay.cut()
        live.draw(second := not_tumor())
        live.core.answered(first["id"], second["id"])
    assert live.relay.requests().count("PUT /v1/regions") == 2
    assert live.obeys(first, second)
    assert live.core.state()["dialogs"] == []


def test_a_newer_stroke_supersedes_the_work_on_an_older_one(live: Desk) -> None:
    live.draw(first := tumor())
    live.core.answered(first["id"])
    live.relay.gate.clear()
    asked = live.relay.requests().count("POST /v1/refine")
    live.draw(second := not_tumor())
    live.core.wait(lambda: live.relay.requests().count("POST /v1/refine") > asked, "a request")
    hung_up = live.relay.hung_up
    live.draw(third := drawn("LineString", [[30, 150], [50, 160]]))
    live.core.wait(lambda: live.relay.hung_up > hung_up, "the older request to be given up")
    live.relay.gate.set()
    live.core.answered(first["id"], second["id"], third["id"])
    assert live.obeys(first, second, third)
    assert not any(
        it["properties"]["metadata"]["deepscribble.strokes"] == f"{first['id']},{second['id']}"
        for it in live.core.outline().values()
    ), "the older answer never showed"


def test_it_is_stopped_and_runs_only_once(live: Desk) -> None:
    live.run("RefineLive")
    assert live.core.state()["live"] == 1
    live.draw(first := tumor())
    live.core.answered(first["id"])
    live.run("StopLive")
    assert live.core.state()["live"] == 0
    asked = len(live.relay.requests())
    live.draw(not_tumor())
    live.run("StopLive")
    assert len(live.relay.requests()) == asked


def test_a_correction_is_one_step_of_undo_and_the_window_changes_on_its_own_thread(
    live: Desk,
) -> None:
    def shown() -> dict[str, Any]:
        features = live.core.features()
        return {id: features[id]["geometry"] for id in sorted(features)}

    states = [shown()]
    ids: list[str] = []
    for stroke in (tumor(), not_tumor()):
        live.draw(stroke)
        ids.append(stroke["id"])
        live.core.answered(*ids)
        states.append(shown())
    for state in (states[1], states[0]):
        time.sleep(MOMENT)
        live.core("undo")
        live.core.wait(lambda state=state: shown() == state, "all of a correction undone")
    for state in (states[1], states[2]):
        time.sleep(MOMENT)
        live.core("redo")
        live.core.wait(lambda state=state: shown() == state, "all of a correction redone")
    assert live.core.state()["threads"] == ["JavaFX Application Thread"]

    time.sleep(MOMENT)
    live.core("undo")
    live.core.wait(lambda: shown() == states[1], "undone")
    live.draw(third := drawn("LineString", [[30, 150], [50, 160]]))
    live.core.wait(lambda: live.obeys(third), "drawing on after undoing")
    assert live.obeys(tumor() | {"id": ""}, third)


def test_an_outline_follows_strokes_that_are_taken_away(live: Desk) -> None:
    live.draw(first := tumor())
    before = live.core.answered(first["id"])
    live.draw(second := not_tumor())
    live.core.answered(first["id"], second["id"])
    live.core("remove", id=second["id"])
    live.core.wait(lambda: set(live.core.outline()) == set(before), "the outline as it was")


def test_undoing_just_before_an_answer_shows_leaves_it_out(live: Desk) -> None:
    live.draw(first := tumor())
    before = live.core.answered(first["id"])
    live.relay.gate.clear()
    asked = live.relay.requests().count("POST /v1/refine")
    live.draw(second := not_tumor())
    live.core.wait(lambda: live.relay.requests().count("POST /v1/refine") > asked, "a request")
    live.core("undoBeforeAnswer")
    live.relay.gate.set()
    live.core.wait(lambda: second["id"] not in live.core.features(), "undone")
    live.draw(third := drawn("Point", [30, 150]))
    live.core.answered(first["id"], third["id"])
    time.sleep(MOMENT)
    live.core("undo")
    live.core.wait(lambda: set(live.core.outline()) == set(before), "the outline as it was")


def test_what_is_annotated_is_refined_as_a_whole(
    at_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = at_desk(painted(tmp_path / "long.png", 1800, 96))
    region = Region(0, 0, 1800, 96, 1.0)
    long = Polygon(np.array([[9, 9], [1790, 9], [1790, 90], [9, 90]], float), (), 144261.0, 0.9)
    outline = Outline((long,), "", (), {})
    part = Part("whole image", region, shapely.box(0, 0, 1800, 96), ())
    stored = [to_feature(it) for it in to_results(part, outline, "Tumor", 64.0, datetime.now(UTC))]
    assert len(stored) == 1
    desk.draw(*stored)
    desk.run("RefineLive")
    desk.draw(stroke := drawn("LineString", [[200, 20], [210, 80]], "Stroma"))
    desk.core.answered(stroke["id"])

    assert desk.obeys(stroke)
    after = desk.core.outline()
    assert stored[0]["id"] not in after, "it reached beyond the square around the stroke"
    places = [it["properties"]["metadata"] for it in after.values()]
    assert {it["deepscribble.region"] for it in places} == {"0,0,1800,96,0,0"}
    assert not any("deepscribble.part" in it for it in places)
    assert desk.core.mask().bounds[2] > 1100


def test_a_stroke_that_a_result_stands_in_the_way_of_is_told(live: Desk) -> None:
    def notes() -> list[str]:
        return [it for it in live.core.state()["notes"] if "stays as it is" in it]

    live.draw(box(60, 30, 150, 120, name="DeepScribble", isLocked=True, metadata={"by": "hand"}))
    live.draw(first := drawn("Point", [200, 150]))
    live.core.answered(first["id"])
    assert notes() == []
    live.draw(second := drawn("LineString", [[85, 60], [95, 80]], "Stroma"))
    live.core.wait(notes, "a note")
    assert not live.obeys(second)
    live.draw(third := drawn("LineString", [[86, 60], [96, 80]], "Stroma"))
    live.core.wait(lambda: len(notes()) == 2, "a note for each stroke")
    assert not live.obeys(third)


def test_what_the_server_warns_of_is_told_once(at_desk: Callable[..., Desk]) -> None:
    def notes() -> list[str]:
        return [it for it in desk.core.state()["notes"] if "meets older strokes" in it]

    desk = at_desk()
    desk.core("view", bounds=[0, 0, WIDTH, HEIGHT])
    desk.draw(first := tumor(), second := drawn("LineString", [[85, 40], [95, 90]], "Stroma"))
    desk.run("Segment")
    assert len(notes()) == 1
    desk.run("RefineLive")
    ids = [first["id"], second["id"]]
    for stroke in (not_tumor(), drawn("Point", [40, 160])):
        desk.draw(stroke)
        ids.append(stroke["id"])
        desk.core.answered(*ids)
    desk.core.wait(lambda: len(notes()) == 2, "a note")


def test_results_on_another_plane_keep_their_measurements(
    at_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    plain = cv2.imread(str(painted(tmp_path / "plain.png", WIDTH, HEIGHT)))
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, np.stack([255 - plain, plain]), imagej=True, metadata={"axes": "ZYXS"})
    desk = at_desk(stack, window=False)
    region = box(40, 30, 200, 180, None)
    region["geometry"]["plane"] = {"c": -1, "z": 1, "t": 0}
    desk.draw(region)
    desk.core("select", id=region["id"])
    desk.run("Segment")
    outline = desk.core.outline()
    assert outline
    for feature in outline.values():
        assert feature["geometry"]["plane"]["z"] == 1
        assert set(feature["properties"]["measurements"]) == {"Area µm^2", "Mean probability"}


def test_strokes_can_be_put_away(at_desk: Callable[..., Desk]) -> None:
    desk = at_desk(hideStrokes="true")
    desk.run("RefineLive")
    desk.draw(first := tumor())
    desk.core.answered(first["id"])
    after = desk.core.features()[first["id"]]
    assert after["properties"]["classification"]["names"] == ["Tumor", "Stroke"]
    assert after["geometry"] == first["geometry"]
    desk.core.wait(lambda: desk.core.state()["hidden"] == ["Tumor: Stroke"], "the class hidden")
    desk.draw(second := not_tumor())
    desk.core.answered(first["id"], second["id"])
    assert desk.core.features()[second["id"]]["properties"]["classification"]["names"] == [
        "Stroma",
        "Stroke",
    ]


def test_regions_hold_their_strokes_together_and_squares_the_rest(
    at_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = at_desk(painted(tmp_path / "large.png", 2600, 96))
    desk.draw(box(0, 0, 200, 96, "Region*"))
    desk.run("RefineLive")

    def areas() -> set[str]:
        return {
            it["properties"]["metadata"]["deepscribble.region"]
            for it in desk.core.outline().values()
        }

    def draw_at(x: int) -> None:
        stroke = drawn("LineString", [[x, 40], [x + 40, 50]])
        desk.draw(stroke)
        desk.core.wait(lambda: desk.obeys(stroke), "obedience")

    draw_at(100)
    assert areas() == {"0,0,200,96,0,0"}
    draw_at(2300)
    assert areas() == {"0,0,200,96,0,0", "1576,0,1024,96,0,0"}
    draw_at(1700)
    assert areas() == {"0,0,200,96,0,0", "1576,0,1024,96,0,0"}, "reused"
    draw_at(1500)
    assert areas() == {"0,0,200,96,0,0", "1008,0,1592,96,0,0"}, "grown into one"


def test_strokes_of_unknown_classes_are_left_alone(live: Desk) -> None:
    live.draw(drawn("LineString", [[10, 10], [60, 60]], "Vessel"))
    live.draw(drawn("LineString", [[10, 10], [60, 60]], None))
    live.draw(first := tumor())
    live.core.answered(first["id"])
    assert live.relay.requests().count("POST /v1/refine") == 1


def test_the_next_image_is_followed(live: Desk, tmp_path: Path) -> None:
    live.draw(first := tumor())
    live.core.answered(first["id"])
    live.core(
        "open",
        path=str(painted(tmp_path / "next.png", 200, 150)),
        mpp=1.0,
        window=True,
        beside=True,
    )
    live.core.wait(lambda: live.core.state()["listeners"], "the next image")
    live.draw(second := drawn("Point", [100, 100]))
    live.core.answered(second["id"])


def test_a_server_that_is_gone_is_one_dialog_and_no_end(live: Desk) -> None:
    live.draw(first := tumor())
    live.core.answered(first["id"])
    target, live.relay.target = live.relay.target, None
    live.relay.cut()
    live.draw(second := not_tumor())
    dialogs = live.core.wait(lambda: live.core.state()["dialogs"], "a dialog")
    live.draw(third := drawn("Point", [30, 150]))
    live.relay.target = target
    live.draw(fourth := drawn("Point", [40, 160]))
    live.core.answered(*(stroke["id"] for stroke in (first, second, third, fourth)))
    assert len(dialogs) == 1
    assert f"http://{live.relay.address}" in dialogs[0]
    assert live.core.state()["dialogs"] == dialogs


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def stranger() -> Iterator[Callable[..., str]]:
    """Another program's HTTP server, which answers everything with one status and one body."""
    servers = []

    def serve(status: int, body: bytes = b"<html>Hello</html>") -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def do_PUT(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (lambda faces, stranger: f"http://127.0.0.1:{closed_port()}", "deepscribble serve --http"),
        (lambda faces, stranger: f"http://{faces.grpc}", "does not speak HTTP"),
        (lambda faces, stranger: f"https://{faces.http}", "http:// in place of https://"),
        (lambda faces, stranger: "http://no.such.host.invalid:80", "no computer of this name"),
        (lambda faces, stranger: "not an address", "is no address"),
        (lambda faces, stranger: stranger(404), "another program"),
        (lambda faces, stranger: stranger(200), "another program"),
        (lambda faces, stranger: stranger(200, b"{}"), "another program"),
        (lambda faces, stranger: stranger(401), "token"),
    ],
    ids=["down", "grpc", "https", "host", "nonsense", "404", "200", "json", "401"],
)
def test_a_server_that_cannot_be_used_is_told_with_what_helps(
    at_desk: Callable[..., Desk], faces: Faces, stranger: Any, server: Any, says: str
) -> None:
    desk = at_desk(server=f"'{server(faces, stranger)}'")
    desk.run("RefineLive")
    state = desk.core.state()
    assert len(state["dialogs"]) == 1
    assert says in state["dialogs"][0]
    assert state["live"] == 0


@pytest.mark.parametrize(
    ("settings", "mpp", "says"),
    [
        ({}, None, "µm per pixel"),
        ({"guideModel": "'guide-moon'"}, 1.0, "It has: guide-tumor"),
        ({"notTumor": "['Tumor']"}, 1.0, "as tumor and as not tumor"),
        ({}, 0.001, "0.01"),
        ({"tumor": "null"}, 1.0, "did not expect: java.lang.NullPointerException"),
    ],
    ids=["uncalibrated", "model", "classes", "scale", "unforeseen"],
)
def test_what_stands_in_the_way_is_one_dialog(
    at_desk: Callable[..., Desk], settings: dict[str, str], mpp: float | None, says: str
) -> None:
    desk = at_desk(mpp=mpp, **settings)
    desk.draw(tumor())
    desk.run("Segment")
    dialogs = desk.core.state()["dialogs"]
    assert len(dialogs) == 1
    assert says in dialogs[0]
    assert desk.core.outline() == {}


def test_another_program_in_place_of_the_server_is_one_dialog_and_no_end(
    live: Desk, stranger: Any
) -> None:
    live.draw(first := tumor())
    live.core.answered(first["id"])
    target, live.relay.target = live.relay.target, stranger(200, b"{}").removeprefix("http://")
    live.relay.cut()
    live.draw(second := not_tumor())
    dialogs = live.core.wait(lambda: live.core.state()["dialogs"], "a dialog")
    assert "another program" in dialogs[0]
    live.relay.target = target
    live.draw(third := drawn("Point", [40, 160]))
    live.core.answered(first["id"], second["id"], third["id"])
    assert live.core.state()["dialogs"] == dialogs


def test_an_image_that_is_unreadable_is_one_dialog_and_no_end(
    live: Desk, image: Path, tmp_path: Path
) -> None:
    def turn_to(path: Path, **more: Any) -> None:
        live.core("open", path=str(path), window=True, beside=True, **more)
        live.core.wait(lambda: live.core.state()["listeners"], "the next image")

    turn_to(painted(tmp_path / "unknown.png", 200, 150))
    dialogs = live.core.wait(lambda: live.core.state()["dialogs"], "a dialog")
    assert "µm per pixel" in dialogs[0]
    live.core("calibrate", mpp=1.0)
    live.draw(first := drawn("Point", [100, 100]))
    live.core.answered(first["id"])
    assert live.core.state()["dialogs"] == dialogs
    turn_to(image, mpp=1.0)


def test_live_begins_when_the_pixel_size_is_given_and_follows_a_corrected_one(
    at_desk: Callable[..., Desk],
) -> None:
    desk = at_desk(mpp=None)
    desk.run("RefineLive")
    dialogs = desk.core.state()["dialogs"]
    assert len(dialogs) == 1
    assert "µm per pixel" in dialogs[0]
    desk.draw(first := tumor())
    desk.core("calibrate", mpp=1.0)
    desk.core.answered(first["id"])
    before = len(desk.relay.sent)

    desk.core("calibrate", mpp=0.5)
    desk.draw(second := not_tumor())
    desk.core.answered(first["id"], second["id"])
    assert b'"mpp":0.5' in desk.relay.sent[before:]
    assert b'"mpp":1.0' not in desk.relay.sent[before:]
    assert desk.core.state()["dialogs"] == dialogs


def test_without_a_window_trouble_fails_the_script(at_desk: Callable[..., Desk]) -> None:
    desk = at_desk(window=False)
    with pytest.raises(RuntimeError, match="Nothing is selected"):
        desk.run("Segment")
    gray = desk.folder / "gray.png"
    gray.write_bytes(cv2.imencode(".png", np.zeros((50, 60), np.uint16))[1].tobytes())
    desk = at_desk(gray, window=False)
    with pytest.raises(RuntimeError, match="no image in red, green and blue"):
        desk.run("Segment")
