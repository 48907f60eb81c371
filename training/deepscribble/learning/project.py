"""A pathologist's own project: a folder of slides, each with its outlines beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Warning
from deepscribble.slides import slide_files
from deepscribble.stores import geojson_beside


@dataclass(frozen=True, slots=True)
class Entry:
    """One slide of a project.

    Args:
        name: The slide's name without its suffix; no two entries share one.
        slide: The image file.
        outlines: GeoJSON, as QuPath exports it.
    """

    name: str
    slide: Path
    outlines: Path


def find_entries(folder: Path) -> tuple[tuple[Entry, ...], tuple[Warning, ...]]:
    """The slides of `folder` that have outlines: NAME.geojson or NAME.svs.geojson for NAME.svs.

    Returns:
        Entries sorted by name, and a warning (code SLIDES_LEFT_OUT) that lists the other slides.

    Raises:
        InvalidInput: no slides, none with outlines, or two that would have one name.
    """
    slides = slide_files(folder)
    if not slides:
        raise InvalidInput(
            "slides",
            f"{folder} holds no slides; give a folder of slides (svs, tiff, ndpi, ..., png, jpg) "
            "with their outlines as GeoJSON beside them",
        )
    entries: dict[str, Entry] = {}
    bare: list[str] = []
    for slide in slides:
        outlines = geojson_beside(slide)
        if outlines is None:
            bare.append(slide.name)
            continue
        entry = Entry(slide.stem, slide, outlines)
        first = entries.setdefault(entry.name, entry)
        if first is not entry:
            raise InvalidInput(
                "slides",
                f"{first.slide} and {slide.name} would both be called {entry.name}; "
                "rename one of them, or move it out of the folder",
            )
    if not entries:
        raise InvalidInput(
            "slides",
            f"no slide of {folder} has outlines; export them from QuPath as GeoJSON, "
            f"for {slides[0].name} to {slides[0].with_suffix('.geojson').name}",
        )
    if not bare:
        return tuple(entries.values()), ()
    message = f"slides without a GeoJSON file beside them were left out: {', '.join(bare)}"
    return tuple(entries.values()), (Warning("SLIDES_LEFT_OUT", message),)
