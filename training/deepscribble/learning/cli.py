"""`deepscribble train`: GuideNet and RefineNet from a folder of images and masks."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from deepscribble.learning.dataset import Dataset
    from deepscribble.learning.training import Setting
    from deepscribble.models import Card

app = typer.Typer(
    help="Train GuideNet and RefineNet, and the networks that they are compared with.",
    no_args_is_help=True,
)

Data = Annotated[Path, typer.Option(help="Folder with manifest.csv and its images.")]
Out = Annotated[Path, typer.Option(help="Registry folder to write the model into.")]
Epochs = Annotated[
    int | None, typer.Option(help="How long, in epochs of 20 steps for each worker.", min=1)
]
Minutes = Annotated[float | None, typer.Option(help="How long, in minutes of fitting.")]
Batch = Annotated[int, typer.Option(help="Patches a step, over all devices.", min=1)]
Patch = Annotated[
    int | None, typer.Option(help="Side of the patches; by default what the network runs at.")
]
Rate = Annotated[float, typer.Option(help="Peak learning rate for a batch of 8.")]
Patience = Annotated[
    int | None,
    typer.Option(help="Stop after so many epochs in which the loss on val got no better.", min=1),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same run.", min=0)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Devices = Annotated[int, typer.Option(help="How many GPUs.", min=1)]
Workers = Annotated[int, typer.Option(help="Processes that prepare patches.", min=0)]
Encoder = Annotated[str, typer.Option(help="An encoder of segmentation_models_pytorch.")]
EncoderWeights = Annotated[
    Path | None, typer.Option(help="A file of weights that the encoder starts from.")
]
Target = Annotated[str, typer.Option(help="What GuideNet finds: a target of the manifest.")]
LeaveOut = Annotated[
    list[str] | None, typer.Option(help="A set whose training images are not used; repeatable.")
]
Begin = Annotated[Path | None, typer.Option(help="A model's weights.safetensors to start from.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
Json = Annotated[bool, typer.Option("--json", help="Print the card as JSON.")]
Name = Annotated[str, typer.Argument(help="i, i-p, i-p-s, i-p-d or interaction.")]
Guides = Annotated[
    Path | None, typer.Option(help="Registry folder of the GuideNets; by default --out.")
]
Slides = Annotated[
    Path, typer.Argument(metavar="SLIDES", help="Folder of slides with GeoJSON beside them.")
]
DataOut = Annotated[Path, typer.Option("--out", help="Folder to make, for --data of the others.")]
TileMpp = Annotated[float, typer.Option("--mpp", help="µm per pixel of the patches.")]
SlideMpp = Annotated[
    float | None, typer.Option(help="µm per level-0 pixel, where a slide's file does not tell it.")
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        help="A QuPath class that is inside, * and ? allowed; repeatable.",
        show_default="Tumor",
    ),
]
TileTarget = Annotated[str, typer.Option("--target", help="What the manifest calls the inside.")]
TileSize = Annotated[int, typer.Option("--size", help="Side of the patches in pixels.")]
Val = Annotated[float, typer.Option(help="Share of the slides that is kept for judging.")]
Licence = Annotated[str, typer.Option(help="Terms of the slides, for the manifest.")]
SummaryJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]

ENCODER = "mobilenet_v2"

QUIET_SECONDS = 2.0
"""Work that takes longer shows a progress bar."""


@app.command()
def guide(
    data: Data,
    out: Out,
    epochs: Epochs = None,
    minutes: Minutes = None,
    batch: Batch = 8,
    patch: Patch = None,
    rate: Rate = 2e-3,
    patience: Patience = None,
    seed: Seed = 0,
    device: Device = "auto",
    devices: Devices = 1,
    workers: Workers = 1,
    encoder: Encoder = ENCODER,
    encoder_weights: EncoderWeights = None,
    target: Target = "tumor",
    leave_out: LeaveOut = None,
    begin: Begin = None,
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Train the GuideNet that makes the first outline."""
    setting = _setting(locals())
    from deepscribble.learning.training import train_guide

    _show(train_guide(setting, target), json)


