"""Distance fields, whole and updated."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from deepscribble.geometry import Grid, Kind, Label, Region, Stroke
from deepscribble.raster import (
    DistanceFields,
    Lattice,
    Window,
    distance_fields,
    draw,
    nearness,
    reach,
)

GRID = Grid.at(Region(0, 0, 90, 70, 1.0), 1.0)
RADIUS = 17.0

line = st.lists(st.tuples(st.floats(-5, 95), st.floats(-5, 75)), min_size=1, max_size=4)
strokes = st.lists(st.tuples(st.sampled_from(list(Label)), line, st.floats(0.5, 9)), max_size=7)


WHOLE = Window(0, 0, *GRID.shape)


def fields_of(side=16):
    return DistanceFields(Lattice(GRID.shape, side), RADIUS)


def add(fields, mask, label):
    """Draw one more stroke; returns the undo, and where it reached."""
    near = {area: fields.near(mask, area) for area in fields.areas(mask)}
    return fields.add(mask, label, near), list(near)


def planes(fields):
    return [plane.read(WHOLE) for plane in (fields.labels, fields.foreground, fields.background)]


def made(drawn):
    return [
        Stroke(str(number), label, Kind.POLYLINE, (np.array(points),), width)
        for number, (label, points, width) in enumerate(drawn)
    ]


@given(st.integers(0, 2**32 - 1), st.floats(2, 60))
def test_a_field_is_the_exact_distance_from_1_on_the_stroke_to_0_at_the_radius(seed, radius):
    mask = np.random.default_rng(seed).random((40, 50)) < 0.01
    field = nearness(mask, radius)
    assert field.dtype == np.float32
    if not mask.any():
        assert (field == 0).all()
        return
    exact = np.clip(1 - distance_transform_edt(~mask) / radius, 0, 1)
    np.testing.assert_allclose(field, exact, atol=1e-6)
    assert (field[mask] == 1).all()
    assert (field[distance_transform_edt(~mask) >= radius] <= 1e-6).all()


@settings(max_examples=150)
@given(strokes)
def test_updating_around_each_stroke_equals_computing_the_whole(drawn):
    fields = fields_of()
    for stroke in made(drawn):
        mask = draw(stroke, GRID)
        if mask is None:
            continue
        before = planes(fields)
        undo, areas = add(fields, mask, stroke.label)
        after = planes(fields)
        untouched = np.ones(GRID.shape, dtype=bool)
        for area in areas:
            untouched[area.slices] = False
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old[untouched], new[untouched])
        fields.restore(undo)
        for old, back in zip(before, planes(fields), strict=True):
            np.testing.assert_array_equal(old, back)
        add(fields, mask, stroke.label)
    labels, foreground, background = planes(fields)
    whole = distance_fields(labels, RADIUS)
    np.testing.assert_array_equal(foreground, whole[0])
    np.testing.assert_array_equal(background, whole[1])


def test_a_crop_has_the_bits_of_the_whole():
    mask = np.random.default_rng(3).random((300, 300)) < 0.001
    whole = nearness(mask, 20.0)
    np.testing.assert_array_equal(
        nearness(mask[30:170, 50:231], 20.0)[20:-20, 20:-20], whole[50:150, 70:211]
    )


def test_where_strokes_overlap_the_newer_one_has_the_pixels():
    fields = fields_of()
    for label in (Label.FOREGROUND, Label.BACKGROUND):
        stroke = Stroke("s", label, Kind.POLYLINE, (np.array([[20.0, 30.0], [60.0, 30.0]]),), 1.0)
        mask = draw(stroke, GRID)
        assert fields.covers(mask, label) is (label is Label.BACKGROUND)
        add(fields, mask, label)
    labels, foreground, _ = planes(fields)
    assert labels[30, 40] == Label.BACKGROUND.value
    assert not (labels == Label.FOREGROUND.value).any()
    assert (foreground == 0).all()


def test_clearing_leaves_nothing_behind():
    fields = fields_of()
    stroke = Stroke("s", Label.FOREGROUND, Kind.POINTS, (np.array([[20.0, 30.0]]),), 3.0)
    add(fields, draw(stroke, GRID), stroke.label)
    fields.clear()
    assert not any(plane.any() for plane in planes(fields))
    assert fields.nbytes == 0


def test_reach_is_nothing_beyond_the_radius_and_all_near_the_stroke():
    mask = np.zeros((1, 101), dtype=bool)
    mask[0, 0] = True
    weight = reach(nearness(mask, 40.0))[0]
    assert (weight[40:] == 0).all()
    assert (weight[:31] == 1).all()
    assert (np.diff(weight) <= 0).all()
