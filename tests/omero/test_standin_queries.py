"""HQL at the stand-in: the subset that clients use, and a refusal by name for the rest."""

from __future__ import annotations

import numpy as np
import pytest

omero = pytest.importorskip("omero", exc_type=ImportError)
pytest.importorskip("omero.gateway", exc_type=ImportError)
from omero.rtypes import rlist, rlong, rstring, unwrap  # noqa: E402 - only where it is installed


@pytest.fixture(scope="module")
def images(omero_server):
    """Three images of ds-ada's, two in one dataset of one project."""
    blank = np.zeros((8, 9), np.uint8)
    with omero_server.gateway() as connection:
        update = connection.getUpdateService()
        project = omero.model.ProjectI()
        project.setName(rstring("queried"))
        dataset = omero.model.DatasetI()
        dataset.setName(rstring("queried"))
        project.linkDataset(dataset)
        saved = update.saveAndReturnObject(project, connection.SERVICE_OPTS)
        dataset = saved.copyDatasetLinks()[0].child.id.val
        made = [
            omero_server.image(blank, name=f"queried {n}", dataset=dataset if n < 2 else None)
            for n in range(3)
        ]
        for number, image in enumerate(made):
            for index in range(number + 1):
                roi = omero.model.RoiI()
                roi.setImage(omero.model.ImageI(image, False))
                for text in ("Tumor", "Other"):
                    point = omero.model.PointI()
                    point.setX(omero.rtypes.rdouble(index))
                    point.setY(omero.rtypes.rdouble(2))
                    point.setTextValue(rstring(text))
                    roi.addShape(point)
                note = omero.model.MapAnnotationI()
                note.setNs(rstring(f"queried/{index}"))
                note.setMapValue([omero.model.NamedValue("index", str(index))])
                roi.linkAnnotation(note)
                update.saveObject(roi, connection.SERVICE_OPTS)
    return {"project": saved.id.val, "dataset": dataset, "images": made}


def ask(omero_server, query, projection=False, **params):
    given = omero.sys.ParametersI()
    for name, value in params.items():
        given.add(name, value)
    with omero_server.gateway() as connection:
        service = connection.getQueryService()
        if projection:
            return unwrap(service.projection(query, given, connection.SERVICE_OPTS))
        return service.findAllByQuery(query, given, connection.SERVICE_OPTS)


def test_rois_come_with_shapes_and_notes(omero_server, images):
    found = ask(
        omero_server,
        "select r from Roi r left outer join fetch r.shapes left outer join fetch "
        "r.annotationLinks l left outer join fetch l.child where r.image.id = :id order by r.id",
        id=rlong(images["images"][2]),
    )
    assert len(found) == 3
    for index, roi in enumerate(found):
        assert [shape.textValue.val for shape in roi.copyShapes()] == ["Tumor", "Other"]
        (link,) = roi.copyAnnotationLinks()
        assert unwrap(link.child.ns) == f"queried/{index}"
        assert [(v.name, v.value) for v in link.child.mapValue] == [("index", str(index))]
        assert not roi.image.isLoaded()
        assert roi.details.owner.id.val == omero_server.ids["ds-ada"]


def test_what_was_not_fetched_is_unloaded(omero_server, images):
    (first, *_) = ask(
        omero_server, "from Roi r where r.image.id = :id", id=rlong(images["images"][2])
    )
    assert not first.isShapesLoaded()
    assert not first.isAnnotationLinksLoaded()


