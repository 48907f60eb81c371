"""A lease on an image, kept with the image, so that jobs anywhere do not work on it at once.

It is a note on the image: who works there, a beat that changes with each renewal, and when it ends.
The clocks of two machines may differ, so nobody is thrown out by the clock alone: a lease is over
when its beat stood still for its whole term while *we* looked on, when it ended so long ago that
no clock is that wrong, or when its process ran here and does no more. Whoever finds a second lease
beside the own one, just taken, withdraws; so of two who come at once both may, but never both stay.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from deepscribble.errors import DeepScribbleError, OutputRefused, StoreConflict
from deepscribble.jobs.beat import beating

NAMESPACE = "deepscribble.v1/lease"
"""The namespace of the note."""

HOLDER, BEAT, TERM, END = "holder", "beat", "seconds", "until"
PROCESS = "process"

SECONDS = 120.0
"""How long a lease lasts that is not renewed."""

RENEWALS = 4
"""How often a lease is renewed in its term."""

MOST_SKEW = timedelta(minutes=10)
"""No two clocks that anybody looks after differ by more."""

MOST_DIGITS = 10
"""No number of a process has as many."""

LOG = logging.getLogger(__name__)


class Note(Protocol):
    """A note on an image."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def values(self) -> Mapping[str, str]:
        """What it says, by name."""


class Board(Protocol):
    """The notes of one namespace on an image. All raise StoreUnavailable, writers OutputRefused."""

    def read(self) -> Sequence[Any]:
        """All of them, each a `Note`."""

    def add(self, values: Mapping[str, str]) -> int:
        """A new one; returns its number."""

    def change(self, note: Any, values: Mapping[str, str]) -> None:
        """Other values for a note."""

    def remove(self, note: Any) -> None:
        """Take a note away."""


def new_holder() -> str:
    """A name for this job that no other has, and that tells a person where it runs."""
    return f"{socket.gethostname()} {os.getpid()} {uuid.uuid4()}"


def process_name(pid: int) -> str:
    """A process of this machine, named as no other on any machine; empty where that cannot be.

    A number means a process within one start of one machine, and there within one container.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return f"{boot} {space} {pid}"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Leases:
    """The leases of a job, and what it has seen of those of others; for several threads.

    Args:
        holder: The job, as `new_holder` names it.
        seconds: The term.
        clock: Seconds that never go back.
        now: The time of day.
    """

    holder: str
    seconds: float = SECONDS
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _now
    _seen: dict[int, tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, board: Board) -> Lease | None:
        """A lease on the image of a board; None if another job works there.

        Raises:
            OutputRefused: no note can be written there.
            StoreUnavailable: the store does not answer.
        """
        notes = board.read()
        others = self._others(notes)
        if any(self._is_live(note) for note in others):
            return None
        for stale in others:
            _remove(board, stale)
        mine = [note for note in notes if self.is_mine(note)]
        if mine:
            # Left by a save whose answer was lost.
            board.change(mine[0], self.values())
        else:
            board.add(self.values())
        notes = board.read()
        if any(self._is_live(note) for note in self._others(notes)):
            for note in notes:
                if self.is_mine(note):
                    _remove(board, note)
            return None
        return Lease(self, board)

    def is_mine(self, note: Note) -> bool:
        """Whether this job wrote a note."""
        return note.values.get(HOLDER) == self.holder

    def values(self) -> dict[str, str]:
        """What a lease says that is taken or renewed now."""
        end = self.now() + timedelta(seconds=self.seconds)
        return {
            HOLDER: self.holder,
            BEAT: uuid.uuid4().hex,
            TERM: f"{self.seconds:g}",
            END: end.isoformat(timespec="seconds"),
            PROCESS: process_name(os.getpid()),
        }

    def _others(self, notes: Sequence[Note]) -> list[Note]:
        return [note for note in notes if not self.is_mine(note)]

    def _is_live(self, note: Note) -> bool:
        """Whether another job may still be at work; what it says it may have got wrong."""
        values = note.values
        if _is_dead(values.get(PROCESS, "")):
            return False
        beat = values.get(BEAT, "")
        with self._lock:
            seen, since = self._seen.get(note.id, ("", 0.0))
            if note.id not in self._seen or seen != beat:
                seen, since = self._seen[note.id] = (beat, self.clock())
        if self.clock() - since > _seconds(values.get(TERM, "")):
            return False
        try:
            end = datetime.fromisoformat(values[END])
            return self.now() < end + MOST_SKEW
        except (KeyError, ValueError, TypeError):
            # Not as we write it; time will tell.
            return True


class Lease:
    """A lease that was taken.

    Args:
        leases: Those of the job.
        board: The notes on the image.
    """

    def __init__(self, leases: Leases, board: Board) -> None:
        self._leases = leases
        self._board = board
        self._lock = threading.Lock()

    def renew(self) -> None:
        """Begin the term anew.

        Raises:
            StoreConflict: another job has taken the image over.
            OutputRefused: the note cannot be written.
            StoreUnavailable: the store does not answer.
        """
        with self._lock:
            mine = [note for note in self._board.read() if self._leases.is_mine(note)]
            if not mine:
                raise StoreConflict(
                    "another job took the image over while this one did not answer for it, or the "
                    "image was deleted, so nothing was written; run again if it is still there"
                )
            self._board.change(mine[0], self._leases.values())

    def release(self) -> None:
        """Let others at the image. If that fails the lease ends by itself."""
        try:
            for note in self._board.read():
                if self._leases.is_mine(note):
                    self._board.remove(note)
        except DeepScribbleError as error:
            LOG.warning("a lease was not given back and will end by itself: %s", error)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew it while the block runs, then release it."""

        def renew() -> None:
            try:
                self.renew()
            except DeepScribbleError as error:
                # Before anything is written it is asked again.
                LOG.warning("a lease was not renewed: %s", error)

        try:
            with beating(renew, self._leases.seconds / RENEWALS, "deepscribble-lease"):
                yield
        finally:
            self.release()


def _remove(board: Board, note: Note) -> None:
    try:
        board.remove(note)
    except OutputRefused as error:
        # Another user's, or gone meanwhile: it counts for nothing either way.
        LOG.debug("a lease of another job was left: %s", error)


def _is_dead(process: str) -> bool:
    """Whether a process ran here and does no more; one of elsewhere may be at work."""
    number = process.rpartition(" ")[2]
    is_number = number.isdecimal() and len(number) < MOST_DIGITS
    if not is_number or process != process_name(int(number)):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        # Another user's.
        return False
    return False


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return SECONDS
    return seconds if 0 < seconds <= SECONDS * 10 else SECONDS
