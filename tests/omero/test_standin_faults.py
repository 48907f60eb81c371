"""What goes wrong on demand at the stand-in, and what is there afterwards."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

omero = pytest.importorskip("omero", exc_type=ImportError)
pytest.importorskip("omero.gateway", exc_type=ImportError)
Ice = pytest.importorskip("Ice", exc_type=ImportError)

BLANK = np.zeros((8, 9), np.uint8)


def roi(image):
    made = omero.model.RoiI()
    made.setImage(omero.model.ImageI(image, False))
    return made


def stored(server):
    return len(server.standin.rows("Roi"))


def save(connection, image):
    connection.getUpdateService().saveAndReturnArray([roi(image)], connection.SERVICE_OPTS)


@pytest.mark.parametrize(
    ("kind", "error", "kept"),
    [
        ("refuse", omero.SecurityViolation, 0),
        ("fail", omero.InternalException, 0),
        ("expire-before", omero.RemovedSessionException, 0),
        ("cut-before", Ice.ConnectionLostException, 0),
        ("cut-after", Ice.ConnectionLostException, 1),
        ("kill-before", Ice.LocalException, 0),
        ("kill-after", Ice.LocalException, 1),
    ],
)
def test_a_spoiled_save_is_whole_or_absent(own_omero_server, kind, error, kept):
    standin = own_omero_server.standin
    image = own_omero_server.image(BLANK)
    with own_omero_server.gateway() as connection:
        standin.fault("IUpdate.saveAndReturnArray", kind)
        with pytest.raises(error):
            save(connection, image)
    if kind.startswith("kill"):
        standin.kill()
        standin.start()
    assert stored(own_omero_server) == kept
    with own_omero_server.gateway() as again:
        save(again, image)
    assert stored(own_omero_server) == kept + 1


def test_a_save_that_is_held_is_done_when_it_is_told_to(own_omero_server):
    standin = own_omero_server.standin
    image = own_omero_server.image(BLANK)
    with own_omero_server.gateway() as connection:
        standin.fault("IUpdate.saveAndReturnArray", "cut-hold")
        with pytest.raises(Ice.ConnectionLostException):
            save(connection, image)
    assert stored(own_omero_server) == 0
    standin.go_on()
    assert stored(own_omero_server) == 1
    standin.go_on()
    assert stored(own_omero_server) == 1


def test_faults_wait_for_their_call_and_match_by_pattern(own_omero_server):
    standin = own_omero_server.standin
    image = own_omero_server.image(BLANK)
    with own_omero_server.gateway() as connection:
        standin.fault("IUpdate.*", "fail", after=1, times=2)
        save(connection, image)
        for _ in range(2):
            with pytest.raises(omero.InternalException):
                save(connection, image)
        save(connection, image)
        standin.fault("IUpdate.*", "fail", times=9)
        standin.clear()
        save(connection, image)
    assert stored(own_omero_server) == 3


def test_a_hung_call_never_answers_and_others_do(own_omero_server):
    standin = own_omero_server.standin
    image = own_omero_server.image(BLANK)
    with own_omero_server.gateway() as connection:
        standin.fault("IUpdate.saveAndReturnArray", "hang")
        standin.forget_calls()
        answered = threading.Event()
        hung = connection.c.sf.getUpdateService().begin_saveAndReturnArray(
            [roi(image)], lambda _: answered.set(), lambda _: answered.set()
        )
        while "IUpdate.saveAndReturnArray" not in standin.calls():
            time.sleep(0.01)
        save(connection, image)
        assert not answered.is_set()
        assert not hung.isCompleted()
    assert stored(own_omero_server) == 1


def test_what_was_committed_is_there_after_a_kill_and_half_a_commit_is_not(own_omero_server):
    standin = own_omero_server.standin
    image = own_omero_server.image(np.full((8, 9), 7, np.uint8), name="kept")
    with own_omero_server.gateway() as connection:
        save(connection, image)
        save(connection, image)
    standin.kill()
    journal = standin.folder / "journal"
    journal.write_bytes(journal.read_bytes()[:-3])
    standin.start()
    assert stored(own_omero_server) == 1
    with own_omero_server.gateway() as connection:
        wrapper = connection.getObject("Image", image)
        assert wrapper.getName() == "kept"
        assert wrapper.getPrimaryPixels().getPlane().max() == 7
        save(connection, image)
    assert stored(own_omero_server) == 2


def test_an_unknown_fault_is_refused(own_omero_server):
    with pytest.raises(RuntimeError, match="no fault 'explode'"):
        own_omero_server.standin.fault("*", "explode")
