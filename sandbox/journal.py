"""An append-only file of JSON lines, on the disk before an answer leaves.

What a line means belongs to `registry`. Writes are made at once, in order; `settled` waits for the disk, and one wait
serves every line written before it began.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """The journal of one registry; `path` None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._handle: int | None = None
        self._written = 0
        self._synced = 0
        self._syncing: asyncio.Task[None] | None = None

    def replay(self) -> Iterator[dict[str, Any]]:
        """Open the file (private) and give its complete lines. A last line without its end is cut off: the process died
        while writing it, so its answer never left. Raises `ValueError` for any other damage."""
        if self._path is None:
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._handle = os.open(self._path, flags, 0o600)
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self._handle if os.truncate in os.supports_fd else self._path, whole)
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                record: dict[str, Any] = json.loads(line)
            except ValueError:
                raise ValueError(
                    f"Line {number} of {self._path} is damaged; restore the file or start without it."
                ) from None
            yield record

    def append(self, record: dict[str, Any]) -> None:
        """Write one line. After an error (`OSError`) the file is as before."""
        if self._handle is None:
            return
        line = json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        before = os.fstat(self._handle).st_size
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError:
            os.ftruncate(self._handle, before)
            raise
        self._written += 1

    async def settled(self) -> None:
        """Return once every line written so far is on the disk."""
        mark = self._written
        while self._synced < mark:
            if self._syncing is None:
                self._syncing = asyncio.ensure_future(self._sync())
            await asyncio.shield(self._syncing)

    async def _sync(self) -> None:
        mark = self._written
        try:
            if self._handle is not None:
                await asyncio.get_running_loop().run_in_executor(None, os.fsync, self._handle)
                self._synced = mark
        finally:
            self._syncing = None

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
