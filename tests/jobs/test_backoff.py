"""Pauses grow, have an end, and are never in step."""

import pytest

from deepscribble.jobs.backoff import Backoff


@pytest.mark.parametrize(("failures", "whole"), [(1, 10), (2, 20), (4, 80), (5, 100), (9999, 100)])
def test_pauses_double_up_to_an_end(failures, whole):
    pauses = {Backoff(10, 100).pause(failures) for _ in range(50)}
    assert whole / 2 <= min(pauses) <= max(pauses) <= whole
    assert len(pauses) > 10
