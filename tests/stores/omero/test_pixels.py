import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deepscribble.errors import InvalidInput, LimitExceeded, StoreUnavailable
from deepscribble.geometry import Region
from deepscribble.slides.decode import CONVERTED


def whole(store):
    (listed,) = store.images()
    with store.open(listed, None) as slide:
        return slide.read(slide.whole(), slide.mpp), slide.warnings


@pytest.mark.parametrize("levels", [1, 3])
def test_pixels_come_as_they_were_scanned(omero_server, opened, levels):
    pixels = np.random.default_rng(1).integers(0, 255, (700, 1500, 3), dtype=np.uint8)
    store = opened(omero_server.image(pixels, levels=levels, tile=256))
    (listed,) = store.images()
    with store.open(listed, None) as slide:
        for x, y, width, height in ((0, 0, 1500, 700), (1023, 255, 2, 2), (1499, 699, 1, 1)):
            read = slide.read(Region(x, y, width, height, 0.5), 0.5)
            assert (read == pixels[y : y + height, x : x + width]).all()


def test_a_coarse_region_comes_from_a_small_level(omero_server, opened):
    pixels = np.full((800, 1200, 3), 100, dtype=np.uint8)
    store = opened(omero_server.image(pixels, levels=3))
    (listed,) = store.images()
    with store.open(listed, None) as slide:
        assert [level.downsample_x for level in slide._pyramid.levels] == [1, 2, 4]
        omero_server.standin.forget_calls()
        assert (slide.read(slide.whole(), 2.0) == 100).all()
        assert omero_server.standin.calls() == {
            "RawPixelsStore.setResolutionLevel": 1,
            "RawPixelsStore.getTile": 3,
        }


def test_threads_read_through_stores_of_their_own_and_all_are_closed(omero_server, opened):
    pixels = np.random.default_rng(2).integers(0, 255, (400, 600, 3), dtype=np.uint8)
    store = opened(omero_server.image(pixels, levels=2))
    (listed,) = store.images()
    before = omero_server.standin.stores()
    with store.open(listed, None) as slide, ThreadPoolExecutor(4) as pool:
        places = [(x, y) for x in range(0, 500, 100) for y in range(0, 400, 100)] * 2

        def right(place):
            x, y = place
            read = slide.read(Region(x, y, 100, 100, 0.5), 0.5)
            return bool((read == pixels[y : y + 100, x : x + 100]).all())

        assert all(pool.map(right, places))
    assert omero_server.standin.stores() == before


def test_no_reader_waits_for_another(omero_server, opened, monkeypatch):
    pixels = np.random.default_rng(6).integers(0, 255, (400, 600, 3), dtype=np.uint8)
    store = opened(omero_server.image(pixels))
    readers = 4
    # Passed only by all at once: a lock around a call would leave the others before it.
    meeting = threading.Barrier(readers, timeout=60)
    raw_store = store.session.raw_store

    class Met:
        def __init__(self, number):
            self.store = raw_store(number)

        def __getattr__(self, name):
            if name == "getTile":
                meeting.wait()
            return getattr(self.store, name)

    monkeypatch.setattr(store.session, "raw_store", Met)
    (listed,) = store.images()
    with store.open(listed, None) as slide, ThreadPoolExecutor(readers) as pool:
        places = [(x, y) for x in (0, 300) for y in (0, 200)]
        reads = [pool.submit(slide.read, Region(x, y, 300, 200, 0.5), 0.5) for x, y in places]
        for (x, y), read in zip(places, reads, strict=True):
            assert (read.result() == pixels[y : y + 200, x : x + 300]).all()


def set_viewer(server, image, change):
    """Change how a viewer shows an image, as its owner does there and saves."""
    with server.gateway() as connection:
        options, pixels = connection.SERVICE_OPTS, connection.getObject("Image", image)
        service = connection.getPixelsService()
        settings = service.retrieveRndSettings(pixels.getPixelsId(), options)
        change(settings.copyWaveRendering())
        connection.getUpdateService().saveObject(settings, options)


def test_sixteen_bits_are_shown_as_the_viewer_does(omero_server, opened):
    from omero.model import ReverseIntensityContextI
    from omero.rtypes import rbool, rdouble, rint

    def narrow(waves):
        for wave, color in zip(waves, ((255, 0, 0), (0, 255, 0), (0, 128, 255)), strict=True):
            wave.setInputStart(rdouble(96.0))
            wave.setInputEnd(rdouble(96.0 + 2550.0))
            for name, value in zip(("Red", "Green", "Blue"), color, strict=True):
                getattr(wave, f"set{name}")(rint(value))
        turned = ReverseIntensityContextI()
        turned.setReverse(rbool(True))
        waves[0].addCodomainMapContext(turned)

    pixels = np.random.default_rng(3).integers(0, 4096, (50, 60, 3), dtype=np.uint16)
    image = omero_server.image(pixels)
    set_viewer(omero_server, image, narrow)
    read, warnings = whole(opened(image))
    assert read.dtype == np.uint8
    assert [warning.code for warning in warnings] == [CONVERTED]
    assert "3 of 3 channels of u2" in warnings[0].message
    assert "settings of OMERO's viewer" in warnings[0].message
    # A window of 2550 is ten values to each of 255; halves go up.
    slope = 255 / 2550
    shown = np.floor(slope * pixels.astype(float) - slope * 96.0 + 0.5)
    shown = np.clip(shown, 0, 255).astype(int)
    red, green, blue = np.moveaxis(shown, -1, 0)
    assert (read[..., 0] == 255 - red).all()
    assert (read[..., 1] == np.minimum(green + (128 / 255 * blue).astype(int), 255)).all()
    assert (read[..., 2] == blue).all()


def test_sixteen_bits_that_nobody_looked_at_are_shown_at_full_range(omero_server, opened):
    pixels = np.full((50, 60, 3), 32768, dtype=np.uint16)
    if omero_server.standin is None:
        pytest.skip("a real server makes settings as soon as an image is there")
    image = omero_server.image(pixels)
    omero_server.standin.unseen(image)
    read, warnings = whole(opened(image))
    assert (read == 128).all()
    assert "full range" in warnings[0].message


def test_a_new_login_is_made_when_the_session_ends_between_tiles(own_omero_server, opened):
    pixels = np.random.default_rng(4).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    store = opened(own_omero_server.image(pixels), server=own_omero_server)
    (listed,) = store.images()
    with store.open(listed, None) as slide:
        assert (slide.read(slide.whole(), 0.5) == pixels).all()
        own_omero_server.standin.expire()
        assert (slide.read(slide.whole(), 0.5) == pixels).all()
        own_omero_server.standin.fault("RawPixelsStore.getTile", "fail")
        with pytest.raises(InvalidInput, match="cannot read its pixels"):
            slide.read(slide.whole(), 0.5)
        own_omero_server.standin.kill()
        with pytest.raises(StoreUnavailable, match="no OMERO server listens"):
            slide.read(slide.whole(), 0.5)


def test_a_huge_plane_without_a_pyramid_is_refused_and_its_store_closed(
    own_omero_server, opened, monkeypatch
):
    from deepscribble.stores.omero import pixels

    monkeypatch.setattr(pixels, "FLAT_PIXELS", 300 * 400 - 1)
    image = own_omero_server.image(np.zeros((300, 400, 3), dtype=np.uint8))
    store = opened(image, server=own_omero_server)
    before = own_omero_server.standin.stores()
    with pytest.raises(LimitExceeded, match="without a pyramid"):
        store.open(store.images()[0], None)
    assert own_omero_server.standin.stores() == before
