"""Edits of GeoJSON text that leave every other feature as it was written, to the byte."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

EMPTY = '{"type": "FeatureCollection", "features": []}\n'
"""A file without features."""

SPACE = re.compile(r"[ \t\n\r]*")
DECODE = json.JSONDecoder().raw_decode

Span = tuple[int, int]


def edit_features(text: str, changed: Mapping[int, str | None], added: Sequence[str]) -> str:
    """Replace, drop and append features.

    Args:
        text: GeoJSON in which `parse_features` found features, without a byte order mark: a
            FeatureCollection, a list of features, or one feature, which becomes a collection.
        changed: The new text of a feature by its index; None drops it.
        added: Texts of features to append.

    Returns:
        GeoJSON in which whatever was not changed stands as it stood, in its order.
    """
    before, spans, after = _cut(text)
    old = (text[start:end] for start, end in spans)
    new = [changed.get(index, feature) for index, feature in enumerate(old)]
    return before + ",\n".join([*(one for one in new if one is not None), *added]) + after


def _cut(text: str) -> tuple[str, list[Span], str]:
    """The text before the first feature, where the features stand, the text after the last."""
    start = _skip(text, 0)
    if text[start] == "[":
        spans, end = _elements(text, start)
        return text[: start + 1], spans, text[end:]
    members, end = _members(text, start)
    if members.get("type", (None, 0))[0] == "Feature":
        before, _, after = EMPTY.partition("]")
        return before, [(start, end + 1)], f"]{after}"
    _, at = members["features"]
    spans, end = _elements(text, at)
    return text[: at + 1], spans, text[end:]


def _members(text: str, start: int) -> tuple[dict[str, tuple[Any, int]], int]:
    """Value and place of each member of an object, and where its brace closes.

    Of a key that stands twice the last counts, as for all who read JSON.
    """
    members = {}
    at = _skip(text, start + 1)
    while text[at] != "}":
        key, at = DECODE(text, at)
        place = _skip(text, _skip(text, at) + len(":"))
        value, at = DECODE(text, place)
        members[key] = (value, place)
        at = _next(text, at)
    return members, at


def _elements(text: str, start: int) -> tuple[list[Span], int]:
    """Where each element of an array stands, and where its bracket closes."""
    spans = []
    at = _skip(text, start + 1)
    while text[at] != "]":
        _, end = DECODE(text, at)
        spans.append((at, end))
        at = _next(text, end)
    return spans, at


def _next(text: str, at: int) -> int:
    """From the end of a value to the next one, or to what closes."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    match = SPACE.match(text, at)
    return match.end() if match else at
