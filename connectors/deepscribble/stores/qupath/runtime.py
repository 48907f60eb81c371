"""QuPath's classes, in a Java machine that starts when they are first needed.

It starts once per process and cannot be started again.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from deepscribble.errors import DeepScribbleError, InvalidInput, NotFound

SUPPORTED = ((0, 5), (0, 6))
"""The versions of QuPath, major and minor, that this was tested with."""

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")

_lock = threading.Lock()


def qupath_version() -> str:
    """Start QuPath's classes if they are not yet there; which version they are.

    Raises:
        NotFound: paquo or QuPath is not installed, or Java does not start.
        InvalidInput: it is a QuPath of another version than the supported ones.
    """
    with _lock, _signals_kept():
        java = _start()
        # paquo asks Java's log for everything; QuPath would print it between our own lines.
        if java.LogManager:
            java.LogManager.setWarn()
    version = str(java.qupath_version)
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) not in SUPPORTED:
        known = " and ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
        raise InvalidInput(
            "qupath",
            f"this is QuPath {version}, but {known} are supported; install one of them and name "
            "its folder in PAQUO_QUPATH_DIR",
        )
    return version


def java_class(name: str) -> Any:
    """A Java class by its full name; QuPath must have been started."""
    import jpype

    return jpype.JClass(name)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what Java prints to the Python logger "qupath"."""
    from paquo._logging import redirect

    with redirect(stdout=True, stderr=True):
        yield


def java_errors() -> tuple[type[BaseException], ...]:
    """What to catch around calls into QuPath."""
    import jpype

    return (jpype.JException, OSError, ValueError, RuntimeError)


@contextlib.contextmanager
def failing_as(error: Callable[[str], DeepScribbleError]) -> Iterator[None]:
    """Turn what Java throws into an error of ours, made of QuPath's words."""
    import jpype

    try:
        yield
    except jpype.JException as thrown:
        raise error(f"QuPath says: {thrown}") from thrown


def _start() -> Any:
    try:
        from paquo import settings
    except ImportError as error:
        raise NotFound(
            "paquo, which reads QuPath projects, is not installed; "
            "run: pip install 'deepscribble[qupath]'"
        ) from error
    options = settings.java_opts
    options = shlex.split(options) if isinstance(options, str) else list(options)
    # Without it Java takes Ctrl-C and SIGTERM from Python and ends the process in mid-write.
    settings.java_opts = [*options, *(["-Xrs"] if "-Xrs" not in options else [])]
    try:
        import paquo.java
    except (ValueError, OSError, RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NotFound(
            f"no QuPath to read the project with ({reason}); install QuPath 0.5 or 0.6 from "
            "https://qupath.github.io below /opt or /Applications, or name its folder in the "
            "environment variable PAQUO_QUPATH_DIR"
        ) from error
    return paquo.java


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Put Python's signal handlers back, which Java may replace when it starts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)
