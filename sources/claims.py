"""Which rows of the source the mapping's queries have claimed, kept in a file of their own for the length of an extraction: the rows
that nobody claimed are carried whole as `native`, whatever engine holds them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path


class Claims:
    """Claimed rows by source table and source key, with the patient of the canonical row; and the keys of the patients. A context: the
    file goes at its end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._base = sqlite3.connect(file, isolation_level=None)
        # Scratch that dies with the extraction: nothing is synced, nothing is rolled back.
        self._base.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
            "CREATE TABLE claimed (t TEXT, k TEXT, p TEXT, PRIMARY KEY (t, k)) WITHOUT ROWID;"
            "CREATE TABLE patient (p TEXT PRIMARY KEY) WITHOUT ROWID; BEGIN"
        )

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()
        self._file.unlink(missing_ok=True)

    def add(self, rows: Sequence[tuple[str, str, str | None]]) -> None:
        """Claim (table, key, patient); the first claim of a row keeps its patient."""
        self._base.executemany("INSERT OR IGNORE INTO claimed VALUES (?, ?, ?)", rows)

    def any(self, table: str) -> bool:
        """Whether some row of a source table was claimed."""
        return self._base.execute("SELECT 1 FROM claimed WHERE t = ? LIMIT 1", (table,)).fetchone() is not None

    def of(self, table: str, keys: Sequence[str]) -> dict[str, str | None]:
        """The claimed ones among keys of a table (32,000 at most), with their patients."""
        marks = ",".join("?" * len(keys))
        return dict(self._base.execute(f"SELECT k, p FROM claimed WHERE t = ? AND k IN ({marks})", (table, *keys)))

    def know(self, patients: Sequence[str]) -> None:
        """Keys of patients that the canonical table holds."""
        self._base.executemany("INSERT OR IGNORE INTO patient VALUES (?)", [(p,) for p in patients])

    def known(self, patients: Sequence[str]) -> frozenset[str]:
        """Those among some keys (32,000 at most) that are a patient's."""
        marks = ",".join("?" * len(patients))
        return frozenset(p for (p,) in self._base.execute(f"SELECT p FROM patient WHERE p IN ({marks})", patients))
