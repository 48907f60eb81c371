"""Bounded places, one call after another, and nothing done for who has left."""

from __future__ import annotations

import asyncio
import threading

import pytest

from deepscribble.errors import Overloaded
from deepscribble.server.worker import Places, Worker


def test_a_place_too_many_is_refused_and_one_given_back_is_free() -> None:
    places = Places(2)
    with places.taken():
        with places.taken(), pytest.raises(Overloaded, match="pending_requests"), places.taken():
            pass
        with pytest.raises(KeyError), places.taken():
            raise KeyError
        with places.taken():
            pass


async def test_calls_run_in_order_and_their_errors_come_out() -> None:
    worker = Worker("test")
    seen: list[int] = []

    def fail() -> None:
        raise ValueError("from the thread")

    with pytest.raises(ValueError, match="from the thread"):
        await worker.run(fail)
    await asyncio.gather(*(worker.run(lambda n=n: seen.append(n)) for n in range(20)))
    assert seen == list(range(20))
    worker.close()


async def test_a_call_cancelled_while_it_waits_never_runs() -> None:
    worker = Worker("test")
    started, release = threading.Event(), threading.Event()
    ran: list[str] = []

    def slow() -> None:
        started.set()
        release.wait(10)
        ran.append("slow")

    running = asyncio.create_task(worker.run(slow))
    waiting = asyncio.create_task(worker.run(lambda: ran.append("waiting")))
    await asyncio.to_thread(started.wait, 10)
    waiting.cancel()
    running.cancel()
    await asyncio.wait([running, waiting])
    after = asyncio.create_task(worker.run(lambda: ran.append("after")))
    await asyncio.sleep(0.05)
    assert ran == [], "the next call must wait for the thread, not run beside a cancelled one"
    release.set()
    await after
    assert ran == ["slow", "after"]
    worker.close()
