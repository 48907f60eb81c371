import re
from dataclasses import replace
from pathlib import Path

import pytest
import shapely

from deepscribble.errors import InvalidInput, NotFound, OutputRefused, StoreConflict
from deepscribble.geometry import Kind, Label
from deepscribble.stores import Query, plan_edit
from deepscribble.stores.omero import Answer, fingerprint

ID = "5b4b6a1e-7d0c-4c0b-9d0e-1f6d7c2f4a10"
QUPATH = f"Annotation:Stroma:{ID}:NoParent:NoName"


def everything(former):
    return True


def write(store, image, wanted, replaces=everything):
    """What a run does: read, plan, write."""
    content = store.read(image, Query())
    edit = plan_edit(content, wanted, replaces)
    if edit:
        assert store.write(image, edit, content.version) == store.read(image, Query()).version
    return edit


def test_strokes_of_every_kind_are_read(omero_server, slide, shape, draw, opened):
    image = omero_server.image(slide)
    draw(image, shape("Polyline", "Tumor", Points="10,10 50,60"))
    draw(image, shape("Line", "Normal", X1=1.0, Y1=2.0, X2=3.0, Y2=4.0))
    draw(image, shape("Point", "Tumor", X=5.0, Y=6.0), shape("Point", "Stroma", X=7.0, Y=8.0))
    draw(image, shape("Polygon", "Tumor", Points="0,0 9,0 9,9"))
    draw(
        image,
        *(shape("Polygon", QUPATH, Points=p) for p in ("0,0 90,0 90,90 0,90", "10,10 20,10 20,20")),
    )
    draw(image, shape("Rectangle", "Region 1", X=0.0, Y=0.0, Width=200.0, Height=100.0))
    store = opened(image)
    (listed,) = store.images()
    content = store.read(listed, Query())
    assert [(stroke.label, stroke.kind) for stroke in content.strokes] == [
        (Label.FOREGROUND, Kind.POLYLINE),
        (Label.BACKGROUND, Kind.POLYLINE),
        (Label.FOREGROUND, Kind.POINTS),
        (Label.BACKGROUND, Kind.POINTS),
        (Label.FOREGROUND, Kind.BRUSH),
        (Label.BACKGROUND, Kind.BRUSH),
    ]
    assert content.strokes[0].parts[0].tolist() == [[10, 10], [50, 60]]
    assert content.strokes[-1].id == ID
    assert len(content.strokes[-1].parts) == 2
    assert [area.name for area in content.areas] == ["Region 1"]
    assert content.areas[0].shape.equals(shapely.box(0, 0, 200, 100))
    assert not content.warnings


def test_a_transform_is_applied_and_a_mask_is_left_out_with_a_warning(
    omero_server, slide, shape, draw, opened
):
    from omero.model import AffineTransformI
    from omero.rtypes import rdouble

    image = omero_server.image(slide)
    moved = shape("Polyline", "Tumor", Points="1,2 3,4")
    transform = AffineTransformI()
    for name, value in {"A00": 1, "A10": 0, "A01": 0, "A11": 1, "A02": 100, "A12": 50}.items():
        getattr(transform, f"set{name}")(rdouble(value))
    moved.setTransform(transform)
    draw(image, moved)
    draw(image, shape("Mask", "Tumor", X=0.0, Y=0.0, Width=2.0, Height=2.0))
    draw(image, shape("Polyline", "Vessel", Points="1,2 3,4"))
    store = opened(image)
    content = store.read(store.images()[0], Query())
    assert [stroke.parts[0].tolist() for stroke in content.strokes] == [[[101, 52], [103, 54]]]
    assert dict(content.ignored) == {"of type Mask": 1, "of class Vessel": 1}
    assert len(content.warnings) == 2


def test_a_malformed_stroke_is_named_and_one_that_matters_to_nobody_is_not(
    omero_server, slide, shape, draw, opened
):
    image = omero_server.image(slide)
    draw(image, shape("Polyline", "Vessel", Points="1,2 x"))
    draw(image, shape("Polyline", "Vessel"))
    store = opened(image)
    (listed,) = store.images()
    assert not store.read(listed, Query()).strokes
    roi = draw(image, shape("Polyline", "Tumor", Points="1,2 x"))
    with pytest.raises(InvalidInput, match=f"Image:{image}: Roi:{roi} Shape:.*'x' is not a point"):
        store.read(listed, Query())


