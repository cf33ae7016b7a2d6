"""From where a practice's records are (a file, a folder, a server's address) to a view of them, by the kind that the mapping names.

The engine's module is imported here and only when asked for: a practice on SQLite needs no driver of another product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from transvase.sources.pace import Pace, PacedTables, PacedView
from transvase.sources.view import Tables, View

FILES = ("sqlite", "duckdb", "tabular", "fhir")
# A table or a column is there when the data has it: one more, or one less, is no other version of the product.
OPEN = ("fhir",)
# A column that views of these kinds give beside those they have: the key of the patient whom a row names.
WHOSE = "(patient)"
# Of the last three only whole tables are asked, and queries are DuckDB's.
COPIED = ("sqlserver", "firebird", "odbc")
SERVERS = ("postgresql", "mariadb", *COPIED)
# A folder of documents: no table to query, so no view; `archive.folder` reads it.
ARCHIVES = ("cda",)
KINDS = (*FILES, *SERVERS, *ARCHIVES)


@contextmanager
def opened(
    kind: str,
    where: Path | str,
    password: str,
    scratch: Path,
    pace: Pace | None = None,
    named: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[View]:
    """A view of the records: `where` is a path for a kind of FILES and an address (`postgresql://user@host/base`) for one of SERVERS.
    `scratch` is a private folder for what an engine must copy to read. `pace` holds for every reading of it.
    `named` is what a mapping for a kind of OPEN names, table to column to shape: queries may read it there or not.

    Raises SourceMissing, SourceUnreadable, SourceLocked, SourceUnreachable, SourceRefused, SourceOutsideHours."""
    if pace is not None:
        pace.check()
    if kind in COPIED:
        from transvase.sources.engines.copied import copied

        with (
            _tables(kind, str(where), password) as source,
            copied(source if pace is None else PacedTables(source, pace), scratch) as view,
        ):
            yield view
        return
    with _view(kind, where, password, scratch, named) as view:
        yield view if pace is None else PacedView(view, pace)


def _tables(kind: str, where: str, password: str) -> AbstractContextManager[Tables]:
    if kind == "sqlserver":
        from transvase.sources.engines import sqlserver

        return sqlserver.opened(where, password)
    if kind == "firebird":
        from transvase.sources.engines import firebird

        return firebird.opened(where, password)
    from transvase.sources.engines import odbc

    return odbc.opened(where, password)


def _view(
    kind: str, where: Path | str, password: str, scratch: Path, named: Mapping[str, Mapping[str, str]] | None
) -> AbstractContextManager[View]:
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
    if kind == "fhir":
        from transvase.sources.engines import fhir_ndjson

        return fhir_ndjson.opened(path, scratch, named)
    from transvase.sources.engines import sqlite

    return sqlite.opened(path)
