"""A folder as a store: nothing of anybody is lost, whatever happens."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepscribble.errors import InvalidInput, OutputRefused, StoreConflict
from deepscribble.geometry import Polygon
from deepscribble.stores import Edit, Query, Result, StoreImage, open_folder, plan_edit, to_result
from deepscribble.stores.folder import FolderStore

HUMAN = [
    '{"type":"Feature","id":"h1","geometry":{"type":"LineString","coordinates":[[1.10,2e0],[3,4]]},'
    '"properties":{"classification":"Tumor","note":"a \\u00e4 \\/ b"}}',
    '{"type": "Feature", "id": "h2", "geometry": {"type": "Polygon", "coordinates": '
    "[[[0, 0], [500, 0], [500, 500], [0, 500], [0, 0]]]}, "
    '"properties": {"classification": {"name": "Region*"}, "isLocked": true}}',
    '{"type":"Feature","geometry":null,"properties":null}',
]
FILE = (
    '{"type": "FeatureCollection", "made by": "hand",\n "features": [\n' + ",\n".join(HUMAN) + "]}"
)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    for name in ("a.png", "b.ome.tif", "Fall #7 ä.svs"):
        (tmp_path / name).touch()
    (tmp_path / "a.geojson").write_text(FILE)
    return open_folder(tmp_path)


def image(store: FolderStore, name: str = "a.png") -> StoreImage:
    return next(image for image in store.images() if image.name == name)


def square(x: float, side: float = 10.0) -> Result:
    ring = np.array([[x, 0], [x + side, 0], [x + side, side], [x, side]])
    return to_result(Polygon(ring, (), side * side, 0.8), "Tumor", {"deepscribble.strokes": "h1"})


def bring(store: FolderStore, *wanted: Result, name: str = "a.png") -> Edit:
    """Make `wanted` what is stored; returns the edit."""
    content = store.read(image(store, name), Query())
    edit = plan_edit(content, wanted, lambda _: True)
    if edit:
        version = store.write(image(store, name), edit, content.version)
        assert version == store.read(image(store, name), Query()).version
    return edit


def texts(path: Path) -> list[str]:
    """What a person wrote of the file, as it stands there."""
    text = path.read_text()
    places = [text.index(one) for one in HUMAN]
    assert places == sorted(places)
    assert json.loads(text)["made by"] == "hand"
    return [text[at : at + len(one)] for at, one in zip(places, HUMAN, strict=True)]


def test_a_file_is_read_for_what_it_holds(store: FolderStore) -> None:
    content = store.read(image(store), Query())
    assert [area.id for area in content.areas] == ["h2"]
    assert [stroke.id for stroke in content.strokes] == ["h1"]
    assert dict(content.ignored) == {"of no class": 1}
    assert store.read(image(store, "b.ome.tif"), Query()).version == "absent"


def test_results_come_and_go_and_all_else_stays_to_the_byte(store: FolderStore) -> None:
    path = store.folder / "a.geojson"
    for wanted in ([square(0), square(50)], [square(1), square(90)], [square(1)], []):
        bring(store, *wanted)
        assert texts(path) == HUMAN
        found = store.read(image(store), Query()).formers
        assert sorted(former.shape.bounds[0] for former in found) == sorted(
            one.polygon.exterior[0, 0] for one in wanted
        )
    assert (store.folder / "deepscribble-backup" / "a.geojson").read_text() == FILE


def test_what_a_person_noted_on_a_result_outlives_an_update(store: FolderStore) -> None:
    bring(store, square(0))
    path = store.folder / "a.geojson"
    document = json.loads(path.read_text())
    ours = document["features"][-1]
    ours["properties"] |= {"name": "margin?", "color": [1, 2, 3]}
    ours["properties"]["measurements"]["Grade"] = 2
    ours["properties"]["metadata"]["note"] = "ask K."
    path.write_text(json.dumps(document))
    (updated,) = bring(store, square(1)).updated
    after = json.loads(path.read_text())["features"][-1]
    assert after["id"] == ours["id"] == updated.id
    assert after["properties"]["name"] == "margin?"
    assert after["properties"]["color"] == [1, 2, 3]
    assert after["properties"]["measurements"] == {
        "Grade": 2, "Area µm^2": 100.0, "Mean probability": 0.8,
    }  # fmt: skip
    assert after["properties"]["metadata"]["note"] == "ask K."
    assert after["geometry"]["coordinates"][0][0] == [1, 0]


def test_an_image_without_a_file_gets_one_and_without_results_gets_none(store: FolderStore) -> None:
    name = "Fall #7 ä.svs"
    assert not bring(store, name=name)
    bring(store, square(0), name=name)
    assert len(store.read(image(store, name), Query()).formers) == 1
    assert (store.folder / "Fall #7 ä.geojson").exists()
    assert not (store.folder / "deepscribble-backup").exists()


def test_a_byte_order_mark_and_a_bare_list_are_taken_as_they_come(store: FolderStore) -> None:
    path = store.folder / "b.geojson"
    path.write_bytes(b"\xef\xbb\xbf[]")
    bring(store, square(0), name="b.ome.tif")
    assert len(json.loads(path.read_bytes().decode("utf-8-sig"))) == 1


def test_a_change_since_reading_is_a_conflict_and_is_left_alone(store: FolderStore) -> None:
    path = store.folder / "a.geojson"
    content = store.read(image(store), Query())
    edit = plan_edit(content, [square(0)], lambda _: True)
    for change in (FILE + "\n", FILE.replace("hand", "foot"), "{", ""):
        path.write_text(change)
        with pytest.raises(StoreConflict, match=r"a\.geojson: the file changed"):
            store.write(image(store), edit, content.version)
        assert path.read_text() == change
    path.unlink()
    with pytest.raises(StoreConflict):
        store.write(image(store), edit, content.version)
    path.write_text(FILE)
    with pytest.raises(StoreConflict):
        store.write(image(store), edit, "absent")
    assert not list(store.folder.glob(".*"))


def test_a_file_made_read_only_is_not_written(store: FolderStore) -> None:
    path = store.folder / "a.geojson"
    path.chmod(0o444)
    with pytest.raises(OutputRefused, match="read-only"):
        bring(store, square(0))
    assert path.read_text() == FILE
    path.chmod(0o640)
    bring(store, square(0))
    assert path.stat().st_mode & 0o777 == 0o640


def test_without_a_backup_nothing_is_written(store: FolderStore) -> None:
    (store.folder / "deepscribble-backup").touch()
    with pytest.raises(OutputRefused, match="backup"):
        bring(store, square(0))
    assert (store.folder / "a.geojson").read_text() == FILE


def test_images_that_would_share_a_file_are_a_problem(store: FolderStore) -> None:
    (store.folder / "a.svs").touch()
    problems = {image.name: image.problem for image in store.images() if image.problem}
    assert set(problems) == {"a.png", "a.svs"}
    assert "a.geojson would hold" in problems["a.png"]


def test_two_files_of_one_image_are_a_problem_that_names_both(store: FolderStore) -> None:
    (store.folder / "a.png.geojson").write_text(FILE)
    (store.folder / "b.ome.geojson").write_text(FILE)
    assert image(store).problem.startswith("a.geojson and a.png.geojson both hold annotations")
    assert not image(store, "b.ome.tif").problem
    (store.folder / "b.geojson").write_text(FILE)
    assert "b.ome.geojson and b.geojson" in image(store, "b.ome.tif").problem
    # The second is another image's.
    (store.folder / "b.png").touch()
    assert not image(store, "b.ome.tif").problem
    assert not image(store, "b.png").problem


def test_what_a_killed_writer_left_is_swept_up(store: FolderStore) -> None:
    old, new = store.folder / ".deepscribble-0.tmp", store.folder / ".deepscribble-1.tmp"
    for left in (old, new):
        left.touch()
    os.utime(old, (0, 0))
    bring(store, square(0))
    assert not old.exists()
    assert new.exists()


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="absent: no such folder"):
        open_folder(tmp_path / "absent")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(5, 30)), max_size=5), max_size=4))
def test_any_outlines_in_any_order_leave_the_person_s_annotations(
    store: FolderStore, outlines: list[list[tuple[int, int]]]
) -> None:
    path = store.folder / "a.geojson"
    path.write_text(FILE)
    for outline in outlines:
        wanted = [square(40.0 * x, float(side)) for x, side in dict(outline).items()]
        bring(store, *wanted)
        assert texts(path) == HUMAN
        found = store.read(image(store), Query()).formers
        assert {former.shape.bounds for former in found} == {
            (*one.polygon.exterior.min(axis=0), *one.polygon.exterior.max(axis=0)) for one in wanted
        }
        before = path.read_bytes(), path.stat().st_mtime_ns
        assert not bring(store, *wanted)
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before
