"""What QuPath's own classes make of outlines that come from OMERO and go back there.

The extension makes a ROI of each ring, joins those of one object, and sends the rings of that
(`Shape.createRoi` and `ShapeCreator` in qupath-extension-omero).
"""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from deepscribble.geometry import Polygon
from deepscribble.stores.omero.copies import name_of, written
from deepscribble.stores.omero.points import parse_points, write_points
from deepscribble.stores.shape import is_described

CORNERS = (40, 100, 400, 1500)


def ring(x, y, radius, corners, sense=1):
    angle = sense * np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = radius * (1 + 0.1 * np.sin(5 * angle))
    return np.column_stack((x + reach * np.cos(angle), y + reach * np.sin(angle)))


@pytest.fixture
def sent_back(qupath):
    """The rings that QuPath sends of those that it was given, as one area."""
    from jpype import JClass

    area_of, list_of = JClass("java.awt.geom.Area"), JClass("java.util.ArrayList")
    rois, tools = JClass("qupath.lib.roi.ROIs"), JClass("qupath.lib.roi.RoiTools")
    point = JClass("qupath.lib.geom.Point2")
    plane = JClass("qupath.lib.regions.ImagePlane").getDefaultPlane()

    def made(points):
        corners = list_of()
        for x, y in points:
            corners.add(point(x, y))
        return rois.createPolygonROI(corners, plane)

    def coordinates(line):
        return made([(corner.x, corner.y) for corner in line.getCoordinates()])

    def joined(rings):
        first, *others = (made(parse_points(write_points(each))) for each in rings)
        if not others:
            return [first]
        for other in others:
            area = area_of(first.getShape())
            area.exclusiveOr(area_of(other.getShape()))
            first = tools.getShapeROI(area, plane)
        sent = []
        for part in tools.splitROI(first):
            shape = part.getGeometry()
            inner = [shape.getInteriorRingN(at) for at in range(shape.getNumInteriorRing())]
            sent += [coordinates(each) for each in (shape.getExteriorRing(), *inner)]
        return sent

    def send(polygon):
        shape = shapely.Polygon()
        for each in joined(polygon.rings):
            text = " ".join(f"{corner.getX()},{corner.getY()}" for corner in each.getAllPoints())
            whole = shapely.make_valid(shapely.Polygon(parse_points(text)))
            shape = shape.symmetric_difference(whole)
        return shape

    return send


@pytest.mark.parametrize("offset", [2000.0, 150_000.0])
@pytest.mark.parametrize("corners", CORNERS)
def test_what_nobody_edited_is_no_edit(sent_back, corners, offset):
    middle = offset + 0.123
    outer = ring(middle, middle, 900, corners)
    holes = (ring(middle, middle, 90, corners, -1), ring(middle + 300, middle, 80, corners, -1))
    for polygon in (Polygon(outer, (), 1.0, 1.0), Polygon(outer, holes, 1.0, 1.0)):
        shape, name = sent_back(polygon), name_of(polygon)
        assert is_described(shape, written(name, shape))
        # What somebody has added to it is seen.
        wider = shape.union(shapely.box(middle + 880, middle, middle + 1100, middle + 9))
        assert not is_described(wider, written(name, wider))
    simple = Polygon(outer, (), 1.0, 1.0)
    smaller = sent_back(simple) - shapely.box(*[middle] * 2, *[middle + 50] * 2)
    assert not is_described(smaller, written(name_of(simple), smaller))
