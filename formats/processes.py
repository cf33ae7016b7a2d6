"""Processes beside a command: how they take the keyboard's interruption, and how their memory is looked after."""

from __future__ import annotations

import ctypes
import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes started inside ignore the keyboard's interruption from their first instruction on: a terminal sends it to the whole
    group, and each would print a traceback. Outside the main thread, where signals cannot be set, it does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def calm_collector() -> None:
    """Make the garbage collector rare in a process that writes documents: each makes thousands of tuples and no cycle, so that it would
    look through the libraries' objects for nothing, a tenth of the time. Left on for what a library may do."""
    # Not frozen: what is frozen is never let go, and DuckDB's binding says so on the terminal when the process ends.
    gc.set_threshold(200_000, 20, 20)


# malloc.h of the GNU library, and what is asked: this much free memory is kept, and blocks below this size come from it.
_TRIM_THRESHOLD, _KEPT = -1, 64 << 20
_MMAP_THRESHOLD, _LARGE = -3, 4 << 20


def keep_memory() -> None:
    """Make the allocator keep what documents leave for the documents that follow, in a process that writes them: given back to the
    system after each patient and asked again, page by page, it costs a tenth of the time. Larger blocks go back as before. Without the
    GNU library it does nothing."""
    # No such function elsewhere, and no library of the process itself on Windows.
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _LARGE)
