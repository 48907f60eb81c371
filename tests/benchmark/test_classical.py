from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepscribble.benchmark.classical import GRABCUT, RANDOM_WALKER, WATERSHED, Seeded
from deepscribble.benchmark.method import Case
from deepscribble.geometry import Grid, Kind, Label, Polygon, Stroke
from deepscribble.learning import iou

Answer = Callable[[tuple[Polygon, ...], Grid], NDArray[np.bool_]]

ALL = [pytest.param(m, id=m.name) for m in (WATERSHED, RANDOM_WALKER, GRABCUT)]


@pytest.mark.parametrize("method", ALL)
def test_an_easy_case_is_right_after_three_strokes(
    method: Seeded, easy: Case, strokes: tuple[Stroke, ...], mask: Answer
) -> None:
    session = method.start(easy)
    assert session.first == ()
    answer = mask(session.correct(strokes), easy.grid)
    assert iou(easy.truth, answer) > 0.9
    assert iou(easy.truth, answer) > iou(easy.truth, easy.prior >= 0.5)


@pytest.mark.parametrize("method", ALL)
def test_strokes_of_one_label_say_that_all_is_of_that_label(
    method: Seeded, easy: Case, strokes: tuple[Stroke, ...], mask: Answer
) -> None:
    session = method.start(easy)
    assert mask(session.correct(strokes[:1]), easy.grid).all()
    assert session.correct(strokes[1:2]) == ()
    assert session.correct(()) == ()
    assert method.free_strokes == 2


@pytest.mark.parametrize("method", ALL)
def test_strokes_outside_of_the_patch_say_nothing(
    method: Seeded, easy: Case, strokes: tuple[Stroke, ...]
) -> None:
    away = replace(strokes[0], parts=(strokes[0].parts[0] + 500,))
    assert method.start(easy).correct((away,)) == ()


@pytest.mark.parametrize("method", ALL)
def test_the_newer_stroke_wins_where_two_overlap(
    method: Seeded, easy: Case, strokes: tuple[Stroke, ...], mask: Answer
) -> None:
    inside = strokes[0]
    outside = replace(inside, label=Label.BACKGROUND)
    kept = replace(strokes[2], label=Label.FOREGROUND)
    answer = mask(method.start(easy).correct((inside, kept, outside)), easy.grid)
    assert not answer[40, 51]
    assert answer[72, 80]


def points(case: Case) -> list[Stroke]:
    """Six points, each on its own label."""
    rng = np.random.default_rng(1)
    strokes = []
    for index in range(6):
        label = Label.FOREGROUND if index % 2 else Label.BACKGROUND
        rows, columns = np.nonzero(case.truth == (label is Label.FOREGROUND))
        at = int(rng.integers(len(rows)))
        point = np.array([[columns[at] + 0.5, rows[at] + 0.5]])
        strokes.append(Stroke(str(index), label, Kind.POINTS, (point,)))
    return strokes


@pytest.mark.parametrize("method", ALL[:2])
def test_a_session_answers_the_same_whatever_it_was_asked_before(
    method: Seeded, tissue: Case, mask: Answer
) -> None:
    strokes = points(tissue)
    asked = method.start(tissue)
    for count in range(1, 6):
        asked.correct(strokes[:count])
    one = mask(asked.correct(strokes), tissue.grid)
    other = mask(method.start(tissue).correct(strokes), tissue.grid)
    assert np.array_equal(one, other)
    assert 0 < one.mean() < 1


def test_grabcut_goes_on_from_round_to_round_and_repeats(tissue: Case, mask: Answer) -> None:
    strokes = points(tissue)
    answers = []
    for seed in (1, 99):
        cv2.setRNGSeed(seed)
        session = GRABCUT.start(tissue)
        for count in range(1, 7):
            answer = mask(session.correct(strokes[:count]), tissue.grid)
        answers.append(answer)
        for stroke in strokes:
            column, row = stroke.parts[0][0].astype(int)
            assert answer[row, column] == (stroke.label is Label.FOREGROUND)
    assert np.array_equal(*answers)
    assert 0 < answers[0].mean() < 1


@pytest.mark.parametrize("method", ALL)
def test_a_patch_full_of_strokes_is_what_they_say(method: Seeded, easy: Case, mask: Answer) -> None:
    rings = ([[0, 0], [48, 0], [48, 80], [0, 80]], [[48, 0], [96, 0], [96, 80], [48, 80]])
    labels = (Label.FOREGROUND, Label.BACKGROUND)
    halves = tuple(
        Stroke(label.name, label, Kind.BRUSH, (np.array(ring, dtype=float),))
        for label, ring in zip(labels, rings, strict=True)
    )
    answer = mask(method.start(easy).correct(halves), easy.grid)
    assert answer[:, :44].all()
    assert not answer[:, 48:].any()
