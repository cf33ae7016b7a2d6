"""Files written so that nothing half-made stands under its final name: temporary name, sync, rename; created private."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from transvase.errors import DiskFull, OutputUnwritable, TransvaseError

# Disk, quota (absent on some systems) and file-size limit: all three ask the operator for room.
FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def private_folder(folder: Path) -> Path:
    """Create a folder that only its owner reads (where the system knows owners)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from None
    return folder


def output_error(error: OSError, path: Path) -> TransvaseError:
    """Our error for a write that failed."""
    if error.errno in FULL:
        return DiskFull(path=path.name)
    return OutputUnwritable(path=path.name, reason=os.strerror(error.errno) if error.errno else type(error).__name__)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A private binary file that takes its final name once complete and synced; on failure nothing of it remains."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise output_error(error, path) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write(path: Path, data: bytes) -> None:
    """Write a whole file in one go, under `replacing`."""
    with replacing(path) as file:
        file.write(data)
