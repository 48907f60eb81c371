"""A client of some server: the one named, or one started in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from deepscribble.client import Client
from deepscribble.errors import InvalidInput, ServerUnavailable

Started = TypeVar("Started")

TIMEOUT_SECONDS = 3600.0
"""How long one call may take: a large region on a CPU takes minutes, and a person can press
Ctrl-C. A server that goes away is noticed at once, whatever the timeout."""


@contextmanager
def connect(server: str | None, models: Path | None, device: str) -> Iterator[Client]:
    """A client of `server`, or of a server that runs while the block does.

    Args:
        server: HOST:PORT; None starts one.
        models: Folder of models for the one started; None for those that come with the package.
        device: "auto", "cpu", "cuda" or "mps", for the one started.

    Raises:
        InvalidInput: `models` or `device` is given for a server that runs already.
        ServerUnavailable: one cannot be started, since what it needs is not installed.
    """
    with ExitStack() as stack:
        if server is None:
            server = start(lambda: stack.enter_context(_background(models, device)))
        elif models is not None or device != "auto":
            raise InvalidInput(
                "--models" if models is not None else "--device",
                "it is for a server started here; the one of --server has its own",
            )
        yield stack.enter_context(Client(server, timeout=TIMEOUT_SECONDS))


def start(server: Callable[[], Started]) -> Started:
    """Call what starts a server, and say it in a sentence if its packages are not there.

    Raises:
        ServerUnavailable: the extra "server" is not installed.
    """
    try:
        return server()
    except ModuleNotFoundError as error:
        raise ServerUnavailable(
            f"a server cannot run here without the package {error.name}; install it with "
            "pip install 'deepscribble[server]', or name a running server with --server"
        ) from error


def _background(models: Path | None, device: str) -> AbstractContextManager[str]:
    from deepscribble.server import background_server

    return background_server(models=models, device=device)
