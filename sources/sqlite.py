"""A practice's SQLite database, opened read only in one snapshot; its errors become ours. No type is guessed: the
standard module gives the stored values and the canonical schema decides."""

from __future__ import annotations

import codecs
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from transvase.errors import SourceLocked, SourceMissing, SourceUnreadable


def decode(raw: bytes) -> str:
    """Text as stored: UTF-8, else Windows-1252, which old programs wrote into UTF-8 databases. The five bytes that Windows-1252
    leaves unused keep their number, as browsers read them, so that no byte is lost."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "transvase.unused")


def _unused(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("transvase.unused", _unused)


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection holding one consistent view. SourceMissing, SourceUnreadable, SourceLocked."""
    if not path.is_file():
        raise SourceMissing(path=path.name)
    connection = sqlite3.connect(
        f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, timeout=5, isolation_level=None
    )
    connection.text_factory = decode
    try:
        connection.execute("PRAGMA temp_store = FILE")
        connection.execute("BEGIN")
        # The first read takes the shared lock that keeps the view; a file that is no database fails here.
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except UnicodeDecodeError:
            # SQLite quotes a catalogue it cannot read, in the bytes that stand there.
            raise SourceUnreadable(path=path.name, kind="SQLite", reason="SQLITE_CORRUPT") from None
        yield connection
    except sqlite3.DatabaseError as error:
        raise translated(error, path) from None
    finally:
        connection.close()


def translated(error: sqlite3.Error, path: Path) -> SourceLocked | SourceUnreadable:
    """Our error for SQLite's; its own text may quote values and is not kept."""
    code = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return SourceLocked(path=path.name)
    return SourceUnreadable(path=path.name, kind="SQLite", reason=code)


def schema(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Table to columns, in stored order. The engine's own tables (`sqlite_…`) are not the practice's data."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ).fetchall()
    return {t: tuple(r[1] for r in connection.execute(f"PRAGMA table_info({quoted(t)})")) for (t,) in tables}


def key_expression(connection: sqlite3.Connection, table: str) -> str:
    """SQL text giving the key of a row: the primary key's columns joined by `|`, or the row number."""
    described = connection.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
    ranked = [(r[5], r[1]) for r in described if r[5]]
    if not ranked:
        # A column may bear the name of the row number, and then hides it.
        columns = {r[1].lower() for r in described}
        return f"CAST({next((n for n in ('rowid', '_rowid_', 'oid') if n not in columns), 'rowid')} AS TEXT)"
    return " || '|' || ".join(f"CAST({quoted(name)} AS TEXT)" for _, name in sorted(ranked))


def quoted(name: str) -> str:
    """An identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'
