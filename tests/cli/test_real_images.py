"""The command line on real H&E with the shipped weights, as a pathologist's script would use it."""

import json

import cv2
import numpy as np
import pytest
import shapely
from typer.testing import CliRunner

from deepscribble.cli.main import app
from deepscribble.geometry import Grid, Label, Region
from deepscribble.learning import scribbles
from deepscribble.raster import fill
from deepscribble.server import background_server
from deepscribble.stores import read_polygons

IMAGES = (
    ("glas", "testA_16", 0.62),
    ("glas", "testA_12", 0.62),
    ("ebhi_seg", "GT2014677-1-400-002", 0.5),
    ("ebhi_seg", "GT2016854-1-400-003", 0.5),
)
CLASSES = {Label.FOREGROUND: "Tumor", Label.BACKGROUND: "Stroma"}


@pytest.fixture(scope="module")
def server():
    with background_server(device="cpu") as target:
        yield target


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def mask_of(path, grid):
    mask = np.zeros(grid.shape, dtype=bool)
    for polygon in read_polygons(path):
        assert shapely.Polygon(polygon.exterior, polygon.holes).is_valid
        mask |= fill([grid.from_level0(ring) for ring in polygon.rings], grid.shape)
    return mask


def iou(one, other):
    return (one & other).sum() / max(1, (one | other).sum())


def write_strokes(path, strokes):
    features = [
        {
            "type": "Feature",
            "id": stroke.id,
            "geometry": {"type": "LineString", "coordinates": stroke.parts[0].tolist()},
            "properties": {
                "objectType": "annotation",
                "classification": {"name": CLASSES[stroke.label]},
            },
        }
        for stroke in strokes
        if len(stroke.parts[0]) > 1
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return len(features)


@pytest.mark.parametrize(("name", "image", "mpp"), IMAGES)
def test_strokes_from_the_truth_are_obeyed_and_raise_iou(
    shared, tmp_path, server, name, image, mpp
):
    picture = shared / "data" / name / "images" / f"{image}.jpg"
    truth = cv2.imread(str(shared / "data" / name / "masks" / f"{image}.png"), 0) > 127
    height, width = truth.shape
    grid = Grid.at(Region(0, 0, width, height, mpp), mpp)
    first, refined = tmp_path / "first.geojson", tmp_path / "refined.geojson"
    common = ("--mpp", mpp, "--server", server, "--json")

    run("segment", picture, "-o", first, *common)
    before = mask_of(first, grid)
    strokes = scribbles(truth, before, grid)
    drawn = tmp_path / "strokes.geojson"
    count = write_strokes(drawn, strokes)
    answer = run("refine", picture, drawn, "-o", refined, *common)
    after = mask_of(refined, grid)

    assert len(answer["stroke_ids"]) == count
    assert iou(after, truth) > iou(before, truth)
    inside = shapely.union_all(
        [shapely.Polygon(p.exterior, p.holes) for p in read_polygons(refined)]
    )
    for stroke in strokes:
        if len(stroke.parts[0]) > 1:
            line = shapely.LineString(stroke.parts[0])
            if stroke.label is Label.FOREGROUND:
                assert inside.buffer(1e-6).covers(line)
            else:
                assert inside.disjoint(line)


def test_a_whole_slide_is_outlined_in_level_0_pixels(shared, tmp_path, server):
    slide = shared / "slides" / "CMU-1-Small-Region.svs"
    out, picture = tmp_path / "slide.geojson", tmp_path / "slide.png"
    answer = run("segment", slide, "-o", out, "--overlay", picture, "--server", server, "--json")
    assert answer["polygons"] > 0
    bounds = shapely.MultiPolygon(
        [shapely.Polygon(p.exterior, p.holes) for p in read_polygons(out)]
    ).bounds
    # The slide has 2220 x 2967 level-0 pixels at 0.499 µm; at the model's scale it has half.
    assert bounds[2] > 1200
    assert bounds[3] > 1600
    assert bounds[2] <= 2220
    assert bounds[3] <= 2967
    assert cv2.imread(str(picture)).shape[:2] == (1481, 1108)


def test_a_corner_of_a_slide_is_outlined_where_it_lies(shared, tmp_path, server):
    slide = shared / "slides" / "CMU-1-Small-Region.svs"
    out = tmp_path / "corner.geojson"
    run("segment", slide, "--region", "1200,1600,800,900", "-o", out, "--server", server, "--json")
    for polygon in read_polygons(out):
        left, top = polygon.exterior.min(axis=0)
        right, bottom = polygon.exterior.max(axis=0)
        assert 1200 <= left < right <= 2000
        assert 1600 <= top < bottom <= 2500
