"""What a pathologist drew on a slide, as masks to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Grid, Region
from deepscribble.raster import Window, fill
from deepscribble.stores import Feature, read_features

Mask = NDArray[np.bool_]

REGIONS = "Region*"
"""Classes of areas outside of which nothing was annotated."""

IGNORED = "Ignore*"
"""Classes of areas that nobody shall learn from."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a GeoJSON file says of its slide, in level-0 pixels.

    Args:
        inside: Polygons of the chosen classes; where they overlap they are joined.
        regions: What was annotated, overlaps joined; empty where all of the slide was.
        ignored: Polygons of `Ignore*`.
        classes: How many annotations there are of each class; "" stands for unclassified ones.
        met: Those of the chosen patterns that an area of the file is of.
        others: How many features were not taken, by what they are.
        own: How many areas of the chosen classes DeepScribble itself has drawn.
    """

    inside: shapely.STRtree
    regions: shapely.STRtree
    ignored: shapely.STRtree
    classes: Mapping[str, int]
    met: frozenset[str]
    others: Mapping[str, int]
    own: int

    def is_inside(self, grid: Grid) -> Mask:
        """Which pixel centres of `grid` lie in the chosen classes, (rows, columns)."""
        return _drawn(self.inside, grid)

    def is_known(self, grid: Grid) -> Mask:
        """Which lie in what was annotated: all of them where there are no regions."""
        if not len(self.regions):
            return np.ones(grid.shape, dtype=np.bool_)
        return _drawn(self.regions, grid)

    def is_ignored(self, grid: Grid) -> Mask:
        """Which lie in areas that nobody shall learn from."""
        return _drawn(self.ignored, grid)

    def boxes(self, whole: Region) -> tuple[Region, ...]:
        """Where patches are laid: the boxes of the regions on the slide `whole`, or all of it."""
        if not len(self.regions):
            return (whole,)
        boxes = []
        for polygon in self.regions.geometries:
            low_x, low_y, high_x, high_y = shapely.bounds(polygon)
            left, top = max(0, int(np.floor(low_x))), max(0, int(np.floor(low_y)))
            right = min(whole.width, int(np.ceil(high_x)))
            bottom = min(whole.height, int(np.ceil(high_y)))
            if left < right and top < bottom:
                boxes.append(Region(left, top, right - left, bottom - top, whole.mpp))
        return tuple(boxes)

    def lies_on(self, whole: Region) -> bool:
        """Whether any of its areas lies on the slide `whole`, if it has any."""
        trees = [tree for tree in (self.inside, self.regions) if len(tree)]
        return not trees or any(len(tree.query(_box(whole))) for tree in trees)


def read_truth(path: Path, classes: Sequence[str]) -> Truth:
    """Read the areas of a GeoJSON file.

    Only annotations count, not cells and tiles. `Region*` and `Ignore*` mean what they say here,
    whatever is chosen.

    Args:
        path: The file.
        classes: Patterns (`*`, `?`, `[...]`; upper and lower case differ) over names of classes
            that are inside. A derived class such as "Tumor: Positive" is also of its base class.

    Raises:
        InvalidInput: not GeoJSON, or an area that is not a valid polygon; the message names the
            file and the feature.
        LimitExceeded: the file is over the limit of `read_features`.
    """
    areas: dict[str, list[shapely.Geometry]] = {REGIONS: [], IGNORED: [], "": []}
    seen: Counter[str] = Counter()
    others: Counter[str] = Counter()
    met: set[str] = set()
    own = 0
    for feature in read_features(path):
        if not feature.is_annotation:
            others[f"of type {feature.object_type}"] += 1
            continue
        seen[feature.class_name] += 1
        chosen = _matching(feature.class_name, classes)
        reserved = _matching(feature.class_name, (REGIONS, IGNORED))
        if not chosen and not reserved:
            others[f"of class {feature.class_name}" if feature.class_name else "of no class"] += 1
        elif feature.parts()[0] != "Polygon":
            others[f"of class {feature.class_name} that are no areas"] += 1
        elif reserved:
            areas[reserved[0]].append(_area(feature))
        else:
            areas[""].append(_area(feature))
            met.update(chosen)
            own += feature.is_ours
    return Truth(
        inside=_tree(areas[""]),
        regions=_tree([shapely.union_all(areas[REGIONS])]),
        ignored=_tree(areas[IGNORED]),
        classes=MappingProxyType(dict(seen)),
        met=frozenset(met),
        others=MappingProxyType(dict(others)),
        own=own,
    )


def _matching(class_name: str, patterns: Iterable[str]) -> list[str]:
    names = (class_name, class_name.split(": ")[0])
    return [p for p in patterns if class_name and any(fnmatchcase(name, p) for name in names)]


def _area(feature: Feature) -> shapely.Geometry:
    """The polygon or polygons of a feature whose `parts` were accepted."""
    try:
        area = shapely.force_2d(shape(feature.geometry))
    except (ValueError, shapely.errors.ShapelyError) as error:
        raise InvalidInput(
            feature.where, f"the area cannot be read ({error}); redraw it in QuPath"
        ) from error
    if not area.is_valid:
        raise InvalidInput(
            feature.where,
            f"the area is not a valid polygon ({shapely.is_valid_reason(area)}); "
            "simplify or redraw it in QuPath",
        )
    return area


def _tree(areas: Sequence[shapely.Geometry]) -> shapely.STRtree:
    """Single polygons, to be found by where they lie."""
    return shapely.STRtree(shapely.get_parts(areas))


def _box(region: Region) -> shapely.Polygon:
    return shapely.box(region.x, region.y, region.x + region.width, region.y + region.height)


def _drawn(tree: shapely.STRtree, grid: Grid) -> Mask:
    """Which pixel centres of `grid` lie in any polygon; holes stay open."""
    mask = np.zeros(grid.shape, dtype=np.bool_)
    size = np.array([grid.width, grid.height])
    for index in tree.query(_box(grid.region)):
        polygon = tree.geometries[index]
        rings = [
            grid.from_level0(shapely.get_coordinates(ring)[:-1])
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        # Filled in its own window: thousands of small areas must not cost a whole mask each.
        left, top = np.clip(np.floor(rings[0].min(axis=0)), 0, size).astype(int)
        right, bottom = np.clip(np.ceil(rings[0].max(axis=0)), 0, size).astype(int)
        window = Window(int(top), int(left), int(bottom), int(right))
        local = [ring - np.array([left, top], dtype=np.float64) for ring in rings]
        mask[window.slices] |= fill(local, (window.height, window.width))
    return mask
