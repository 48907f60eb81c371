"""What goes wrong on demand, and the count of what was called."""

from __future__ import annotations

import fnmatch
import threading
from collections import Counter
from dataclasses import dataclass

KINDS = (
    "refuse",
    "fail",
    "hang",
    "slow",
    "cut-before",
    "cut-after",
    "cut-hold",
    "kill-before",
    "kill-after",
    "expire-before",
)


@dataclass
class Fault:
    """One thing to go wrong.

    Args:
        operation: Pattern over names such as "IUpdate.saveAndReturnArray".
        kind: One of `KINDS`.
        after: How many matching calls pass first.
        times: How many then go wrong.
        seconds: How long "slow" takes.
    """

    operation: str
    kind: str
    after: int = 0
    times: int = 1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no fault {self.kind!r}; there are {', '.join(KINDS)}")


class Faults:
    """The faults to come, and the calls so far."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.planned: list[Fault] = []
        self.counts: Counter[str] = Counter()

    def plan(self, fault: Fault) -> None:
        """Let something go wrong."""
        with self.lock:
            self.planned.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self.lock:
            self.planned.clear()

    def calls(self) -> dict[str, int]:
        """How often each operation was called."""
        with self.lock:
            return dict(self.counts)

    def forget_calls(self) -> None:
        """Count anew."""
        with self.lock:
            self.counts.clear()

    def arriving(self, operation: str) -> Fault | None:
        """Count a call; what goes wrong with it."""
        with self.lock:
            self.counts[operation] += 1
            for fault in self.planned:
                if not fnmatch.fnmatchcase(operation, fault.operation):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self.planned.remove(fault)
                return fault
        return None
