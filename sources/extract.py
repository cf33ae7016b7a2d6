"""Extraction: each query of the mapping is read once, in batches, into one Parquet file per canonical table, ordered by slot,
patient and key; bodies go to the store; cells that no mapping claims go to `native`. Nothing is judged here.

The folder appears under its final name when complete, with a manifest that accounts for every cell of the source.
"""

from __future__ import annotations

import base64
import hashlib
import math
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from transvase.errors import CellsUnaccounted, MappingInvalid, SchemaDrift
from transvase.formats import files
from transvase.formats.damage import look
from transvase.formats.sniff import sniff
from transvase.model.table import Table
from transvase.model.tables import TABLES
from transvase.sources.bodies import Bodies
from transvase.sources.mapping import Mapping
from transvase.sources.sqlite import key_expression, quoted, schema, snapshot, translated
from transvase.sources.tables import Misfit, TableWriter, as_text, bounded, publish

# Rows of a batch. Between 1,000 and 50,000 the rate does not change; it bounds the memory of the widest table to some MB.
BATCH = 8192
# Bodies average 80 kB and are handled one by one; only this many rows are fetched together.
BODY_BATCH = 16
Progress = Callable[[str, int, int], None]
# Rows of `native` with this ending hold such values; they repeat mapped cells, so the sum of cells leaves them out.
UNREADABLE = "#unreadable"


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one source table: all, mapped, carried as native, excluded with a reason."""

    table: str
    rows: int
    source: int
    mapped: int
    native: int
    excluded: int

    @property
    def accounted(self) -> int:
        """Cells whose fate is known; equal to `source` or the extraction is refused."""
        return self.mapped + self.native + self.excluded


def check_schema(mapping: Mapping, connection: sqlite3.Connection, path: Path) -> dict[str, tuple[str, ...]]:
    """The live schema; SchemaDrift when the mapping was written for another."""
    live = schema(connection)
    if found := mapping.drift(live):
        shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        raise SchemaDrift(path=path.name, product=mapping.product, differences=shown)
    return live


def extract(
    mapping: Mapping, path: Path, work: Path, *, clock: datetime, progress: Progress = lambda step, done, total: None
) -> dict[str, Any]:
    """Extract `path` into `work/canonical` and `work/bodies`; the manifest, also written as `work/canonical/extraction.json`.

    Raises the errors of `sources.sqlite`, SchemaDrift, MappingInvalid, CellsUnaccounted, DiskFull."""
    files.private_folder(work)
    final, building = work / "canonical", work / "canonical.part"
    shutil.rmtree(building, ignore_errors=True)
    files.private_folder(building)
    bodies = Bodies(work / "bodies")
    try:
        with snapshot(path) as connection:
            live = check_schema(mapping, connection, path)
            _load_codes(mapping, connection)
            connection.execute("CREATE TEMP TABLE claimed (t TEXT, k TEXT, p TEXT, PRIMARY KEY (t, k)) WITHOUT ROWID")
            counts: dict[str, int] = {}
            misfits: list[Misfit] = []
            for number, table in enumerate(TABLES.values()):
                progress(table.name, number, len(TABLES))
                native = table.name == "native"
                rows = (
                    _native(mapping, live, connection, misfits)
                    if native
                    else _canonical(mapping, table, connection, bodies)
                )
                with TableWriter(table, building) as writer:
                    for batch in rows:
                        misfits += writer.add(batch)
                counts[table.name] = writer.rows
            cells = _cells(mapping, live, connection, building)
        manifest = {
            "product": mapping.product,
            "clock": clock.isoformat(),
            "mapping": _digest_of(mapping),
            "rows": counts,
            "cells": [{f: getattr(c, f) for f in Cells.__slots__} for c in cells],
            "unserved": dict(mapping.unserved),
            "unreadable": len(misfits),
        }
        for line in cells:
            if line.accounted != line.source:
                raise CellsUnaccounted(table=line.table, source=line.source, accounted=line.accounted)
        files.write(building / "extraction.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        publish(building, final)
    except sqlite3.Error as error:
        raise translated(error, path) from None
    except (OSError, duckdb.IOException) as error:
        if isinstance(error, OSError):
            raise files.output_error(error, work) from None
        raise files.output_error(OSError(28 if "space" in str(error).lower() else 5, ""), work) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def _digest_of(mapping: Mapping) -> str:
    """Digest of the mapping folder's content, so that a manifest says which mapping made it."""
    digest = hashlib.sha256()
    for file in sorted(p for p in mapping.folder.rglob("*") if p.suffix in (".sql", ".csv", ".toml")):
        digest.update(file.relative_to(mapping.folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _load_codes(mapping: Mapping, connection: sqlite3.Connection) -> None:
    """The code mappings as temporary tables `map_<name>`, for the queries to join."""
    for name, lines in mapping.codes.items():
        connection.execute(
            f"CREATE TEMP TABLE {quoted('map_' + name)} (local TEXT PRIMARY KEY, code TEXT, reason TEXT)"
        )
        with suppress(sqlite3.IntegrityError):
            connection.executemany(f"INSERT INTO {quoted('map_' + name)} VALUES (?, ?, ?)", lines)
            continue
        raise MappingInvalid(product=mapping.product, file=f"mappings/{name}.csv", what="a local code stands twice")


def _canonical(
    mapping: Mapping, table: Table, connection: sqlite3.Connection, bodies: Bodies
) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of one canonical table in declared column order, claimed as they pass."""
    query = mapping.queries.get(table.name)
    if query is None:
        return
    try:
        cursor = connection.execute(query)
    except (sqlite3.Error, sqlite3.Warning) as error:
        # Faults of the text itself: syntax, names, two statements, a parameter, a write. Anything else is the database's.
        if getattr(error, "sqlite_errorname", "SQLITE_ERROR") in ("SQLITE_ERROR", "SQLITE_READONLY"):
            raise MappingInvalid(product=mapping.product, file=f"sql/{table.name}.sql", what=str(error)) from None
        raise
    if cursor.description is None:
        raise MappingInvalid(product=mapping.product, file=f"sql/{table.name}.sql", what="it is not a query")
    given = [d[0] for d in cursor.description]
    names = [c.name for c in table.columns]
    has_body = table.name == "document_version" and "body" in given
    unknown = [g for g in given if g not in names and not (has_body and g == "body")]
    absent = [n for n in ("key", "source_table", "source_key") if n not in given]
    if unknown or absent:
        what = f"column {unknown[0]} is not declared" if unknown else f"column {absent[0]} is missing"
        raise MappingInvalid(product=mapping.product, file=f"sql/{table.name}.sql", what=what)
    place = {name: given.index(name) if name in given else -1 for name in names}
    order = [place[n] for n in names]
    t, k = place["source_table"], place["source_key"]
    p = place[table.patient_column] if table.patient_column else -1
    body_at = given.index("body") if has_body else -1
    facts_at = [names.index(n) for n in ("sha256", "size", "detected", "damage", "own_unique_id")] if has_body else []
    held: list[tuple[Any, ...]] = []
    while rows := cursor.fetchmany(BODY_BATCH if has_body else BATCH):
        connection.executemany(
            "INSERT OR IGNORE INTO claimed VALUES (?, ?, ?)", [(r[t], r[k], r[p] if p >= 0 else None) for r in rows]
        )
        out = [tuple(r[i] if i >= 0 else None for i in order) for r in rows]
        if has_body:
            out = [_with_body(o, r[body_at], bodies, facts_at) for o, r in zip(out, rows, strict=True)]
        # Without their bodies rows are small again: a file of sixteen-row groups would cost more to describe than to hold.
        held += out
        if len(held) >= BATCH:
            yield held
            held = []
    if held:
        yield held


def _with_body(row: tuple[Any, ...], body: Any, bodies: Bodies, facts_at: list[int]) -> tuple[Any, ...]:
    """The row with the digest, size, nature, damage and own uniqueId of its body; an absent body (NULL) leaves them empty."""
    if body is None:
        return row
    data = body if isinstance(body, bytes) else as_text(body).encode()
    detected = sniff(data)
    values = list(row)
    for place, fact in zip(facts_at, (bodies.add(data), len(data), detected, *look(data, detected)), strict=True):
        values[place] = fact
    return tuple(values)


def _native(
    mapping: Mapping, live: dict[str, tuple[str, ...]], connection: sqlite3.Connection, misfits: list[Misfit]
) -> Iterator[list[tuple[Any, ...]]]:
    """One row per source row that holds a native column, or that no query claimed; then the values no declared type could hold."""
    for t, k, patient, column, value in misfits:
        yield [(f"{t}:{k}:{column}{UNREADABLE}", patient, 0, orjson.dumps({column: _plain(value)}).decode(), t, k)]
    for table, columns in live.items():
        uses = [mapping.columns[table, c].disposition for c in columns]
        kept = [c for c, use in zip(columns, uses, strict=True) if use != "excluded"]
        native = {c for c, use in zip(columns, uses, strict=True) if use == "native"}
        if not kept:
            continue
        key = key_expression(connection, table)
        cursor = connection.execute(
            f"SELECT {key}, c.k IS NOT NULL, c.p, {', '.join('s.' + quoted(c) for c in kept)} FROM {quoted(table)} s "
            f"LEFT JOIN temp.claimed c ON c.t = ? AND c.k = {key}" + ("" if native else " WHERE c.k IS NULL"),
            (table,),
        )
        while rows := cursor.fetchmany(BATCH):
            out = []
            for row_key, claimed, patient, *values in rows:
                content = {c: _plain(v) for c, v in zip(kept, values, strict=True) if not claimed or c in native}
                text = orjson.dumps(content).decode()
                out.append((f"{table}:{row_key}", patient, len(content), text, table, row_key))
            yield out


def _plain(value: Any) -> Any:
    """A stored value for JSON; bytes become base64 under a marker key, so that a reader can tell them from text."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    # JSON has no infinity.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cells(
    mapping: Mapping, live: dict[str, tuple[str, ...]], connection: sqlite3.Connection, folder: Path
) -> list[Cells]:
    """Three independent counts: the source by its own COUNT, mapped rows and native cells by reading back what was written."""

    def count(base: duckdb.DuckDBPyConnection) -> tuple[dict[str, int], dict[str, int]]:
        parts = " UNION ALL ".join(
            f"SELECT source_table, source_key FROM read_parquet('{_sql(folder / f'{name}.parquet')}')"
            for name in TABLES
            if name != "native"
        )
        claimed = dict(
            base.sql(f"SELECT source_table, count(DISTINCT source_key) FROM ({parts}) GROUP BY ALL").fetchall()
        )
        native = dict(
            base.sql(
                "SELECT source_table, sum(len(json_keys(content)))::BIGINT "
                f"FROM read_parquet('{_sql(folder / 'native.parquet')}') WHERE NOT ends_with(key, '{UNREADABLE}') GROUP BY ALL"
            ).fetchall()
        )
        return claimed, native

    claimed, native = bounded(folder, count)
    out = []
    for table, columns in live.items():
        (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()
        uses = [mapping.columns[table, c].disposition for c in columns]
        out.append(
            Cells(
                table,
                rows,
                rows * len(columns),
                claimed.get(table, 0) * uses.count("mapped"),
                native.get(table, 0),
                rows * uses.count("excluded"),
            )
        )
    return out


def _sql(path: Path) -> str:
    return str(path).replace("'", "''")
