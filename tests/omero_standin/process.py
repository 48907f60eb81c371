"""A stand-in's process, and the orders that a test gives it."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"


class Standin:
    """A stand-in's process, and what can be ordered of it.

    Args:
        folder: Where it keeps what was committed.
        idle: Seconds without a call after which a session expires.
    """

    def __init__(self, folder: Path, idle: float = 600.0) -> None:
        self.folder = folder
        self.idle = idle
        self.password = secrets.token_hex(8)
        self.ssl_port, self.tcp_port, self.control_port = _free_ports(3)
        self.process: subprocess.Popen[str] | None = None
        self._next: subprocess.Popen[str] | None = None
        self._starts = 0

    def start(self) -> None:
        """Start it, at the same ports and with what was committed before.

        Raises:
            RuntimeError: it does not start; with what it said.
        """
        self.process, self._next = self._next or self._launched(), None
        self._starts += 1
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{self.password}\n")
        self.process.stdin.close()
        if self.process.stdout.readline() != "ready\n":
            self.kill()
            raise RuntimeError(f"the OMERO stand-in did not start: {self._log.read_text()}")
        if self._starts > 1:
            # It is killed again and again, and most of a start is Python's imports.
            self._next = self._launched()

    def _launched(self) -> subprocess.Popen[str]:
        """A process that begins once it is told the password."""
        with self._log.open("a") as log:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "omero_standin",
                    f"--folder={self.folder}",
                    f"--ssl-port={self.ssl_port}",
                    f"--tcp-port={self.tcp_port}",
                    f"--control-port={self.control_port}",
                    f"--idle={self.idle}",
                ],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    @property
    def _log(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.log"

    def close(self) -> None:
        """End it for good."""
        self.kill()
        if self._next is not None:
            self.process, self._next = self._next, None
            self.kill()

    def kill(self) -> None:
        """End it as a power failure would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
            self.process = None

    def died(self) -> bool:
        """Whether it is gone, such as by a fault that kills."""
        return self.process is None or self.process.poll() is not None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A server that neither answers nor refuses."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def fault(
        self, operation: str, kind: str, after: int = 0, times: int = 1, seconds: float = 0.0
    ) -> None:
        """Let something go wrong; the kinds are in `omero_standin.faults`."""
        self._order(
            "fault", operation=operation, kind=kind, after=after, times=times, seconds=seconds
        )

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._order("clear")

    def go_on(self) -> None:
        """Do the calls now whose connection "cut-hold" cut; nobody gets their answers."""
        self._order("go_on")

    def calls(self) -> dict[str, int]:
        """How often each operation was called, as "IQuery.findAllByQuery"."""
        return dict(self._order("calls"))

    def forget_calls(self) -> None:
        """Count anew."""
        self._order("forget_calls")

    def expire(self, answer: str = "removed") -> None:
        """End all sessions.

        Args:
            answer: What calls for them get: "removed" (RemovedSessionException), "timeout"
                (SessionTimeoutException) or "unknown" (Ice.ObjectNotExistException).
        """
        self._order("expire", answer=answer)

    def sessions(self) -> int:
        """How many sessions are open."""
        return int(self._order("sessions"))

    def stores(self) -> int:
        """How many pixel stores and handles nobody has closed."""
        return int(self._order("stores"))

    def reset(self) -> None:
        """Forget all but users and groups; no sessions, no faults, no calls."""
        self._order("reset")

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind, whoever may see them."""
        return list(self._order("rows", kind=kind))

    def importing(self, image: int) -> None:
        """Take an image's pixels away, as if they were not imported yet."""
        self._order("importing", image=image)

    def unseen(self, image: int) -> None:
        """Take an image's rendering settings away, as if nobody had looked at it yet."""
        self._order("unseen", image=image)

    def image(self, path: Path, **about: Any) -> int:
        """An image of a file; see `OmeroServer.image`."""
        return int(self._order("image", path=str(path), **about))

    def _order(self, name: str, /, **about: Any) -> Any:
        connection = http.client.HTTPConnection(HOST, self.control_port, timeout=60)
        try:
            connection.request("POST", f"/{name}", json.dumps(about))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"the stand-in did not obey {name}: {answer}")
        return answer


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, below those that the system hands out by itself."""
    found: list[int] = []
    while len(found) < count:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found
