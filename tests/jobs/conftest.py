"""Folders of small images with strokes, and a server whose outlines are those of the strokes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import shapely
from omero_standin.harness import OmeroServer
from PIL import Image

from deepscribble.client import Client
from deepscribble.errors import LimitExceeded
from deepscribble.geometry import Label, Polygon
from deepscribble.jobs.lease import NAMESPACE


@pytest.fixture
def engine(standin: ModuleType) -> Any:
    """Outlines a square of 20 pixels around each foreground stroke, else the whole region.

    Squares that meet are one outline, so a further stroke may move it.
    It refuses the region whose left edge is `refuses`.
    """

    class StrokeEngine(standin.StandInEngine):  # type: ignore[misc, name-defined]
        refuses = -1

        def refine(self, region: Any, pixels: Any, strokes: Any, **options: Any) -> Any:
            if region.x == self.refuses:
                raise LimitExceeded("no")
            outline = yield from super().refine(region, pixels, strokes, **options)
            if not strokes:
                return outline
            squares = []
            for stroke in strokes:
                x, y = np.round(np.concatenate(stroke.parts).mean(axis=0))
                if stroke.label is Label.FOREGROUND:
                    squares.append(shapely.box(x - 10, y - 10, x + 10, y + 10))
            polygons = []
            for part in shapely.get_parts(shapely.unary_union(squares)):
                ring = shapely.orient_polygons(part.normalize()).exterior.coords[:-1]
                area = part.area * region.mpp**2
                polygons.append(Polygon(np.array(ring), (), area, 0.75))
            return replace(outline, polygons=tuple(polygons))

    return StrokeEngine(model_pixels=200_000)


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    with Client(server) as client:
        yield client


Drawn = Callable[..., dict[str, Any]]


@pytest.fixture
def stroke() -> Drawn:
    """Makes a stroke of a class around a point."""
    return _stroke


@pytest.fixture
def region() -> Drawn:
    """Makes a rectangle of class Region*."""
    return _region


def _stroke(x: float, y: float, id: str = "s", class_name: str = "Tumor") -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": f"{id}{x:g}",
        "geometry": {"type": "LineString", "coordinates": [[x - 4, y], [x + 4, y]]},
        "properties": {"objectType": "annotation", "classification": class_name},
    }


def _region(left: float, top: float, right: float, bottom: float, name: str = "") -> dict[str, Any]:
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return {
        "type": "Feature",
        "id": f"region {left} {top}",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": "annotation", "name": name, "classification": "Region*"},
    }


Add = Callable[..., Path]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Adds an image to the folder, with the features drawn on it; returns the GeoJSON file."""

    def make(name: str, *features: dict[str, Any], size: tuple[int, int] = (400, 300)) -> Path:
        Image.new("RGB", size, (200, 20, len(name))).save(tmp_path / name)
        path = tmp_path / f"{Path(name).stem}.geojson"
        if features:
            path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return path

    return make


@pytest.fixture
def omero(own_omero_server: OmeroServer) -> OmeroServer:
    """An OMERO server of the test's own."""
    return own_omero_server


@pytest.fixture
def draw(omero: OmeroServer) -> Callable[..., None]:
    """Draws a stroke around (x, 50), as a pathologist does in a viewer: `draw(image, x)`."""

    def save(image: int, x: int, text: str = "Tumor") -> None:
        from omero.model import ImageI, PolylineI, RoiI
        from omero.rtypes import rstring

        line = PolylineI()
        line.setPoints(rstring(f"{x - 4},50 {x + 4},50"))
        line.setTextValue(rstring(text))
        roi = RoiI()
        roi.setImage(ImageI(image, False))
        roi.addShape(line)
        with omero.gateway("ds-bob", "ds-annotate") as connection:
            connection.getUpdateService().saveAndReturnObject(roi, connection.SERVICE_OPTS)

    return save


@pytest.fixture
def dataset(omero: OmeroServer, draw: Callable[..., None]) -> tuple[int, list[int]]:
    """A dataset of three images, with a stroke on the first two."""
    from omero.model import DatasetI
    from omero.rtypes import rstring

    with omero.gateway("ds-ada", "ds-annotate") as connection:
        made = DatasetI()
        made.setName(rstring("slides"))
        saved = connection.getUpdateService().saveAndReturnObject(made, connection.SERVICE_OPTS)
        number = saved.getId().getValue()
    pixels = np.random.default_rng(5).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    images = [omero.image(pixels, name=f"slide {n}", dataset=number) for n in range(3)]
    for image in images[:2]:
        draw(image, 60)
    return number, images


@pytest.fixture
def leases(omero: OmeroServer) -> Callable[[], list[Any]]:
    """What leases there are on the server."""

    def read() -> list[Any]:
        assert omero.standin is not None
        notes = omero.standin.rows("MapAnnotation")
        return [note for note in notes if note["fields"]["ns"] == NAMESPACE]

    return read
