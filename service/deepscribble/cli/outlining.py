"""What `segment` and `refine` share: from an image file to an outline file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deepscribble.cli.connection import connect
from deepscribble.cli.options import Box
from deepscribble.cli.overlay import draw_overlay, is_our_picture
from deepscribble.cli.report import working
from deepscribble.client import RegionHandle, finest_mpp
from deepscribble.errors import OutputRefused
from deepscribble.geometry import Grid, Outline, Stroke, Warning
from deepscribble.jobs import read_pixels
from deepscribble.slides import open_slide
from deepscribble.stores import check_writable, holds_only_ours, write_annotations, write_whole

SMALLER = "choose a part of the image with --region X,Y,W,H"


@dataclass(frozen=True, slots=True)
class Task:
    """One image to outline: what to read, where to ask, what to write.

    Args:
        image: The image file.
        mpp: µm per level-0 pixel, None to take the file's.
        box: Level-0 pixels, None for all.
        output: The GeoJSON file.
        overlay: The picture, None for none.
        server: HOST:PORT, None to start one.
        models: Folder of models for the one started.
        device: Device of the one started.
        class_name: QuPath class of the result.
        inputs: Files read beside the image, which the output must not replace.
    """

    image: Path
    mpp: float | None
    box: Box | None
    output: Path
    overlay: Path | None
    server: str | None
    models: Path | None
    device: str
    class_name: str
    inputs: tuple[Path, ...] = ()


def default_output(image: Path) -> Path:
    """Where the outline of an image goes if nobody says: into the current folder."""
    return Path(f"{image.stem}.deepscribble.geojson")


def check_outputs(task: Task) -> None:
    """Refuse outputs that cannot be written or would destroy something, before any work.

    Raises:
        OutputRefused: not writable, an input, or a file with more in it than our own results.
    """
    outputs = [task.output] if task.overlay is None else [task.output, task.overlay]
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise OutputRefused(f"{task.output}: outline and picture cannot go into one file")
    for path in outputs:
        if any(path.resolve() == read.resolve() for read in (task.image, *task.inputs)):
            raise OutputRefused(f"{path}: the output would replace an input; name another file")
        check_writable(path)
        is_ours = holds_only_ours if path == task.output else is_our_picture
        if path.exists() and not is_ours(path):
            raise OutputRefused(
                f"{path}: the file exists and holds more than DeepScribble's own results; "
                "name another file"
            )


def outline_image(
    task: Task,
    kinds: tuple[str, ...],
    ask: Callable[[RegionHandle], Outline],
    strokes: tuple[Stroke, ...] = (),
) -> tuple[Outline, tuple[Warning, ...]]:
    """Read the region, ask the server, write the files.

    Args:
        task: What to do; `check_outputs` has passed.
        kinds: Kinds of models that will run; pixels are read for the finest of them.
        ask: The request.
        strokes: Drawn into the picture.

    Returns:
        The outline, and all warnings from file to server.
    """
    with open_slide(task.image, mpp=task.mpp) as slide:
        box = task.box
        region = slide.region(box.x, box.y, box.width, box.height) if box else slide.whole()
        with (
            working(f"Outlining {task.image.name}"),
            connect(task.server, task.models, task.device) as client,
        ):
            model_mpp = finest_mpp(client.list_models(), kinds)
            limits = client.server_info().limits
            rgb = read_pixels(slide, region, model_mpp, limits, SMALLER)
            outline = ask(client.open(region, rgb))
        warnings = (*slide.warnings, *outline.warnings)
    if task.overlay is not None:
        grid = Grid(region, rgb.shape[1], rgb.shape[0])
        write_whole(task.overlay, draw_overlay(rgb, grid, outline.polygons, strokes))
    write_annotations(task.output, outline, class_name=task.class_name)
    return outline, warnings
