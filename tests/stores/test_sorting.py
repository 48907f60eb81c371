"""What annotations are taken for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Polygon
from deepscribble.stores import Query, StrokeClasses, parse_features, to_feature, to_result
from deepscribble.stores.sorting import OFF_PLANE, Sorted, sort_features

SQUARE = [[0, 0], [20, 0], [20, 20], [0, 20], [0, 0]]


def feature(
    class_name: str, geometry: Any = None, id: str = "one", **properties: Any
) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": id,
        "geometry": geometry or {"type": "Polygon", "coordinates": [SQUARE]},
        "properties": {"objectType": "annotation", "classification": class_name, **properties},
    }


def ours(**properties: Any) -> dict[str, Any]:
    made = to_feature(to_result(Polygon(np.array(SQUARE[:-1]), (), 4.0, 0.75), "Tumor", {"a": "b"}))
    made["properties"].update(properties)
    return made


def sort(*entries: dict[str, Any], query: Query = Query()) -> Sorted:  # noqa: B008 - frozen
    return sort_features(parse_features(list(entries), "here"), query, "here")


def test_each_goes_where_it_belongs() -> None:
    found = sort(
        feature("Region*", id="r", name="upper left"),
        feature("Region B", id="s"),
        feature("Tumor", id="t"),
        feature("Necrosis", id="n"),
        feature("Region*", id="cell", objectType="cell"),
        ours(),
    )
    assert [(area.id, area.name) for area in found.areas] == [
        ("r", "upper left"), ("s", "Region B"),
    ]  # fmt: skip
    assert found.areas[0].shape.area == 400
    assert [stroke.id for stroke in found.strokes] == ["t"]
    assert [former.class_name for former in found.formers] == ["Tumor"]
    assert dict(found.ignored) == {"of class Necrosis": 1, "of type cell": 1}
    assert {"r", "s", "t", "n", "cell"} < found.ids
    assert len(found.warnings) == 2


def test_the_query_chooses_classes() -> None:
    query = Query(StrokeClasses.chosen(["Necrosis"]), ("ROI: *", "Tumor"))
    found = sort(feature("Necrosis"), feature("ROI: a"), feature("Tumor"), query=query)
    assert len(found.strokes) == 1
    assert len(found.areas) == 2


def test_ours_may_be_changed_unless_a_person_has_a_hand_in_it() -> None:
    (former,) = sort(ours()).formers
    assert former.stays == ""
    assert former.mean_probability == 0.75
    assert former.metadata["a"] == "b"
    (locked,) = sort(ours(isLocked=True)).formers
    assert locked.stays == "locked"
    moved = [[x + 1, y] for x, y in SQUARE]
    for geometry in (
        {"type": "Polygon", "coordinates": [moved]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE], [moved]]},
        {"type": "LineString", "coordinates": SQUARE},
        {"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]},
    ):
        (edited,) = sort(ours() | {"geometry": geometry}).formers
        assert edited.stays == "edited by hand"
    (unknown,) = sort(ours(metadata={})).formers
    assert unknown.stays == "edited by hand"


@pytest.mark.parametrize("plane", [{"c": -1, "z": 1, "t": 0}, {"c": -1, "z": 0, "t": 2}])
def test_what_lies_on_another_plane_is_left_out_and_ours_stays(plane: dict[str, int]) -> None:
    square = {"type": "Polygon", "coordinates": [SQUARE]}
    made = ours(isLocked=True)
    made["geometry"]["plane"] = plane
    found = sort(
        feature("Region*", square | {"plane": plane}, id="r"),
        feature("Tumor", square | {"plane": plane}, id="t"),
        feature("Tumor", square | {"plane": {"c": 0, "z": 0, "t": 0}}, id="first"),
        made,
    )
    assert not found.areas
    assert [stroke.id for stroke in found.strokes] == ["first"]
    assert dict(found.ignored) == {OFF_PLANE: 2}
    (warning,) = found.warnings
    assert "2 features on another plane than the first (z = 0, t = 0)" in warning.message
    (former,) = found.formers
    assert former.stays == OFF_PLANE
    # It is in nobody's way on the first plane.
    assert former.shape.is_empty


def test_an_id_that_stands_twice_names_nothing() -> None:
    (former,) = sort(ours(), feature("Tumor", id=ours()["id"])).formers
    assert former.stays == "without an id of its own"


def test_a_region_that_is_no_area_says_what_to_do() -> None:
    line = {"type": "LineString", "coordinates": SQUARE}
    with pytest.raises(InvalidInput, match=r"here: feature 0 \(one\).*no area; draw it as"):
        sort(feature("Region*", line))
