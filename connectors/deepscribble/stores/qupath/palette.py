"""The class list of a QuPath project, `classifiers/classes.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deepscribble.errors import InvalidInput
from deepscribble.stores.annotations import COLORS

FILE = Path("classifiers", "classes.json")

STANDARD = {
    "Tumor": (200, 0, 0),
    "Stroma": (150, 200, 150),
    "Immune cells": (160, 90, 160),
    "Necrosis": (50, 50, 50),
    "Other": (255, 200, 0),
    "Region*": (0, 0, 180),
    "Ignore*": (180, 180, 180),
    "Positive": (200, 50, 50),
    "Negative": (90, 90, 180),
}
"""The classes and colours, red, green and blue, that QuPath shows in a project without any."""


def with_classes(content: bytes, names: list[str], where: str) -> bytes | None:
    """The content of `classes.json` with classes that it lacks; None if it lacks none.

    A class that is listed keeps its colour. QuPath fills an empty list with its own classes when it
    opens the project; a list of ours alone would take their place, so an empty list is left to it,
    or becomes QuPath's own and ours behind.

    Args:
        content: What the file holds, nothing if there is none.
        names: Classes that the project shall have.
        where: What errors call the file.

    Raises:
        InvalidInput: it is not what QuPath writes.
    """
    try:
        document = json.loads(content) if content.strip() else {}
        listed = list(document.get("pathClasses") or [])
        known = {str(entry["name"]) for entry in listed if "name" in entry}
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidInput(
            where, "the list of classes is damaged; open the project in QuPath and save it"
        ) from error
    missing = [name for name in names if name not in known]
    if not known:
        missing = [name for name in missing if name not in STANDARD]
        if missing:
            listed = [_entry(name, color) for name, color in STANDARD.items()]
    if not missing:
        return None
    listed += [_entry(name, COLORS.get(name)) for name in missing]
    text = json.dumps({**document, "pathClasses": listed}, ensure_ascii=False, indent=2)
    return text.encode()


def _entry(name: str, color: Any) -> dict[str, Any]:
    if color is None:
        return {"name": name}
    red, green, blue = color
    packed = 0xFF << 24 | red << 16 | green << 8 | blue
    # Java's integers have a sign.
    return {"name": name, "color": packed - 2**32}
