"""Saving, deleting and who may: at the stand-in, and at a real server alike."""

from __future__ import annotations

import numpy as np
import pytest

omero = pytest.importorskip("omero", exc_type=ImportError)
pytest.importorskip("omero.gateway", exc_type=ImportError)
ezomero = pytest.importorskip("ezomero", exc_type=ImportError)
from omero.rtypes import rdouble, rint, rstring, unwrap  # noqa: E402 - only where it is installed

BLANK = np.zeros((8, 9), np.uint8)
NS = "standin/test"


def polygon_roi(image, points="0,0 5,0 5,5"):
    polygon = omero.model.PolygonI()
    polygon.setPoints(rstring(points))
    polygon.setTextValue(rstring("Annotation:Tumor:1:NoParent:NoName"))
    polygon.setStrokeColor(rint(-16776961))
    polygon.setStrokeWidth(omero.model.LengthI(2.0, "PIXEL"))
    roi = omero.model.RoiI()
    roi.setImage(omero.model.ImageI(image, False))
    roi.addShape(polygon)
    return roi


def noted(roi, ns=NS):
    note = omero.model.MapAnnotationI()
    note.setNs(rstring(ns))
    note.setMapValue([omero.model.NamedValue("model", "refine")])
    link = omero.model.RoiAnnotationLinkI()
    link.setParent(roi)
    link.setChild(note)
    return link


def in_group(omero_server, group):
    return {"omero.group": str(omero_server.groups[group])}


def rois_of(connection, image, group="-1"):
    options = {"omero.group": group}
    return connection.getRoiService().findByImage(image, None, options).rois


def delete(connection, kind, ids):
    request = omero.cmd.Delete2(targetObjects={kind: ids})
    callback = connection.c.submit(request, failonerror=False, ctx={"omero.group": "-1"})
    return callback.getResponse()


def test_a_graph_is_saved_whole_and_comes_back_with_ids(omero_server):
    image = omero_server.image(BLANK)
    with omero_server.gateway() as connection:
        links = [noted(polygon_roi(image, f"{n},0 5,0 5,5")) for n in range(3)]
        saved = connection.getUpdateService().saveAndReturnArray(links, connection.SERVICE_OPTS)
        assert len({link.parent.id.val for link in saved}) == 3
        found = rois_of(connection, image)
        assert [roi.copyShapes()[0].points.val[0] for roi in found] == ["0", "1", "2"]
        shape = found[0].copyShapes()[0]
        assert shape.strokeWidth.getValue() == 2.0
        assert str(shape.strokeWidth.getUnit()) == "PIXEL"
        assert shape.strokeColor.val == -16776961
        assert shape.theZ is None
        wrapper = connection.getObject("Roi", found[0].id.val)
        assert [note.getValue() for note in wrapper.listAnnotations(NS)] == [[("model", "refine")]]


def test_a_save_with_one_bad_object_saves_nothing(omero_server):
    image = omero_server.image(BLANK)
    with omero_server.gateway() as connection:
        good, bad = polygon_roi(image), polygon_roi(10**9)
        with pytest.raises(omero.ServerError):
            connection.getUpdateService().saveArray([good, bad], connection.SERVICE_OPTS)
        assert rois_of(connection, image) == []


def test_a_loaded_object_is_updated(omero_server):
    image = omero_server.image(BLANK)
    with omero_server.gateway() as connection:
        update = connection.getUpdateService()
        saved = update.saveAndReturnObject(noted(polygon_roi(image)), connection.SERVICE_OPTS)
        note = connection.getQueryService().get(
            "MapAnnotation", saved.child.id.val, connection.SERVICE_OPTS
        )
        note.setMapValue([omero.model.NamedValue("model", "other")])
        update.saveObject(note, connection.SERVICE_OPTS)
        again = connection.getObject("MapAnnotation", saved.child.id.val)
        assert again.getValue() == [("model", "other")]


def test_a_deleted_roi_takes_its_shapes_and_lonely_notes(omero_server):
    image = omero_server.image(BLANK)
    with omero_server.gateway() as connection:
        update = connection.getUpdateService()
        first = update.saveAndReturnObject(noted(polygon_roi(image)), connection.SERVICE_OPTS)
        second = omero.model.RoiAnnotationLinkI()
        second.setParent(polygon_roi(image))
        second.setChild(omero.model.MapAnnotationI(first.child.id.val, False))
        second = update.saveAndReturnObject(second, connection.SERVICE_OPTS)
        note = first.child.id.val

        response = delete(connection, "Roi", [first.parent.id.val])
        assert isinstance(response, omero.cmd.Delete2Response)
        assert [roi.id.val for roi in rois_of(connection, image)] == [second.parent.id.val]
        assert connection.getObject("MapAnnotation", note) is not None

        delete(connection, "Roi", [second.parent.id.val])
        assert rois_of(connection, image) == []
        assert connection.getObject("MapAnnotation", note) is None


