"""From where a practice's records are (a file, a folder, a server's address) to a view of them, by the kind that the mapping names.

The engine's module is imported here and only when asked for: a practice on SQLite needs no driver of another product.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from transvase.sources.view import View

FILES = ("sqlite", "duckdb", "tabular")
SERVERS = ("postgresql", "mariadb")
KINDS = (*FILES, *SERVERS)


def opened(kind: str, where: Path | str, password: str, scratch: Path) -> AbstractContextManager[View]:
    """A view of the records: `where` is a path for a kind of FILES and an address (`postgresql://user@host/base`) for one of SERVERS.
    `scratch` is a private folder for what an engine must copy to read.

    Raises SourceMissing, SourceUnreadable, SourceLocked, also when the context is entered."""
    if kind == "postgresql":
        from transvase.sources.engines import postgresql

        return postgresql.opened(str(where), password)
    if kind == "mariadb":
        from transvase.sources.engines import mariadb

        return mariadb.opened(str(where), password)
    path = Path(where)
    if kind == "duckdb":
        from transvase.sources.engines import duckdb_file

        return duckdb_file.opened(path, scratch)
    if kind == "tabular":
        from transvase.sources.engines import tabular

        return tabular.opened(path, scratch)
    from transvase.sources.engines import sqlite

    return sqlite.opened(path)
