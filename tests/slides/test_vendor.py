"""Vendors' slides: which part of them is level 0."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from deepscribble.slides.vendor import _scanned_part

BOUNDS = {
    "openslide.bounds-x": "100",
    "openslide.bounds-y": "50",
    "openslide.bounds-width": "600",
    "openslide.bounds-height": "400",
}


@pytest.mark.parametrize(
    ("properties", "part"),
    [
        (BOUNDS, (100, 50, 600, 400)),
        ({}, (0, 0, 1000, 800)),
        ({"openslide.bounds-x": "100"}, (0, 0, 1000, 800)),
        (BOUNDS | {"openslide.bounds-width": "wide"}, (0, 0, 1000, 800)),
        (BOUNDS | {"openslide.bounds-width": "1000"}, (0, 0, 1000, 800)),
    ],
)
def test_level_0_is_the_part_that_qupath_shows(
    properties: dict[str, str], part: tuple[int, int, int, int]
) -> None:
    slide = SimpleNamespace(dimensions=(1000, 800), properties=properties)
    assert _scanned_part(slide) == part
