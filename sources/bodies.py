"""The store of document bodies: one file per content, named by its SHA-256, written once. Reading checks the digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from transvase.formats.files import private_folder


class Bodies:
    """A content-addressed folder, two levels: `ab/abcdef…`."""

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        self.folder = folder
        self._known: set[str] = set()

    def path(self, digest: str) -> Path:
        """Where the body of that SHA-256 (hexadecimal, lower case) stands."""
        return self.folder / digest[:2] / digest

    def add(self, body: bytes) -> str:
        """Keep a body; its SHA-256. The same content is written once."""
        digest = hashlib.sha256(body).hexdigest()
        path = self.path(digest)
        if path.exists() and path.stat().st_size == len(body):
            return digest
        if digest[:2] not in self._known:
            private_folder(path.parent)
            self._known.add(digest[:2])
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        # Renamed without a sync of its own: the extraction is not finished until its manifest is synced, and every
        # reader compares the digest, so a body lost with the power is found and extracted again.
        temporary.replace(path)
        return digest
