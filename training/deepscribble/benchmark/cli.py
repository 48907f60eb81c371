"""`deepscribble benchmark`: RefineNet against its rivals, stroke by stroke, in one run."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deepscribble.benchmark.roster import NAMES
from deepscribble.errors import InvalidInput

if TYPE_CHECKING:
    from deepscribble.benchmark.figures import Estimate, Figures
    from deepscribble.benchmark.report import Report, Setting
    from deepscribble.benchmark.run import Watch

app = typer.Typer(
    help="Measure RefineNet against its rivals; tables and pictures are made of one run.",
    add_completion=False,
)

logger = logging.getLogger(__name__)

Data = Annotated[
    Path | None, typer.Option(help="Folder with manifest.csv and its images.", show_default=False)
]
Out = Annotated[Path, typer.Option(help="Folder for results.json, tables.md and the pictures.")]
Methods = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,…",
        help=f"Of {', '.join(NAMES)}. By default all on the paper's patches, and on the whole "
        "set those that are quick.",
        show_default=False,
    ),
]
Protocol = Annotated[
    str,
    typer.Option(
        help="paper: patches whose first guess has an IoU of 0.50 to 0.75; whole: all; or both."
    ),
]
Split = Annotated[str, typer.Option(help="val or train; only val is honest.")]
Patches = Annotated[int, typer.Option(help="How many patches the protocol paper takes.", min=1)]
Side = Annotated[int, typer.Option(help="Patches are at most so wide and high.", min=32)]
Seed = Annotated[int, typer.Option(help="The same seed gives the same run.", min=0)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Models = Annotated[
    Path | None, typer.Option(help="Folder of GuideNets and RefineNet; by default the shipped.")
]
Rivals = Annotated[
    Path | None, typer.Option(help="Folder of the networks to compare with; likewise.")
]
LeaveOut = Annotated[
    list[str] | None, typer.Option(help="A set whose training images are ignored; repeatable.")
]
WithAblation = Annotated[
    bool, typer.Option("--ablation/--no-ablation", help="Measure table 2 of the paper too.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
From = Annotated[
    Path | None,
    typer.Option("--from", help="A results.json: remake tables and pictures, run nothing."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]

SAID_EVERY = 30.0
"""Seconds between two lines of progress where there is no terminal to draw a bar on."""


@app.command()
def benchmark(
    out: Out,
    data: Data = None,
    methods: Methods = None,
    protocol: Protocol = "both",
    split: Split = "val",
    patches: Patches = 20,
    side: Side = 384,
    seed: Seed = 0,
    device: Device = "auto",
    models: Models = None,
    rivals: Rivals = None,
    leave_out: LeaveOut = None,
    ablation: WithAblation = True,
    resume: Resume = False,
    results: From = None,
    json: Json = False,
) -> None:
    """Let a simulated user correct each patch with every method, at most 20 strokes each.

    Interrupt it when you like: --resume goes on where it was.
    """
    with _said():
        from deepscribble.benchmark.output import write_output
        from deepscribble.benchmark.report import Setting, make_folder, read_report

        if results is not None:
            report = read_report(results)
            make_folder(out)
        else:
            if data is None:
                raise InvalidInput("data", "give the folder of the images with --data")
            setting = Setting(
                data=str(data),
                split=split,
                protocols=("paper", "whole") if protocol == "both" else (protocol,),
                methods=None if methods is None else tuple(_words(methods)),
                ablation=ablation,
                patches=patches,
                seed=seed,
                leave_out=tuple(leave_out or ()),
                device=device,
                models=None if models is None else str(models),
                rivals=None if rivals is None else str(rivals),
                side=side,
            )
            report = _run(setting, out, resume)
        written = write_output(report, out, data)
        _show(report, written, json)


def _run(setting: Setting, out: Path, resume: bool) -> Report:
    from deepscribble.benchmark.run import run

    try:
        with _progress() as watch:
            return run(setting, out, watch, resume)
    except KeyboardInterrupt:
        Console(stderr=True, soft_wrap=True).print(
            f"Stopped; what was done is in {escape(str(out))}; go on with --resume.",
            highlight=False,
        )
        raise


def _words(methods: str) -> Iterator[str]:
    return (word.strip() for word in methods.split(",") if word.strip())


@contextmanager
def _said() -> Iterator[None]:
    """Let warnings be seen while the command runs; before torch is imported, share the cores."""
    # Threads that spin while they wait make networks slower where any other program wants a core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    handler = RichHandler(console=Console(stderr=True), show_path=False, show_level=False)
    log = logging.getLogger("deepscribble")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)


@contextmanager
def _progress() -> Iterator[Watch]:
    """A bar on a terminal, on stderr; a line in the log now and then where there is none."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Said()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def watch(words: str, done: int, total: int) -> None:
            bar.update(task, description=escape(words), completed=done, total=total or None)

        yield watch


class _Said:
    """Progress as lines of the log, not too many of them."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, words: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= SAID_EVERY:
            logger.info("%s", f"{done} of {total}: {words}" if total else words)
            self._last = now


def _show(report: Report, written: tuple[Path, ...], json: bool) -> None:
    console = Console()
    if json:
        ablation = {row.name: row.iou for row in report.ablation}
        files = [str(path) for path in written]
        console.print_json(data={"figures": report.rows(), "ablation": ablation, "written": files})
        return
    for selection in report.selections:
        heads = ("method", "NoI@85", "NoI@90", "≤20@85", "seconds", "flips", "far")
        table = Table(*heads, title=f"{selection.protocol}: {len(selection.cases)} patches")
        for one in report.figures_of(selection):
            table.add_row(*_row(one))
        console.print(table)
    for row in report.ablation:
        console.print(f"{row.name}: mean IoU {row.iou:.3f}", highlight=False)
    for path in written:
        console.print(f"written {escape(str(path))}", highlight=False, soft_wrap=True)


def _row(one: Figures) -> tuple[str, ...]:
    return (
        one.method,
        _number(one.at85.interactions, 1),
        _number(one.at90.interactions, 1),
        _number(one.at85.share, 2),
        _number(one.seconds, 3),
        _number(one.flips, 4),
        _number(one.far, 4),
    )


def _number(estimate: Estimate, digits: int) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.{digits}f}"
