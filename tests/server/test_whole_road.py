"""The real engine behind the real server, asked by the real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from direct import Direct, opened

from deepscribble.client import AsyncClient, Client
from deepscribble.errors import InvalidInput, LimitExceeded, ModelRefused, UnknownModel
from deepscribble.geometry import Kind, Label, Outline, Region, Stroke
from deepscribble.server import background_server
from deepscribble.settings import Settings

REGION = Region(1000, 2000, 400, 300, 0.5)
RGB = np.random.default_rng(0).integers(60, 256, (150, 200, 3), dtype=np.uint8)

LIMITS = Settings(points=5000, image_pixels=1_000_000)


def stroke(label: Label, y: float) -> Stroke:
    xy = np.array([[1050.0, y], [1200.0, y + 30], [1350.0, y]])
    return Stroke(label.name, label, Kind.POLYLINE, (xy,), 6.0)


STROKES = [stroke(Label.FOREGROUND, 2080), stroke(Label.BACKGROUND, 2200)]


@pytest.fixture(scope="module")
def served(untrained_models: Path) -> Iterator[str]:
    with background_server(untrained_models, "cpu", LIMITS) as target:
        yield target


@pytest.fixture(scope="module")
def engine(untrained_models: Path) -> Direct:
    return opened(untrained_models, "cpu")


def assert_same(got: Outline, expected: Outline) -> None:
    assert (got.region_id, got.models) == (expected.region_id, expected.models)
    assert (got.warnings, got.stroke_ids) == (expected.warnings, expected.stroke_ids)
    assert len(got.polygons) == len(expected.polygons)
    for one, other in zip(got.polygons, expected.polygons, strict=True):
        for ring, same in zip(one.rings, other.rings, strict=True):
            np.testing.assert_array_equal(ring, same)
        assert (one.area_um2, one.mean_probability) == (other.area_um2, other.mean_probability)
    assert got.probability is not None
    assert expected.probability is not None
    np.testing.assert_array_equal(got.probability, expected.probability)


def test_the_wire_changes_nothing_of_an_answer(served: str, engine: Direct) -> None:
    with Client(served) as client:
        handle = client.open(REGION, RGB)
        first = handle.segment(return_probability=True)
        assert_same(first, engine.segment(REGION, RGB, return_probability=True))
        refined = handle.refine(STROKES, return_probability=True)
        assert_same(refined, engine.refine(REGION, RGB, STROKES, return_probability=True))
        assert refined.stroke_ids == ("FOREGROUND", "BACKGROUND")
        onward = handle.refine(STROKES, prior=first.polygons, return_probability=True)
        direct = engine.refine(REGION, RGB, STROKES, prior=first.polygons, return_probability=True)
        assert_same(onward, direct)
    assert set(refined.milliseconds) >= {"decode", "refine", "outline", "total"}


def test_outlines_put_together_from_changes_are_the_whole_ones(served: str, engine: Direct) -> None:
    with Client(served) as client, Client(served) as other:
        handle, beside = client.open(REGION, RGB), other.open(REGION, RGB)
        handle.segment()
        for drawn in (STROKES[:1], STROKES, STROKES[1:], STROKES):
            got = handle.refine(drawn, return_probability=True)
            assert got.change is not None
            assert_same(got, engine.refine(REGION, RGB, drawn, return_probability=True))
            # Another client of the same region has an older outline, or none.
            seen = beside.refine(drawn[:1], return_probability=True)
            assert_same(seen, engine.refine(REGION, RGB, drawn[:1], return_probability=True))


def test_a_long_session_sends_each_stroke_once_whatever_the_server_forgets(
    untrained_models: Path, engine: Direct
) -> None:
    strokes = [
        Stroke(f"{n}", list(Label)[n % 2], Kind.POINTS, (np.array([[1010.0 + 18 * n, 2150]]),), 3.0)
        for n in range(20)
    ]
    tiny = Settings(points=5000, cache_bytes=RGB.nbytes + 100)
    for limits in (LIMITS, tiny):
        with background_server(untrained_models, "cpu", limits) as target, Client(target) as client:
            handle = client.open(REGION, RGB)
            for count in (1, 2, 3, 20, 19, 20):
                call = next(handle._about.refine(strokes[:count], None, "", "", True))
                if limits is LIMITS and count == 3:
                    assert len(call.request.strokes) == 1
                got = handle.refine(strokes[:count], return_probability=True)
                direct = engine.refine(REGION, RGB, strokes[:count], return_probability=True)
                assert_same(got, direct)


async def test_the_asynchronous_client_gets_the_same(served: str, engine: Direct) -> None:
    async with AsyncClient(served) as client:
        handle = await client.open(REGION, RGB)
        got = await handle.refine(STROKES, return_probability=True)
    assert_same(got, engine.refine(REGION, RGB, STROKES, return_probability=True))


def test_models_limits_and_device_are_those_of_the_engine(served: str, engine: Direct) -> None:
    with Client(served) as client:
        info = client.server_info()
        models = client.list_models()
    assert info.limits == {name: getattr(LIMITS, name) for name in info.limits}
    assert (info.device, info.precision) == ("cpu", engine.precision)
    assert [(model.name, model.kind) for model in models] == [
        ("guide-tumor", "guide"),
        ("refine", "refine"),
    ]
    assert all(model.is_default for model in models)
    assert [model.digest for model in models] == [card.digest for card in engine.cards()]
    assert models[1].card["influence_radius"] == models[1].influence_radius == 128


def test_a_server_whose_cache_is_full_gets_the_pixels_again(untrained_models: Path) -> None:
    limits = Settings(cache_bytes=RGB.nbytes)
    with background_server(untrained_models, "cpu", limits) as target, Client(target) as client:
        one = client.open(REGION, RGB)
        other = client.open(REGION, RGB[::-1])
        assert one.region_id != other.region_id
        before = one.refine(STROKES, return_probability=True)
        other.refine(STROKES)
        assert_same(one.refine(STROKES, return_probability=True), before)


def test_what_the_engine_refuses_is_raised_by_the_client(served: str) -> None:
    with Client(served) as client:
        handle = client.open(REGION, RGB)
        with pytest.raises(UnknownModel, match="guide-tumor"):
            handle.segment(guide_model="glioma")
        many = Stroke("m", Label.FOREGROUND, Kind.POINTS, (np.full((5001, 2), 2100.0),))
        with pytest.raises(LimitExceeded, match="5,000"):
            handle.refine([many])
        with pytest.raises(LimitExceeded, match="image_pixels"):
            client.open(REGION, np.zeros((1000, 1001, 3), np.uint8))
        with pytest.raises(LimitExceeded, match=r"region at 1 µm per pixel: .* over the limit"):
            client.open(Region(0, 0, 80_000, 60_000, 1.0), RGB).segment()
        with pytest.raises(InvalidInput, match="edge to edge"):
            client.open(REGION, RGB[:, :50]).segment()


def test_a_server_without_usable_models_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused), background_server(tmp_path / "none", "cpu"):
        pass


def test_a_server_on_a_device_that_is_not_there_does_not_start(untrained_models: Path) -> None:
    with pytest.raises(InvalidInput, match="device"), background_server(untrained_models, "tpu"):
        pass
