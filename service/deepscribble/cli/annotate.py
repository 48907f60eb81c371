"""`deepscribble annotate`: every image of a folder, a QuPath project or a place in OMERO."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deepscribble.cli import omero, options
from deepscribble.cli.connection import connect
from deepscribble.cli.omero import OmeroOptions
from deepscribble.cli.report import INTERRUPTED, reported, show_json, show_warnings
from deepscribble.client import Client
from deepscribble.errors import InvalidInput
from deepscribble.jobs import (
    GOOD,
    ImageReport,
    Job,
    NotedStore,
    State,
    annotate,
    annotate_noted,
    exit_code,
)
from deepscribble.stores import (
    REGIONS,
    RESULT_CLASS,
    Query,
    Store,
    StoreImage,
    StrokeClasses,
    open_folder,
)
from deepscribble.stores.omero import is_address

HELP = """Outline every image of PATH, and write the results back beside the strokes.

PATH is a folder of images with GeoJSON files beside them (NAME.geojson for NAME.svs), a QuPath \
project (.qpproj), or a place in OMERO: omero://HOST/Image:ID, or Dataset, Project, Well, Plate, \
Screen. Of each image its regions (annotations of a class such as Region*) are \
outlined; of one without regions, what lies around its strokes; of one without either, all of it. \
Strokes are obeyed.

Only what DeepScribble made before is ever changed; locked results, and those that you edited by \
hand, stay. Run it again after drawing more strokes: what did not change is left alone. Close the \
project in QuPath first, or reload it afterwards.

\b
Examples:
  deepscribble annotate slides/ --dry-run
  deepscribble annotate slides/ --images 'case-1*' --mpp 0.25
  deepscribble annotate project.qpproj --class Necrosis --foreground Necrosis
  deepscribble annotate project.qpproj --server 127.0.0.1:50051 --json
  deepscribble annotate omero://omero.example.org/Dataset:51 --user ada

\b
Exit codes:
  0    all is well
  1    nothing was done
  2    the command line is wrong
  3    a part was done; the table says what was not, and why
  4    the OMERO server refuses the user or the password
  130  stopped by Ctrl-C; the same command goes on