def test_strokes_are_told_apart_by_colour_where_it_is_asked_for(
    omero_server, slide, shape, draw, opened
):
    image = omero_server.image(slide)
    draw(image, shape("Point", X=1.0, Y=2.0, StrokeColor=-65281))
    draw(image, shape("Point", "Normal", X=1.0, Y=2.0, StrokeColor=-65281))
    draw(image, shape("Point", X=1.0, Y=2.0, StrokeColor=255))
    store = opened(image, colors={"#FFFF00": "Tumor"})
    content = store.read(store.images()[0], Query())
    assert [stroke.label for stroke in content.strokes] == [Label.FOREGROUND, Label.BACKGROUND]
    plain = opened(image)
    assert len(plain.read(plain.images()[0], Query()).strokes) == 1


def test_what_is_written_reads_back_and_a_second_run_changes_nothing(
    omero_server, slide, opened, square
):
    image = omero_server.image(slide)
    store = opened(image)
    (listed,) = store.images()
    wanted = [square(10, hole=True), square(150.123456, class_name="Tumor: In situ")]
    assert len(write(store, listed, wanted).added) == 2
    content = store.read(listed, Query())
    assert [former.class_name for former in content.formers] == ["Tumor", "Tumor: In situ"]
    assert [former.stays for former in content.formers] == ["", ""]
    assert [former.mean_probability for former in content.formers] == [0.875, 0.875]
    assert content.formers[0].shape.equals(
        shapely.Polygon(wanted[0].polygon.exterior, wanted[0].polygon.holes)
    )
    edit = write(store, listed, wanted)
    assert (bool(edit), len(edit.unchanged)) == (False, 2)


def test_ezomero_reads_what_was_written(omero_server, slide, opened, square):
    ezomero = pytest.importorskip("ezomero")
    image = omero_server.image(slide)
    store = opened(image)
    result = square(10, hole=True)
    write(store, store.images()[0], [result])
    with omero_server.gateway("ds-bob", "ds-annotate") as connection:
        (roi,) = ezomero.get_roi_ids(connection, image)
        shapes = [
            ezomero.get_shape(connection, id) for id in ezomero.get_shape_ids(connection, roi)
        ]
    assert [each.points for each in shapes] == [
        [tuple(point) for point in ring.tolist()] for ring in result.polygon.rings
    ]
    name = "DeepScribble 9375.00 10.00 10.00 110.00 110.00 with holes"
    assert {each.label for each in shapes} == {f"Annotation:Tumor:{result.id}:NoParent:{name}"}
    assert {each.stroke_color for each in shapes} == {(200, 0, 0, 255)}
    assert {each.fill_color for each in shapes} == {(0, 0, 0, 0)}


def test_the_example_of_the_docs_finds_our_outlines_among_all(
    omero_server, slide, opened, square, shape, draw
):
    ezomero = pytest.importorskip("ezomero")
    docs = Path(__file__).resolve().parents[3] / "docs" / "omero.md"
    (example,) = re.findall(r"```python\n(.*?)```", docs.read_text(), re.DOTALL)
    image = omero_server.image(slide)
    draw(image, shape("Polygon", "Tumor", Points="1,2 30,4 30,40"))
    store = opened(image)
    result = square(10, hole=True)
    write(store, store.images()[0], [result])
    with omero_server.gateway("ds-bob", "ds-annotate") as connection:
        names = {"ezomero": ezomero, "conn": connection, "image": image}
        exec(compile(example, "omero.md", "exec"), names)
    (rings,) = names["rings"].values()
    assert rings == [[tuple(point) for point in ring.tolist()] for ring in result.polygon.rings]


def test_only_what_changed_is_replaced(omero_server, slide, opened, square, shape, draw):
    image = omero_server.image(slide)
    stroke = draw(image, shape("Polyline", "Tumor", Points="10,10 50,60"))
    store = opened(image)
    (listed,) = store.images()
    first, second, third = square(10), square(150), square(280)
    unrelated = notes(omero_server)
    write(store, listed, [first, second, third])
    before = rois(omero_server, image)
    edit = write(store, listed, [first, square(155, strokes="s,t")])
    assert (len(edit.updated), len(edit.removed), len(edit.unchanged)) == (1, 1, 1)
    after = rois(omero_server, image)
    assert stroke in after
    assert len(before & after) == 2
    assert len(after) == 3
    # It is the same outline to QuPath, although OMERO has it under a new number.
    assert {former.id for former in store.read(listed, Query()).formers} == {first.id, second.id}
    assert notes(omero_server) - unrelated == 2


