"""The commands of `deepscribble`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import typer

from deepscribble.cli import options
from deepscribble.cli.annotate import HELP as ANNOTATE_HELP
from deepscribble.cli.annotate import annotate_command
from deepscribble.cli.connection import connect, start
from deepscribble.cli.logs import logged
from deepscribble.cli.outlining import Task, check_outputs, default_output, outline_image
from deepscribble.cli.report import (
    INTERRUPTED,
    outline_json,
    reported,
    show_json,
    show_models,
    show_outline,
    show_warnings,
    working,
)
from deepscribble.cli.sync import HELP as SYNC_HELP
from deepscribble.cli.sync import sync_command
from deepscribble.errors import DeepScribbleError
from deepscribble.geometry import Outline, Warning
from deepscribble.stores import RESULT_CLASS, StrokeClasses, read_polygons, read_strokes

app = typer.Typer(
    name="deepscribble",
    help="Interactive tumor segmentation: strokes in, outlines out. For research use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def segment(
    image: options.Image,
    mpp: options.Mpp = None,
    region: options.RegionBox = None,
    output: options.Output = None,
    overlay: options.Overlay = None,
    class_name: options.ResultClass = RESULT_CLASS,
    server: options.Server = None,
    models: options.Models = None,
    device: options.DeviceChoice = options.Device.AUTO,
    as_json: options.AsJson = False,
) -> None:
    """Outline the tumor of IMAGE, without strokes."""
    with reported(as_json):
        task = Task(
            image, mpp, region, output or default_output(image), overlay,
            server, models, device, class_name,
        )  # fmt: skip
        check_outputs(task)
        outline, warnings = outline_image(task, ("guide",), lambda handle: handle.segment())
        _show(task, outline, warnings, as_json)


@app.command()
def refine(
    image: options.Image,
    strokes: options.Strokes,
    mpp: options.Mpp = None,
    region: options.RegionBox = None,
    output: options.Output = None,
    overlay: options.Overlay = None,
    class_name: options.ResultClass = RESULT_CLASS,
    foreground: options.Foreground = None,
    background: options.Background = None,
    prior: options.Prior = None,
    server: options.Server = None,
    models: options.Models = None,
    device: options.DeviceChoice = options.Device.AUTO,
    as_json: options.AsJson = False,
) -> None:
    """Outline the tumor of IMAGE so that it obeys the strokes."""
    with reported(as_json):
        inputs = (strokes,) if prior is None else (strokes, prior)
        task = Task(
            image, mpp, region, output or default_output(image), overlay,
            server, models, device, class_name, inputs,
        )  # fmt: skip
        check_outputs(task)
        classes = StrokeClasses.chosen(foreground or (), background or ())
        read = read_strokes(strokes, classes)
        polygons, notes = None, read.warnings
        if prior is not None:
            # What has no class was drawn as an area to start from; other classes were not.
            polygons = read_polygons(prior, (*classes.foreground, class_name, ""))
            if not polygons:
                notes += (Warning("PRIOR_EMPTY", f"{prior}: no areas to start from"),)
        outline, warnings = outline_image(
            task,
            ("guide", "refine") if polygons is None else ("refine",),
            lambda handle: handle.refine(read.strokes, prior=polygons),
            read.strokes,
        )
        _show(task, outline, (*notes, *warnings), as_json)


app.command("annotate", help=ANNOTATE_HELP)(annotate_command)
app.command("sync", help=SYNC_HELP)(sync_command)


@app.command()
def models(
    server: options.Server = None,
    models: options.Models = None,
    device: options.DeviceChoice = options.Device.AUTO,
    as_json: options.AsJson = False,
) -> None:
    """List the models that a server can run."""
    with reported(as_json):
        with working("Starting"), connect(server, models, device) as client:
            found, about = client.list_models(), client.server_info()
        if as_json:
            show_json(
                {
                    "models": [
                        {
                            "name": model.name,
                            "kind": model.kind,
                            "digest": model.digest,
                            "mpp": model.mpp,
                            "is_default": model.is_default,
                            "card": model.card,
                        }
                        for model in found
                    ],
                    "server": {
                        "version": about.version,
                        "device": about.device,
                        "precision": about.precision,
                        "limits": about.limits,
                    },
                }
            )
        else:
            show_models(found, about)


@app.command()
def serve(
    listen: options.Listen = "127.0.0.1:50051",
    http: options.Http = None,
    models: options.Models = None,
    device: options.DeviceChoice = options.Device.AUTO,
    as_json: options.AsJson = False,
) -> None:
    """Serve until Ctrl-C."""
    with reported(as_json), logged(as_json):
        start(lambda: _serve(listen, http, models, device))


def _serve(listen: str, http: str | None, models: Path | None, device: str) -> None:
    from deepscribble.server import serve as run

    run(listen=listen, models=models, device=device, http=http)


_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Settings of a command that another room's command line reads by itself."""


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def train(context: typer.Context) -> None:
    """Train GuideNet and RefineNet."""
    _pass_on(context, "deepscribble.learning.cli", "training")


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def benchmark(context: typer.Context) -> None:
    """Measure RefineNet against every rival method, stroke by stroke."""
    _pass_on(context, "deepscribble.benchmark.cli", "the benchmark")


def _pass_on(context: typer.Context, module: str, what: str) -> None:
    """Let the command line in `module` read the arguments.

    It is imported only here, so that every other command starts without what it needs.
    """
    with reported(as_json="--json" in context.args):
        name = f"deepscribble {context.info_name}"
        try:
            code = importlib.import_module(module).app(
                context.args, prog_name=name, standalone_mode=False
            )
        except ModuleNotFoundError as error:
            raise DeepScribbleError(
                f"{what} needs the package {error.name}; install it with "
                "pip install 'deepscribble[train]'"
            ) from error
    raise typer.Exit(code or 0)


def _show(task: Task, outline: Outline, warnings: tuple[Warning, ...], as_json: bool) -> None:
    files = {"image": str(task.image), "output": str(task.output)}
    if task.overlay is not None:
        files["overlay"] = str(task.overlay)
    if as_json:
        show_json(outline_json(outline, warnings, files))
        return
    show_warnings(warnings)
    show_outline(outline, [path for name, path in files.items() if name != "image"])


def main() -> None:
    """Run the command line, the entry point of the `deepscribble` script."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
