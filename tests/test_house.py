"""The house: who may import whom, and what a bare install may not need."""

import ast
import importlib.metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("proto", "service", "connectors", "training")

FLOORS = (
    ("errors", "settings", "v1"),
    ("geometry",),
    ("raster", "contour"),
    ("models", "client", "slides"),
    ("engine", "stores"),
    ("server", "jobs", "learning", "benchmark"),
    ("cli",),
)
"""From the ground up; a room imports from lower floors, and a few named neighbours."""

NEIGHBOURS = {("contour", "raster"), ("benchmark", "learning")}

FORBIDDEN = {("stores", "engine"), ("jobs", "engine"), ("stores", "models"), ("client", "models")}
"""Connectors and the client speak to the engine over the wire only."""


def floor(room):
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def modules():
    for source in SOURCES:
        for path in sorted((ROOT / source / "deepscribble").rglob("*.py")):
            yield path, path.relative_to(ROOT / source / "deepscribble")


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "deepscribble":
                names = [f"deepscribble.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "deepscribble" and len(parts) > 1:
                yield parts[1]


def room_of(relative):
    return relative.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", [pytest.param(p, id=str(r)) for p, r in modules()])
def test_imports_go_downwards_only(path):
    for source in SOURCES:
        base = ROOT / source / "deepscribble"
        if path.is_relative_to(base):
            room = room_of(path.relative_to(base))
    for other in imported_rooms(path):
        if other == room or (room, other) in NEIGHBOURS:
            continue
        assert (room, other) not in FORBIDDEN, f"{path}: {room} may not import {other}"
        assert floor(other) < floor(room), f"{path}: {room} may not import {other}"


def test_the_namespace_has_no_init():
    assert not list(ROOT.glob("*/deepscribble/__init__.py"))


def test_the_bare_install_needs_no_torch():
    needs = importlib.metadata.requires("deepscribble") or []
    bare = [need.split(";")[0] for need in needs if "extra ==" not in need]
    assert not [need for need in bare if need.startswith(("torch", "segmentation", "lightning"))]


def test_modules_fit_on_a_few_screens():
    long = {
        str(relative): lines
        for path, relative in modules()
        if "_pb2" not in path.name and (lines := len(path.read_text().splitlines())) > 420
    }
    assert not long
