"""Edges and the rows that they cross, a bounded number at a time."""

import numpy as np
import pytest

from deepscribble.raster import rows


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_every_pair_comes_once_and_no_batch_is_larger_than_stated(monkeypatch, batch):
    monkeypatch.setattr(rows, "_BATCH", batch)
    first, past = np.array([4, 0, 7, 2, 5]), np.array([6, 0, 3, 3, 9])
    found = list(rows.crossed_rows(first, past))
    assert all(0 < len(edge) == len(row) <= batch for edge, row in found)
    pairs = [pair for edge, row in found for pair in zip(edge.tolist(), row.tolist(), strict=True)]
    assert pairs == [(0, 4), (0, 5), (3, 2), (4, 5), (4, 6), (4, 7), (4, 8)]


def test_no_edge_has_no_rows():
    assert list(rows.crossed_rows(np.zeros(0, np.int64), np.zeros(0, np.int64))) == []
