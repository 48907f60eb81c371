"""A pathologist's own project: a folder of slides, each with its outlines beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Warning

SUFFIXES = (
    *(".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide"),
    *(".czi", ".dcm", ".png", ".jpg", ".jpeg", ".webp"),
)
"""How the names of slides and images end, in small letters."""


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


def slide_files(folder: Path) -> tuple[Path, ...]:
    """Files of `folder` that are slides or images by name, sorted; none if it is no folder.

    Raises:
        InvalidInput: the folder cannot be listed.
    """
    if not folder.is_dir():
        return ()
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput("slides", f"{folder} cannot be listed ({reason})") from error
    return tuple(
        file
        for file in files
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )


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
        outlines = _outlines_of(slide)
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


def _outlines_of(slide: Path) -> Path | None:
    plain = slide.with_suffix(".geojson")
    # A person thinks of a.ome.tif as "a".
    names = (plain.name, f"{slide.name}.geojson", plain.name.replace(".ome.geojson", ".geojson"))
    return next((path for name in names if (path := slide.with_name(name)).is_file()), None)
