"""What a command says: tables for people, one JSON object for machines, errors for both."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deepscribble.client import ModelInfo, ServerInfo
from deepscribble.errors import DeepScribbleError, InvalidInput, LoginRefused, SessionEnded
from deepscribble.geometry import Outline, Warning

INTERRUPTED = 130
LOGIN_REFUSED = 4
"""Trying again with the same password or key is no use, and may lock the user out."""


@contextmanager
def reported(as_json: bool) -> Iterator[None]:
    """Turn errors into a sentence on stderr, or an object on stdout, and an exit code.

    Raises:
        typer.Exit: 1 for a DeepScribbleError, 4 for a refused login or a session
            that is over, 130 for Ctrl-C.
    """
    try:
        yield
    except DeepScribbleError as error:
        if as_json:
            field = error.field if isinstance(error, InvalidInput) else ""
            about = {"type": type(error).__name__, "field": field, "message": str(error)}
            show_json({"error": about})
        else:
            Console(stderr=True, soft_wrap=True).print(f"[red]Error:[/red] {escape(str(error))}")
        code = LOGIN_REFUSED if isinstance(error, LoginRefused | SessionEnded) else 1
        raise typer.Exit(code) from error
    except (KeyboardInterrupt, typer.Abort) as error:
        raise typer.Exit(INTERRUPTED) from error


@contextmanager
def working(message: str) -> Iterator[None]:
    """Show on a terminal, on stderr, that something goes on."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(escape(message)):
        yield


def show_json(document: Any) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def show_warnings(warnings: Iterable[Warning]) -> None:
    """Each warning as a line on stderr."""
    console = Console(stderr=True, soft_wrap=True)
    for warning in warnings:
        console.print(f"[yellow]Warning:[/yellow] {escape(warning.message)}")


def show_outline(outline: Outline, written: Sequence[str]) -> None:
    """A table of what came out and what it cost, and where it went."""
    table = Table(show_header=False)
    area = sum(polygon.area_um2 for polygon in outline.polygons)
    table.add_row("polygons", str(len(outline.polygons)))
    table.add_row("area", f"{area / 1e6:.4f} mm²")
    if outline.stroke_ids:
        table.add_row("strokes used", str(len(outline.stroke_ids)))
    for model in outline.models:
        table.add_row("model", escape(f"{model.name} {model.digest[:19]}…"))
    stages = ", ".join(f"{name} {value:.0f}" for name, value in outline.milliseconds.items())
    table.add_row("milliseconds", stages)
    for path in written:
        table.add_row("written", escape(path))
    Console().print(table)


def outline_json(
    outline: Outline, warnings: Iterable[Warning], files: dict[str, str]
) -> dict[str, Any]:
    """What `show_outline` and `show_warnings` say, for machines."""
    return {
        **files,
        "polygons": len(outline.polygons),
        "area_um2": sum(polygon.area_um2 for polygon in outline.polygons),
        "models": [asdict(model) for model in outline.models],
        "stroke_ids": list(outline.stroke_ids),
        "milliseconds": outline.milliseconds,
        "warnings": [asdict(warning) for warning in warnings],
    }


def show_models(models: Iterable[ModelInfo], server: ServerInfo) -> None:
    """A table of the models, and the server that runs them."""
    table = Table("name", "kind", "µm per pixel", "patch", "threshold", "default", "digest")
    for model in models:
        table.add_row(
            escape(model.name),
            model.kind,
            f"{model.mpp:g}",
            str(model.patch_size),
            f"{model.threshold:g}",
            "yes" if model.is_default else "",
            escape(f"{model.digest[:19]}…"),
        )
    console = Console()
    console.print(table)
    console.print(
        f"DeepScribble {server.version} on {escape(server.device)}, {server.precision}",
        highlight=False,
    )
