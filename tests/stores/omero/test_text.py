import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepscribble.errors import InvalidInput
from deepscribble.stores.omero.text import ShapeText, parse_text, write_text

ID = "5b4b6a1e-7d0c-4c0b-9d0e-1f6d7c2f4a10"

names = st.text(st.characters(exclude_characters=":&", exclude_categories=("C", "Z")), min_size=1)


@given(parts=st.lists(names, min_size=1, max_size=3), name=names, id=st.uuids())
def test_what_is_written_reads_back(parts, name, id):
    class_name = ": ".join(parts)
    if class_name == "NoClass" or name == "NoName":
        with pytest.raises(InvalidInput):
            write_text(class_name, str(id), name)
        return
    assert parse_text(write_text(class_name, str(id), name)) == ShapeText(class_name, str(id), name)


@given(st.text())
def test_any_text_reads_as_something(text):
    said = parse_text(text)
    assert said.id == "" or str(uuid.UUID(said.id)) == said.id.lower()


def test_no_class_and_no_name_are_written_as_qupath_does():
    text = write_text("", ID, "")
    assert text == f"Annotation:NoClass:{ID}:NoParent:NoName"
    assert parse_text(text) == ShapeText("", ID)


def test_a_derived_class_is_written_as_qupath_does():
    assert write_text("Tumor: Positive", ID, "x") == f"Annotation:Tumor&Positive:{ID}:NoParent:x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Tumor", ShapeText("Tumor")),
        (" Tumor ", ShapeText("Tumor")),
        ("Tumor: Positive", ShapeText("Tumor: Positive")),
        ("Annotation", ShapeText("Annotation")),
        ("Annotation:Tumor", ShapeText("Tumor")),
        # QuPath's own `toString` of a derived class leaves a space behind its separator.
        (f"Annotation:Tumor& Positive:{ID}:NoParent", ShapeText("Tumor: Positive", ID)),
        (f"Detection:NoClass:{ID}:{ID}:NoName", ShapeText("", ID, "", "detection")),
        ("Annotation:Tumor:not-a-uuid:NoParent:a", ShapeText("Tumor", "", "a")),
        (
            "Annotation:Tumor:5b4b6a1e7d0c4c0b9d0e1f6d7c2f4a10:NoParent:a",
            ShapeText("Tumor", "", "a"),
        ),
        (f"Annotation:Tumor:{ID}:NoParent:a:b", ShapeText("Tumor", ID, "a")),
        ("Annotation::::", ShapeText("")),
        ("", ShapeText("")),
    ],
)
def test_texts_of_people_and_of_qupath_are_read(text, said):
    assert parse_text(text) == said


@pytest.mark.parametrize("name", ["a&b", "a:b", "a: ", " a", "NoClass", ": a"])
def test_a_class_that_the_grammar_has_no_place_for_is_refused(name):
    with pytest.raises(InvalidInput, match="class"):
        write_text(name, ID, "x")
