"""Errors cross the wire as themselves."""

from __future__ import annotations

import pytest
from google.rpc import error_details_pb2, status_pb2

from deepscribble import errors
from deepscribble.geometry.failure import read_failure, write_failure


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput("strokes[3].width", "0 is not a width"), 3),
        (errors.MissingScale("region.mpp", "give it"), 9),
        (errors.LimitExceeded("over image_pixels"), 8),
        (errors.Overloaded("try again"), 8),
        (errors.RegionForgotten("send again"), 5),
        (errors.UnknownModel("no such model"), 5),
        (errors.ModelRefused("digest differs"), 9),
    ],
)
def test_an_error_comes_back_with_its_sentence(error: Exception, code: int) -> None:
    status = write_failure(error)
    assert status is not None
    assert status.code == code
    back = read_failure(status_pb2.Status.FromString(status.SerializeToString()))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert getattr(back, "field", None) == getattr(error, "field", None)


def test_a_sentence_of_any_length_fits_into_the_trailers() -> None:
    status = write_failure(errors.InvalidInput("a" * 100_000, "ü" * 100_000))
    assert status is not None
    assert len(status.SerializeToString()) < 4096
    back = read_failure(status)
    assert isinstance(back, errors.InvalidInput)
    assert back.reason.startswith("üüü")


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), errors.OutputRefused("x"), errors.DeepScribbleError("x")]
)
def test_what_no_server_answers_on_purpose_has_no_status(error: Exception) -> None:
    assert write_failure(error) is None


def test_the_status_of_another_service_is_not_ours() -> None:
    status = status_pb2.Status(code=8, message="quota")
    assert read_failure(status) is None
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="OVERLOADED", domain="else.org"))
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="", domain="deepscribble"))
    assert read_failure(status) is None
