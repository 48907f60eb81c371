"""How long to wait before the next try of what failed: longer each time, and never in step."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from `least` to `most` seconds, half of each at random.

    So jobs that lost their server at the same moment do not all come back at the same moment.
    """

    least: float
    most: float

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, of which there is one at least."""
        # Beyond that many doublings the number is no longer one.
        whole = min(self.least * 2.0 ** min(failures - 1, 60), self.most)
        return whole * random.uniform(0.5, 1.0)