def rois(server, image, group=None):
    with server.gateway(group=group) as connection:
        found = connection.getRoiService().findByImage(image, None, connection.SERVICE_OPTS)
        return {roi.getId().getValue() for roi in found.rois}


def notes(server):
    """How many notes of ours on Rois there are, also such as nothing refers to any more."""
    from deepscribble.stores.omero.records import RESULT

    if server.standin is None:
        pytest.skip("notes that nothing refers to can only be counted in the stand-in")
    return sum(1 for row in server.standin.rows("MapAnnotation") if row["fields"]["ns"] == RESULT)


def test_what_others_have_is_neither_changed_nor_deleted(
    omero_server, slide, opened, square, shape, draw
):
    image = omero_server.image(slide)
    theirs = opened(image, user="ds-bob")
    (listed,) = theirs.images()
    first = square(10)
    write(theirs, listed, [first])
    # Somebody copied a result, as QuPath does that sends its annotations.
    text = f"Annotation:Tumor:{first.id}:NoParent:DeepScribble"
    draw(image, shape("Polygon", text, Points="200,200 250,200 250,250"))
    before = rois(omero_server, image)
    mine = opened(image)
    content = mine.read(listed_by(mine), Query())
    # Of the copy nothing says that it was not edited.
    assert [former.stays for former in content.formers] == ["edited by hand"]
    assert [warning.code for warning in content.warnings] == ["RESULTS_OF_OTHERS"]
    assert content.others == 0
    write(mine, listed_by(mine), [square(150)])
    write(mine, listed_by(mine), [])
    assert rois(omero_server, image) == before


def test_jobs_of_two_users_have_a_set_of_outlines_each(omero_server, slide, opened, square):
    image = omero_server.image(slide)
    stores = [opened(image, user=user) for user in ("ds-ada", "ds-bob")]
    ids = set()
    for x in (10, 30):
        for store in stores:
            edit = write(store, listed_by(store), [square(x, strokes=f"s{x}")])
            assert not edit.kept
            ids |= {result.id for result in (*edit.added, *edit.updated)}
    # Each goes on from its own, and QuPath tells them apart.
    assert len(ids) == 2
    for store in stores:
        (former,) = store.read(listed_by(store), Query()).formers
        assert former.shape.bounds == (30, 10, 130, 110)
    assert len(rois(omero_server, image)) == 2


def test_a_copy_that_we_sent_back_of_what_others_have_gets_a_uuid_of_its_own(
    omero_server, slide, opened, square, shape, draw
):
    image = omero_server.image(slide)
    store, first = opened(image), square(10)
    text = f"Annotation:Tumor:{first.id}:NoParent:DeepScribble 10000.00 10.00 10.00 110.00 110.00"
    for user in ("ds-bob", "ds-ada"):
        points = "10,10 110,10 110,110 10,110"
        draw(image, shape("Polygon", text, Points=points), user=user)
    (updated,) = write(store, listed_by(store), [first]).updated
    assert updated.id != first.id
    # Once for all.
    (former,) = store.read(listed_by(store), Query()).formers
    assert (former.id, former.is_namesake) == (updated.id, False)


def test_what_somebody_edited_of_another_users_outline_is_right(
    omero_server, slide, opened, square
):
    image = omero_server.image(slide)
    theirs, mine = opened(image), opened(image, user="ds-bob")
    write(theirs, listed_by(theirs), [square(10)])
    (outline,) = rois(omero_server, image)
    redraw(omero_server, outline, "10,10 130,10 130,110 10,110")
    edit = write(mine, listed_by(mine), [square(10), square(150)])
    assert (len(edit.added), len(edit.kept)) == (1, 1)
    assert len(rois(omero_server, image)) == 2


