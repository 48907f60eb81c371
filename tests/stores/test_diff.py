"""The diff by UUID: outlines keep their ids, what is right stays, a person's hand wins."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import shapely

from deepscribble.geometry import Polygon
from deepscribble.stores import Content, Edit, Former, Result, plan_edit, shape_of, to_result

ORIGIN = {"deepscribble.model.refine": "sha256:aa", "deepscribble.strokes": "s"}


def square(x: float, side: float = 10.0, probability: float = 0.8) -> Polygon:
    ring = np.array([[x, 0], [x + side, 0], [x + side, side], [x, side]])
    return Polygon(ring, (), side * side, probability)


def result(x: float, side: float = 10.0, origin: Mapping[str, str] = ORIGIN) -> Result:
    return to_result(square(x, side), "Tumor", {**origin, "deepscribble.time": "now"})


def stored(made: Result, stays: str = "", class_name: str = "Tumor") -> Former:
    metadata = {**made.metadata, "deepscribble.time": "then"}
    return Former(made.id, class_name, shape_of(made.polygon), 0.8, metadata, stays)


def plan(formers: list[Former], wanted: list[Result], *others: str) -> Edit:
    ids = frozenset(former.id for former in formers) | set(others)
    content = Content((), (), tuple(formers), ids, {}, (), "v")
    return plan_edit(content, wanted, lambda former: former.class_name == "Tumor")


def test_the_same_again_is_no_edit() -> None:
    same = [result(0), result(100)]
    edit = plan([stored(one) for one in same], same)
    assert not edit
    assert edit.unchanged == tuple(one.id for one in same)


def test_what_a_store_rounds_is_the_same() -> None:
    made = result(0.123456789, 10.987654321)
    former = stored(made)
    rounded = shapely.transform(former.shape, lambda xy: np.roll(np.round(xy[:-1], 2), 1, axis=0)
                                [[*range(len(xy) - 1), 0]])  # fmt: skip
    edit = plan([Former(made.id, "Tumor", rounded, 0.8, former.metadata)], [made])
    assert edit == Edit(unchanged=(made.id,))


def test_an_outline_that_moves_keeps_its_id() -> None:
    before = [result(0), result(100), result(200)]
    after = [result(104), result(1), result(300)]
    edit = plan([stored(one) for one in before], after)
    assert {one.id: one.polygon.exterior[0, 0] for one in edit.updated} == {
        before[0].id: 1.0, before[1].id: 104.0,
    }  # fmt: skip
    assert [one.id for one in edit.added] == [after[2].id]
    assert edit.removed == (before[2].id,)


def test_of_two_that_claim_an_id_the_more_alike_has_it() -> None:
    before = result(0, 20)
    halves = [result(0, 8), result(9, 11)]
    edit = plan([stored(before)], halves)
    assert [one.polygon for one in edit.updated] == [halves[1].polygon]
    assert [one.id for one in edit.added] == [halves[0].id]
    assert not edit.removed


def test_other_strokes_models_or_measurements_are_an_update() -> None:
    made = result(0)
    for origin in (
        {**ORIGIN, "deepscribble.strokes": "s,t"},
        {**ORIGIN, "deepscribble.model.refine": "sha256:bb"},
        {"deepscribble.strokes": "s"},
    ):
        edit = plan([stored(made)], [result(0, origin=origin)])
        assert [one.id for one in edit.updated] == [made.id]
    changed = to_result(square(0, probability=0.9), "Tumor", ORIGIN)
    assert [one.id for one in plan([stored(made)], [changed]).updated] == [made.id]


def test_what_is_not_due_stays_and_so_does_what_a_person_fixed() -> None:
    locked, other = stored(result(0), "locked"), stored(result(100), class_name="Necrosis")
    edit = plan([locked, other], [])
    assert edit == Edit(kept=(locked.id,))


def test_nothing_is_drawn_over_what_a_person_fixed() -> None:
    locked = stored(result(0), "locked")
    beside, over = result(8), result(1)
    edit = plan([locked], [over])
    assert edit == Edit(kept=(locked.id,))
    # One that lies for the most part elsewhere is another object.
    assert [one.polygon for one in plan([locked], [beside]).added] == [beside.polygon]


def test_a_new_id_never_is_one_that_somebody_has() -> None:
    made = result(0)
    (added,) = plan([], [made], made.id).added
    assert added.id != made.id
    # The foreign one goes on standing in the way, and the answer goes on being the same.
    (again,) = plan([], [made], made.id).added
    assert again.id == added.id
