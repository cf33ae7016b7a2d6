"""The mailboxes of the local MSSanté operator: messages as files, one folder per mailbox and IMAP folder. Who may write or read them
belongs to `mail` and `imap`.
"""

from __future__ import annotations

import os
from pathlib import Path

INBOX, SENT = "INBOX", "Sent"


class Mailboxes:
    """Messages under `folder/<address>/<INBOX or Sent>/<uid>.eml`; a new object on the same folder goes on. Addresses have been checked
    by the caller: they are file names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.seen: set[tuple[str, str, int]] = set()
        """(address, folder, uid) of messages marked as read; not kept over a restart."""

    def put(self, address: str, folder: str, data: bytes) -> int:
        """Keep a message, on the disk when this returns; its uid."""
        place = self._folder / address.lower() / folder
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        uid = max(self.uids(address, folder), default=0) + 1
        temporary = place / f".{uid}.part"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place / f"{uid:08d}.eml")
        return uid

    def uids(self, address: str, folder: str) -> list[int]:
        """Uids of a folder, in order; empty when there is none."""
        return sorted(int(p.stem) for p in (self._folder / address.lower() / folder).glob("*.eml"))

    def get(self, address: str, folder: str, uid: int) -> bytes:
        """A message. Raises `OSError` when it is not there."""
        return (self._folder / address.lower() / folder / f"{uid:08d}.eml").read_bytes()

    def all(self, folder: str = INBOX) -> list[tuple[str, bytes]]:
        """(address, message) of every mailbox, for whoever looks from outside."""
        found = sorted(self._folder.glob(f"*/{folder}/*.eml"))
        return [(p.parent.parent.name, p.read_bytes()) for p in found]