def test_a_copy_that_somebody_made_and_edited_stays(
    omero_server, slide, opened, square, shape, draw
):
    image = omero_server.image(slide)
    store = opened(image)
    first = square(10)
    write(store, listed_by(store), [first])
    text = f"Annotation:Tumor:{first.id}:NoParent:DeepScribble 10000.00 10.00 10.00 110.00 110.00"
    copy = draw(image, shape("Polygon", text, Points="200,200 250,200 250,250"))
    content = store.read(listed_by(store), Query())
    mine, other = content.formers
    assert (mine.stays, mine.is_namesake) == ("", True)
    assert (other.id, other.stays) == (first.id, "edited by hand")
    assert not content.warnings
    # What is not ours cannot have another UUID, so ours gets one.
    (updated,) = write(store, listed_by(store), [first]).updated
    assert updated.id == mine.id != first.id
    assert write(store, listed_by(store), []).removed == (updated.id,)
    assert rois(omero_server, image) == {copy}


def test_a_copy_with_a_hole_that_nobody_edited_counts_for_nothing(
    omero_server, slide, opened, square
):
    extension = pytest.importorskip("omero_standin.extension")
    image = omero_server.image(slide)
    store = opened(image)
    write(store, listed_by(store), [square(10.123456, hole=True), square(150)])
    with omero_server.gateway("ds-bob", "ds-annotate") as connection:
        copies = extension.send(connection, image, extension.bring_in(connection, image))
    # Each ring has a Roi of its own.
    assert len(copies) == 3
    content = store.read(listed_by(store), Query())
    assert [(former.stays, former.is_namesake) for former in content.formers] == [("", True)] * 2
    assert [warning.code for warning in content.warnings] == ["RESULTS_COPIED"]
    assert "2 copies" in content.warnings[0].message
    assert content.others == 0
    assert len(write(store, listed_by(store), []).removed) == 2
    assert rois(omero_server, image) == set(copies)


def test_a_result_that_somebody_copied_since_is_a_conflict(omero_server, slide, opened, square):
    extension = pytest.importorskip("omero_standin.extension")
    image = omero_server.image(slide)
    store = opened(image)
    write(store, listed_by(store), [square(10), square(150)])
    seen = store.read(listed_by(store), Query())
    before = rois(omero_server, image)
    with omero_server.gateway("ds-bob", "ds-annotate") as connection:
        copies = extension.send(connection, image, extension.bring_in(connection, image))
    edit = plan_edit(seen, [square(12, strokes="s,t")], everything)
    with pytest.raises(StoreConflict, match="copied our results"):
        store.write(listed_by(store), edit, seen.version)
    assert rois(omero_server, image) == before | set(copies)
    assert len(write(store, listed_by(store), [square(12, strokes="s,t")]).removed) == 1


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        (lambda shape: shape - shapely.box(0, 60, 200, 200), ""),
        (lambda shape: shape | shapely.box(30, 30, 90, 90), "edited by hand"),
        (lambda shape: shape | shapely.box(100, 40, 120, 60), "edited by hand"),
    ],
    ids=["lost by QuPath", "the hole filled", "enlarged"],
)
def test_a_copy_with_a_hole_may_be_less_but_not_more(
    omero_server, slide, opened, square, change, stays
):
    extension = pytest.importorskip("omero_standin.extension")
    image = omero_server.image(slide)
    store = opened(image)
    write(store, listed_by(store), [square(10, hole=True)])
    with omero_server.gateway("ds-bob", "ds-annotate") as connection:
        (seen,) = extension.bring_in(connection, image)
        extension.send(connection, image, [replace(seen, shape=change(seen.shape))])
    mine, *others = store.read(listed_by(store), Query()).formers
    assert (mine.stays, mine.is_namesake) == ("", True)
    assert [other.stays for other in others] == ([stays] if stays else [])


def test_a_brush_with_a_hole_that_came_from_qupath_is_one_stroke(omero_server, slide, opened):
    extension = pytest.importorskip("omero_standin.extension")
    image = omero_server.image(slide)
    store = opened(image)
    ring = shapely.box(10, 10, 90, 90) - shapely.box(40, 40, 60, 60)
    with omero_server.gateway("ds-bob", "ds-annotate") as connection:
        extension.send(connection, image, [extension.Annotation(ring, "Tumor")])
    (stroke,) = store.read(listed_by(store), Query()).strokes
    assert (stroke.kind, len(stroke.parts)) == (Kind.BRUSH, 2)


def listed_by(store):
    (image,) = store.images()
    return image


