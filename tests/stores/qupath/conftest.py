"""Real QuPath projects, made and looked at through paquo: nothing of the store under test."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import tifffile

from deepscribble.errors import InvalidInput, NotFound
from deepscribble.geometry import ModelRef, Polygon
from deepscribble.stores import Content, Query, Result, StoreImage, provenance, to_result

NAME = "Fall 1 #2 für.tif"
SIZE = (600, 400)
MPP = 0.5
TIME = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="session")
def qupath() -> str:
    """The version of the QuPath that is here; skips, saying why, where there is none."""
    from deepscribble.stores.qupath.runtime import qupath_version

    try:
        return qupath_version()
    except (NotFound, InvalidInput) as error:
        pytest.skip(str(error))


def polygon(shape: shapely.Polygon, probability: float = 0.9) -> Polygon:
    shape = shapely.orient_polygons(shape)
    return Polygon(
        shapely.get_coordinates(shape.exterior)[:-1],
        tuple(shapely.get_coordinates(hole)[:-1] for hole in shape.interiors),
        area_um2=shape.area * MPP**2,
        mean_probability=probability,
    )


@dataclass(frozen=True)
class Project:
    """A QuPath project on disk."""

    file: Path

    @property
    def data(self) -> Path:
        return self.file.parent / "data" / "1" / "data.qpdata"

    def open(self) -> Any:
        from deepscribble.stores.qupath import open_project

        return open_project(self.file)

    def read(self, query: Query = Query()) -> tuple[Any, StoreImage, Content]:  # noqa: B008
        store = self.open()
        image = store.images()[0]
        return store, image, store.read(image, query)

    def write(self, *results: Result, **edit: Any) -> str:
        from deepscribble.stores import Edit

        store, image, content = self.read()
        version: str = store.write(image, Edit(added=results, **edit), content.version)
        return version

    def change(self, change: Callable[[Any], None]) -> None:
        """Change the first image as a person would in QuPath, and save it."""
        from paquo.projects import QuPathProject

        project = QuPathProject(self.file, mode="r+")
        entry = project.images[0]
        change(entry)
        # What paquo's own setters do not flag is saved too.
        entry._image_data.setChanged(True)
        entry.save()

    def objects(self) -> Counter[tuple[Any, ...]]:
        """Every object of the first image with all that QuPath keeps of it."""
        from paquo.projects import QuPathProject

        hierarchy = QuPathProject(self.file, mode="r").images[0].hierarchy.java_object
        return Counter(
            (
                str(thing.getID()),
                str(thing.getParent().getID()) if thing.getLevel() > 1 else "",
                str(thing.getClass().getSimpleName()),
                str(thing.getName()),
                str(thing.getPathClass()),
                str(thing.getROI().getClass().getSimpleName()),
                str(thing.getROI().getGeometry().toText()),
                bool(thing.isLocked()),
                str(thing.getMetadata()),
                str(thing.getMeasurements()),
            )
            for thing in hierarchy.getFlattenedObjectList(None)
            if not thing.isRootObject()
        )

    def people(self) -> Counter[tuple[Any, ...]]:
        """The objects that DeepScribble did not make."""
        return Counter(
            {thing: n for thing, n in self.objects().items() if thing[3] != NAME_OF_OURS}
        )

    def ours(self) -> dict[str, tuple[Any, ...]]:
        return {thing[0]: thing for thing in self.objects() if thing[3] == NAME_OF_OURS}

    def files(self) -> dict[str, tuple[bytes, int]]:
        return {
            str(path): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(self.file.parent.rglob("*"))
            if path.is_file()
        }


NAME_OF_OURS = "DeepScribble"


def draw(entry: Any, shape: Any, name: str = "", **more: Any) -> Any:
    """An annotation as a person draws it, of a class by its name."""
    from paquo.classes import QuPathPathClass

    path_class = QuPathPathClass(name) if name else None
    return entry.hierarchy.add_annotation(shape, path_class, **more)


@pytest.fixture(scope="session")
def template(qupath: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one image with a region, strokes of every kind, and things to be left alone."""
    from paquo.images import QuPathImageType
    from paquo.projects import QuPathProject

    folder = tmp_path_factory.mktemp("Proben & Fälle")
    pixels = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    tifffile.imwrite(
        folder / NAME,
        pixels,
        resolution=(1e4 / MPP, 1e4 / MPP),
        resolutionunit="CENTIMETER",
    )
    project = QuPathProject(folder / "project", mode="x")
    entry = project.add_image(folder / NAME, QuPathImageType.BRIGHTFIELD_H_E)
    draw(entry, shapely.box(100, 50, 500, 350), "Region*")
    draw(entry, shapely.LineString([(110, 60), (150, 90), (200, 70)]), "Tumor")
    draw(entry, shapely.LineString([(120, 300), (180, 320)]), "Stroma")
    draw(entry, shapely.MultiPoint([(300, 100), (310, 120)]), "Tumor")
    draw(entry, shapely.Polygon([(400, 100), (450, 100), (450, 150)]), "Tumor", measurements={})
    draw(entry, shapely.Polygon([(10, 10), (30, 10), (20, 30)]), "Lymph follicle")
    draw(entry, shapely.box(1, 1, 9, 9))
    entry.hierarchy.add_detection(shapely.box(40, 40, 50, 50))
    project.save()
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    """A copy of the project of `template`."""
    shutil.copytree(template / "project", tmp_path / "project")
    return Project(tmp_path / "project" / "project.qpproj")


@pytest.fixture(scope="session")
def result() -> Callable[..., Result]:
    """Makes results of ours of Shapely's polygons."""
    origin = provenance((ModelRef("refine", "sha256:1"),), ("stroke-1",), TIME)

    def make(shape: shapely.Polygon, class_name: str = "Tumor", **more: Any) -> Result:
        return to_result(polygon(shape, **more), class_name, origin)

    return make


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Any]:
    return draw
