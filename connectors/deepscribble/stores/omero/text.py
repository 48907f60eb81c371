"""The text of an OMERO shape: what QuPath's extension writes there, and what people do.

QuPath writes `Annotation:Tumor&Positive:UUID:PARENT UUID|NoParent:NAME|NoName`; people write the
name of a class. (`Shape` in qupath-extension-omero, and `qupath.lib.objects.classes.PathClass`.)
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from deepscribble.errors import InvalidInput

ANNOTATION = "Annotation"
TYPES = {ANNOTATION: "annotation", "Detection": "detection"}
"""Kinds of object that QuPath writes, by the name that it has for them, and GeoJSON's name."""

NO_CLASS = "NoClass"
NO_PARENT = "NoParent"
NO_NAME = "NoName"

FIELDS = ":"
CLASSES = "&"
NAMES = ": "
"""Between the parts of a derived class, as QuPath shows it: "Tumor: Positive"."""


@dataclass(frozen=True, slots=True)
class ShapeText:
    """What a shape's text says.

    Args:
        class_name: The full class, a derived one as "Tumor: Positive"; empty if unclassified.
        id: The object's UUID; empty if the text has none.
        name: The object's name, or empty.
        object_type: "annotation" or "detection".
    """

    class_name: str
    id: str = ""
    name: str = ""
    object_type: str = "annotation"


def parse_text(text: str) -> ShapeText:
    """Read a shape's text; one that is not QuPath's is the name of a class.

    Fields may be missing at the end, as older extensions leave them out. What stands where a UUID
    belongs and is none is not an id.
    """
    kind, *fields = text.strip().split(FIELDS)
    if kind not in TYPES or not fields:
        return ShapeText(text.strip())
    fields += [""] * (4 - len(fields))
    names = [name.strip() for name in fields[0].split(CLASSES)]
    class_name = NAMES.join(name for name in names if name)
    return ShapeText(
        "" if class_name == NO_CLASS else class_name,
        _uuid(fields[1]),
        "" if fields[3] == NO_NAME else fields[3],
        TYPES[kind],
    )


def write_text(class_name: str, id: str, name: str) -> str:
    """The text of an annotation without a parent, as QuPath's extension reads it.

    Args:
        class_name: The full class, or empty.
        id: A UUID.
        name: The annotation's name, or empty.

    Raises:
        InvalidInput: a name that the grammar has no place for.
    """
    parts = class_name.split(NAMES) if class_name else [NO_CLASS]
    for part in parts:
        if FIELDS in part or CLASSES in part or part != part.strip() or not part:
            raise InvalidInput(
                "class",
                f"{class_name!r} cannot be written as a class into OMERO, where {FIELDS!r} and "
                f"{CLASSES!r} separate names; choose another class",
            )
    if class_name == NO_CLASS or FIELDS in name or name == NO_NAME:
        raise InvalidInput("class", f"{class_name or name!r} says in OMERO that there is none")
    return FIELDS.join((ANNOTATION, CLASSES.join(parts), id, NO_PARENT, name or NO_NAME))


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text)) if len(text) == len(str(uuid.NAMESPACE_DNS)) else ""
    except ValueError:
        return ""
