from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import shapely
from filelock import FileLock

from deepscribble.errors import InvalidInput, OutputRefused, StoreConflict
from deepscribble.geometry import Kind, Label
from deepscribble.stores import Edit, Query, StrokeClasses, plan_edit, shape_of
from deepscribble.stores.qupath import open_project
from deepscribble.stores.qupath.project import LOCK

pytestmark = pytest.mark.qupath

SHAPES = {
    "box": shapely.box(150, 100, 250, 200),
    "triangle": shapely.Polygon([(150.25, 100.5), (250.75, 100.5), (200, 199.125)]),
    "round": shapely.Point(300, 200).buffer(90, 25),
    "hole": shapely.Point(300, 200).buffer(90, 25) - shapely.Point(310, 190).buffer(30, 25),
    "two holes": shapely.box(150, 100, 350, 200)
    - shapely.box(160, 110, 200, 150)
    - shapely.Point(280, 150).buffer(20),
    "needle": shapely.Polygon([(150, 100), (400, 100.5), (150, 101)]),
    "at the edge": shapely.box(0, 0, 600, 400) - shapely.box(1, 1, 599, 399),
}


def test_images_have_their_file_their_size_and_their_scale(project: Any, template: Path) -> None:
    (image,) = project.open().images()
    assert image.path == template / "Fall 1 #2 für.tif"
    assert (image.name, image.size, image.mpp) == ("Fall 1 #2 für.tif", (600, 400), 0.5)
    assert image.problem == ""


def test_strokes_and_regions_are_told_from_the_rest(project: Any) -> None:
    _, _, content = project.read()
    assert [area.shape.bounds for area in content.areas] == [(100, 50, 500, 350)]
    assert [(stroke.kind, stroke.label) for stroke in content.strokes] == [
        (Kind.POLYLINE, Label.FOREGROUND),
        (Kind.POLYLINE, Label.BACKGROUND),
        (Kind.POINTS, Label.FOREGROUND),
        (Kind.BRUSH, Label.FOREGROUND),
    ]
    assert content.strokes[0].parts[0].tolist() == [[110, 60], [150, 90], [200, 70]]
    assert content.ignored == {"of class Lymph follicle": 1, "of no class": 1}
    assert len(content.ids) == 7
    assert content.formers == ()


def test_classes_are_chosen(project: Any) -> None:
    query = Query(StrokeClasses(("Lymph*",), ("Tumor",)), regions=("Stroma",))
    with pytest.raises(InvalidInput, match=r"class Stroma .* no area"):
        project.read(query)
    _, _, content = project.read(Query(StrokeClasses(("Lymph*",), ("Tumor",)), regions=()))
    assert [stroke.label for stroke in content.strokes] == [
        *[Label.BACKGROUND] * 3,
        Label.FOREGROUND,
    ]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_polygon_comes_back_as_it_went(project: Any, result: Any, shape: Any) -> None:
    wanted = result(shape)
    version = project.write(wanted)
    _, _, content = project.read()
    (former,) = content.formers
    assert content.version == version
    assert former.shape.symmetric_difference(shape).area <= 0.02 * shape.length
    assert shapely.hausdorff_distance(former.shape, shape) < 0.02
    assert len(former.shape.interiors) == len(shape.interiors)
    assert (former.id, former.class_name, former.stays) == (wanted.id, "Tumor", "")
    assert former.metadata == wanted.metadata
    assert former.mean_probability == pytest.approx(0.9)
    # What a second run would do: nothing.
    assert not plan_edit(content, [wanted], lambda _: True)


def test_an_annotation_carries_what_explains_it(project: Any, result: Any) -> None:
    wanted = result(SHAPES["hole"])
    project.write(wanted)
    (ours,) = project.ours().values()
    _, parent, kind, name, class_name, roi, _, is_locked, metadata, measurements = ours
    assert (parent, kind, name, class_name) == ("", "PathAnnotationObject", "DeepScribble", "Tumor")
    assert (roi, is_locked) == ("GeometryROI", False)
    assert "deepscribble.model.refine=sha256:1" in metadata
    assert "deepscribble.strokes=stroke-1" in metadata
    # QuPath keeps measurements in single precision.
    assert f"Area µm^2={wanted.polygon.area_um2:.2f}"[:-1] in measurements


def test_nothing_else_changes(project: Any, result: Any) -> None:
    def note(entry: Any) -> None:
        entry.properties["Pathologe"] = "Müller"
        java = entry._image_data
        step = "qupath.lib.plugins.workflow.DefaultScriptableWorkflowStep"
        from deepscribble.stores.qupath.runtime import java_class

        java.getHistoryWorkflow().addStep(java_class(step)("Detect", "detect()"))

    project.change(note)
    before = project.objects()
    described = state(project)
    project.write(result(SHAPES["hole"]), result(SHAPES["box"]))
    assert project.people() == before
    assert state(project) == described
    assert sum(project.objects().values()) == sum(before.values()) + 2


def state(project: Any) -> tuple[Any, ...]:
    from paquo.projects import QuPathProject

    opened = QuPathProject(project.file, mode="r")
    entry = opened.images[0]
    data = entry._image_data
    steps = [str(step) for step in data.getHistoryWorkflow().getSteps()]
    properties = {
        str(item.getKey()): str(item.getValue()) for item in data.getProperties().entrySet()
    }
    stains = str(data.getColorDeconvolutionStains())
    return entry.image_type, entry.image_name, steps, properties, stains, project.file.read_bytes()


