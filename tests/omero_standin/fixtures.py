"""Fixtures: an OMERO server for tests, which are skipped where its client is not installed.

`omero_server` is one server for all tests, the real one if DEEPSCRIBBLE_OMERO_URL names one;
`own_omero_server` is a stand-in of the test's own, to be killed and spoiled.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from omero_standin.harness import URL, OmeroServer, real_server, standin_server


def _needs_client() -> None:
    for package, needed in (("Ice", "zeroc-ice"), ("omero", "omero-py")):
        pytest.importorskip(
            package,
            reason=f"{needed} is not installed; `make test` says why, deploy/zeroc_ice.py helps",
            exc_type=ImportError,
        )


@pytest.fixture(scope="session")
def omero_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OmeroServer]:
    """An OMERO server with the tests' users and groups; make your own images in it."""
    _needs_client()
    folder = Path(tmp_path_factory.mktemp("omero"))
    if URL in os.environ:
        yield real_server(os.environ[URL], folder)
        return
    server = standin_server(folder)
    assert server.standin is not None
    yield server
    server.standin.close()


@pytest.fixture(scope="session")
def _spare_standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OmeroServer]:
    """The process behind `own_omero_server`: to start one takes longer than most tests."""
    _needs_client()
    server = standin_server(Path(tmp_path_factory.mktemp("omero-own")))
    assert server.standin is not None
    yield server
    server.standin.close()


@pytest.fixture
def own_omero_server(_spare_standin: OmeroServer) -> OmeroServer:
    """A stand-in with nothing in it but users and groups, which may be killed and spoiled."""
    standin = _spare_standin.standin
    assert standin is not None
    if standin.died():
        standin.kill()
        standin.start()
    standin.reset()
    return _spare_standin
