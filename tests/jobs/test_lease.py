"""Leases: two jobs never hold one image, whatever their clocks say, and a dead job's ends."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from deepscribble.errors import OutputRefused, StoreConflict, StoreUnavailable
from deepscribble.jobs.lease import BEAT, END, MOST_SKEW, PROCESS, Leases, process_name

TERM = 100.0
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Note:
    def __init__(self, id, owner, values):
        self.id, self.owner, self.values = id, owner, values


class Board:
    """Notes in memory, as a user sees them who may change only the own."""

    def __init__(self, notes=None, user="ada"):
        self.notes = {} if notes is None else notes
        self.user = user
        self.before_read = lambda: None

    def read(self):
        self.before_read()
        return [Note(id, owner, dict(values)) for id, (owner, values) in self.notes.items()]

    def add(self, values):
        id = max(self.notes, default=0) + 1
        self.notes[id] = (self.user, values)
        return id

    def change(self, note, values):
        if note.id not in self.notes or self.notes[note.id][0] != self.user:
            raise OutputRefused("no")
        self.notes[note.id] = (self.user, values)

    def remove(self, note):
        if note.id not in self.notes or self.notes[note.id][0] != self.user:
            raise OutputRefused("no")
        del self.notes[note.id]


class Time:
    def __init__(self, now=NOON):
        self.seconds, self.now = 0.0, now

    def leases(self, holder):
        return Leases(
            holder, TERM, lambda: self.seconds, lambda: self.now + timedelta(seconds=self.seconds)
        )


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def time():
    return Time()


def test_only_one_job_gets_a_lease_until_it_is_released(board, time):
    lease = time.leases("a").take(board)
    other = time.leases("b")
    assert other.take(board) is None
    lease.release()
    assert not board.notes
    assert other.take(board) is not None
    assert len(board.notes) == 1


def test_of_two_that_come_at_once_never_both_stay(time):
    """Every order in which the steps of two jobs can fall."""
    for turn in range(4):
        board = Board()
        got = []

        def interrupt(board=board, turn=turn, got=got, reads=[0]):  # noqa: B006 - a counter
            reads[0] += 1
            if reads[0] == turn:
                board.before_read = lambda: None
                got.append(time.leases("b").take(board))

        board.before_read = interrupt
        got.append(time.leases("a").take(board))
        assert sum(lease is not None for lease in got) <= 1
        assert len(board.notes) == sum(lease is not None for lease in got)


def test_a_lease_whose_beat_stands_still_for_its_term_is_taken_over(board, time):
    time.leases("dead").take(board)
    other = time.leases("b")
    assert other.take(board) is None
    time.seconds = TERM - 1
    assert other.take(board) is None
    time.seconds = TERM + 1
    assert other.take(board) is not None
    assert [values["holder"] for _, values in board.notes.values()] == ["b"]


def test_a_renewed_lease_is_never_taken_over(board, time):
    lease = time.leases("a").take(board)
    other = time.leases("b")
    for _ in range(10):
        assert other.take(board) is None
        time.seconds += TERM * 0.9
        lease.renew()
    assert other.take(board) is None


@pytest.mark.parametrize("wrong", [timedelta(minutes=-9), timedelta(minutes=9)])
def test_clocks_that_differ_throw_nobody_out(board, time, wrong):
    Time(NOON + wrong).leases("a").take(board)
    assert time.leases("b").take(board) is None


def test_a_lease_that_ended_long_ago_is_over_at_first_sight(board, time):
    time.leases("dead").take(board)
    later = Time(NOON + MOST_SKEW + timedelta(seconds=TERM + 1))
    assert later.leases("b").take(board) is not None


def test_who_was_thrown_out_hears_of_it_before_writing(board, time):
    lease = time.leases("slow").take(board)
    other = time.leases("b")
    assert other.take(board) is None
    time.seconds = TERM + 1
    assert other.take(board) is not None
    with pytest.raises(StoreConflict, match="took the image over"):
        lease.renew()
    lease.release()
    assert [values["holder"] for _, values in board.notes.values()] == ["b"]


def test_a_dead_lease_of_another_user_is_left_and_counts_for_nothing(board, time):
    time.leases("dead").take(Board(board.notes, user="bob"))
    other = time.leases("b")
    assert other.take(board) is None
    time.seconds = TERM + 1
    lease = other.take(board)
    assert len(board.notes) == 2
    lease.release()
    assert [owner for owner, _ in board.notes.values()] == ["bob"]


def test_a_note_that_a_lost_answer_left_is_used_again(board, time):
    leases = time.leases("a")
    board.add(leases.values())
    assert leases.take(board) is not None
    assert len(board.notes) == 1


@pytest.mark.parametrize("values", [{}, {END: "soon", BEAT: "x", "seconds": "-1"}])
def test_a_note_that_says_nothing_of_use_ends_by_watching(board, time, values):
    board.add(values)
    leases = time.leases("a")
    assert leases.take(board) is None
    time.seconds = 10_000
    assert leases.take(board) is not None


def test_it_is_renewed_while_the_block_runs_and_released_after_it(board):
    leases = Leases("a", 0.04)
    lease = leases.take(board)
    first = next(iter(board.notes.values()))[1][BEAT]
    with lease.kept():
        while next(iter(board.notes.values()))[1][BEAT] == first:
            pass
    assert not board.notes


def test_a_store_that_is_away_does_not_end_the_work(board, time, caplog):
    lease = time.leases("a").take(board)

    def away():
        raise StoreUnavailable("away")

    with lease.kept():
        board.before_read = away
    assert "will end by itself" in caplog.text
    assert len(board.notes) == 1


@pytest.fixture
def gone():
    """The name of a process of this machine that ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process_name(process.pid) or pytest.skip("this machine does not name its processes")


def test_the_lease_of_a_process_of_this_machine_that_ended_is_over_at_once(board, time, gone):
    board.add(time.leases("dead").values() | {PROCESS: gone})
    assert time.leases("b").take(board) is not None
    assert [values["holder"] for _, values in board.notes.values()] == ["b"]


@pytest.mark.parametrize(
    "name",
    ["elsewhere {}", "{} x", "{}" + 9999 * "9"],
    ids=["another machine", "no number", "large"],
)
def test_what_is_no_process_of_this_machine_may_be_at_work(board, time, gone, name):
    board.add(time.leases("a").values() | {PROCESS: name.format(gone)})
    assert time.leases("b").take(board) is None


def test_a_process_that_runs_is_at_work(board, time):
    board.add(time.leases("a").values() | {PROCESS: process_name(os.getppid())})
    assert time.leases("b").take(board) is None
