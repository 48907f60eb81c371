from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepscribble.benchmark.method import Case
from deepscribble.benchmark.pictures import curves, gallery
from deepscribble.benchmark.report import Report, Selection
from deepscribble.benchmark.snapshot import Snapshot
from deepscribble.benchmark.user import next_stroke
from deepscribble.errors import InvalidInput
from deepscribble.learning import Pair, Sample

Samples = dict[str, Sample]


@pytest.fixture
def samples(easy: Case, report: Report) -> Samples:
    pair = Pair("s", None, None, "val", 1.0, "tumor", "g", "CC0", "drawn")  # type: ignore[arg-type]
    sample = Sample(pair, easy.rgb, easy.truth)
    return {patch.name: sample for patch in report.patches}


def opened(png: bytes) -> NDArray[np.uint8]:
    """The picture as RGB."""
    image = cv2.imdecode(np.frombuffer(png, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image[:, :, ::-1], dtype=np.uint8)


def coloured(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    """How many pixels have about this colour."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 12).sum())


def test_curves_have_a_line_for_each_method(report: Report) -> None:
    paper, whole = (opened(curves(report, one)) for one in report.selections)
    vermilion, sky = (0xD5, 0x5E, 0x00), (0x56, 0xB4, 0xE9)
    assert coloured(paper, vermilion) > 500
    assert coloured(paper, sky) > 500
    assert coloured(whole, vermilion) > 500
    assert coloured(whole, sky) == 0


def test_pictures_are_the_same_each_time(report: Report, samples: Samples) -> None:
    selection = report.selections[1]
    assert curves(report, selection) == curves(report, selection)
    assert gallery(report, selection, samples) == gallery(report, selection, samples)


def test_the_gallery_shows_truth_outline_and_strokes(
    report: Report, samples: Samples, easy: Case
) -> None:
    drawn = np.zeros(easy.grid.shape, dtype=np.uint8)
    inside = next_stroke(easy.truth, np.zeros_like(easy.truth), drawn, easy.grid)
    outside = next_stroke(easy.truth, np.ones_like(easy.truth), drawn, easy.grid)
    assert inside is not None
    assert outside is not None
    seen = Snapshot.of(easy.truth, (inside, outside), easy.grid)
    trials = tuple(replace(trial, snapshot=seen) for trial in report.trials)
    with_strokes = opened(gallery(replace(report, trials=trials), report.selections[1], samples))
    without = opened(gallery(report, report.selections[1], samples))
    blue, orange, cyan = (0x00, 0x6E, 0xFF), (0xFF, 0x46, 0x00), (0x00, 0xE5, 0xFF)
    for colour in (blue, orange):
        # The key has both colours in any case.
        assert coloured(with_strokes, colour) > coloured(without, colour) + 100
    assert coloured(without, cyan) > 200


def test_the_gallery_shows_no_patch_twice(report: Report, samples: Samples) -> None:
    two, three = (opened(gallery(report, one, samples)).shape[0] for one in report.selections)
    assert three > two + 100


def test_a_method_that_is_not_through_is_not_drawn(report: Report) -> None:
    for draw in (curves, lambda run, one: gallery(run, one, {})):
        with pytest.raises(InvalidInput, match="no method is through with the protocol paper"):
            draw(report, Selection("paper", ("s/a",)))


def test_a_gallery_needs_its_images(report: Report, samples: Samples) -> None:
    with pytest.raises(InvalidInput, match="no image for the gallery's s/a"):
        gallery(report, report.selections[0], {"s/b": samples["s/b"]})
