"""Servers on loopback, and both clients behind one face."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from deepscribble.client import AsyncClient, Client


class Awaited:
    """An AsyncClient or its handle, each call awaited, so that both clients run the same tests."""

    def __init__(self, awaitable: Any, runner: asyncio.Runner) -> None:
        self._awaitable = awaitable
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._awaitable, name)
        if not callable(member):
            return member

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await member(*args, **kwargs)

        def wait(*args: Any, **kwargs: Any) -> Any:
            answer = self._runner.run(call(*args, **kwargs))
            return Awaited(answer, self._runner) if name == "open" else answer

        return wait


@pytest.fixture(params=[Client, AsyncClient])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes clients of either kind, called alike, closed at the end."""
    with ExitStack() as stack:
        if request.param is Client:
            yield lambda *args, **kwargs: stack.enter_context(Client(*args, **kwargs))
            return
        runner = stack.enter_context(asyncio.Runner())

        def make(*args: Any, **kwargs: Any) -> Awaited:
            async def begin() -> AsyncClient:
                return await AsyncClient(*args, **kwargs).__aenter__()

            client = Awaited(runner.run(begin()), runner)
            stack.callback(client.close)
            return client

        yield make
