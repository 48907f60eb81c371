import pytest

pytest.importorskip("omero.gateway", reason="omero-py is not installed")

from omero.model import (
    AffineTransformI,
    LabelI,
    LineI,
    MaskI,
    PointI,
    PolygonI,
    PolylineI,
    RectangleI,
)
from omero.rtypes import rbool, rdouble, rint, rlong, rstring

from deepscribble.stores.omero.shapes import read_shape


def shape(kind, text=None, **values):
    made = kind(rlong(7))
    for name, value in values.items():
        wrapped = rstring(value) if isinstance(value, str) else rdouble(value)
        getattr(made, f"set{name}")(wrapped)
    if text is not None:
        made.setTextValue(rstring(text))
    return made


@pytest.mark.parametrize(
    ("drawn", "kind", "points"),
    [
        (shape(PolylineI, Points="1,2 3,4.5"), "LineString", [[1, 2], [3, 4.5]]),
        (shape(LineI, X1=1, Y1=2, X2=3, Y2=4), "LineString", [[1, 2], [3, 4]]),
        (shape(PointI, X=1, Y=2), "Point", [[1, 2]]),
        (shape(PolygonI, Points="0,0 4,0 4,4"), "Polygon", [[0, 0], [4, 0], [4, 4]]),
        (
            shape(RectangleI, X=1, Y=2, Width=10, Height=20),
            "Polygon",
            [[1, 2], [11, 2], [11, 22], [1, 22]],
        ),
    ],
)
def test_shapes_that_can_be_drawn_have_points(drawn, kind, points):
    read = read_shape(drawn)
    assert (read.kind, list(read.points), read.problem) == (kind, points, "")


@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        (shape(PolylineI), "no points"),
        (shape(PolylineI, Points=""), "no points"),
        (shape(PolylineI, Points="1,2 x"), "'x' is not a point"),
        (shape(PolygonI, Points="1,2 3,4"), "2 corners"),
        (shape(PointI, X=1), "x or y is missing"),
        (shape(LineI, X1=1, Y1=2, X2=3), "x2 or y2 is missing"),
        (shape(RectangleI, X=1, Y=2, Width=0, Height=5), "no area"),
    ],
)
def test_damaged_shapes_are_read_with_their_problem(drawn, says):
    read = read_shape(drawn)
    assert says in read.problem
    assert read.points == ()


@pytest.mark.parametrize("kind", [MaskI, LabelI])
def test_a_mask_and_a_label_have_no_geometry(kind):
    assert read_shape(shape(kind, X=1, Y=2)).kind == ""


def test_a_transform_is_applied():
    drawn = shape(PointI, X=1, Y=2)
    transform = AffineTransformI()
    for name, value in zip(
        ("A00", "A10", "A01", "A11", "A02", "A12"), (0, 1, -1, 0, 100, 50), strict=True
    ):
        getattr(transform, f"set{name}")(rdouble(value))
    drawn.setTransform(transform)
    assert list(read_shape(drawn).points) == [[98, 51]]


def test_a_transform_with_a_number_missing_is_a_problem():
    drawn = shape(PointI, X=1, Y=2)
    transform = AffineTransformI()
    for name in ("A00", "A10", "A01", "A11", "A02"):
        getattr(transform, f"set{name}")(rdouble(1))
    drawn.setTransform(transform)
    read = read_shape(drawn)
    assert (read.points, read.problem) == ((), "its transform has no A12")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (RectangleI, {"X": 1, "Y": 2, "Width": float("nan"), "Height": 5}),
        (PointI, {"X": float("inf"), "Y": 2}),
        (PolygonI, {"Points": "1,2 3,4 5e9,0"}),
    ],
)
def test_what_lies_on_no_slide_is_a_problem(kind, values):
    read = read_shape(shape(kind, **values))
    assert (read.points, "lies on no slide" in read.problem) == ((), True)


def test_plane_lock_and_colour_are_read():
    drawn = shape(PointI, "Tumor", X=1, Y=2)
    assert (read_shape(drawn).z, read_shape(drawn).is_locked, read_shape(drawn).color) == (
        None,
        False,
        "",
    )
    drawn.setTheZ(rint(3))
    drawn.setLocked(rbool(True))
    drawn.setStrokeColor(rint(-65281))
    read = read_shape(drawn)
    assert (read.text, read.z, read.t, read.is_locked, read.color) == (
        "Tumor",
        3,
        None,
        True,
        "#ffff00",
    )
    assert read.is_on((3, 9))
    assert not read.is_on((2, 9))


def test_the_digest_changes_with_everything_that_a_person_can_change():
    seen = {read_shape(shape(PointI, X=1, Y=2)).digest}
    changed = [shape(PointI, X=1.001, Y=2), shape(PointI, "a", X=1, Y=2)]
    locked, coloured, moved = (shape(PointI, X=1, Y=2) for _ in range(3))
    locked.setLocked(rbool(True))
    coloured.setStrokeColor(rint(1))
    moved.setTheT(rint(0))
    for drawn in (*changed, locked, coloured, moved):
        digest = read_shape(drawn).digest
        assert digest not in seen
        seen.add(digest)
