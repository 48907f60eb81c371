"""Shapes of OMERO as drawings: what kind, which coordinates in level-0 pixels, on which plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from deepscribble.errors import InvalidInput
from deepscribble.geometry.region import COORDINATE_LIMIT
from deepscribble.stores.omero.points import Point, parse_points, transformed

LINE = "LineString"
POINT = "Point"
POLYGON = "Polygon"

MATRIX = ("A00", "A10", "A01", "A11", "A02", "A12")
"""The numbers of an OMERO AffineTransform, in the order of SVG."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One shape of a Roi.

    Args:
        id: Its number in OMERO.
        type: What OMERO calls it, such as "Polyline".
        text: What stands on it, or empty.
        kind: The GeoJSON type of its geometry; empty if it has none that can be drawn here.
        points: Level-0 pixels, transform applied; empty if there are none that can be used.
        problem: What is wrong with its coordinates; empty if nothing.
        is_locked: Whether a person locked it.
        color: The colour of its line as "#rrggbb"; empty if it has none.
        z: The section that it lies on, None for every one.
        t: The moment that it lies on, None for every one.
        digest: All of it that a person can change, as text; equal exactly if nothing changed.
    """

    id: int
    type: str
    text: str
    kind: str
    points: tuple[Point, ...]
    problem: str
    is_locked: bool
    color: str
    z: int | None
    t: int | None
    digest: str

    def is_on(self, plane: tuple[int, int]) -> bool:
        """Whether it lies on a plane (z, t)."""
        return self.z in (None, plane[0]) and self.t in (None, plane[1])


def read_shape(shape: Any) -> Drawing:
    """A shape of OMERO's as a drawing; a damaged one is a drawing with a problem.

    Args:
        shape: A loaded object of a subclass of `omero.model.Shape`.
    """
    type = shape.__class__.__name__.removesuffix("I")
    matrix = _matrix(shape)
    kind, points, problem = "", [], ""
    if type in READERS:
        kind, read = READERS[type]
        try:
            points = _sound(transformed(read(shape), _whole(matrix)))
        except InvalidInput as error:
            problem = error.reason
    text, locked = _value(shape.getTextValue()), bool(_value(shape.getLocked()))
    z, t = _value(shape.getTheZ()), _value(shape.getTheT())
    color = _color(_value(shape.getStrokeColor()))
    digest = repr((type, text, _raw(shape), matrix, locked, z, t, color))
    return Drawing(
        id=int(shape.getId().getValue()),
        type=type,
        text=text or "",
        kind=kind,
        points=tuple(points),
        problem=problem,
        is_locked=locked,
        color=color,
        z=z,
        t=t,
        digest=digest,
    )


def _line(shape: Any) -> list[Point]:
    return [_pair(shape, "X1", "Y1"), _pair(shape, "X2", "Y2")]


def _point(shape: Any) -> list[Point]:
    return [_pair(shape, "X", "Y")]


def _listed(shape: Any) -> list[Point]:
    text = _value(shape.getPoints())
    if text is None:
        raise InvalidInput("", "it has no points")
    return parse_points(text)


def _ring(shape: Any) -> list[Point]:
    points = _listed(shape)
    if len(points) < 3:
        raise InvalidInput("", f"it has {len(points)} corners where at least 3 are needed")
    return points


def _rectangle(shape: Any) -> list[Point]:
    (x, y), (width, height) = _pair(shape, "X", "Y"), _pair(shape, "Width", "Height")
    if width <= 0 or height <= 0:
        raise InvalidInput("", f"it is {width:g} x {height:g} pixels, which is no area")
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]


READERS: Mapping[str, tuple[str, Callable[[Any], list[Point]]]] = MappingProxyType(
    {
        "Polyline": (LINE, _listed),
        "Line": (LINE, _line),
        "Point": (POINT, _point),
        "Polygon": (POLYGON, _ring),
        "Rectangle": (POLYGON, _rectangle),
    }
)
"""How shapes that can be drawn here become geometry. A Mask or a Label is none of them."""

COORDINATES = ("X", "Y", "Width", "Height", "X1", "Y1", "X2", "Y2", "RadiusX", "RadiusY", "Points")
"""All that holds the geometry of some kind of shape."""


def _pair(shape: Any, first: str, second: str) -> Point:
    numbers = [_value(getattr(shape, f"get{name}")()) for name in (first, second)]
    if None in numbers:
        raise InvalidInput("", f"its {first.lower()} or {second.lower()} is missing")
    return [float(number) for number in numbers]


def _sound(points: list[Point]) -> list[Point]:
    """Points that lie on a slide; what is not a number, as a transform may make, lies on none."""
    for point in points:
        if not all(abs(number) <= COORDINATE_LIMIT for number in point):
            raise InvalidInput("", f"the point {point[0]:g},{point[1]:g} lies on no slide")
    return points


def _raw(shape: Any) -> tuple[Any, ...]:
    getters = (getattr(shape, f"get{name}", None) for name in COORDINATES)
    return tuple(_value(get()) for get in getters if get is not None)


def _matrix(shape: Any) -> tuple[float | None, ...] | None:
    transform = shape.getTransform()
    if transform is None:
        return None
    return tuple(_value(getattr(transform, f"get{name}")()) for name in MATRIX)


def _whole(matrix: tuple[float | None, ...] | None) -> tuple[float, ...] | None:
    """A matrix all of whose numbers are there."""
    if matrix is None:
        return None
    numbers = tuple(float(number) for number in matrix if number is not None)
    if len(numbers) < len(matrix):
        missing = (name for name, number in zip(MATRIX, matrix, strict=True) if number is None)
        raise InvalidInput("", f"its transform has no {', '.join(missing)}")
    return numbers


def _value(wrapped: Any) -> Any:
    """The value of an rtype; None where OMERO has null."""
    return None if wrapped is None else wrapped.getValue()


def _color(rgba: int | None) -> str:
    """OMERO keeps red, green, blue, alpha in a signed number of 32 bits."""
    return "" if rgba is None else f"#{(rgba & 0xFFFFFFFF) >> 8:06x}"
