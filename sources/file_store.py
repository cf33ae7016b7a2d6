"""Bodies that a product keeps as files beside its database: from the path that a row names to the file in the folder that the operator
gives. Reading only; nothing outside that folder is ever opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

_SCHEME = re.compile(r"file:(?://[^/]*)?", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")


class FileStore:
    """The files under `root`, or none. Counts what rows named, what was read, and what was not there."""

    def __init__(self, root: Path | None, seen: Callable[[Path], None] = lambda path: None) -> None:
        """`seen` is told of each file that a row names, there or not."""
        self._root = root.resolve() if root is not None else None
        self._seen = seen
        self.named = self.read = 0

    @property
    def absent(self) -> int:
        """Files that rows named and that were not read: without a folder, all of them."""
        return self.named - self.read

    def body(self, name: str) -> bytes | None:
        """The bytes of the file that a row names; None when it is not there, is no plain file, or cannot be read.

        A relative path is one under the root. An absolute one (also of Windows, or `file://`) is that of the product's own machine:
        what follows the root's own name in it is looked for under the root, so that a file of another folder is never taken for it."""
        self.named += 1
        path = self._place(name)
        if path is None:
            return None
        self._seen(path)
        try:
            data = path.read_bytes() if path.is_file() else None
        except OSError:
            return None
        self.read += data is not None
        return data

    def _place(self, name: str) -> Path | None:
        if self._root is None or "\0" in name:
            return None
        text = _SCHEME.sub("", name.strip(), count=1).replace("\\", "/")
        absolute = text.startswith("/") or _DRIVE.match(text) is not None
        parts = [p for p in _DRIVE.sub("", text, count=1).split("/") if p not in ("", ".")]
        if absolute:
            names = [p.casefold() for p in parts]
            if self._root.name.casefold() not in names:
                return None
            parts = parts[len(names) - names[::-1].index(self._root.name.casefold()) :]
        if not parts or ".." in parts:
            return None
        path = self._root.joinpath(*parts)
        try:
            # A link may lead out of the folder.
            return path if path.resolve().is_relative_to(self._root) else None
        except OSError:
            return None
