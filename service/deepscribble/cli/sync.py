"""`deepscribble sync`: a place in OMERO, watched for ever."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepscribble.cli import annotate, omero, options
from deepscribble.cli.connection import connect
from deepscribble.cli.logs import logged
from deepscribble.cli.omero import OmeroOptions
from deepscribble.cli.report import INTERRUPTED, reported
from deepscribble.client import Client
from deepscribble.errors import InvalidInput
from deepscribble.jobs import Job, exit_code
from deepscribble.stores import RESULT_CLASS, check_writable
from deepscribble.stores.omero import not_installed

if TYPE_CHECKING:
    from deepscribble.jobs.sync import Sync

HELP = """Watch a place in OMERO, and answer each image whose strokes changed.

ADDRESS is omero://HOST[:PORT]/Project:ID, or Dataset, Image, Screen, Plate, Well. Draw in \
OMERO.iviewer or QuPath, and save: the next look finds it. An image without strokes and regions is \
left alone. What is done stands in OMERO, with the images: the job may be stopped at any moment, \
and started anywhere. Ctrl-C or SIGTERM lets it finish the images in work; a second one ends it.

\b
Examples:
  deepscribble sync omero://omero.example.org/Project:5 --user deepscribble --password-file pw
  deepscribble sync omero://omero.example.org/Dataset:51 --every 10s --workers 4 \\
      --metrics 127.0.0.1:9464 --health /run/deepscribble/health.json

\b
Exit codes:
  0    it was stopped; with --once: all is well
  1    it could not begin; with --once: nothing was done, as of images that another job holds
  2    the command line is wrong
  3    with --once: a part was done
  4    the OMERO server refuses the user or the password; starting again is no use
  130  with --once: it was stopped before the end
"""

PERIOD = re.compile(r"([0-9]{1,6})(s|m|h)?")
UNITS = {"s": 1, "m": 60, "h": 3600}
MOST_WORKERS = 64
IDLE_SECONDS = 5
"""How long a job that was stopped waits for servers when no image is in work."""

ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:]+):([0-9]{1,5})")

Place = Annotated[str, typer.Argument(metavar="ADDRESS", help="omero://HOST[:PORT]/KIND:ID.")]
Every = Annotated[
    str, typer.Option("--every", metavar="TIME", help="Between two looks, as 30s, 5m, 1h.")
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers", metavar="N", min=1, max=MOST_WORKERS, help="How many images at a time."
    ),
]
MetricsAt = Annotated[
    str | None,
    typer.Option(
        "--metrics", metavar="HOST:PORT", help="Where Prometheus fetches what is counted."
    ),
]
HealthFile = Annotated[
    Path | None,
    typer.Option(
        "--health",
        metavar="FILE",
        help="A JSON file that is written every few seconds: its age tells life.",
    ),
]
Once = Annotated[bool, typer.Option("--once", help="Look at all images once, then end.")]


def sync_command(
    address: Place,
    every: Every = "30s",
    workers: Workers = 2,
    metrics: MetricsAt = None,
    health: HealthFile = None,
    once: Once = False,
    class_name: options.ResultClass = RESULT_CLASS,
    regions: annotate.Regions = None,
    foreground: options.Foreground = None,
    background: options.Background = None,
    mpp: annotate.Mpp = None,
    server: options.Server = None,
    models: options.Models = None,
    device: options.DeviceChoice = options.Device.AUTO,
    user: omero.User = None,
    password_file: omero.PasswordFile = None,
    session: omero.AskSession = False,
    plane: omero.Plane = None,
    color: omero.Colors = None,
    certificates: omero.Certificates = None,
    anonymous_tls: omero.Anonymous = False,
    as_json: options.AsJson = False,
) -> None:
    """Read the command line, and run until somebody stops it."""
    typed = OmeroOptions(
        user, password_file, session, plane, tuple(color or ()), certificates, anonymous_tls
    )
    with reported(as_json), logged(as_json), ExitStack() as stack:
        job = Job(class_name, annotate.read_query(foreground, background, regions), mpp)
        seconds, endpoint = _seconds(every), _endpoint(metrics)
        if health is not None:
            check_writable(health)
        make = _maker(address, typed, job, seconds, workers, health)
        sync = make(stack.enter_context(connect(server, models, device.value)))
        stack.enter_context(stopped_by_signals(sync))
        if endpoint is not None:
            stack.enter_context(sync.metrics.served(*endpoint))
        # Python hears signals in this thread only, and not while it waits for a call of Ice's.
        worker = stack.enter_context(ThreadPoolExecutor(1, "deepscribble-job"))
        if once:
            code = exit_code(worker.submit(sync.once).result())
            raise typer.Exit(INTERRUPTED if sync.is_stopped else code)
        worker.submit(sync.run).result()


def _maker(
    address: str,
    typed: OmeroOptions,
    job: Job,
    every: float,
    workers: int,
    health: Path | None,
) -> Callable[[Client], Sync]:
    """Asks for the password first: a server takes a while to start."""
    # A job of its own keeps a journal of its own, so that `annotate` can run beside it.
    kind, _, number = address.rstrip("/").rpartition("/")[2].partition(":")
    open_store = omero.opener(address, typed, f"sync-{kind.capitalize()}-{number}")
    try:
        from deepscribble.jobs.health import Health
        from deepscribble.jobs.metrics import Metrics
        from deepscribble.jobs.sync import Pace, Sync
    except ModuleNotFoundError as error:
        raise not_installed(error) from error
    pace = Pace(every, workers)
    return lambda client: Sync(open_store, client, job, pace, Health(health), Metrics())


@contextmanager
def stopped_by_signals(sync: Sync) -> Iterator[None]:
    """Stop the job on the first SIGINT or SIGTERM while the block runs; the second ends at once.

    So does the first, after a while, when no image is in work: what is waited for then is a server
    that does not answer, and nothing is lost.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.getsignal(number) for number in numbers}
    is_over = threading.Event()

    def stop(number: int) -> None:
        sync.stop()
        idle = 0
        while not is_over.wait(1.0):
            idle = 0 if sync.is_busy else idle + 1
            if idle >= IDLE_SECONDS:
                os.kill(os.getpid(), number)

    def handle(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        # The thread that was interrupted may hold the very lock that `stop` needs.
        threading.Thread(target=stop, args=(number,), name="deepscribble-stop", daemon=True).start()

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        is_over.set()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _seconds(text: str) -> float:
    found = PERIOD.fullmatch(text.strip())
    seconds = int(found[1]) * UNITS[found[2] or "s"] if found else 0
    if seconds < 1:
        raise InvalidInput("--every", f"{text!r} is no time; write 30s, 5m or 1h, 1s at least")
    return float(seconds)


def _endpoint(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    found = ENDPOINT.fullmatch(text)
    if found is None or int(found[2]) > 65535:
        raise InvalidInput("--metrics", f"{text!r} is not HOST:PORT, as in 127.0.0.1:9464")
    return found[1].strip("[]"), int(found[2])
