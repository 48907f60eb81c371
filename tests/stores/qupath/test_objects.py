from __future__ import annotations

from typing import Any

import pytest
import shapely

from deepscribble.errors import OutputRefused, StoreConflict
from deepscribble.stores import Edit, Query, plan_edit
from deepscribble.stores.sorting import OFF_PLANE

pytestmark = pytest.mark.qupath

BOX = shapely.box(150, 100, 250, 200)
ROUND = shapely.Point(300, 200).buffer(90, 25)
HOLE = ROUND - shapely.Point(310, 190).buffer(30, 25)
TRIANGLE = shapely.Polygon([(150.25, 100.5), (250.75, 100.5), (200, 199.125)])


def ours_of(entry: Any) -> Any:
    annotations = entry.hierarchy.java_object.getAnnotationObjects()
    (ours,) = [one for one in annotations if str(one.getName()) == "DeepScribble"]
    return ours


def test_lines_of_several_parts_stay_apart(project: Any, drawn: Any) -> None:
    lines = [[(10, 200), (20, 210), (30, 200)], [(50, 200), (60, 210)]]
    project.change(lambda entry: drawn(entry, shapely.MultiLineString(lines), "Tumor"))
    _, _, content = project.read()
    assert [part.tolist() for part in content.strokes[-1].parts] == [
        [list(point) for point in line] for line in lines
    ]


def test_a_stroke_has_the_width_that_is_noted_on_it(project: Any, drawn: Any) -> None:
    line = shapely.LineString([(10, 200), (20, 210)])
    noted = {"stroke width": 7.5}
    project.change(lambda entry: drawn(entry, line, "Tumor", measurements=noted))
    _, _, content = project.read(Query(width=3))
    assert [stroke.width for stroke in content.strokes] == [3, 3, 3, 3, 7.5]


def test_what_lies_on_another_plane_is_left_out_and_ours_stays(
    project: Any, result: Any, drawn: Any
) -> None:
    _, _, before = project.read()
    wanted = result(BOX)
    project.write(wanted)

    def move(entry: Any) -> None:
        from deepscribble.stores.qupath.runtime import java_class

        plane = java_class("qupath.lib.regions.ImagePlane").getPlane(1, 0)
        line = drawn(entry, shapely.LineString([(10, 200), (20, 210)]), "Tumor").java_object
        for moved in (line, ours_of(entry)):
            moved.setROI(moved.getROI().updatePlane(plane))

    project.change(move)
    store, image, content = project.read()
    assert len(content.strokes) == len(before.strokes)
    assert content.ignored[OFF_PLANE] == 1
    (former,) = content.formers
    assert former.stays == OFF_PLANE
    edit = plan_edit(content, [wanted], lambda _: True)
    assert len(edit.added) == 1
    assert not edit.removed
    with pytest.raises(StoreConflict, match="another plane"):
        store.write(image, Edit(removed=(former.id,)), content.version)


def test_an_update_keeps_its_place_and_what_people_noted(
    project: Any, result: Any, drawn: Any
) -> None:
    first = result(BOX)
    project.write(first)

    def note(entry: Any) -> None:
        from paquo.classes import QuPathPathClass

        hierarchy = entry.hierarchy.java_object
        ours = ours_of(entry)
        ours.getMeasurements().put("Perimeter", 3.0)
        ours.getMetadata().put("seen by", "Müller")
        ours.getMetadata().put("deepscribble.model.older", "sha256:0")
        ours.getMetadata().put("deepscribble.region", "0,0,600,400,0,0")
        ours.setPathClass(QuPathPathClass("Carcinoma").java_object)
        child = drawn(entry, shapely.box(170, 120, 180, 130), "Necrosis")
        hierarchy.addObjectBelowParent(ours, child.java_object, True)

    project.change(note)
    people = project.people()
    second = result(TRIANGLE, probability=0.5)
    update = Edit(updated=(second,)).updated[0]
    store, image, content = project.read()
    moved = type(update)(first.id, update.class_name, update.polygon, update.metadata)
    store.write(image, Edit(updated=(moved,)), content.version)
    ours = project.ours()[first.id]
    # QuPath drops measurements with the shape that they were taken of.
    assert "Perimeter" not in ours[9]
    assert "Mean probability=0.5" in ours[9]
    assert "seen by=Müller" in ours[8]
    assert "deepscribble.region=0,0,600,400,0,0" in ours[8]
    assert "older" not in ours[8]
    assert ours[4] == "Carcinoma"
    assert shapely.from_wkt(ours[6]).equals_exact(TRIANGLE, 0.02, normalize=True)
    assert project.people() == people
    assert {thing[1] for thing in people if thing[4] == "Necrosis"} == {first.id}


