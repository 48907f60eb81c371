"""The options that commands share, as a person types them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Where an in-process server computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in level-0 pixels, as typed: nothing is checked yet."""

    x: int
    y: int
    width: int
    height: int


def parse_box(text: str) -> Box:
    """Read X,Y,W,H.

    Raises:
        typer.BadParameter: not four whole numbers.
    """
    try:
        x, y, width, height = (int(number) for number in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not X,Y,W,H: four whole numbers in level-0 pixels, such as 0,0,2048,2048"
        ) from None
    return Box(x, y, width, height)


def parse_class(text: str) -> str:
    """Read the name of a class.

    Raises:
        typer.BadParameter: there is none, and a run would not know its own results again.
    """
    if not text.strip():
        raise typer.BadParameter("it is empty; give the name of a class, such as Tumor")
    return text


Image = Annotated[
    Path, typer.Argument(metavar="IMAGE", help="PNG, JPEG, TIFF, WebP or a whole slide.")
]
Strokes = Annotated[
    Path,
    typer.Argument(
        metavar="STROKES.geojson",
        help="Strokes as QuPath exports them; their class tells tumor from the rest.",
    ),
]
Mpp = Annotated[
    float | None,
    typer.Option("--mpp", metavar="F", help="µm per level-0 pixel, where IMAGE does not tell it."),
]
RegionBox = Annotated[
    Box | None,
    typer.Option(
        "--region",
        metavar="X,Y,W,H",
        parser=parse_box,
        help="Level-0 pixels to work on; the whole image if absent.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT.geojson",
        help="Where the outline goes; by default IMAGE's name with .deepscribble.geojson in the "
        "current folder. A file that holds anything but DeepScribble's results is never replaced.",
    ),
]
Overlay = Annotated[
    Path | None,
    typer.Option(
        "--overlay", metavar="OUT.png", help="Also draw pixels, outline and strokes as a picture."
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="HOST:PORT", help="A running server; one is started here if absent."
    ),
]
Models = Annotated[
    Path | None,
    typer.Option("--models", metavar="DIR", help="Folder of models for the server started here."),
]
DeviceChoice = Annotated[
    Device, typer.Option("--device", help="Where the server started here computes.")
]
ResultClass = Annotated[
    str,
    typer.Option(
        "--class", metavar="NAME", parser=parse_class, help="QuPath class of the outline."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, for machines; errors too.")
]
Foreground = Annotated[
    list[str] | None,
    typer.Option(
        "--foreground",
        metavar="CLASS",
        help="A class whose strokes say tumor, * and ? allowed; repeatable. Default: Tumor.",
    ),
]
Background = Annotated[
    list[str] | None,
    typer.Option(
        "--background",
        metavar="CLASS",
        help="A class whose strokes say not tumor; repeatable. "
        "Default: Normal, Stroma, Other, Background, Ignore*.",
    ),
]
Prior = Annotated[
    Path | None,
    typer.Option(
        "--prior",
        metavar="FILE.geojson",
        help="Start from these polygons in place of the automatic outline.",
    ),
]
Listen = Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Where to answer gRPC.")]
Http = Annotated[
    str | None,
    typer.Option(
        "--http",
        metavar="HOST:PORT",
        help="Where to answer HTTP too, such as 127.0.0.1:8080; scripts inside QuPath need it.",
    ),
]