def test_what_a_person_edited_or_locked_stays(omero_server, slide, opened, square):
    image = omero_server.image(slide)
    store = opened(image)
    write(store, listed_by(store), [square(10), square(150), square(280)])
    from omero.rtypes import rbool, rstring

    with omero_server.gateway() as connection:
        service = connection.getRoiService()
        found = service.findByImage(image, None, connection.SERVICE_OPTS).rois
        moved, locked, _ = (roi.getShape(0) for roi in sorted(found, key=lambda r: r.id.val))
        moved.setPoints(rstring("10,10 90,10 90,90 10,90"))
        locked.setLocked(rbool(True))
        for each in (moved, locked):
            connection.getUpdateService().saveObject(each, connection.SERVICE_OPTS)
    content = store.read(listed_by(store), Query())
    assert [former.stays for former in content.formers] == ["edited by hand", "locked", ""]
    edit = write(store, listed_by(store), [])
    assert (len(edit.removed), len(edit.kept)) == (1, 2)


def test_a_stroke_that_was_drawn_into_our_roi_is_a_stroke_and_stays(
    omero_server, slide, opened, square, shape
):
    image = omero_server.image(slide)
    store = opened(image)
    write(store, listed_by(store), [square(10)])
    with omero_server.gateway() as connection:
        options = connection.SERVICE_OPTS
        (roi,) = connection.getRoiService().findByImage(image, None, options).rois
        roi.addShape(shape("Polyline", "Normal", Points="10,10 50,60"))
        connection.getUpdateService().saveObject(roi, options)
    content = store.read(listed_by(store), Query())
    assert [stroke.label for stroke in content.strokes] == [Label.BACKGROUND]
    assert [former.stays for former in content.formers] == ["locked"]
    assert not write(store, listed_by(store), [])


def test_strokes_on_another_plane_are_left_out_and_results_lie_on_their_own(
    omero_server, opened, square, shape, draw
):
    import numpy as np

    stack = np.zeros((2, 1, 3, 60, 60), dtype=np.uint8)
    image = omero_server.image(stack)
    draw(image, shape("Point", "Tumor", X=1.0, Y=2.0, TheZ=0))
    draw(image, shape("Point", "Tumor", X=3.0, Y=2.0, TheZ=1))
    draw(image, shape("Point", "Tumor", X=5.0, Y=2.0))
    assert "2 sections" in listed_by(opened(image)).problem
    assert "sections 0 to 1" in listed_by(opened(image, plane=(2, 0))).problem
    store = opened(image, plane=(1, 0))
    content = store.read(listed_by(store), Query())
    assert [stroke.parts[0][0, 0] for stroke in content.strokes] == [3, 5]
    assert dict(content.ignored) == {"of type shape on another plane": 1}
    write(store, listed_by(store), [square(5, side=20.0)])
    with omero_server.gateway() as connection:
        found = connection.getRoiService().findByImage(image, None, connection.SERVICE_OPTS)
        planes = [roi.getShape(0).getTheZ() for roi in found.rois]
    assert planes[-1].getValue() == 1


def test_a_result_that_somebody_changed_since_is_a_conflict_and_a_new_stroke_is_none(
    omero_server, slide, opened, square, shape, draw
):
    image = omero_server.image(slide)
    store = opened(image)
    write(store, listed_by(store), [square(10)])
    seen = store.read(listed_by(store), Query())
    edit = plan_edit(seen, [square(150)], everything)
    draw(image, shape("Polyline", "Tumor", Points="10,10 50,60"))
    version = store.write(listed_by(store), edit, seen.version)
    # The stroke was not seen, so the next run must not take the image for done.
    assert version != store.read(listed_by(store), Query()).version
    before = rois(omero_server, image)
    with pytest.raises(StoreConflict, match="run again"):
        store.write(listed_by(store), edit, seen.version)
    assert rois(omero_server, image) == before


def test_an_image_that_is_gone_is_said_to_be_so(omero_server, slide, opened, square):
    image = omero_server.image(slide)
    store = opened(image)
    listed = listed_by(store)
    content = store.read(listed, Query())
    edit = plan_edit(content, [square(10)], everything)
    with omero_server.gateway() as connection:
        connection.deleteObjects("Image", [image], wait=True)
    with pytest.raises(OutputRefused):
        store.write(listed, edit, content.version)
    with pytest.raises(NotFound, match="no such Image"):
        store.images()


