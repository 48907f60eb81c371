from collections import Counter

import cv2
import numpy as np
import pytest

from deepscribble.errors import InvalidInput, MissingScale
from deepscribble.geometry import Grid
from deepscribble.learning.project import find_entries
from deepscribble.learning.tiles import Cutting, Fate, cut_tiles, plan_tiles
from deepscribble.slides import open_slide

SMALL = Cutting(size=256)


def plan(project, cutting=SMALL):
    ((entry,), _) = find_entries(project.folder)
    return plan_tiles(entry, cutting)


def cut(project, folder, cutting=SMALL):
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    return list(cut_tiles(plan(project, cutting), cutting, folder))


def boxes(places):
    return [(place.x, place.y, place.width, place.height) for place in places]


def test_a_grid_at_the_wanted_scale_without_slivers(project, square) -> None:
    project.slide("a.tif")
    project.outlines("a.geojson", ("Tumor", [square(0, 0, 50, 50)]))
    # 700 x 500 pixels at 1 µm: the last column has 188, the last row 244.
    assert boxes(plan(project).places) == [
        (x, y, width, height)
        for y, height in ((0, 512), (512, 488))
        for x, width in ((0, 512), (512, 512), (1024, 376))
    ]
    # Of 280 pixels at 2.5 µm 24 are left over beside 256, which is too narrow.
    assert boxes(plan(project, Cutting(mpp=2.5, size=256)).places) == [(0, 0, 1280, 1000)]


def test_image_and_mask_lie_where_the_slide_has_them(project, square, tmp_path) -> None:
    path = project.slide("a.tif")
    project.outlines(
        "a.geojson", ("Tumor", [square(100, 60, 700, 640), square(300, 200, 400, 300)])
    )
    tiles = cut(project, tmp_path / "out")
    assert Counter(tile.fate for tile in tiles) == {Fate.KEPT: 4, Fate.BARE: 2}
    area = 0
    with open_slide(path) as slide:
        for tile in tiles:
            if tile.fate is not Fate.KEPT:
                assert tile.place.x == 1024
                continue
            rgb = cv2.imread(str(tmp_path / "out" / tile.image))[:, :, ::-1]
            mask = cv2.imread(str(tmp_path / "out" / tile.mask), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(rgb, slide.read(tile.place, 1.0))
            assert mask.shape == rgb.shape[:2]
            assert set(np.unique(mask)) <= {0, 255}
            assert tile.share == (mask == 255).mean()
            area += int((mask == 255).sum())
    assert area == (600 * 580 - 100 * 100) / 4


def test_outside_of_a_region_is_white_and_outside(project, square, tmp_path) -> None:
    project.slide("a.tif")
    triangle = [[100, 100], [612, 100], [100, 612]]
    project.outlines("a.geojson", ("Region*", [triangle]), ("Tumor", [square(0, 0, 900, 1000)]))
    (tile,) = cut(project, tmp_path / "out")
    assert boxes([tile.place]) == [(100, 100, 512, 512)]
    rgb = cv2.imread(str(tmp_path / "out" / tile.image))
    mask = cv2.imread(str(tmp_path / "out" / tile.mask), cv2.IMREAD_UNCHANGED)
    rows, columns = np.mgrid[:256, :256] + 0.5
    inside = rows + columns < 256
    clear = np.abs(rows + columns - 256) > 0.1
    np.testing.assert_array_equal((mask == 255)[clear], inside[clear])
    assert (rgb[~inside & clear] == 255).all()
    assert rgb[inside].mean() < 220


def test_a_region_on_glass_is_bare(project, square, tmp_path) -> None:
    project.slide("a.tif")
    # Its box is half tissue, but the region itself is not.
    project.outlines("a.geojson", ("Region*", [[[905, 100], [1200, 100], [1200, 600]]]))
    assert [tile.fate for tile in cut(project, tmp_path / "out")] == [Fate.BARE]


@pytest.mark.parametrize(("width", "fate"), [(48, Fate.KEPT), (56, Fate.IGNORED)])
def test_ignored_areas_spoil_a_tile_from_a_tenth_on(project, square, tmp_path, width, fate) -> None:
    project.slide("a.tif")
    project.outlines(
        "a.geojson",
        ("Tumor", [square(0, 0, 300, 300)]),
        ("Ignore*", [square(0, 0, width, 512)]),
    )
    tile = cut(project, tmp_path / "out")[0]
    assert tile.fate is fate
    assert len(list((tmp_path / "out" / "images").iterdir())) == (4 if fate is Fate.KEPT else 3)


def test_a_slide_without_a_scale_takes_the_one_given(project, square) -> None:
    project.slide("a.tif", mpp=None)
    project.outlines("a.geojson", ("Tumor", [square(0, 0, 300, 300)]))
    with pytest.raises(MissingScale, match=r"a\.tif does not tell .* --slide-mpp"):
        plan(project)
    assert plan(project, Cutting(size=256, slide_mpp=0.5)).places[0].mpp == 0.5


def test_a_slide_that_tells_its_scale_keeps_it(project, square) -> None:
    project.slide("a.tif", mpp=0.5)
    project.outlines("a.geojson", ("Tumor", [square(0, 0, 300, 300)]))
    assert plan(project, Cutting(size=256, slide_mpp=0.25)).places[0].mpp == pytest.approx(0.5)


def test_what_is_assumed_is_said(project, square) -> None:
    project.slide("a.tif", mpp=2.0)
    project.outlines("a.geojson", ("Tumor", [square(0, 0, 300, 300)]), name="DeepScribble")
    found = plan(project)
    assert [warning.code for warning in found.warnings] == ["ENLARGED", "OWN_OUTLINES"]
    assert Grid.at(found.places[0], 1.0).shape == (256, 256)


@pytest.mark.parametrize(
    ("kind", "corner", "message"),
    [
        ("Tumour", 0, r"a\.geojson: no area is of class Tumor; there are: Tumour \(1\)"),
        ("", 0, r"no area is of class Tumor; there are: no class \(1\)"),
        ("Tumor", 5000, r"all areas lie beside a\.tif, which is 1400 x 1000 pixels"),
    ],
)
def test_outlines_that_do_not_fit_are_refused(project, square, kind, corner, message) -> None:
    project.slide("a.tif")
    project.outlines("a.geojson", (kind, [square(corner, 0, corner + 90, 90)]))
    with pytest.raises(InvalidInput, match=message):
        plan(project)


def test_a_damaged_slide_is_named(project, square, tmp_path) -> None:
    path = project.slide("a.tif")
    project.outlines("a.geojson", ("Tumor", [square(0, 0, 300, 300)]))
    found = plan(project)
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(InvalidInput, match=r"a\.tif"):
        list(cut_tiles(found, SMALL, tmp_path))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mpp": 0.0}, "^mpp"),
        ({"mpp": float("nan")}, "^mpp: nan"),
        ({"slide_mpp": -1.0}, "^slide_mpp: -1"),
        ({"classes": ()}, "^class: it is empty"),
        ({"classes": ("",)}, "^class: it is empty"),
        ({"size": 127}, "^size: 127 pixels is outside 128 to 8192"),
        ({"size": 8193}, "^size"),
    ],
)
def test_values_out_of_range_are_refused(values, message) -> None:
    with pytest.raises(InvalidInput, match=message):
        Cutting(**values)
