"""Work in stages: what runs on the host, and the tiles that a network computes in between.

The engine's answers are generators. Each yields the tiles that it needs next and is sent their
probabilities; its return value is the answer. Whoever drives one decides where the parts run: a
server runs the host's part in pools and the tiles on its devices, a script runs all of it in its
own thread (`complete`). Closing a generator gives up the work.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from deepscribble.models import Card, Network
from deepscribble.models.runner import Channels, Probability

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One input of a network.

    Args:
        card: The model's.
        build: Makes the input channels (C, rows, columns) float32; host work, called once.
        key: Names the answer by all that it follows from; None where nobody else asks for it.
    """

    card: Card
    build: Callable[[], Channels]
    key: Hashable = None


Tiles = Sequence[Tile]

Work = Generator[Tiles, list[Probability], Result]


def complete(work: Work[Result], network: Network) -> Result:
    """Bring work to its end in this thread.

    Args:
        work: From the engine.
        network: Runs the tiles.
    """
    try:
        tiles = next(work)
        while True:
            try:
                answers = [network.predict(tile.card, [tile.build()])[0] for tile in tiles]
            except BaseException as error:  # noqa: BLE001 - the work says what it means
                tiles = work.throw(error)
            else:
                tiles = work.send(answers)
    except StopIteration as end:
        result: Result = end.value
        return result