"""

NUMBERS = ("added", "updated", "removed", "unchanged", "kept")

StorePath = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help="A folder, a QuPath project (.qpproj), or omero://HOST/KIND:ID."
    ),
]
Images = Annotated[
    str, typer.Option("--images", metavar="GLOB", help="Only images whose name matches, as *.svs.")
]
Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--regions",
        metavar="CLASS",
        help="A class whose areas are the regions to outline, * and ? allowed; repeatable. "
        "Default: Region*.",
    ),
]
Mpp = Annotated[
    float | None,
    typer.Option(
        "--mpp", metavar="F", help="µm per level-0 pixel of the images that do not tell it."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Outline, and say what would change, but write nothing.")
]


def annotate_command(
    path: StorePath,
    images: Images = "*",
    class_name: options.ResultClass = RESULT_CLASS,
    regions: Regions = None,
    foreground: options.Foreground = None,
    background: options.Background = None,
    mpp: Mpp = None,
    dry_run: DryRun = False,
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
    """Read the command line, run, and say what became of each image."""
    typed = OmeroOptions(
        user, password_file, session, plane, tuple(color or ()), certificates, anonymous_tls
    )
    with reported(as_json), open_store(path, typed) as store:
        job = Job(class_name, read_query(foreground, background, regions), mpp, dry_run)
        chosen = choose(store.images(), path, images)
        reports: list[ImageReport] = []
        try:
            with connect(server, models, device) as client, progress(len(chosen)) as advance:
                for report in run(store, chosen, client, job):
                    reports.append(report)
                    advance(report)
            code = exit_code(reports)
        except KeyboardInterrupt:
            code = INTERRUPTED
            left = chosen[len(reports) :]
            reports += [ImageReport(image.id, image.name, State.NOT_REACHED) for image in left]
        if as_json:
            show_json(report_json(reports, path, dry_run))
        else:
            show_reports(reports, dry_run)
    raise typer.Exit(code)


def read_query(
    foreground: list[str] | None, background: list[str] | None, regions: list[str] | None
) -> Query:
    """What to read of an image, as typed.

    Raises:
        InvalidInput: a class is said to be both.
    """
    classes = StrokeClasses.chosen(foreground or (), background or ())
    return Query(classes, tuple(regions or REGIONS))


def open_store(path: str, typed: OmeroOptions) -> Store:
    """The store of a folder, of a QuPath project, or of a place in OMERO.

    Raises:
        InvalidInput: it is neither, or options are given that are for OMERO only.
        DeepScribbleError: what opening it raises.
    """
    if is_address(path):
        return omero.opener(path, typed)()
    if typed != OmeroOptions():
        raise InvalidInput(
            "PATH",
            f"{path} is no place in OMERO (omero://HOST/KIND:ID), but an option was given that is "
            "for these only; leave it out",
        )
    if not path.lower().endswith(".qpproj"):
        return open_folder(Path(path))
    from deepscribble.stores.qupath import open_project

    return open_project(Path(path))


def run(
    store: Store, images: Sequence[StoreImage], client: Client, job: Job
) -> Iterator[ImageReport]:
    """Annotate images in the way that the store asks for."""
    if isinstance(store, NotedStore):
        return annotate_noted(store, images, client, job)
    return annotate(store, images, client, job)


def choose(images: Sequence[StoreImage], path: str, pattern: str) -> tuple[StoreImage, ...]:
    """The images whose name matches.

    Raises:
        InvalidInput: there are none.
    """
    if not images:
        raise InvalidInput("PATH", f"{path} holds no images")
    chosen = tuple(image for image in images if fnmatchcase(image.name, pattern))
    if not chosen:
        raise InvalidInput(
            "--images",
            f"no image of {path} matches {pattern!r}; there are {len(images)}, such as "
            f"{images[0].name!r}",
        )
    return chosen


@contextmanager
def progress(total: int) -> Iterator[Callable[[ImageReport], None]]:
    """A bar on stderr, on a terminal; yields what to call after each image."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)

        def advance(report: ImageReport) -> None:
            bar.update(task, advance=1, description=escape(f"{report.name}: {report.state}"))

        yield advance


def show_reports(reports: Sequence[ImageReport], is_dry: bool) -> None:
    """Warnings on stderr; a table of all images and what to do next on stdout."""
    show_warnings(warning for report in reports for warning in report.warnings)
    table = Table("image", "state", *NUMBERS)
    for column in table.columns[2:]:
        column.justify = "right"
    for report in reports:
        numbers = (getattr(report, name) for name in NUMBERS)
        color = "green" if report.state in GOOD else "red"
        table.add_row(
            escape(report.name),
            f"[{color}]{report.state}[/{color}]",
            *(str(number) if number else "" for number in numbers),
        )
    console = Console(soft_wrap=True)
    console.print(table)
    for report in reports:
        for problem in report.problems:
            console.print(f"[red]{escape(report.name)}:[/red] {escape(problem)}", highlight=False)
    if any(report.kept for report in reports):
        console.print("kept: locked or edited by hand; to have them outlined anew, delete them")
    if any(report.state is State.NOT_REACHED for report in reports):
        console.print("Not all images were reached; the same command goes on from here")
    if is_dry:
        console.print("Nothing was written: --dry-run")


def report_json(reports: Sequence[ImageReport], path: str, is_dry: bool) -> dict[str, Any]:
    """What `show_reports` says, for machines."""
    return {
        "path": path,
        "dry_run": is_dry,
        "images": [asdict(report) for report in reports],
        **{name: sum(getattr(report, name) for report in reports) for name in NUMBERS},
    }