def test_a_class_that_omero_has_no_place_for_is_refused_before_anything_is_written(
    omero_server, slide, opened, square
):
    image = omero_server.image(slide)
    store = opened(image)
    content = store.read(listed_by(store), Query())
    edit = plan_edit(content, [square(10), square(150, class_name="a&b")], everything)
    with pytest.raises(InvalidInput, match="a&b"):
        store.write(listed_by(store), edit, content.version)
    assert not rois(omero_server, image)


def test_results_go_into_the_group_of_the_image(omero_server, slide, opened, square):
    image = omero_server.image(slide, group="ds-write")
    store = opened(image)
    write(store, listed_by(store), [square(10)])
    with omero_server.gateway("ds-bob", "ds-write") as connection:
        found = connection.getRoiService().findByImage(image, None, connection.SERVICE_OPTS)
        groups = {roi.getDetails().getGroup().getId().getValue() for roi in found.rois}
    assert groups == {omero_server.groups["ds-write"]}


def test_who_may_only_look_is_told_before_any_work(omero_server, slide, opened):
    image = omero_server.image(slide, group="ds-readonly")
    assert "not annotate" in listed_by(opened(image, user="ds-bob")).problem
    assert not listed_by(opened(image)).problem


def test_an_answer_is_known_by_its_strokes(omero_server, slide, opened, square, shape, draw):
    image = omero_server.image(slide)
    draw(image, shape("Polyline", "Tumor", Points="10,10 50,60"))
    store = opened(image)
    listed = listed_by(store)
    first = fingerprint(store.read(listed, Query()))
    assert store.answered(listed) == Answer()
    store.note_answer(listed, Answer(first))
    assert store.answered(listed) == Answer(first)
    write(store, listed, [square(10)])
    # Results are no part of it, the models are.
    content = store.read(listed, Query())
    assert fingerprint(content) == first != fingerprint(content, ["sha256:bb"])
    draw(image, shape("Polyline", "Normal", Points="10,10 50,60"))
    second = fingerprint(store.read(listed, Query()))
    store.note_answer(listed, Answer(second, frozenset({"b", "a"})))
    assert store.answered(listed) == Answer(second, frozenset({"a", "b"}))
    assert second != first
    assert opened(image, user="ds-bob").session.user != store.session.user
    other = opened(image, user="ds-bob")
    assert other.answered(listed_by(other)) == Answer()


def test_an_image_with_nothing_new_costs_three_calls(omero_server, slide, opened, shape, draw):
    if omero_server.standin is None:
        pytest.skip("a real server does not tell how often it was called")
    image = omero_server.image(slide)
    draw(image, shape("Polyline", "Tumor", Points="10,10 50,60"))
    store = opened(image)
    asked = fingerprint(store.read(listed_by(store), Query()))
    store.note_answer(listed_by(store), Answer(asked))
    omero_server.standin.forget_calls()
    listed = listed_by(store)
    content = store.read(listed, Query())
    assert store.answered(listed).is_of(content, fingerprint(content))
    calls = omero_server.standin.calls()
    assert calls == {"IQuery.findAllByQuery": 3}


@pytest.mark.parametrize("group", ["ds-annotate", "ds-write"])
def test_a_result_that_somebody_commented_on_stays_with_the_comment(
    omero_server, slide, opened, square, group
):
    image = omero_server.image(slide, group=group)
    store = opened(image)
    write(store, listed_by(store), [square(10), square(150)])
    seen = store.read(listed_by(store), Query())
    late = plan_edit(seen, [square(12, strokes="s,t"), square(150)], everything)
    first, second = sorted(rois(omero_server, image, group))
    comment(omero_server, first, group)
    with pytest.raises(StoreConflict, match="run again"):
        store.write(listed_by(store), late, seen.version)
    content = store.read(listed_by(store), Query())
    assert [former.stays for former in content.formers] == ["locked", ""]
    (warning,) = content.warnings
    assert warning.code == "RESULTS_ANNOTATED"
    assert f"Roi:{first}" in warning.message
    assert f"Roi:{second}" not in warning.message
    edit = write(store, listed_by(store), [])
    assert (len(edit.removed), len(edit.kept)) == (1, 1)
    assert rois(omero_server, image, group) == {first}
    assert comments(omero_server, first, group) == ["not tumour"]