def test_what_people_drew_inside_ours_outlives_it(project: Any, result: Any, drawn: Any) -> None:
    wanted = result(BOX)
    project.write(wanted)

    def nest(entry: Any) -> None:
        hierarchy = entry.hierarchy.java_object
        ours = ours_of(entry)
        outer = drawn(entry, shapely.box(160, 110, 240, 190), "Necrosis").java_object
        inner = drawn(entry, shapely.box(170, 120, 180, 130), "Tumor").java_object
        hierarchy.addObjectBelowParent(ours, outer, True)
        hierarchy.addObjectBelowParent(outer, inner, True)

    project.change(nest)
    before = project.people()
    project.write(removed=(wanted.id,))
    after = project.people()
    assert project.ours() == {}
    assert {thing[2:] for thing in after} == {thing[2:] for thing in before}
    (outer,) = [thing for thing in after if thing[4] == "Necrosis"]
    assert outer[1] == ""
    assert [thing[1] for thing in after if "170 130" in thing[6]] == [outer[0]]


@pytest.mark.parametrize("why", ["locked", "not ours", "no annotation", "more than one"])
def test_an_edit_that_does_not_fit_is_refused(
    project: Any, result: Any, drawn: Any, why: str
) -> None:
    wanted = result(BOX)
    project.write(wanted)

    def spoil(entry: Any) -> None:
        ours = ours_of(entry)
        if why == "locked":
            ours.setLocked(True)
        elif why == "not ours":
            ours.setName("mine")
            ours.getMetadata().clear()
        elif why == "no annotation":
            entry.hierarchy.java_object.removeObject(ours, True)
        else:
            twin = drawn(entry, shapely.box(1, 1, 2, 2)).java_object
            twin.setID(ours.getID())

    project.change(spoil)
    before = project.files()
    for edit in ({"removed": (wanted.id,)}, {"updated": (wanted,)}):
        with pytest.raises(StoreConflict, match=why):
            project.write(**edit)
    with pytest.raises(StoreConflict, match="already") if why != "no annotation" else nothing():
        project.write(wanted)
    if why != "no annotation":
        assert project.files() == before


class nothing:  # noqa: N801 - reads as pytest.raises does
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


def test_a_locked_or_edited_result_stays(project: Any, result: Any) -> None:
    wanted = [result(BOX), result(ROUND)]
    project.write(*wanted)

    def touch(entry: Any) -> None:
        box, other = (
            entry.hierarchy.java_object.getAnnotationObjects()
            .stream()
            .filter(lambda one: str(one.getName()) == "DeepScribble")
            .toList()
        )
        box.setLocked(True)
        other.setROI(box.getROI())

    project.change(touch)
    _, _, content = project.read()
    assert [former.stays for former in content.formers] == ["locked", "edited by hand"]
    assert not plan_edit(content, [], lambda _: True)


def test_ids_that_people_doubled_are_left_alone(project: Any, result: Any, drawn: Any) -> None:
    def double(entry: Any) -> None:
        twins = [drawn(entry, shapely.box(1, n, 2, n + 3), "Tumor").java_object for n in (1, 9)]
        twins[1].setID(twins[0].getID())

    project.change(double)
    before = project.people()
    project.write(result(HOLE))
    assert project.people() == before
    _, _, content = project.read()
    assert len(content.strokes) == 6


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (shapely.box(500, 300, 601, 350), "outside the image of 600 x 400"),
        (shapely.Polygon([(10, 10), (60, 60), (60, 10), (10, 60)]), "not valid"),
        (shapely.Polygon([(10, 10), (60, 60), (110, 110)]), "not valid"),
    ],
)
def test_polygons_that_qupath_would_bend_are_refused(
    project: Any, result: Any, shape: Any, reason: str
) -> None:
    before = project.data.read_bytes()
    bent = result(shapely.box(1, 1, 2, 2))
    rings = shapely.get_coordinates(shape)[:-1]
    object.__setattr__(bent.polygon, "exterior", rings)
    with pytest.raises(OutputRefused, match=reason):
        project.write(bent)
    assert project.data.read_bytes() == before
