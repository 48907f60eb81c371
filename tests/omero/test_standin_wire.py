"""The server that the OMERO tests use, seen by unmodified omero-py: login, sessions, pixels."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

omero = pytest.importorskip("omero", exc_type=ImportError)
Ice = pytest.importorskip("Ice", exc_type=ImportError)
gateway = pytest.importorskip("omero.gateway", exc_type=ImportError)

RNG = np.random.default_rng(5)


def colours(height=90, width=130):
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def store_of(connection, image):
    store = connection.c.sf.createRawPixelsStore()
    store.setPixelsId(connection.getObject("Image", image).getPixelsId(), False)
    return store


def tile(store, dtype, place, box):
    z, c, t = place
    data = store.getTile(z, c, t, *box)
    return np.frombuffer(data, np.dtype(dtype).newbyteorder(">")).reshape(box[3], box[2])


def test_a_user_logs_in_and_is_in_her_first_group(omero_server):
    with omero_server.gateway() as connection:
        context = connection.getEventContext()
        assert context.userName == "ds-ada"
        assert context.groupName == "ds-annotate"
        assert not context.isAdmin
        assert connection.isSecure()


def test_a_wrong_password_is_refused(omero_server):
    connection = gateway.BlitzGateway(
        "ds-ada", "wrong", host=omero_server.host, port=omero_server.port
    )
    assert not connection.connect()
    connection.c.getCommunicator().destroy()


def test_a_session_is_joined_by_its_key(omero_server):
    key = omero_server.session_key()
    connection = gateway.BlitzGateway(host=omero_server.host, port=omero_server.port)
    assert connection.connect(sUuid=key)
    assert connection.getUser().getName() == "ds-ada"
    connection.close()
    again = gateway.BlitzGateway(host=omero_server.host, port=omero_server.port)
    assert not again.connect(sUuid=key)
    again.c.getCommunicator().destroy()


def test_the_plain_port_serves_as_well(own_omero_server):
    with own_omero_server.gateway(secure=False) as connection:
        assert not connection.isSecure()
        assert connection.getUser().getName() == "ds-ada"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("removed", omero.RemovedSessionException),
        ("timeout", omero.SessionTimeoutException),
        ("unknown", Ice.ObjectNotExistException),
    ],
)
def test_an_expired_session_refuses_and_a_new_login_works(own_omero_server, answer, error):
    with own_omero_server.gateway() as connection:
        own_omero_server.standin.expire(answer)
        with pytest.raises(error):
            connection.getQueryService().findAllByQuery("from Image", None)
    with own_omero_server.gateway() as connection:
        assert list(connection.getObjects("Image")) == []


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float"])
def test_planes_go_in_and_come_out_as_tiles(omero_server, dtype):
    dtype = "float32" if dtype == "float" else dtype
    planes = RNG.integers(0, 200, (2, 1, 2, 50, 70)).astype(dtype)
    image = omero_server.image(planes, name=f"planes {dtype}")
    with omero_server.gateway() as connection:
        wrapper = connection.getObject("Image", image)
        assert (wrapper.getSizeX(), wrapper.getSizeY()) == (70, 50)
        assert (wrapper.getSizeZ(), wrapper.getSizeC(), wrapper.getSizeT()) == (2, 2, 1)
        assert wrapper.getPixelSizeX() == 0.5
        store = store_of(connection, image)
        try:
            found = tile(store, dtype, (1, 1, 0), (3, 7, 20, 30))
            assert np.array_equal(found, planes[1, 0, 1, 7:37, 3:23])
        finally:
            store.close()


def test_without_a_pyramid_there_is_one_resolution_only(omero_server):
    image = omero_server.image(colours(), name="flat")
    with omero_server.gateway() as connection:
        store = store_of(connection, image)
        try:
            assert store.getResolutionLevels() == 1
            with pytest.raises(omero.ServerError, match="ROMIO"):
                store.setResolutionLevel(0)
        finally:
            store.close()


def test_a_pyramid_has_its_smallest_resolution_at_level_0(own_omero_server):
    pixels = colours(400, 600)
    image = own_omero_server.image(pixels, name="pyramid", levels=3, tile=128)
    with own_omero_server.gateway() as connection:
        store = store_of(connection, image)
        try:
            sizes = [(d.sizeX, d.sizeY) for d in store.getResolutionDescriptions()]
            assert sizes == [(600, 400), (300, 200), (150, 100)]
            assert list(store.getTileSize()) == [128, 128]
            assert store.getResolutionLevel() == 2
            assert np.array_equal(
                tile(store, "uint8", (0, 2, 0), (500, 300, 100, 100)), pixels[300:, 500:, 2]
            )
            store.setResolutionLevel(0)
            small = tile(store, "uint8", (0, 0, 0), (0, 0, 150, 100))
            assert abs(float(small.mean()) - float(pixels[..., 0].mean())) < 1
            with pytest.raises(omero.ServerError):
                store.getTile(0, 0, 0, 100, 50, 100, 100)
        finally:
            store.close()
        assert own_omero_server.standin.stores() == 0


def test_a_real_tiff_with_subresolutions_is_served(omero_server, tmp_path):
    pixels = colours(512, 768)
    path = tmp_path / "slide ü.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(pixels, photometric="rgb", tile=(128, 128), subifds=1, compression="zlib")
        file.write(pixels[::2, ::2], photometric="rgb", tile=(128, 128), subfiletype=1)
    image = omero_server.image(path, name=path.name, mpp=(0.25, 0.26))
    with omero_server.gateway() as connection:
        wrapper = connection.getObject("Image", image)
        assert (wrapper.getPixelSizeX(), wrapper.getPixelSizeY()) == (0.25, 0.26)
        store = store_of(connection, image)
        try:
            store.setResolutionLevel(0)
            assert np.array_equal(
                tile(store, "uint8", (0, 1, 0), (0, 0, 384, 256)), pixels[::2, ::2, 1]
            )
        finally:
            store.close()


def test_an_image_that_is_being_imported_has_no_pixels(own_omero_server):
    image = own_omero_server.image(colours())
    own_omero_server.standin.importing(image)
    with own_omero_server.gateway() as connection:
        assert connection.getObject("Image", image).getPixelsId() is None
        assert own_omero_server.standin.rows("Channel") == []


def test_rendering_settings_tell_how_viewers_show_an_image(own_omero_server):
    image = own_omero_server.image(colours())
    with own_omero_server.gateway() as connection:
        pixels = connection.getObject("Image", image).getPixelsId()
        service = connection.getPixelsService()
        settings = service.retrieveRndSettings(pixels)
        waves = settings.copyWaveRendering()
        assert [(w.red.val, w.green.val, w.blue.val) for w in waves] == [
            (255, 0, 0),
            (0, 255, 0),
            (0, 0, 255),
        ]
        assert all((w.inputStart.val, w.inputEnd.val) == (0, 255) for w in waves)
        own_omero_server.standin.unseen(image)
        assert service.retrieveRndSettings(pixels) is None


def test_what_the_standin_lacks_is_refused_by_name(own_omero_server):
    with own_omero_server.gateway() as connection:
        with pytest.raises(omero.InternalException, match=r"getTypesService"):
            connection.c.sf.getTypesService()
        with pytest.raises(omero.InternalException, match=r"IQuery\.findByString"):
            connection.getQueryService().findByString("Image", "name", "x")


def test_a_closed_connection_leaves_nothing_open(own_omero_server):
    standin = own_omero_server.standin
    image = own_omero_server.image(colours())
    with own_omero_server.gateway() as connection:
        store_of(connection, image)
        assert (standin.sessions(), standin.stores()) == (1, 1)
    assert (standin.sessions(), standin.stores()) == (0, 0)


def test_calls_are_counted(own_omero_server):
    standin = own_omero_server.standin
    with own_omero_server.gateway() as connection:
        standin.forget_calls()
        list(connection.getObjects("Image"))
        assert standin.calls()["IQuery.findAllByQuery"] == 1
