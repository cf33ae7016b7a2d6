"""The product's SQLite file while it is being built: rows by column name, keys given out, written in large transactions.

What a row means belongs to `record`; here a row is cells. The file is made for speed (no journal, no sync) under a
temporary name and appears under its own only when complete.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

Cells = dict[str, Any]

SCHEMA = Path(__file__).with_name("schema.sql")
# Version of the product whose schema that is, then what gives the older ones.
LATEST, OLDER = "8", {"7": Path(__file__).with_name("vintage.7.sql")}
# Large pages make short overflow chains: bodies are written at almost the speed of a plain file.
PAGE = 32768
# Rows held per table before they are written; bodies flush earlier, by bytes, so that memory stays at some MB.
ROWS_HELD = 500
BYTES_HELD = 8 << 20
# First key of each table, all different, so that a key used against the wrong table is found nowhere.
FIRST_KEY = 100_001
KEY_STEP = 50_000_000


class Database:
    """Rows go in by `add` or `put`; `finish` flushes, closes, and gives the number of rows by table."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        execute = self._connection.execute
        for pragma in (
            f"page_size = {PAGE}",
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            "cache_size = -65536",
        ):
            execute(f"PRAGMA {pragma}").fetchall()
        self._connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        self.columns: dict[str, tuple[str, ...]] = {}
        self.key_column: dict[str, str] = {}
        for (table,) in execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid").fetchall():
            described = execute(f"PRAGMA table_info({table})").fetchall()
            self.columns[table] = tuple(d[1] for d in described)
            self.key_column[table] = next(d[1] for d in described if d[5])
        self._next = {t: FIRST_KEY + i * KEY_STEP for i, t in enumerate(self.columns)}
        self._shapes: dict[tuple[str, ...], Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {}
        self._insert = {
            t: f"INSERT INTO {t} ({', '.join(c)}) VALUES ({', '.join('?' * len(c))})" for t, c in self.columns.items()
        }
        self._held: dict[str, list[tuple[Any, ...]]] = {t: [] for t in self.columns}
        self._bytes = 0
        self.rows: Counter[str] = Counter(dict.fromkeys(self.columns, 0))
        self.body_bytes = 0
        execute("BEGIN")

    def key(self, table: str) -> int:
        """The next key of a table."""
        given = self._next[table]
        self._next[table] = given + 1
        return given

    def add(self, table: str, **cells: Any) -> Any:
        """Write a row that belongs to no patient; its key, given out unless the cells hold it."""
        name = self.key_column[table]
        if name not in cells:
            cells[name] = self.key(table)
        self.put(table, cells)
        return cells[name]

    def put(self, table: str, cells: Cells) -> None:
        """Write a complete row. A cell without a column is a mistake of the generator: KeyError names it."""
        shape = (table, *cells)
        order = self._shapes.get(shape) or self._learn(table, shape)
        held = self._held[table]
        held.append(order((*cells.values(), None)))
        if table == "T_DOC_CONTENU":
            size = len(cells["CNT_BLOB"] or b"")
            self.body_bytes += size
            self._bytes += size
        if len(held) >= ROWS_HELD or self._bytes >= BYTES_HELD:
            self._flush(table)

    def _learn(self, table: str, shape: tuple[str, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        """How rows with those cells become rows of the table: most come in a few shapes, checked once each."""
        given = {name: place for place, name in enumerate(shape[1:])}
        if unknown := given.keys() - set(self.columns[table]):
            raise KeyError(f"{table}: {sorted(unknown)}")
        self._shapes[shape] = itemgetter(*(given.get(column, len(given)) for column in self.columns[table]))
        return self._shapes[shape]

    def _flush(self, table: str) -> None:
        held = self._held[table]
        self._connection.executemany(self._insert[table], held)
        self.rows[table] += len(held)
        held.clear()
        if table == "T_DOC_CONTENU":
            self._bytes = 0

    def finish(self, vintage: str = LATEST) -> dict[str, int]:
        """Write what is held, make the file one of that version of the product, close it; rows by table."""
        for table in self.columns:
            self._flush(table)
        self._connection.execute("COMMIT")
        if vintage in OLDER:
            self._connection.executescript(OLDER[vintage].read_text(encoding="utf-8"))
            execute = self._connection.execute
            held = [name for (name,) in execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
            self.rows = Counter({t: execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in held})
        self._connection.close()
        return dict(sorted(self.rows.items(), key=itemgetter(0)))

    def close(self) -> None:
        """Close without finishing, after a failure."""
        self._connection.close()
