"""QuPath without its window in a process of its own, and a relay that watches what it sends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely

from deepscribble.server import Faces, background_faces

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "connectors" / "qupath"
GROOVY = Path("/usr/share/java/groovy-all.jar")
WINDOW = re.compile(r"qupath-(gui|core-processing|extension)|javafx")
"""Jars of a whole QuPath whose places the stand-ins take."""

PATIENCE = 60.0


def _homes() -> list[Path]:
    named = os.environ.get("PAQUO_QUPATH_DIR")
    found = [Path(named)] if named else sorted(Path("/opt").glob("QuPath-*"))
    return [home for home in found if (home / "lib" / "app").is_dir()]


HOMES = _homes()


def _java(home: Path) -> str:
    """The Java that a QuPath comes with."""
    library = (home / "lib/runtime/lib/server/libjvm.so").resolve()
    java = library.parents[2] / "bin" / "java"
    return str(java) if java.exists() else "java"


class QuPath:
    """A QuPath core that obeys commands: images, annotations, scripts, undo. See harness.groovy."""

    def __init__(self, home: Path) -> None:
        jars = [jar for jar in (home / "lib/app").glob("*.jar") if not WINDOW.search(jar.name)]
        if not any(jar.name.startswith("groovy") for jar in jars):
            jars.append(GROOVY)
        path = os.pathsep.join(map(str, [*jars, HERE / "standins"]))
        self._process = subprocess.Popen(
            [_java(home), "-cp", path, "groovy.ui.GroovyMain", str(HERE / "harness.groovy")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, do: str, **arguments: Any) -> Any:
        """Obey; what goes wrong there is raised here."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        reply = json.loads(self._process.stdout.readline())
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply.get("result")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def add(self, *features: dict[str, Any]) -> None:
        self("add", features=features)

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self("state")
        return state

    def features(self) -> dict[str, dict[str, Any]]:
        """All objects of the image by id."""
        return {feature["id"]: feature for feature in self.state()["objects"]}

    def outline(self) -> dict[str, dict[str, Any]]:
        """The annotations that DeepScribble made, by id."""
        return {id: feature for id, feature in self.features().items() if is_ours(feature)}

    def mask(self) -> shapely.Geometry:
        """The outline as one shape."""
        shapes = [shapely.geometry.shape(it["geometry"]) for it in self.outline().values()]
        return shapely.union_all(shapes)

    def wait(self, happened: Callable[[], Any], what: str) -> Any:
        """Wait for something to happen, for which no time is set."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if value := happened():
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {PATIENCE:g} s; {self.state()}")

    def answered(self, *ids: str) -> dict[str, dict[str, Any]]:
        """Wait for an outline that came of exactly these strokes, in this order."""
        wanted = ",".join(ids)

        def come() -> bool:
            return any(
                it["properties"]["metadata"].get("deepscribble.strokes") == wanted
                for it in self.outline().values()
            )

        self.wait(come, f"an outline of the strokes {wanted}")
        return self.outline()


def is_ours(feature: dict[str, Any]) -> bool:
    return bool(feature["properties"].get("name") == "DeepScribble")


@pytest.fixture(scope="session")
def core() -> Iterator[QuPath]:
    """The newest QuPath core that is here."""
    yield from _started(HOMES[-1] if HOMES else None)


@pytest.fixture(scope="session", params=HOMES or [None], ids=lambda home: home and home.name)
def each_core(request: pytest.FixtureRequest) -> Iterator[QuPath]:
    """A QuPath core, of each version that is here."""
    yield from _started(request.param)


def _started(home: Path | None) -> Iterator[QuPath]:
    if home is None:
        pytest.skip("no QuPath: none in /opt/QuPath-* nor at PAQUO_QUPATH_DIR")
    if not GROOVY.exists() and not list((home / "lib/app").glob("groovy*.jar")):
        pytest.skip("no Groovy: neither QuPath's own nor Debian's package groovy")
    qupath = QuPath(home)
    yield qupath
    qupath.close()


class Relay:
    """Stands between QuPath and the server: the same address all the time, whatever is behind it.

    `target` may change or be None, which is a server that is down. `sent` is every byte that QuPath
    sent; while `gate` is not set, answers are held back.
    """

    def __init__(self, target: str | None) -> None:
        self.target = target
        self.sent = bytearray()
        self.hung_up = 0
        self._open: list[socket.socket] = []
        self.gate = threading.Event()
        self.gate.set()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()
        self.cut()

    def cut(self) -> None:
        """End all connections, as a server does that ends."""
        while self._open:
            connection = self._open.pop()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def requests(self) -> list[str]:
        """The requests so far, such as "PUT /v1/regions"."""
        found = re.findall(rb"((?:GET|PUT|POST) /v1/\w+)\S* HTTP/1.1\r\n", bytes(self.sent))
        return [line.decode() for line in found]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            if self.target is None:
                client.close()
                continue
            host, port = self.target.split(":")
            server = socket.create_connection((host, int(port)))
            self._open.append(client)
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with server, client:
            while data := _received(client):
                self.sent += data
                server.sendall(data)
            self.hung_up += 1

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with client:
            while data := _received(server):
                self.gate.wait()
                try:
                    client.sendall(data)
                except OSError:
                    return


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


@pytest.fixture(scope="session")
def small_models(untrained: Callable[..., Path], guide_card: Any, refine_card: Any) -> Path:
    """Networks that nobody trained, on small tiles: restless answers for little work."""
    near = refine_card.model_copy(update={"influence_radius": 32.0})
    return untrained(*(card.model_copy(update={"patch_size": 96}) for card in (guide_card, near)))


@pytest.fixture(scope="session")
def faces(small_models: Path) -> Iterator[Faces]:
    with background_faces(small_models, "cpu") as faces:
        yield faces


@pytest.fixture
def relay(faces: Faces) -> Iterator[Relay]:
    relay = Relay(faces.http)
    yield relay
    relay.gate.set()
    relay.close()


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., Path]:
    """The scripts in a folder of their own, with settings changed as a person changes them."""

    def install(**settings: str) -> Path:
        folder = tmp_path / "my scripts" / "DeepScribble"
        shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True)
        file = folder / "deepscribble" / "Settings.groovy"
        text = file.read_text()
        for name, value in settings.items():
            text, count = re.subn(rf"(\b{name} = ).*", rf"\g<1>{value}", text)
            assert count == 1, name
        file.write_text(text)
        return folder

    return install
