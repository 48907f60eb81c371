"""Edits of GeoJSON text: what is not touched stays as it was written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepscribble.stores.collection import EMPTY, edit_features
from deepscribble.stores.features import entries_of, parse_json

ONE = '{"type":"Feature", "x": 1.10, "big": 12345678901234567890.5e+03, "ä": "\\u00e4\\ud83d"}'
TWO = '{ "x":[ ],\r\n\t"type": "Feature" , "features": [1, {"a": "]}"}]}'
NEW = '{"type": "Feature", "new": true}'


@pytest.mark.parametrize(
    "text",
    [
        f'{{"type": "FeatureCollection", "features": [{ONE},\n{TWO}], "crs": {{"a": [1]}}}}\n',
        f'  {{"features":[ {ONE} , {TWO} ] , "type":"FeatureCollection"}}',
        f'{{"features": [3], "name": "x", "features": [{ONE},{TWO}]}}',
        f"\n[{ONE},{TWO}]\n\n",
    ],
)
def test_what_is_not_changed_keeps_its_text_and_place(text: str) -> None:
    for changed, added, texts in (
        ({}, [], [ONE, TWO]),
        ({0: None}, [], [TWO]),
        ({0: NEW}, [], [NEW, TWO]),
        ({1: None}, [NEW, NEW], [ONE, NEW, NEW]),
        ({0: None, 1: None}, [], []),
    ):
        after = edit_features(text, changed, added)
        assert entries(after) == [json.loads(one) for one in texts]
        places = [after.index(one) for one in texts if one is not NEW]
        assert places == sorted(places)
        head, tail = text.split(ONE)[0], text.split(TWO)[-1]
        assert after.startswith(head.rstrip())
        assert after.endswith(tail.lstrip())


def test_one_feature_becomes_a_collection() -> None:
    after = edit_features(f" {TWO} ", {}, [NEW])
    assert json.loads(after)["type"] == "FeatureCollection"
    assert TWO in after
    assert entries(after) == [json.loads(TWO), json.loads(NEW)]


def test_a_file_without_features_takes_some() -> None:
    assert entries(edit_features(EMPTY, {}, [NEW])) == [json.loads(NEW)]
    assert entries(edit_features("[ ]", {}, [NEW])) == [json.loads(NEW)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.text(), VALUES, max_size=3), max_size=5),
    st.sets(st.integers(0, 4)),
    st.integers(0, 2),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_any_file_any_edit(
    values: list[Any], dropped: set[int], added: int, indent: int | None, ascii: bool
) -> None:
    text = json.dumps({"features": values, "more": [values]}, indent=indent, ensure_ascii=ascii)
    after = edit_features(text, dict.fromkeys(dropped), [NEW] * added)
    left = [value for at, value in enumerate(values) if at not in dropped]
    assert entries(after) == [*left, *[json.loads(NEW)] * added]
    assert json.loads(after)["more"] == [values]


def entries(text: str) -> list[Any]:
    return entries_of(parse_json(text.encode("utf-8", "surrogatepass"), "file"), "file")