def test_deleting_what_is_gone_is_an_error_response(omero_server):
    with omero_server.gateway() as connection:
        assert isinstance(delete(connection, "Roi", [10**9]), omero.cmd.ERR)


@pytest.mark.parametrize(
    ("group", "seen", "annotated", "deleted"),
    [
        ("ds-annotate", True, True, False),
        ("ds-readonly", True, False, False),
        ("ds-private", False, False, False),
        ("ds-write", True, True, True),
    ],
)
def test_what_a_colleague_may_do(omero_server, group, seen, annotated, deleted):
    image = omero_server.image(BLANK, group=group)
    context = in_group(omero_server, group)
    with omero_server.gateway() as ada:
        mine = ada.getUpdateService().saveAndReturnObject(polygon_roi(image), context)
    with omero_server.gateway("ds-bob", group) as bob:
        assert (bob.getObject("Image", image) is not None) == seen
        try:
            bob.getUpdateService().saveObject(polygon_roi(image), context)
            was_saved = True
        except omero.SecurityViolation:
            was_saved = False
        assert was_saved == annotated
        response = delete(bob, "Roi", [mine.id.val])
        assert isinstance(response, omero.cmd.ERR) != deleted
    with omero_server.gateway() as ada:
        assert len(rois_of(ada, image)) == 1 + annotated - deleted


def test_who_is_in_no_group_of_the_owner_sees_nothing(omero_server):
    image = omero_server.image(BLANK)
    with omero_server.gateway("ds-eve") as eve:
        eve.SERVICE_OPTS.setOmeroGroup(-1)
        assert eve.getObject("Image", image) is None
        with pytest.raises(omero.SecurityViolation):
            eve.getQueryService().findAllByQuery(
                "from Image", None, in_group(omero_server, "ds-annotate")
            )


def test_permissions_of_loaded_objects_say_what_may_be_done(omero_server):
    image = omero_server.image(BLANK)
    with omero_server.gateway() as ada:
        assert ada.getObject("Image", image).canDelete()
    with omero_server.gateway("ds-bob") as bob:
        wrapper = bob.getObject("Image", image)
        assert wrapper.canAnnotate()
        assert not wrapper.canDelete()


def test_nothing_is_saved_into_another_group_or_into_all(omero_server):
    image = omero_server.image(BLANK)
    with omero_server.gateway() as connection:
        update = connection.getUpdateService()
        for group in (str(omero_server.groups["ds-write"]), "-1"):
            with pytest.raises(omero.SecurityViolation):
                update.saveObject(polygon_roi(image), {"omero.group": group})
        assert rois_of(connection, image) == []


def test_ezomero_reads_what_was_written_and_writes_what_is_read(omero_server):
    image = omero_server.image(BLANK, name="for ezomero")
    with omero_server.gateway() as connection:
        saved = connection.getUpdateService().saveAndReturnObject(
            noted(polygon_roi(image)), connection.SERVICE_OPTS
        )
        assert list(ezomero.get_roi_ids(connection, image)) == [saved.parent.id.val]
        (shape,) = ezomero.get_shape_ids(connection, saved.parent.id.val)
        polygon = ezomero.get_shape(connection, shape)
        assert polygon.points == [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0)]
        dataset = ezomero.post_dataset(connection, "by ezomero")
        ezomero.link_images_to_dataset(connection, [image], dataset)
        assert list(ezomero.get_image_ids(connection, dataset=dataset)) == [image]
        drawn = ezomero.rois.Polyline([(1.0, 1.0), (2.0, 3.0)], label="Tumor")
        roi = ezomero.post_roi(connection, image, [drawn])
        (stored,) = next(r for r in rois_of(connection, image) if r.id.val == roi).copyShapes()
        assert stored.textValue.val == "Tumor"
        assert unwrap(stored.points).split() == ["1.0,1.0", "2.0,3.0"]
        _, pixels = ezomero.get_image(connection, image)
        assert pixels.shape == (1, 1, 8, 9, 1)
        note = ezomero.post_map_annotation(connection, "Image", image, {"a": "b"}, NS)
        assert ezomero.get_map_annotation_ids(connection, "Image", image) == [note]
        assert ezomero.get_map_annotation(connection, note) == {"a": "b"}


def test_a_transform_is_kept(omero_server):
    image = omero_server.image(BLANK)
    roi = polygon_roi(image)
    transform = omero.model.AffineTransformI()
    for name in ("A00", "A11"):
        getattr(transform, f"set{name}")(rdouble(1))
    for name, value in (("A01", 0.5), ("A10", 0.0), ("A02", 10.0), ("A12", 20.0)):
        getattr(transform, f"set{name}")(rdouble(value))
    roi.copyShapes()[0].setTransform(transform)
    with omero_server.gateway() as connection:
        connection.getUpdateService().saveObject(roi, connection.SERVICE_OPTS)
        (found,) = rois_of(connection, image)
        stored = found.copyShapes()[0].transform
        assert (stored.a01.val, stored.a02.val, stored.a12.val) == (0.5, 10.0, 20.0)
