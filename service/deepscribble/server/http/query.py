"""What a request says in its address."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.requests import Request

from deepscribble.errors import InvalidInput
from deepscribble.v1 import deepscribble_pb2 as pb

__all__ = ["Query"]

_WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)


class Query:
    """The parameters of one request.

    Args:
        request: Whose.
        known: The parameters that its route takes.
        lists: Those of them that may come several times.

    Raises:
        InvalidInput: a parameter is unknown, or comes twice; `field` is its name.
    """

    def __init__(self, request: Request, known: Sequence[str], lists: Sequence[str] = ()) -> None:
        self._parameters = request.query_params
        for name in self._parameters:
            if name not in (*known, *lists):
                takes = ", ".join((*known, *lists)) or "none"
                raise InvalidInput(name, f"no parameter of this address, which takes {takes}")
            if name not in lists and len(self._parameters.getlist(name)) > 1:
                raise InvalidInput(name, "it stands twice in the address; send it once")

    def text(self, name: str, default: str = "") -> str:
        """A parameter as it came."""
        return self._parameters.get(name, default)

    def texts(self, name: str) -> list[str]:
        """A parameter as often as it came, empty ones left out."""
        return [text for text in self._parameters.getlist(name) if text]

    def whole(self, name: str) -> int:
        """A whole number of at most nine digits; 0 if absent.

        Raises:
            InvalidInput: it is none.
        """
        text = self.text(name, "0")
        if not _WHOLE.fullmatch(text):
            raise InvalidInput(name, f"{text!r} is not a whole number of at most nine digits")
        return int(text)

    def number(self, name: str, default: float) -> float:
        """A number, which may still be infinite or none.

        Raises:
            InvalidInput: it is no number.
        """
        text = self.text(name)
        try:
            return float(text) if text else default
        except ValueError as error:
            raise InvalidInput(name, f"{text!r} is not a number") from error

    def region(self) -> pb.Region | None:
        """`region` and `mpp` as a message; None if `region` is absent.

        Raises:
            InvalidInput: `region` is not X,Y,WIDTH,HEIGHT, or `mpp` no number.
        """
        text = self.text("region")
        if not text:
            return None
        sides = text.split(",")
        if len(sides) != 4 or not all(_WHOLE.fullmatch(side) for side in sides):
            raise InvalidInput(
                "region",
                f"{text!r} is not X,Y,WIDTH,HEIGHT: four whole numbers in level-0 pixels, "
                "such as 0,0,2048,2048",
            )
        x, y, width, height = map(int, sides)
        return pb.Region(x=x, y=y, width=width, height=height, mpp=self.number("mpp", 0.0))
