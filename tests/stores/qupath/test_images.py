from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from deepscribble.stores import StoreImage
from deepscribble.stores.qupath import open_project
from deepscribble.stores.qupath.runtime import java_class

pytestmark = pytest.mark.qupath


@pytest.fixture
def entries(qupath: str, tmp_path: Path) -> Callable[..., tuple[StoreImage, ...]]:
    """Images of a new project with these files, after a change of its project file."""

    def make(*names: str, change: Callable[[Any], None] = lambda _: None) -> tuple[StoreImage, ...]:
        from paquo.projects import QuPathProject

        project = QuPathProject(tmp_path / "project", mode="x")
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            pixels = np.zeros((50, 70, 3), np.uint8)
            if path.suffix == ".tif":
                tifffile.imwrite(path, pixels)
            else:
                Image.fromarray(pixels).save(path)
            project.add_image(path)
        project.save()
        file = tmp_path / "project" / "project.qpproj"
        document = json.loads(file.read_text())
        change(document["images"])
        file.write_text(json.dumps(document))
        with open_project(file) as store:
            return store.images()

    return make


def test_names_of_every_kind_are_found(entries: Any, tmp_path: Path) -> None:
    names = ["a b.png", "50% #3.png", "Übergröße/é+&.tif", "日本.png", "a'b\"c.png"]
    images = entries(*names)
    assert [image.path for image in images] == [tmp_path / name for name in names]
    assert [image.problem for image in images] == [""] * len(names)
    assert {image.mpp for image in images} == {None}
    assert {image.size for image in images} == {(70, 50)}
    assert len({image.id for image in images}) == len(names)


def test_an_image_has_the_name_that_a_person_gave_it(entries: Any) -> None:
    (image,) = entries("a.png", change=lambda images: images[0].update(imageName="Patient 7"))
    assert image.name == "Patient 7"


def test_a_scale_that_a_person_set_in_qupath_counts(project: Any) -> None:
    from paquo.projects import QuPathProject

    opened = QuPathProject(project.file, mode="r+")
    data = opened.images[0]._image_data
    metadata = java_class("qupath.lib.images.servers.ImageServerMetadata$Builder")
    data.updateServerMetadata(
        metadata(data.getServer().getMetadata()).pixelSizeMicrons(0.3, 0.5).build()
    )
    opened.save()
    (image,) = project.open().images()
    assert image.mpp == pytest.approx(0.4)


def test_a_missing_image_is_reported_and_the_others_are_fine(entries: Any, tmp_path: Path) -> None:
    def move(images: Any) -> None:
        (tmp_path / "b #2.png").rename(tmp_path / "elsewhere.png")

    good, missing = entries("a.png", "b #2.png", change=move)
    assert good.problem == ""
    assert missing.name == "b #2.png"
    assert missing.problem.startswith(f"the image file {tmp_path / 'b #2.png'} is missing;")


def test_an_image_that_is_no_image(entries: Any, tmp_path: Path) -> None:
    (image,) = entries("a.png", change=lambda _: (tmp_path / "a.png").write_bytes(b"no image"))
    assert image.problem.startswith("QuPath cannot open the image")


def test_a_rotated_image_is_not_taken_for_its_file(entries: Any) -> None:
    def rotate(images: Any) -> None:
        inner = images[0]["serverBuilder"]
        images[0]["serverBuilder"] = {
            "builderType": "rotated",
            "rotation": "ROTATE_90",
            "builder": inner,
        }

    (image,) = entries("a.png", change=rotate)
    assert image.problem.startswith(
        "QuPath shows the image transformed (RotatedImageServerBuilder)"
    )


def test_a_further_series_is_not_taken_for_the_first(entries: Any) -> None:
    def second(images: Any) -> None:
        images[0]["serverBuilder"]["args"] = ["--series", "1"]

    (image,) = entries("a.png", change=second)
    assert image.problem.startswith("the image is number 1 of several")


def test_an_image_of_a_server_is_not_read(entries: Any) -> None:
    def remote(images: Any) -> None:
        images[0]["serverBuilder"]["uri"] = "https://omero.example.org/iviewer?images=1"

    (image,) = entries("a.png", change=remote)
    assert "not one file on this machine but https://omero.example.org" in image.problem