def test_a_project_that_changed_meanwhile_is_left_alone(
    project: Any, result: Any, drawn: Any
) -> None:
    store, image, content = project.read()
    project.change(lambda entry: drawn(entry, shapely.box(1, 1, 5, 5), "Tumor"))
    before = project.files()
    with pytest.raises(StoreConflict, match="changed since it was read"):
        store.write(image, Edit(added=(result(SHAPES["box"]),)), content.version)
    before = {name: what for name, what in before.items() if LOCK not in name}
    assert {name: what for name, what in project.files().items() if LOCK not in name} == before


def test_an_open_project_sees_what_was_saved(project: Any, drawn: Any) -> None:
    store, image, content = project.read()
    project.change(lambda entry: drawn(entry, shapely.box(1, 1, 5, 5), "Tumor"))
    assert len(store.read(image, Query()).strokes) == len(content.strokes) + 1


def test_the_first_state_is_kept(project: Any, result: Any) -> None:
    original = project.data.read_bytes()
    copy = project.file.parent / "deepscribble-backup" / "data" / "1" / "data.qpdata"
    project.write(result(SHAPES["box"]))
    assert copy.read_bytes() == original
    project.write(result(SHAPES["needle"]))
    assert copy.read_bytes() == original
    assert not list(project.file.parent.rglob("*.tmp"))


def test_what_a_killed_writer_left_is_cleared(project: Any, result: Any) -> None:
    left = project.data.with_name(".deepscribble-0.tmp")
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    project.write(result(SHAPES["box"]))
    assert not left.exists()


def test_the_summary_is_qupaths_own(project: Any, result: Any) -> None:
    project.write(result(SHAPES["box"]), result(SHAPES["round"], "Carcinoma"))
    summary = json.loads(project.data.with_name("summary.json").read_text())
    assert summary["hierarchy"]["annotationClassificationCounts"]["Carcinoma"] == 1
    assert summary["hierarchy"]["objectTypeCounts"] == {
        "Root objects": 1,
        "Annotations": 9,
        "Detections": 1,
    }
    assert summary["timestamp"] == project.data.stat().st_mtime_ns // 1_000_000


def test_a_class_that_is_listed_keeps_its_colour(project: Any, result: Any) -> None:
    listed = project.file.parent / "classifiers" / "classes.json"
    green = -16711936
    listed.write_text(json.dumps({"pathClasses": [{"name": "Tumor", "color": green}]}))
    project.write(result(SHAPES["box"]), result(SHAPES["round"], "Carcinoma"))
    classes = json.loads(listed.read_text())["pathClasses"]
    assert classes == [{"name": "Tumor", "color": green}, {"name": "Carcinoma"}]
    from paquo.projects import QuPathProject

    opened = QuPathProject(project.file, mode="r")
    assert [one.name for one in opened.path_classes] == ["Tumor", "Carcinoma"]
    annotations = opened.images[0].hierarchy.annotations
    colors = {one.path_class.name: one.path_class.color for one in annotations if one.path_class}
    assert colors["Tumor"].to_rgb() == (0, 255, 0)


def test_an_image_without_annotations_gets_its_first(project: Any, result: Any) -> None:
    shutil.rmtree(project.data.parent)
    store, image, content = project.read()
    assert (content.version, content.ids) == ("absent", frozenset())
    store.write(image, Edit(added=(result(SHAPES["hole"]),)), "absent")
    _, _, content = project.read()
    assert len(content.formers) == 1


def test_a_thousand_polygons(project: Any, result: Any) -> None:
    circle = shapely.Point(0, 0).buffer(4, 25)
    wanted = [
        result(shapely.affinity.translate(circle, 5 + 14.5 * (n % 40), 5 + 15 * (n // 40)))
        for n in range(1000)
    ]
    project.write(*wanted)
    _, _, content = project.read()
    assert {former.id for former in content.formers} == {one.id for one in wanted}
    assert not plan_edit(content, wanted, lambda _: True)
    shapes = {former.id: former.shape for former in content.formers}
    for one in wanted:
        assert shapely.hausdorff_distance(shapes[one.id], shape_of(one.polygon)) < 0.02


def test_a_second_writer_waits_and_then_says_so(
    project: Any, result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepscribble.stores.qupath.project.PATIENCE", 0.05)
    with (
        FileLock(project.file.parent / LOCK),
        pytest.raises(OutputRefused, match="another DeepScribble"),
    ):
        project.write(result(SHAPES["box"]))
    # The file that is left when a writer was killed locks nothing.
    project.write(result(SHAPES["box"]))


def test_an_image_that_left_the_project(project: Any, result: Any) -> None:
    store, image, content = project.read()
    document = json.loads(project.file.read_text())
    project.file.write_text(json.dumps({**document, "images": []}))
    assert store.images() == ()
    with pytest.raises(InvalidInput, match="no longer has this image"):
        store.write(image, Edit(added=(result(SHAPES["box"]),)), content.version)


@pytest.mark.parametrize("text", ["", "{", '{"images": 3}', "[]"])
def test_a_damaged_project_file(project: Any, text: str) -> None:
    project.file.write_text(text)
    with pytest.raises(InvalidInput, match=r"project\.qpproj: QuPath cannot open the project"):
        open_project(project.file)


def test_no_project_there(qupath: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such project"):
        open_project(tmp_path / "none.qpproj")
