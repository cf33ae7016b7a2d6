"""The life of a local service: connections taken until it is told to end, in a thread of its own. What is said on a connection belongs to
the service's module.
"""

from __future__ import annotations

import abc
import asyncio
import concurrent.futures
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Port = TypeVar("Port")
Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
"""Holds one connection until its end."""


@contextlib.asynccontextmanager
async def accepting(converse: Converse, tls: ssl.SSLContext, host: str, port: int, limit: int) -> AsyncIterator[int]:
    """Take connections until the block ends, which ends them too; gives the port (chosen by the system when `port` is 0).

    `limit` is the read-ahead of a connection, in bytes. Raises `OSError` (port taken)."""
    running: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(converse(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(connected, host, port, ssl=tls, limit=limit)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class InThread(abc.ABC, Generic[Port]):
    """A service in a thread, as a context manager. `port` is the one asked for (0: the system chooses), then the one it listens on; a
    service of several protocols has as many. Entering raises what kept the service from listening."""

    def __init__(self, name: str, port: Port) -> None:
        self.port = port
        self._stop: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._started: concurrent.futures.Future[Port] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._main, name=f"sandbox-{name}", daemon=True)

    @abc.abstractmethod
    def _listening(self) -> contextlib.AbstractAsyncContextManager[Port]:
        """Serve on `port` until the block ends; gives the one it listens on."""

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop is not None:
            loop, event = self._stop
            loop.call_soon_threadsafe(event.set)
        self._thread.join()

    def _main(self) -> None:
        async def main() -> None:
            stop = asyncio.Event()
            self._stop = asyncio.get_running_loop(), stop
            async with self._listening() as port:
                self._started.set_result(port)
                await stop.wait()

        try:
            asyncio.run(main())
        except BaseException as problem:
            if self._started.done():
                raise
            self._started.set_exception(problem)
