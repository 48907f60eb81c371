import json

import numpy as np
import pytest
import shapely

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Grid, Region
from deepscribble.learning.truth import read_truth

WHOLE = Region(0, 0, 400, 300, 0.5)


def centres_inside(area: shapely.Geometry, grid: Grid) -> np.ndarray:
    """Asked of shapely, centre by centre."""
    rows, columns = np.mgrid[: grid.height, : grid.width] + 0.5
    points = grid.to_level0(np.stack([columns.ravel(), rows.ravel()], axis=1))
    return shapely.contains_xy(area, points).reshape(grid.shape)


def test_the_mask_is_exact_at_pixel_centres_wherever_the_grid_lies(project, square) -> None:
    blob = shapely.Point(210.3, 140.7).buffer(97.1)
    hole = shapely.Point(230.2, 150.1).buffer(31.4)
    rings = [list(blob.exterior.coords)[:-1], list(hole.exterior.coords)[:-1]]
    path = project.outlines("a.geojson", ("Tumor", rings))
    truth = read_truth(path, ["Tumor"])
    for region in (WHOLE, Region(151, 87, 200, 170, 0.5), Region(0, 0, 90, 90, 0.5)):
        grid = Grid.at(region, 1.1)
        expected = centres_inside(blob.difference(hole), grid)
        np.testing.assert_array_equal(truth.is_inside(grid), expected)


def test_overlaps_are_joined_and_parts_of_one_area_kept(project, square) -> None:
    several = [[[*square(300, 0, 340, 40), [300, 0]]], [[*square(350, 0, 390, 40), [350, 0]]]]
    path = project.outlines(
        "a.geojson",
        ("Tumor", [square(10, 10, 110, 110)]),
        ("Tumor: Positive", [square(60, 60, 160, 160)]),
        ("Tumor", {"type": "MultiPolygon", "coordinates": several}),
    )
    mask = read_truth(path, ["Tumor"]).is_inside(Grid.at(WHOLE, 0.5))
    assert mask.sum() == 2 * 100**2 - 50**2 + 2 * 40**2


def test_only_areas_of_the_chosen_classes_that_a_person_drew_count(project, square) -> None:
    area = [square(0, 0, 50, 50)]
    path = project.outlines(
        "a.geojson",
        ("Tumor", area),
        ("In situ", [square(100, 100, 120, 120)]),
        ("Stroma", [square(200, 200, 250, 250)]),
        ("", [square(0, 200, 50, 250)]),
        ("Tumor", {"type": "LineString", "coordinates": [[0, 0], [300, 200]]}),
    )
    document = json.loads(path.read_text())
    cell = json.loads(json.dumps(document["features"][0]))
    cell["properties"]["objectType"] = "cell"
    cell["geometry"]["coordinates"] = [[*square(300, 200, 390, 290), [300, 200]]]
    path.write_text(json.dumps([*document["features"], cell]))
    truth = read_truth(path, ["Tum*", "In situ", "Necrosis"])
    assert truth.is_inside(Grid.at(WHOLE, 0.5)).sum() == 50**2 + 20**2
    assert truth.met == {"Tum*", "In situ"}
    assert truth.others == {
        "of class Stroma": 1,
        "of no class": 1,
        "of class Tumor that are no areas": 1,
        "of type cell": 1,
    }
    assert truth.classes == {"Tumor": 2, "In situ": 1, "Stroma": 1, "": 1}


def test_regions_are_joined_and_cut_at_the_slides_border(project, square) -> None:
    path = project.outlines(
        "a.geojson",
        ("Region*", [square(-20, 10, 100, 60)]),
        ("Region*", [square(90, 50, 150, 120)]),
        ("Region 2", [square(300, 200, 450, 290)]),
        ("Region*", [square(500, 0, 600, 50)]),
    )
    truth = read_truth(path, ["*"])
    assert truth.boxes(WHOLE) == (
        Region(0, 10, 150, 110, 0.5),
        Region(300, 200, 100, 90, 0.5),
    )
    known = truth.is_known(Grid.at(WHOLE, 0.5))
    assert known.sum() == 100 * 50 + 60 * 70 - 10 * 10 + 100 * 90
    assert not truth.is_inside(Grid.at(WHOLE, 0.5)).any()


def test_without_regions_all_is_known(project, square) -> None:
    truth = read_truth(project.outlines("a.geojson", ("Tumor", [square(0, 0, 9, 9)])), ["Tumor"])
    assert truth.boxes(WHOLE) == (WHOLE,)
    assert truth.is_known(Grid.at(WHOLE, 1.0)).all()
    assert not truth.is_ignored(Grid.at(WHOLE, 1.0)).any()


def test_where_the_areas_lie(project, square) -> None:
    beside = project.outlines("a.geojson", ("Tumor", [square(900, 0, 950, 50)]))
    assert not read_truth(beside, ["Tumor"]).lies_on(WHOLE)
    partly = project.outlines("b.geojson", ("Tumor", [square(390, 0, 950, 50)]))
    assert read_truth(partly, ["Tumor"]).lies_on(WHOLE)


@pytest.mark.parametrize("kind", ["Tumor", "Region*", "Ignore*"])
def test_an_area_that_crosses_itself_is_named(project, kind) -> None:
    path = project.outlines("a.geojson", (kind, [[[0, 0], [10, 10], [10, 0], [0, 10]]]))
    with pytest.raises(InvalidInput, match=r"a\.geojson: feature 0.*not a valid polygon"):
        read_truth(path, ["Tumor"])


@pytest.mark.parametrize("text", ["", "{", '{"type": "FeatureCollection"}'])
def test_a_damaged_file_is_named(tmp_path, text) -> None:
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(InvalidInput, match=r"a\.geojson"):
        read_truth(tmp_path / "a.geojson", ["Tumor"])


def test_an_export_of_qupath_without_classes(shared) -> None:
    truth = read_truth(shared / "geojson" / "qupath05.geojson", ["Tumor"])
    assert not truth.met
    assert truth.classes == {"": 3}
