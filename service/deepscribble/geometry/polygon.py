"""Pieces of an outline: polygons with holes in level-0 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deepscribble.geometry.stroke import FloatPoints, frozen_points


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """A valid simple polygon with holes.

    Rings are (N, 2) float64 in level-0 pixels and not closed: the first point is not repeated.
    Exteriors run counter-clockwise in (x, y), holes clockwise, as RFC 7946 asks.

    Args:
        exterior: The outer ring.
        holes: Rings inside it, disjoint.
        area_um2: Area without the holes, square micrometres.
        mean_probability: Mean of the probability map over the model pixels inside, 0 to 1.
    """

    exterior: FloatPoints
    holes: tuple[FloatPoints, ...] = ()
    area_um2: float = 0.0
    mean_probability: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "exterior", frozen_points(self.exterior, "exterior", 3))
        holes = tuple(
            frozen_points(hole, f"holes[{index}]", 3) for index, hole in enumerate(self.holes)
        )
        object.__setattr__(self, "holes", holes)

    @classmethod
    def from_rings(
        cls,
        exterior: FloatPoints,
        holes: Sequence[FloatPoints],
        area_um2: float,
        mean_probability: float,
    ) -> Polygon:
        """A polygon of rings that are known to be right, taken as they are; they become read-only.

        What comes from outside goes through the constructor, which checks it.
        """
        polygon = object.__new__(cls)
        for ring in (exterior, *holes):
            ring.flags.writeable = False
        object.__setattr__(polygon, "exterior", exterior)
        object.__setattr__(polygon, "holes", tuple(holes))
        object.__setattr__(polygon, "area_um2", area_um2)
        object.__setattr__(polygon, "mean_probability", mean_probability)
        return polygon

    @property
    def rings(self) -> tuple[FloatPoints, ...]:
        """The exterior, then the holes."""
        return (self.exterior, *self.holes)