def test_a_result_of_whose_ring_somebody_says_something_stays(omero_server, slide, opened, square):
    from omero.model import CommentAnnotationI, PolygonI, ShapeAnnotationLinkI
    from omero.rtypes import rstring

    image = omero_server.image(slide)
    store = opened(image)
    write(store, listed_by(store), [square(10, hole=True)])
    (outline,) = rois(omero_server, image)
    with omero_server.gateway("ds-bob", "ds-annotate") as connection:
        _, hole = polygons(connection, outline)
        link, text = ShapeAnnotationLinkI(), CommentAnnotationI()
        text.setTextValue(rstring("necrosis"))
        link.setParent(PolygonI(hole.getId().getValue(), False))
        link.setChild(text)
        connection.getUpdateService().saveObject(link, connection.SERVICE_OPTS)
    (warning,) = store.read(listed_by(store), Query()).warnings
    assert warning.code == "RESULTS_ANNOTATED"
    assert len(write(store, listed_by(store), []).kept) == 1
    assert rois(omero_server, image) == {outline}


@pytest.fixture
def before_saving(monkeypatch):
    """Has something happen right before a store saves."""

    def arrange(store, happen):
        save = store.session.save

        def saved(objects, group):
            happen()
            return save(objects, group)

        monkeypatch.setattr(store.session, "save", saved)

    return arrange


def test_a_comment_on_a_result_that_is_being_replaced_is_a_conflict(
    omero_server, slide, opened, square, before_saving
):
    image = omero_server.image(slide)
    store = opened(image)
    write(store, listed_by(store), [square(10)])
    (old,) = rois(omero_server, image)
    before_saving(store, lambda: comment(omero_server, old, "ds-annotate"))
    with pytest.raises(StoreConflict, match="edited or annotated a result"):
        write(store, listed_by(store), [square(12, strokes="s,t")])
    assert rois(omero_server, image) == {old}
    assert comments(omero_server, old, "ds-annotate") == ["not tumour"]


def test_an_edit_of_a_result_that_is_being_replaced_is_a_conflict(
    omero_server, slide, opened, square, before_saving
):
    image = omero_server.image(slide)
    store = opened(image)
    write(store, listed_by(store), [square(10)])
    (old,) = rois(omero_server, image)
    before_saving(store, lambda: redraw(omero_server, old, "10,10 130,10 130,110 10,110"))
    with pytest.raises(StoreConflict, match="somebody edited"):
        write(store, listed_by(store), [square(12, strokes="s,t")])
    assert rois(omero_server, image) == {old}
    (former,) = store.read(listed_by(store), Query()).formers
    assert (former.stays, former.shape.bounds) == ("edited by hand", (10, 10, 130, 110))


def redraw(server, roi, points):
    """The user of the job drags a corner in a viewer."""
    from omero.rtypes import rstring

    with server.gateway("ds-ada", "ds-annotate") as connection:
        (polygon,) = polygons(connection, roi)
        polygon.setPoints(rstring(points))
        connection.getUpdateService().saveObject(polygon, connection.SERVICE_OPTS)


def polygons(connection, roi):
    from omero.rtypes import rlong
    from omero.sys import ParametersI

    hql = "select s from Polygon s where s.roi.id = :id order by s.id"
    parameters = ParametersI()
    parameters.addId(rlong(roi))
    return connection.getQueryService().findAllByQuery(hql, parameters, connection.SERVICE_OPTS)


def comment(server, roi, group):
    from omero.model import CommentAnnotationI, RoiAnnotationLinkI, RoiI
    from omero.rtypes import rstring

    link, text = RoiAnnotationLinkI(), CommentAnnotationI()
    text.setTextValue(rstring("not tumour"))
    link.setParent(RoiI(roi, False))
    link.setChild(text)
    with server.gateway("ds-bob", group) as connection:
        connection.getUpdateService().saveObject(link, connection.SERVICE_OPTS)


def comments(server, roi, group):
    from omero.rtypes import rlong
    from omero.sys import ParametersI

    hql = (
        "select l from RoiAnnotationLink l join fetch l.child a "
        "where l.parent.id = :id order by a.id"
    )
    with server.gateway("ds-bob", group) as connection:
        parameters = ParametersI()
        parameters.addId(rlong(roi))
        links = connection.getQueryService().findAllByQuery(
            hql, parameters, connection.SERVICE_OPTS
        )
        children = [link.getChild() for link in links]
        return [each.getTextValue().getValue() for each in children if hasattr(each, "_textValue")]
