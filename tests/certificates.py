"""Certificates of the local services, whose keys are made once in a session. What they hold is told by `sandbox.authority`."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from transvase.sandbox import authority
from transvase.sandbox.authority import STRUCTURE, Authority

from .builders import CLOCK


def issued(folder: Path, *, structure: str = STRUCTURE, hostile: bool = False) -> Authority:
    """What `authority.create` writes in a folder at CLOCK, copied: two folders of one structure hold the same keys."""
    shutil.copytree(_made(structure, hostile).name, folder, dirs_exist_ok=True)
    return authority.files(folder)


@functools.cache
def _made(structure: str, hostile: bool) -> tempfile.TemporaryDirectory[str]:
    made = tempfile.TemporaryDirectory(prefix="certificates-")
    authority.create(Path(made.name), CLOCK, structure=structure, hostile=hostile)
    return made
