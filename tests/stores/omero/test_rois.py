from dataclasses import replace

import pytest

pytest.importorskip("omero.gateway", reason="omero-py is not installed")

from omero.rtypes import rlong

from deepscribble.stores.omero.records import RESULT, Record, namespace_of, pairs_of
from deepscribble.stores.omero.rois import holds, signed_rgba, to_link
from deepscribble.stores.omero.shapes import read_shape


def stored(link):
    """What a server would give back."""
    roi, note = link.getParent(), link.getChild()
    for number, shape in enumerate(roi.copyShapes()):
        shape.setId(rlong(number))
    drawings = tuple(read_shape(shape) for shape in roi.copyShapes())
    return Record(1, 1, 1, drawings, pairs_of(note), 1)


def test_a_result_is_rings_with_one_text_under_a_note(square):
    result = square(10, hole=True)
    link = to_link(result, 7, (None, None), "w")
    roi = link.getParent()
    assert (roi.getImage().getId().getValue(), roi.getImage().isLoaded()) == (7, False)
    assert namespace_of(link.getChild()) == RESULT
    texts = {shape.getTextValue().getValue() for shape in roi.copyShapes()}
    name = "DeepScribble 9375.00 10.00 10.00 110.00 110.00 with holes"
    assert texts == {f"Annotation:Tumor:{result.id}:NoParent:{name}"}
    for shape in roi.copyShapes():
        assert shape.getTransform() is None
        assert (shape.getTheZ(), shape.getTheT()) == (None, None)
        assert shape.getStrokeWidth().getUnit().name == "PIXEL"
        assert shape.getFillColor().getValue() & 0xFF == 0


def test_the_plane_is_written_where_the_image_has_several(square):
    (shape,) = to_link(square(10), 7, (3, None), "w").getParent().copyShapes()
    assert (shape.getTheZ().getValue(), shape.getTheT()) == (3, None)


def test_what_reads_back_otherwise_is_noticed(square):
    result = square(10.1234567, hole=True)
    record = stored(to_link(result, 7, (None, None), "w"))
    assert holds(record, result, "w")
    assert not holds(record, result, "another")
    assert not holds(replace(record, drawings=record.drawings[:1]), result, "w")
    assert not holds(replace(record, drawings=record.drawings[::-1]), result, "w")
    assert not holds(replace(record, note={**record.note, "deepscribble.strokes": ""}), result, "w")
    assert not holds(replace(record, note=None), result, "w")
    moved = replace(
        record.drawings[0], points=tuple([x + 0.01, y] for x, y in record.drawings[0].points)
    )
    assert not holds(replace(record, drawings=(moved, record.drawings[1])), result, "w")


@pytest.mark.parametrize(
    ("rgb", "number"), [([255, 255, 0], -65281), ([200, 0, 0], -939523841), ([0, 0, 1], 511)]
)
def test_colours_are_signed_as_omero_keeps_them(rgb, number):
    assert signed_rgba(rgb) == number
