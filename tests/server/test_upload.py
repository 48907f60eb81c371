"""Uploads are checked message by message, before they cost memory."""

from __future__ import annotations

import io
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from deepscribble.errors import DeepScribbleError, InvalidInput, LimitExceeded
from deepscribble.server.upload import CHUNK_BYTES, Upload, read_pixels
from deepscribble.v1 import deepscribble_pb2 as pb

RGB = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def encoded(size: int, chunk: bytes = b"") -> pb.UploadRegionRequest:
    return pb.UploadRegionRequest(encoded=pb.EncodedForm(size=size), chunk=chunk)


def raw(width: int, height: int, chunk: bytes = b"") -> pb.UploadRegionRequest:
    return pb.UploadRegionRequest(raw=pb.RawForm(width=width, height=height), chunk=chunk)


def chunk(data: bytes) -> pb.UploadRegionRequest:
    return pb.UploadRegionRequest(chunk=data)


def test_raw_and_encoded_pixels_arrive_as_they_were(standin: ModuleType) -> None:
    data = RGB.tobytes()
    upload = Upload(standin.settings())
    for message in (raw(7, 5), chunk(data[:50]), chunk(data[50:])):
        upload.add(message)
    np.testing.assert_array_equal(upload.image().rgb, RGB)

    data = png(RGB)
    upload = Upload(standin.settings())
    for message in (encoded(len(data), data[:9]), chunk(data[9:])):
        upload.add(message)
    np.testing.assert_array_equal(upload.image().rgb, RGB)


@pytest.mark.parametrize(
    ("messages", "error", "says"),
    [
        ([], InvalidInput, "form: .*empty"),
        ([chunk(b"x")], InvalidInput, "form: .*first message"),
        ([encoded(0)], InvalidInput, r"encoded\.size"),
        ([encoded(-5)], InvalidInput, r"encoded\.size"),
        ([encoded(16_000_001)], LimitExceeded, "upload_bytes"),
        ([raw(0, 5)], InvalidInput, r"raw\.width"),
        ([raw(7, -1)], InvalidInput, r"raw\.height"),
        ([raw(2001, 2000)], LimitExceeded, "image_pixels"),
        ([raw(7, 5), raw(7, 5)], InvalidInput, "form: .*again"),
        ([raw(7, 5), chunk(b"")], InvalidInput, "chunk: .*empty"),
        ([raw(7, 5), chunk(b"x" * 104)], InvalidInput, "chunk: .*104 of 105"),
        ([raw(7, 5), chunk(b"x" * 106)], InvalidInput, "chunk: more bytes"),
        ([raw(1500, 1500), chunk(b"x" * (CHUNK_BYTES + 1))], LimitExceeded, "chunk: "),
        ([encoded(9, b"not image")], InvalidInput, "encoded: "),
        ([encoded(50, png(RGB)[:50])], InvalidInput, "encoded: "),
    ],
)
def test_a_bad_upload_is_refused_with_the_field_named(
    messages: list[pb.UploadRegionRequest],
    error: type[DeepScribbleError],
    says: str,
    standin: ModuleType,
) -> None:
    upload = Upload(standin.settings())

    def send() -> None:
        for message in messages:
            upload.add(message)
        upload.image()

    with pytest.raises(error, match=says):
        send()


def test_an_image_that_unpacks_to_too_many_pixels_is_refused(standin: ModuleType) -> None:
    data = png(RGB)
    upload = Upload(standin.settings(image_pixels=34))
    upload.add(encoded(len(data), data))
    with pytest.raises(LimitExceeded):
        upload.image()


def test_pixels_of_a_request_come_in_three_forms(standin: ModuleType) -> None:
    limits = standin.settings()
    assert read_pixels(pb.Pixels(region_id="ab"), limits) == "ab"
    image = pb.RawImage(width=7, height=5, rgb=RGB.tobytes())
    for pixels in (pb.Pixels(raw=image), pb.Pixels(encoded=png(RGB))):
        decoded = read_pixels(pixels, limits)
        assert not isinstance(decoded, str)
        np.testing.assert_array_equal(decoded.rgb, RGB)


@pytest.mark.parametrize(
    ("pixels", "error", "says"),
    [
        (pb.Pixels(), InvalidInput, "pixels: "),
        (pb.Pixels(encoded=b""), InvalidInput, r"pixels\.encoded: "),
        (pb.Pixels(raw=pb.RawImage(width=7, height=5)), InvalidInput, r"pixels\.raw\.rgb: 0 bytes"),
        (pb.Pixels(raw=pb.RawImage(height=5)), InvalidInput, r"pixels\.raw\.width"),
        (pb.Pixels(raw=pb.RawImage(width=9999, height=9999)), LimitExceeded, "image_pixels"),
    ],
)
def test_bad_pixels_of_a_request_are_named(
    pixels: pb.Pixels, error: type[DeepScribbleError], says: str, standin: ModuleType
) -> None:
    with pytest.raises(error, match=says):
        read_pixels(pixels, standin.settings())
