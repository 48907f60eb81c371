from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deepscribble.benchmark.method import Case
from deepscribble.benchmark.refinenet import RefineNet
from deepscribble.engine import Engine, complete
from deepscribble.errors import UnknownModel
from deepscribble.geometry import Grid, Polygon, Stroke

Answer = Callable[[tuple[Polygon, ...], Grid], NDArray[np.bool_]]


@pytest.fixture(scope="module")
def engine(untrained_models: Path) -> Engine:
    return Engine.open(untrained_models, "cpu")


def test_the_first_outline_is_guidenets(engine: Engine, tissue: Case, mask: Answer) -> None:
    session = RefineNet(engine).start(tissue)
    work = engine.segment(tissue.grid.region, tissue.rgb, return_probability=True)
    guess = complete(work, engine.network).probability
    assert guess is not None
    assert np.array_equal(mask(session.first, tissue.grid), guess >= 0.5)


def test_strokes_are_law(
    engine: Engine, easy: Case, strokes: tuple[Stroke, ...], mask: Answer
) -> None:
    method = RefineNet(engine)
    assert method.free_strokes == 0
    session = method.start(easy)
    answer = mask(session.correct(strokes), easy.grid)
    assert answer[35:46, 45:58].any()
    for stroke, inside in zip(strokes, (True, False, False), strict=True):
        for x, y in stroke.parts[0]:
            assert answer[int(y), int(x)] == inside


def test_sessions_do_not_know_of_each_other(
    engine: Engine, easy: Case, strokes: tuple[Stroke, ...], mask: Answer
) -> None:
    method = RefineNet(engine)
    one = method.start(easy)
    one.correct(strokes[:1])
    both = mask(one.correct(strokes), easy.grid)
    fresh = method.start(easy)
    single = mask(fresh.correct(strokes[:1]), easy.grid)
    assert np.array_equal(mask(fresh.correct(strokes), easy.grid), both)
    assert not np.array_equal(single, both)
    # Without strokes it is the first guess again.
    assert np.array_equal(mask(one.correct(()), easy.grid), mask(one.first, easy.grid))


def test_a_target_that_no_guidenet_has(engine: Engine, easy: Case) -> None:
    with pytest.raises(UnknownModel, match="no GuideNet finds 'gland'"):
        RefineNet(engine).start(replace(easy, target="gland"))
