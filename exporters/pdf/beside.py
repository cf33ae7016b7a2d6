"""The process in which the PDF of the practice are read: pdfium and qpdf meet hostile bytes there, under limits of memory and processor
time, and may die without the export. What is done in it belongs to `ladder`; most files of the plain form do without it.

The limit of time is one of processor time, so that what is refused does not depend on how busy the machine is; a clock far beyond it
watches over a process that sleeps. A body that killed the process or met a limit is carried as it came, and is remembered.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import selectors
import struct
import subprocess
import sys
import threading
from collections import OrderedDict
from contextlib import suppress
from datetime import datetime
from typing import IO

import orjson

from transvase.exporters.pdf.ladder import CARRIED, UNTOUCHED, Standing, at_once

# Five hundred pages are drawn in a quarter of it.
PROCESSOR_SECONDS = 120
MEMORY_BYTES = 2 << 30
_CLOCK_TIMES = 5
_BODY_AT_MOST = 400_000_000
_REMEMBERED = 20_000
# A scan passes through a pipe in one go where the system allows it (Linux), instead of sixteen.
_PIPE = 1 << 20
_HEAD = struct.Struct(">II")
_MAIN = "import sys; sys.path[:] = sys.argv[1:-2]; from transvase.exporters.pdf.beside import serve; serve()"
_LIMITED = Standing(CARRIED, b"", ("beyond-limits",))


class Beside:
    """One process, started at the first body and again after each death. Safe to call from several threads, one body at a time."""

    def __init__(self, seconds: int = PROCESSOR_SECONDS, memory: int = MEMORY_BYTES) -> None:
        self._seconds, self._memory = seconds, memory
        self._process: subprocess.Popen[bytes] | None = None
        self._heard: selectors.BaseSelector | None = None
        self._lock = threading.Lock()
        # What is known of a body without its bytes being read again: it leaves as it came.
        self._known: OrderedDict[tuple[bytes, int], Standing] = OrderedDict()

    def climb(self, body: bytes, *, title: str, created: datetime, identifier: str, dpi: int) -> Standing:
        """`ladder.climb`, with a body beyond the limits carried."""
        if len(body) > _BODY_AT_MOST:
            return _LIMITED
        # Most files that need nothing, or little, are done with here, without a library that could die of them.
        once = at_once(body, title=title, created=created, identifier=identifier)
        if once is not None:
            return once
        key = (hashlib.sha256(body).digest(), dpi)
        with self._lock:
            if key in self._known:
                return self._known[key]
            asked = {"title": title, "created": created.isoformat(), "identifier": identifier, "dpi": dpi}
            answer = self._asked(asked, body)
            if answer.rung in (CARRIED, UNTOUCHED):
                self._known[key] = answer
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
            return answer

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if self._heard is not None:
            self._heard.close()
        if process is not None:
            process.kill()
            process.wait()
            for end in filter(None, (process.stdin, process.stdout)):
                with suppress(OSError):
                    # What a dead process did not read is flushed to nobody.
                    end.close()

    def _asked(self, asked: dict[str, object], body: bytes) -> Standing:
        # A process dies of an earlier body's leftovers too, so a body is given a fresh one before it is held guilty.
        for fresh in (False, True):
            if fresh:
                self.close()
            used = self._process is not None
            process = self._process = self._process or self._started()
            try:
                _send(process.stdin, asked, body)
                facts, pdf = self._received(process)
                return Standing(str(facts["rung"]), pdf, tuple(facts["reasons"]))
            except (OSError, EOFError, TimeoutError):
                self.close()
                if not used:
                    break
        return _LIMITED

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, *sys.path, f"{self._seconds}", f"{self._memory}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert process.stdin and process.stdout
        for pipe in (process.stdin, process.stdout):
            _widened(pipe)
        self._heard = selectors.DefaultSelector()
        self._heard.register(process.stdout, selectors.EVENT_READ)
        return process

    def _received(self, process: subprocess.Popen[bytes]) -> tuple[dict[str, list[str]], bytes]:
        assert process.stdout and self._heard
        if not self._heard.select(self._seconds * _CLOCK_TIMES):
            raise TimeoutError
        return _receive(process.stdout)


def _widened(pipe: IO[bytes]) -> None:
    # Other systems have no such call, and this one may be out of the pages that it grants a user.
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


def _send(to: IO[bytes] | None, facts: dict[str, object], body: bytes) -> None:
    assert to is not None
    head = orjson.dumps(facts)
    to.write(_HEAD.pack(len(head), len(body)) + head)
    to.write(body)
    to.flush()


def _receive(source: IO[bytes]) -> tuple[dict[str, list[str]], bytes]:
    sizes = source.read(_HEAD.size)
    if len(sizes) < _HEAD.size:
        raise EOFError
    facts, body = _HEAD.unpack(sizes)
    head, data = source.read(facts), source.read(body)
    if len(data) < body:
        raise EOFError
    return orjson.loads(head), data


def serve() -> None:
    """Answer until the other end closes; runs in the process beside. The last two arguments are its limits."""
    from transvase.exporters.pdf import ladder

    seconds, memory = map(int, sys.argv[-2:])
    source = os.fdopen(os.dup(0), "rb")
    to = os.fdopen(os.dup(1), "wb")
    # What a library prints must not be taken for an answer.
    os.dup2(2, 1)
    limits = _Limits(seconds, memory)
    while True:
        try:
            asked, body = _receive(source)
        except EOFError:
            return
        limits.renew()
        facts: dict[str, object] = dict(asked)
        dpi = int(str(facts.pop("dpi")))
        created = datetime.fromisoformat(str(facts.pop("created")))
        one = ladder.with_libraries(
            body, title=str(facts["title"]), created=created, identifier=str(facts["identifier"]), dpi=dpi
        )
        _send(to, {"rung": one.rung, "reasons": one.reasons}, one.pdf)


class _Limits:
    """Memory once, processor time for each body. Systems without them have the clock alone."""

    def __init__(self, seconds: int, memory: int) -> None:
        self._seconds = seconds
        try:
            import resource
        except ImportError:
            self._resource = None
            return
        self._resource = resource
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def renew(self) -> None:
        if self._resource is not None:
            used = self._resource.getrusage(self._resource.RUSAGE_SELF)
            soft = int(used.ru_utime + used.ru_stime) + 1 + self._seconds
            self._resource.setrlimit(self._resource.RLIMIT_CPU, (soft, self._resource.RLIM_INFINITY))


_shared = Beside()
atexit.register(_shared.close)


def climb(body: bytes, *, title: str, created: datetime, identifier: str, dpi: int) -> Standing:
    """`Beside.climb` in the one process beside this one."""
    return _shared.climb(body, title=title, created=created, identifier=identifier, dpi=dpi)


def close() -> None:
    """End the one process; the next body starts another."""
    _shared.close()
