"""Processes beside a command: how they take the keyboard's interruption, and how their memory is looked after."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