def test_ours_are_found_by_namespace(omero_server, images):
    query = (
        "select r from Roi r join r.annotationLinks al join al.child a "
        "where r.image.id = :iid and a.ns = :ns"
    )
    ids = {"iid": rlong(images["images"][2])}
    assert len(ask(omero_server, query, ns=rstring("queried/1"), **ids)) == 1
    assert ask(omero_server, query, ns=rstring("other"), **ids) == []


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("s.textValue = 'Tumor'", 6),
        ("s.textValue != 'Tumor'", 6),
        ("lower(s.textValue) like 'tum%' and s.x > 0.5", 3),
        ("s.theZ is null", 12),
        ("s.theZ is not null", 0),
        ("not (s.x = 0 or s.x = 1)", 2),
        ("s.roi.image.id in (:ids)", 12),
        ("s.roi.image.id not in (:ids)", 0),
        ("s.roi.details.owner.omeName = 'ds-ada'", 12),
        ("exists (select l from RoiAnnotationLink l where l.parent = s.roi.id)", 12),
        ("s.roi.id in (select r.id from Roi r where r.image.name = 'queried 2')", 6),
    ],
)
def test_conditions(omero_server, images, condition, count):
    found = ask(
        omero_server,
        "select count(distinct s.id) from Shape s "
        f"where s.roi.image.id in (:all) and ({condition})",
        projection=True,
        all=rlist([rlong(id) for id in images["images"]]),
        ids=rlist([rlong(id) for id in images["images"]]),
    )
    assert found == [[count]]


def test_projections_by_container_group_and_order(omero_server, images):
    found = ask(
        omero_server,
        "SELECT i.id, i.name FROM Project p JOIN p.datasetLinks pdl JOIN pdl.child d "
        "JOIN d.imageLinks dil JOIN dil.child i WHERE p.id=:project ORDER BY i.name DESC",
        projection=True,
        project=rlong(images["project"]),
    )
    first, second, _ = images["images"]
    assert found == [[second, "queried 1"], [first, "queried 0"]]
    counts = ask(
        omero_server,
        "select r.image.id, count(r.id) from Roi r where r.image.id in (:ids) group by r.image.id",
        projection=True,
        ids=rlist([rlong(id) for id in images["images"]]),
    )
    assert counts == [[id, n + 1] for n, id in enumerate(images["images"])]


def test_pages_are_cut(omero_server, images):
    given = omero.sys.ParametersI()
    given.addIds(images["images"])
    given.page(1, 1)
    with omero_server.gateway() as connection:
        found = connection.getQueryService().findAllByQuery(
            "select i from Image i where i.id in (:ids) order by i.id", given
        )
    assert [image.id.val for image in found] == images["images"][1:2]


def test_the_gateway_finds_what_is_where(omero_server, images):
    with omero_server.gateway() as connection:
        dataset = connection.getObject("Dataset", images["dataset"])
        assert {image.id for image in dataset.listChildren()} == set(images["images"][:2])
        assert dataset.countChildren() == 2
        inside = connection.getObjects("Image", opts={"dataset": images["dataset"]})
        assert {image.id for image in inside} == set(images["images"][:2])
        loaded = connection.getObject("Image", images["images"][0], opts={"load_channels": True})
        assert len(loaded._obj.getPrimaryPixels().copyChannels()) == 1
        assert connection.getObject("Image", images["images"][2]).getROICount() == 3
        assert connection.getObject("Image", 10**9) is None


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("select r from Roi r where r.nam = 'x'", "nam"),
        ("select r from Rois r", "Rois"),
        ("select r from Roi r join q.shapes s", "q"),
        ("select r from Roi r where r.shapes.textValue = 'x'", "shapes"),
        ("select r from Roi r where r.id = :gone", "gone"),
        ("select r from Roi r where r.id between 1 and 2", "between"),
        ("select r from Roi r, Image i", ","),
        ("delete from Roi", "delete"),
        ("", "from"),
    ],
)
def test_a_query_that_it_cannot_answer_is_refused(own_omero_server, query, says):
    own_omero_server.image(np.zeros((4, 4), np.uint8))
    with own_omero_server.gateway() as connection:
        roi = omero.model.RoiI()
        connection.getUpdateService().saveObject(roi, connection.SERVICE_OPTS)
        with pytest.raises(omero.QueryException) as refusal:
            connection.getQueryService().findAllByQuery(query, None)
    assert says in refusal.value.message
