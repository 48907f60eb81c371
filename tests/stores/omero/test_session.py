import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deepscribble.errors import InvalidInput, SessionEnded, StoreUnavailable
from deepscribble.stores.omero import Address, Credentials, open_omero

pytest.importorskip("omero.gateway", reason="omero-py is not installed")

from deepscribble.stores.omero.login import Connection
from deepscribble.stores.omero.session import Session

QUICK = Connection(patience=1.5, call_patience=3.0)


def at(server):
    return Address(server.host, server.port, "Image", 1)


def test_a_wrong_password_is_a_sentence_without_it(omero_server, caplog):
    with pytest.raises(InvalidInput, match="refuses user 'ds-ada'") as caught:
        Session(at(omero_server), Credentials("ds-ada", "s3cret"))
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in caplog.text
    with pytest.raises(InvalidInput, match=r"refuses the session key.*omero login") as caught:
        Session(at(omero_server), Credentials(key="s3cret"))
    assert "s3cret" not in str(caught.value)


def test_a_session_is_joined_by_its_key_and_goes_on_afterwards(omero_server):
    key = omero_server.session_key("ds-bob")
    for _ in range(2):
        with Session(at(omero_server), Credentials(key=key)) as session:
            assert session.user == omero_server.ids["ds-bob"]


def test_a_dead_port_and_a_name_that_is_none_are_said_to_be_so():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    for host in ("127.0.0.1", "no-such-host.invalid"):
        with pytest.raises(StoreUnavailable, match="no OMERO server listens there"):
            Session(Address(host, port, "Image", 1), Credentials("a", "b"), QUICK)


def test_a_silent_port_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address("127.0.0.1", silent.getsockname()[1], "Image", 1)
        with pytest.raises(StoreUnavailable, match="does not answer"):
            Session(address, Credentials("a", "b"), QUICK)


def test_a_server_whose_certificate_is_not_of_the_authority_is_refused(omero_server, tmp_path):
    from omero_standin.certificate import write_authority

    authority = tmp_path / "authority.pem"
    write_authority(authority)
    with pytest.raises(InvalidInput, match=r"no secure connection.*not of the authority"):
        Session(
            at(omero_server),
            Credentials(omero_server.user, omero_server.password),
            Connection(authority=authority),
        )


def test_a_file_of_certificates_that_is_none_is_named(omero_server, tmp_path):
    authority = tmp_path / "authority.pem"
    authority.write_text("no certificate")
    with pytest.raises(InvalidInput, match=r"--certificates: .*authority\.pem cannot be used"):
        Session(
            at(omero_server),
            Credentials(omero_server.user, omero_server.password),
            Connection(authority=authority),
        )


@pytest.mark.parametrize("answer", ["removed", "timeout", "unknown"])
def test_an_ended_session_is_renewed_once_and_a_key_cannot_be(own_omero_server, answer):
    server = own_omero_server
    with (
        Session(at(server), Credentials(server.user, server.password)) as session,
        Session(at(server), Credentials(key=server.session_key())) as joined,
    ):
        server.standin.expire(answer)
        assert session.find("Image", 1) is None
        with pytest.raises(SessionEnded, match=r"refuses the session key.*omero login"):
            joined.find("Image", 1)
        server.standin.forget_calls()
        with pytest.raises(SessionEnded, match=r"refuses the session key.*omero login"):
            joined.find("Image", 1)
        assert not server.standin.calls()


def test_a_password_that_is_right_no_longer_is_seldom_tried_until_it_is_again(
    own_omero_server, monkeypatch
):
    server = own_omero_server
    monkeypatch.setattr("deepscribble.stores.omero.session.REFUSED_SECONDS", 3.0)
    with Session(at(server), Credentials(server.user, server.password)) as session:
        change_password(server, "another")
        try:
            server.standin.expire()
            with pytest.raises(StoreUnavailable, match="its name or password is wrong"):
                session.find("Image", 1)
            server.standin.forget_calls()
            with pytest.raises(StoreUnavailable, match="its name or password is wrong"):
                session.find("Image", 1)
            asked = server.standin.calls()
        finally:
            change_password(server, server.password)
        assert not asked
        time.sleep(3)
        assert session.find("Image", 1) is None


def test_a_session_is_kept_alive_while_the_machine_computes(own_omero_server, monkeypatch):
    server = own_omero_server
    monkeypatch.setattr("deepscribble.stores.omero.login.KEEP_ALIVE_SECONDS", 5)
    is_done = threading.Event()

    def compute():
        while not is_done.is_set():
            np.linalg.svd(np.random.default_rng(0).random((200, 200)))

    with (
        ThreadPoolExecutor(1) as pool,
        Session(at(server), Credentials(server.user, server.password)),
    ):
        computed = pool.submit(compute)
        server.standin.forget_calls()
        try:
            # Nothing else is called meanwhile; omero-py allows no shorter time than this.
            for _ in range(600):
                calls = server.standin.calls()
                if calls.get("ServiceFactory.keepAlive"):
                    break
                is_done.wait(0.1)
        finally:
            is_done.set()
        computed.result()
    assert set(calls) == {"ServiceFactory.keepAlive"}


def change_password(server, password):
    from omero.rtypes import rstring

    with server.gateway("root") as connection:
        connection.getAdminService().changeUserPassword(server.user, rstring(password))


def test_a_server_that_comes_back_is_used_again_and_one_that_does_not_is_said_to_be_gone(
    own_omero_server,
):
    server = own_omero_server
    with Session(at(server), Credentials(server.user, server.password), QUICK) as session:
        server.standin.kill()
        with pytest.raises(StoreUnavailable, match="no OMERO server listens"):
            session.find("Image", 1)
        server.standin.start()
        assert session.find("Image", 1) is None


def test_a_call_that_is_never_answered_ends(own_omero_server):
    server = own_omero_server
    with Session(at(server), Credentials(server.user, server.password), QUICK) as session:
        server.standin.fault("IQuery.find", "hang", times=2)
        with pytest.raises(StoreUnavailable, match="does not answer"):
            session.find("Image", 1)


def test_a_deletion_that_takes_too_long_is_not_called_a_refusal(
    own_omero_server, monkeypatch, draw, shape
):
    monkeypatch.setattr("deepscribble.stores.omero.session.DELETE_SECONDS", 0)
    server = own_omero_server
    image = server.image(np.zeros((8, 8, 3), np.uint8))
    roi = draw(image, shape("Point", "Tumor", X=1.0, Y=1.0), server=server, user=server.user)
    with (
        Session(at(server), Credentials(server.user, server.password)) as session,
        pytest.raises(StoreUnavailable, match="still deleting after 0 s"),
    ):
        session.delete({"Roi": [roi]}, server.groups["ds-annotate"])
    assert not server.standin.rows("Roi")


def test_omero_py_that_is_not_there_is_a_sentence(monkeypatch):
    import sys

    from deepscribble.errors import NotFound

    for name in [name for name in sys.modules if name.startswith("deepscribble.stores.omero.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "Glacier2", None)
    with pytest.raises(NotFound, match="omero-py is not installed"):
        open_omero(Address("h", 1, "Image", 1), Credentials("a", "b"))
