"""Drawing on images in OMERO as its viewers do, and stores of it."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
from omero_standin import harness

from deepscribble.geometry import Polygon
from deepscribble.stores import to_result
from deepscribble.stores.omero import Credentials, open_omero, parse_address


@pytest.fixture
def shape():
    """Makes a shape of OMERO's: `shape("Polyline", "Tumor", Points="1,2 3,4")`."""
    return harness.shape


@pytest.fixture
def draw(omero_server):
    """Saves shapes as one Roi, as a pathologist does in a viewer; returns its number."""

    def save(image, *shapes, server=omero_server, **who):
        return server.draw(image, *shapes, **who)

    return save


@pytest.fixture
def opened(tmp_path, omero_server):
    """Opens stores, and closes them: `opened(image)` or `opened(id, "Dataset", user=...)`."""
    with ExitStack() as stack:

        def open_it(id, kind="Image", *, user="ds-ada", server=omero_server, **options):
            address = parse_address(f"omero://{server.host}:{server.port}/{kind}:{id}")
            who = Credentials(user, server.people[user])
            store = open_omero(address, who, folder=tmp_path / "journal", **options)
            return stack.enter_context(store)

        yield open_it


@pytest.fixture
def slide():
    """Pixels of a small image."""
    return np.random.default_rng(5).integers(0, 255, (300, 400, 3), dtype=np.uint8)


@pytest.fixture
def square():
    """Makes a result: a square, with a hole if it is asked for."""

    def make(x, y=10.0, side=100.0, *, hole=False, class_name="Tumor", strokes="s"):
        ring = np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]])
        middle = [x + side / 2, y + side / 2]
        inner = (ring[::-1] - middle) / 4 + middle
        polygon = Polygon(ring, (inner,) if hole else (), side * side * 0.25, 0.875)
        return to_result(
            polygon,
            class_name,
            {"deepscribble.model.m": "sha256:aa", "deepscribble.strokes": strokes},
        )

    return make
