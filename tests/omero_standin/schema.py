"""What the stand-in knows of OMERO's model: kinds, tables, fields, collections.

All of it is read off `omero.model`, so that a name which the real model lacks is an error here
too. Only what the classes do not say is written down: which field of a child makes it an element
of which collection of its parent.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import omero
import omero.all

PARENTS = {
    ("Image", "pixels"): ("Pixels", "image"),
    ("Image", "rois"): ("Roi", "image"),
    ("Image", "wellSamples"): ("WellSample", "image"),
    ("Image", "datasetLinks"): ("DatasetImageLink", "child"),
    ("Dataset", "imageLinks"): ("DatasetImageLink", "parent"),
    ("Dataset", "projectLinks"): ("ProjectDatasetLink", "child"),
    ("Project", "datasetLinks"): ("ProjectDatasetLink", "parent"),
    ("Screen", "plateLinks"): ("ScreenPlateLink", "parent"),
    ("Plate", "screenLinks"): ("ScreenPlateLink", "child"),
    ("Plate", "wells"): ("Well", "plate"),
    ("Plate", "plateAcquisitions"): ("PlateAcquisition", "plate"),
    ("Well", "wellSamples"): ("WellSample", "well"),
    ("Roi", "shapes"): ("Shape", "roi"),
    ("Pixels", "channels"): ("Channel", "pixels"),
    ("Pixels", "settings"): ("RenderingDef", "pixels"),
    ("Pixels", "thumbnails"): ("Thumbnail", "pixels"),
    ("Pixels", "planeInfo"): ("PlaneInfo", "pixels"),
    ("RenderingDef", "waveRendering"): ("ChannelBinding", "renderingDef"),
    ("ChannelBinding", "spatialDomainEnhancement"): ("CodomainMapContext", "channelBinding"),
    ("Experimenter", "groupExperimenterMap"): ("GroupExperimenterMap", "child"),
    ("ExperimenterGroup", "groupExperimenterMap"): ("GroupExperimenterMap", "parent"),
}
"""Of which child's which field a parent's collection is made."""

SYSTEM = frozenset(
    (
        "Experimenter",
        "ExperimenterGroup",
        "GroupExperimenterMap",
        "Event",
        "Session",
        "PixelsType",
        "DimensionOrder",
        "Format",
        "RenderingModel",
        "Family",
    )
)
"""Tables that everybody reads and only the system writes."""


class UnknownName(Exception):
    """A kind or a property that OMERO's model does not have, or that the stand-in cannot serve."""


@cache
def implementation(kind: str) -> Any:
    """The class of a kind such as "Polygon".

    Raises:
        UnknownName: there is none.
    """
    found = getattr(omero.model, f"{kind}I", None)
    if found is None or not issubclass(found, omero.model.IObject):
        raise UnknownName(f"{kind} is not mapped")
    return found


@cache
def interface(kind: str) -> Any:
    """The class that a kind's objects are instances of; also for abstract ones like "Shape".

    Raises:
        UnknownName: there is none.
    """
    found = getattr(omero.model, kind, None)
    if not isinstance(found, type) or not issubclass(found, omero.model.IObject):
        raise UnknownName(f"{kind} is not mapped")
    return found


def kind_of(thing: Any) -> str:
    """The kind of a model object."""
    return type(thing).__name__.removesuffix("I")


@cache
def table(kind: str) -> str:
    """The kind under which ids are counted: "Shape" for a Polygon."""
    line = interface(kind).__mro__
    return line[line.index(omero.model.IObject) - 1].__name__


@cache
def is_a(kind: str, base: str) -> bool:
    """Whether a kind is another one, or derives from it."""
    return issubclass(interface(kind), interface(base))


@cache
def fields(kind: str) -> tuple[str, ...]:
    """The names of a kind's scalar and to-one properties."""
    every = implementation(kind)._field_info._fields
    return tuple(name for name in every if name != "details" and not is_collection(kind, name))


@cache
def collections(kind: str) -> tuple[str, ...]:
    """The names of a kind's collections."""
    every = implementation(kind)._field_info._fields
    return tuple(name for name in every if is_collection(kind, name))


@cache
def is_collection(kind: str, name: str) -> bool:
    """Whether a property is a collection, in a kind or in one that derives from it."""
    size = f"sizeOf{name[:1].upper()}{name[1:]}"
    return any(hasattr(implementation(concrete), size) for concrete in derived(kind))


@cache
def derived(kind: str) -> tuple[str, ...]:
    """The kinds that objects can have: the kind itself unless it is abstract, and its heirs."""
    every = (name.removesuffix("I") for name in dir(omero.model) if name.endswith("I"))
    known = (name for name in every if isinstance(getattr(omero.model, name, None), type))
    return tuple(
        name
        for name in known
        if issubclass(getattr(omero.model, name), interface(kind)) and _can_be_made(name)
    )


def _can_be_made(kind: str) -> bool:
    return hasattr(getattr(omero.model, f"{kind}I"), "_field_info")


@cache
def names(kind: str) -> frozenset[str]:
    """All properties of a kind, and of those that derive from it."""
    return frozenset(
        name for concrete in derived(kind) for name in fields(concrete) + collections(concrete)
    )


def named(kind: str, name: str) -> str | None:
    """The kind that a to-one property leads to, where that is known."""
    if kind.endswith("AnnotationLink") and name in ("parent", "child"):
        return kind.removesuffix("AnnotationLink") if name == "parent" else "Annotation"
    return {"image": "Image", "roi": "Roi", "pixels": "Pixels"}.get(name)


def wrapper(kind: str, name: str) -> Any:
    """What makes a plain value the RType that a property holds."""
    return getattr(implementation(kind)._field_info, name).wrapper


@cache
def elements(kind: str, name: str) -> tuple[str, str]:
    """The kind of a collection's elements, and their field that names the owner.

    Raises:
        UnknownName: the stand-in does not serve this collection.
    """
    if name == "annotationLinks":
        return f"{table(kind)}AnnotationLink", "parent"
    try:
        return PARENTS[kind, name]
    except KeyError:
        raise UnknownName(f"the stand-in does not serve the collection {kind}.{name}") from None