@app.command()
def refine(
    data: Data,
    out: Out,
    epochs: Epochs = None,
    minutes: Minutes = None,
    batch: Batch = 8,
    patch: Patch = None,
    rate: Rate = 2e-3,
    patience: Patience = None,
    seed: Seed = 0,
    device: Device = "auto",
    devices: Devices = 1,
    workers: Workers = 1,
    encoder: Encoder = ENCODER,
    encoder_weights: EncoderWeights = None,
    leave_out: LeaveOut = None,
    begin: Begin = None,
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Train the RefineNet that follows strokes; --out holds the GuideNets already."""
    setting = _setting(locals())
    from deepscribble.learning.training import train_refine

    _show(train_refine(setting), json)


@app.command()
def ablation(
    name: Name,
    data: Data,
    out: Out,
    guides: Guides = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    batch: Batch = 8,
    patch: Patch = None,
    rate: Rate = 2e-3,
    patience: Patience = None,
    seed: Seed = 0,
    device: Device = "auto",
    devices: Devices = 1,
    workers: Workers = 1,
    encoder: Encoder = ENCODER,
    encoder_weights: EncoderWeights = None,
    leave_out: LeaveOut = None,
    begin: Begin = None,
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Train a network that is only compared with: an ablation, or the one of BRS and f-BRS."""
    setting = _setting(locals())
    from deepscribble.learning.training import train_ablation

    _show(train_ablation(setting, name, guides or out), json)


@app.command()
def patches(
    slides: Slides,
    out: DataOut,
    mpp: TileMpp = 1.0,
    slide_mpp: SlideMpp = None,
    classes: Classes = None,
    target: TileTarget = "tumor",
    size: TileSize = 768,
    val: Val = 0.2,
    seed: Seed = 0,
    licence: Licence = "",
    json: SummaryJson = False,
) -> None:
    """Cut slides with QuPath outlines into patches to learn from.

    NAME.geojson beside NAME.svs holds the outlines. Only tissue is cut, and
    where there are annotations of a class Region* only what lies in them;
    the rest of a patch is painted white. What is over 10 % of a class
    Ignore* is left out.
    """
    from deepscribble.learning.dataset import Terms, make_dataset
    from deepscribble.learning.tiles import Cutting

    cutting = Cutting(mpp, slide_mpp, tuple(classes or ("Tumor",)), size)
    with _progress(f"Cutting {slides.name}") as report:
        dataset = make_dataset(slides, out, cutting, Terms(target, licence, val, seed), report)
    _show_dataset(dataset, json)


def _setting(arguments: dict[str, Any]) -> Setting:
    """The arguments that all commands share, as a value."""
    _prepare()
    from deepscribble.learning.fitting import Plan
    from deepscribble.learning.training import Setting

    planned = {field.name: arguments[field.name] for field in fields(Plan)}
    return Setting(
        data=arguments["data"],
        out=arguments["out"],
        plan=Plan(**planned),
        leave_out=tuple(arguments["leave_out"] or ()),
        encoder=arguments["encoder"],
        encoder_weights=arguments["encoder_weights"],
        begin=arguments["begin"],
        patch=arguments["patch"],
        resume=arguments["resume"],
    )


def _prepare() -> None:
    """Before torch is imported: share the cores, and say each epoch's loss on the error stream."""
    # Threads that spin while they wait make a step twenty times slower where any other program
    # wants a core too: 3.3 s in place of 0.14 s for a forward, measured on two cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("deepscribble").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", module="lightning")


def _show(card: Card, json: bool) -> None:
    console = Console()
    if json:
        console.print_json(card.model_dump_json())
        return
    table = Table("figure", "value", title=f"{card.name} ({card.digest[:19]})")
    for name, value in card.metrics.items():
        table.add_row(name, f"{value:.3f}")
    console.print(table)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, on stderr, once the work has taken a while; tell it done and total."""
    console = Console(stderr=True)
    bar = Progress(console=console, transient=True)
    task = bar.add_task(escape(what), total=None)
    timer = threading.Timer(QUIET_SECONDS, bar.start)
    timer.daemon = True
    if console.is_terminal:
        timer.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        timer.cancel()
        if timer.is_alive():
            timer.join()
        if bar.live.is_started:
            bar.stop()


def _show_dataset(dataset: Dataset, json: bool) -> None:
    if json:
        Console().print_json(
            data={
                "folder": str(dataset.folder),
                "slides": [asdict(tally) for tally in dataset.tallies],
                "others": dict(dataset.others),
                "warnings": [asdict(warning) for warning in dataset.warnings],
            }
        )
        return
    errors = Console(stderr=True, soft_wrap=True)
    for warning in dataset.warnings:
        errors.print(f"[yellow]Warning:[/yellow] {escape(warning.message)}")
    counted = ("empty", "full", "between", "balanced", "bare", "ignored")
    heads = ("empty", "full", "between", "20–80 %", "no tissue", "Ignore*")
    table = Table("slide", "split", *heads, title=escape(f"patches in {dataset.folder}"))
    for tally in dataset.tallies:
        table.add_row(
            escape(tally.slide), tally.split, *(str(getattr(tally, name)) for name in counted)
        )
    table.add_section()
    sums = (sum(getattr(tally, name) for tally in dataset.tallies) for name in counted)
    table.add_row("all", "", *map(str, sums))
    console = Console()
    console.print(table)
    for reason, count in dataset.others.items():
        console.print(escape(f"not taken: {count} features {reason}"), highlight=False)
