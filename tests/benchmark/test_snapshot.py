from dataclasses import replace

import numpy as np
import pytest

from deepscribble.benchmark.method import Case
from deepscribble.benchmark.snapshot import Snapshot
from deepscribble.errors import InvalidInput
from deepscribble.geometry import Kind, Label, Stroke


def test_mask_and_strokes_come_back(easy: Case, strokes) -> None:
    snapshot = Snapshot.of(easy.truth, strokes, easy.grid)
    assert np.array_equal(snapshot.mask, easy.truth)
    (inside,), outside = (snapshot.lines_of(label) for label in Label)
    assert np.array_equal(inside.xy, strokes[0].parts[0])
    assert [line.xy[0] for line in outside] == [(8.0, 10.0), (70.0, 74.0)]
    assert len(snapshot.packed) < easy.truth.size / 40


def test_only_the_corners_of_a_pixel_path_are_kept(easy: Case) -> None:
    across = [(x + 0.5, 10.5) for x in range(10, 40)]
    down = [(39.5, y + 0.5) for y in range(11, 30)]
    stroke = Stroke("a", Label.FOREGROUND, Kind.POLYLINE, (np.array(across + down),))
    (line,) = Snapshot.of(easy.truth, (stroke,), easy.grid).lines
    assert line.xy == ((10.5, 10.5), (39.5, 10.5), (39.5, 29.5))


@pytest.mark.parametrize("packed", ["?", "AAAA", ""])
def test_a_damaged_mask(easy: Case, packed: str) -> None:
    snapshot = Snapshot.of(easy.truth, (), easy.grid)
    with pytest.raises(InvalidInput, match="packed"):
        _ = replace(snapshot, packed=packed).mask


def test_a_mask_of_another_size(easy: Case) -> None:
    snapshot = Snapshot.of(easy.truth, (), easy.grid)
    with pytest.raises(InvalidInput, match="not 81 x 96 bits"):
        _ = replace(snapshot, rows=81).mask
