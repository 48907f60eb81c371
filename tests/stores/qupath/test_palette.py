from __future__ import annotations

import json

import pytest

from deepscribble.errors import InvalidInput
from deepscribble.stores.qupath.palette import with_classes


def listed(*classes: dict[str, object]) -> bytes:
    return json.dumps({"pathClasses": list(classes), "more": 1}).encode()


def test_a_class_that_is_missing_comes_last_with_our_colour() -> None:
    text = with_classes(listed({"name": "Gland", "color": -1}), ["Tumor"], "classes.json")
    assert text is not None
    document = json.loads(text)
    assert document["more"] == 1
    assert document["pathClasses"] == [
        {"name": "Gland", "color": -1},
        {"name": "Tumor", "color": -3670016},
    ]


@pytest.mark.parametrize("names", [["Tumor"], []])
def test_a_list_that_lacks_nothing_is_left(names: list[str]) -> None:
    assert with_classes(listed({"name": "Tumor"}), names, "classes.json") is None


@pytest.mark.parametrize("text", [b"", b" ", b"{}", b'{"pathClasses": []}'])
def test_an_empty_list_is_left_to_qupath(text: bytes) -> None:
    assert with_classes(text, ["Tumor", "Stroma"], "classes.json") is None


def test_an_empty_list_gets_qupaths_own_before_ours() -> None:
    text = with_classes(b"", ["Tumor", "Carcinoma"], "classes.json")
    assert text is not None
    names = [entry["name"] for entry in json.loads(text)["pathClasses"]]
    assert names[0] == "Tumor"
    assert len(names) == len(set(names)) == 10
    assert names[-1] == "Carcinoma"


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"pathClasses": [3]}', b"\xff", b'{"pathClasses": 3}']
)
def test_a_damaged_list_is_not_overwritten(text: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"classes\.json: the list of classes is damaged"):
        with_classes(text, ["Tumor"], "classes.json")


@pytest.mark.qupath
def test_the_standard_list_is_qupaths_own(qupath: str) -> None:
    from deepscribble.stores.qupath.palette import STANDARD
    from deepscribble.stores.qupath.runtime import java_class

    standard = java_class("qupath.lib.objects.classes.PathClass$StandardPathClasses")
    fields = ("TUMOR", "STROMA", "IMMUNE_CELLS", "NECROSIS", "OTHER", "REGION", "IGNORE")
    classes = [getattr(standard, name) for name in (*fields, "POSITIVE", "NEGATIVE")]
    assert [str(one.toString()) for one in classes] == list(STANDARD)
