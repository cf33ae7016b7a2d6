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
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from transvase.errors import CellsUnaccounted, MappingInvalid, SchemaDrift
from transvase.formats import files
from transvase.formats.damage import look
from transvase.formats.sniff import sniff
from transvase.model.table import Table
from transvase.model.tables import TABLES
from transvase.sources import increments
from transvase.sources.archive.folder import extract_folder
from transvase.sources.bodies import Bodies
from transvase.sources.claims import Claims
from transvase.sources.connection import ARCHIVES, OPEN, opened
from transvase.sources.file_store import FileStore
from transvase.sources.fitness import check_whole, fitted
from transvase.sources.increments import FileStates, RowDigests
from transvase.sources.mapping import Mapping
from transvase.sources.pace import Pace
from transvase.sources.sorting import Sorter
from transvase.sources.tables import Misfit, TableWriter, as_text, publish, written
from transvase.sources.view import QueryFault, View
from transvase.sources.wrapping import NotWrapped, unwrapped

# Rows of a batch. Between 1,000 and 50,000 the rate does not change; it bounds the memory of the widest table to a few MB.
BATCH = 2048
# Bodies average 80 kB and are handled one by one; only this many rows are fetched together.
BODY_BATCH = 16
# Text of `native` written together; the engines bound what is read together.
BATCH_BYTES = 8 << 20
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


def check_schema(mapping: Mapping, view: View) -> dict[str, tuple[str, ...]]:
    """The live schema, table to columns; SchemaDrift when the mapping was written for another."""
    live = {table: tuple(c.name for c in columns) for table, columns in view.tables().items()}
    if found := mapping.drift(live):
        shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        raise SchemaDrift(path=view.name, product=mapping.product, differences=shown)
    return live


def extract(
    mapping: Mapping,
    where: Path | str,
    work: Path,
    *,
    clock: datetime,
    password: str = "",
    documents: Path | None = None,
    pace: Pace | None = None,
    again: bool = False,
    own: str = "",
    progress: Progress = lambda step, done, total: None,
) -> dict[str, Any]:
    """Extract what stands at `where` (a path, or the address of a server) into `work/canonical` and `work/bodies`; the manifest, also
    written as `work/canonical/extraction.json`. `documents` is the folder of the files that rows name; `pace` how gently the source is
    read; `own` the practice's Struct_IdNat, by which a folder of documents tells those it made.

    A source of which no row and no file has changed since the extraction that stands there is not extracted again (unless `again`): the
    tables stay, the manifest takes the new clock. When some have, the manifest counts them by source table under `changes`, and
    `increments.CHANGES` names them.

    A folder that serves several vintages of the product is read for the one that the database is of.

    Raises SourceMissing, SourceUnreadable, SourceLocked, SourceVersion, SchemaDrift, SourcePartial, SourceOutsideHours, MappingInvalid,
    CellsUnaccounted, DiskFull."""
    if mapping.kind in ARCHIVES:
        if pace is not None:
            pace.check()
        return extract_folder(
            Path(where), work, product=mapping.product, clock=clock, own=own, again=again, progress=progress
        )
    files.private_folder(work)
    final, building = work / "canonical", work / "canonical.part"
    shutil.rmtree(building, ignore_errors=True)
    scratch = files.private_folder(files.private_folder(building) / "scratch")
    if documents is None and mapping.kind in OPEN:
        # What a resource calls by a relative address lies beside it.
        documents = Path(where)
    bodies = Bodies(work / "bodies")
    try:
        with (
            opened(mapping.kind, where, password, scratch, pace, mapping.named) as view,
            Claims(scratch / "claims") as claims,
            RowDigests(building / increments.ROWS) as digests,
            FileStates(building / increments.FILES) as states,
        ):
            store = FileStore(documents, states.add)
            mapping, version = fitted(mapping, view)
            live = check_schema(mapping, view)
            made = increments.made_with(_digest_of(mapping), documents)
            before = None if again else increments.earlier(work, made)
            if before is not None:
                _digest_rows(mapping, live, view, digests, progress)
                if digests.totals == before["source_rows"] and not increments.files_changed(final):
                    return increments.unchanged(before, final, clock)
            check_whole(mapping, view)
            _load_codes(mapping, view)
            counts: dict[str, int] = {}
            misfits: list[Misfit] = []
            for number, table in enumerate(TABLES.values()):
                progress(table.name, number, len(TABLES))
                native = table.name == "native"
                rows = (
                    _native(mapping, live, view, claims, misfits, digests if before is None else None)
                    if native
                    else _canonical(mapping, table, view, claims, bodies, store)
                )
                with TableWriter(table, building) as writer:
                    for batch in rows:
                        misfits += writer.add(batch)
                counts[table.name] = writer.rows
            cells = _cells(mapping, live, view, building)
        manifest = {
            "product": mapping.product,
            "clock": clock.isoformat(),
            "version": version,
            "vintage": mapping.vintage,
            "mapping": made["mapping"],
            "made": made,
            "source_rows": digests.totals,
            "rows": counts,
            "cells": [{f: getattr(c, f) for f in Cells.__slots__} for c in cells],
            "unserved": dict(mapping.unserved),
            "unreadable": len(misfits),
            "files": {"named": store.named, "read": store.read, "absent": store.absent},
        }
        for line in cells:
            if line.accounted != line.source:
                raise CellsUnaccounted(table=line.table, source=line.source, accounted=line.accounted)
        shutil.rmtree(scratch)
        if before is not None:
            found = increments.changes(
                final / increments.ROWS, building / increments.ROWS, building / increments.CHANGES
            )
            manifest["changes"] = {table: change._asdict() for table, change in found.items()}
        files.write(building / "extraction.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        publish(building, final)
    except (OSError, sqlite3.Error) as error:
        # A source's own errors are already ours: what fails here is what we write.
        if isinstance(error, OSError):
            raise files.output_error(error, work) from None
        full = "space" in str(error).lower() or "full" in str(error).lower()
        raise files.output_error(OSError(28 if full else 5, ""), work) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def _kept(mapping: Mapping, table: str, columns: tuple[str, ...]) -> list[str]:
    """Columns of a source table that leave: all but those excluded."""
    return [c for c in columns if mapping.columns[table, c].disposition != "excluded"]


def _digest_rows(
    mapping: Mapping, live: MappingOf[str, tuple[str, ...]], view: View, digests: RowDigests, progress: Progress
) -> None:
    """Read every row once for its digest alone."""
    for number, (table, columns) in enumerate(live.items()):
        progress("empreintes", number, len(live))
        if kept := _kept(mapping, table, columns):
            for rows in view.rows(table, kept, BATCH).batches:
                digests.add(table, rows)


def _digest_of(mapping: Mapping) -> str:
    """Digest of the mapping folder's content, so that a manifest says which mapping made it."""
    digest = hashlib.sha256()
    for file in sorted(p for p in mapping.folder.rglob("*") if p.suffix in (".sql", ".csv", ".toml")):
        digest.update(file.relative_to(mapping.folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _load_codes(mapping: Mapping, view: View) -> None:
    """The code mappings as `map_<name>`, for the queries to join."""
    for name, lines in mapping.codes.items():
        if len({local for local, _, _ in lines}) != len(lines):
            raise MappingInvalid(product=mapping.product, file=f"mappings/{name}.csv", what="a local code stands twice")
    view.codes(mapping.codes)


def _canonical(
    mapping: Mapping, table: Table, view: View, claims: Claims, bodies: Bodies, store: FileStore
) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of one canonical table in declared column order, claimed as they pass."""
    query = mapping.queries.get(table.name)
    if query is None:
        return
    names = [c.name for c in table.columns]
    may_hold_bodies = table.name == "document_version"
    try:
        given, batches = view.query(query, BODY_BATCH if may_hold_bodies else BATCH)
        bodily = [g for g in ("body", "body_path", "body_encoding") if may_hold_bodies and g in given]
        unknown = [g for g in given if g not in names and g not in bodily]
        absent = [n for n in ("key", "source_table", "source_key") if n not in given]
        if unknown or absent:
            what = f"column {unknown[0]} is not declared" if unknown else f"column {absent[0]} is missing"
            raise QueryFault(what)
        place = {name: given.index(name) if name in given else -1 for name in names}
        order = [place[n] for n in names]
        t, k = place["source_table"], place["source_key"]
        p = place[table.patient_column] if table.patient_column else -1
        body_at, path_at, wrapped_at = (
            given.index(g) if g in bodily else -1 for g in ("body", "body_path", "body_encoding")
        )
        facts_at = [names.index(n) for n in ("sha256", "size", "detected", "damage", "own_unique_id")] if bodily else []
        held: list[tuple[Any, ...]] = []
        for rows in batches:
            claims.add([(r[t], as_text(r[k]), r[p] if p >= 0 else None) for r in rows])
            if table.name == "patient":
                claims.know([as_text(r[p]) for r in rows if r[p] is not None])
            out = [tuple(r[i] if i >= 0 else None for i in order) for r in rows]
            if bodily:
                found = ((_body(r, body_at, path_at, store), r[wrapped_at] if wrapped_at >= 0 else None) for r in rows)
                out = [_with_body(o, *body, bodies, facts_at) for o, body in zip(out, found, strict=True)]
            # Without their bodies rows are small again: a file of sixteen-row groups would cost more to describe than to hold.
            held += out
            if len(held) >= BATCH:
                yield held
                held = []
        if held:
            yield held
    except QueryFault as fault:
        raise MappingInvalid(product=mapping.product, file=f"sql/{table.name}.sql", what=str(fault)) from None


def _body(row: tuple[Any, ...], body_at: int, path_at: int, store: FileStore) -> Any:
    """The body in the row, else the file that the row names."""
    body = row[body_at] if body_at >= 0 else None
    if body is None and path_at >= 0 and row[path_at]:
        return store.body(as_text(row[path_at]))
    return body


def _with_body(
    row: tuple[Any, ...], body: Any, wrapping: str | None, bodies: Bodies, facts_at: list[int]
) -> tuple[Any, ...]:
    """The row with the digest, size, nature, damage and own uniqueId of its body; an absent body (NULL) leaves them empty."""
    if body is None:
        return row
    data = body if isinstance(body, bytes) else as_text(body).encode()
    spoilt = ""
    if wrapping:
        try:
            data = unwrapped(data, wrapping)
        except NotWrapped as fault:
            spoilt = str(fault)
        except ValueError as fault:
            raise QueryFault(str(fault)) from None
    detected = sniff(data)
    seen = look(data, detected)
    values = list(row)
    for place, fact in zip(
        facts_at, (bodies.add(data), len(data), detected, spoilt or seen.damage, seen.unique_id), strict=True
    ):
        values[place] = fact
    return tuple(values)


def _native(
    mapping: Mapping,
    live: MappingOf[str, tuple[str, ...]],
    view: View,
    claims: Claims,
    misfits: list[Misfit],
    digests: RowDigests | None,
) -> Iterator[list[tuple[Any, ...]]]:
    """One row per source row that holds a native column, or that no query claimed; then the values no declared type could hold. `digests`
    takes every row on the way, unless they are known already."""
    for t, k, patient, column, value in misfits:
        yield [(f"{t}:{k}:{column}{UNREADABLE}", patient, 0, orjson.dumps({column: _plain(value)}).decode(), t, k)]
    for table, columns in live.items():
        kept = _kept(mapping, table, columns)
        native = {c for c in kept if mapping.columns[table, c].disposition == "native"}
        if not kept:
            continue
        if not native and digests is None and claims.any(table) and _all_claimed(view, claims, table):
            continue
        owner = mapping.owners.get(table, "")
        # Read last when the column itself leaves nowhere.
        read = kept if not owner or owner in kept else [*kept, owner]
        at = read.index(owner) + 1 if owner else 0
        for rows in view.rows(table, read, BATCH).batches:
            if digests is not None:
                digests.add(table, rows if read is kept else [r[: len(kept) + 1] for r in rows])
            known = claims.of(table, [r[0] for r in rows])
            named = {as_text(r[at]) for r in rows if r[0] not in known and r[at] is not None} if owner else set()
            whose = claims.known(sorted(named)) if named else frozenset()
            out, weight = [], 0
            for row in rows:
                claimed = row[0] in known
                if claimed and not native:
                    continue
                content = {
                    c: _plain(v)
                    for c, v in zip(kept, row[1 : len(kept) + 1], strict=True)
                    if not claimed or c in native
                }
                text = orjson.dumps(content).decode()
                patient = known.get(row[0])
                # A key that no patient bears ("0", a deleted one) says nothing of who the row is about.
                if not claimed and owner and row[at] is not None and as_text(row[at]) in whose:
                    patient = as_text(row[at])
                out.append((f"{table}:{row[0]}", patient, len(content), text, table, row[0]))
                weight += len(text)
                if weight > BATCH_BYTES:
                    yield out
                    out, weight = [], 0
            if out:
                yield out


def _all_claimed(view: View, claims: Claims, table: str) -> bool:
    """Whether every row of a table was claimed, by its keys alone: most tables are, and their cells need no second reading."""
    return all(len(claims.of(table, [k for (k,) in rows])) == len(rows) for rows in view.rows(table, (), BATCH).batches)


def _plain(value: Any) -> Any:
    """A stored value for JSON; bytes become base64 under a marker key, so that a reader can tell them from text."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    # JSON has no infinity.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cells(mapping: Mapping, live: MappingOf[str, tuple[str, ...]], view: View, folder: Path) -> list[Cells]:
    """Three independent counts: the source by its own COUNT, mapped rows and native cells by reading back what was written."""
    claimed, native = _claimed(folder), _native_cells(folder)
    out = []
    for table, columns in live.items():
        rows = view.count(table)
        uses = [mapping.columns[table, c].disposition for c in columns]
        out.append(
            Cells(
                table,
                rows,
                rows * len(columns),
                claimed[table] * uses.count("mapped"),
                native[table],
                rows * uses.count("excluded"),
            )
        )
    return out


def _claimed(folder: Path) -> Counter[str]:
    """Source rows that stand in a canonical table other than native, by source table: several tables may share one, and count it once."""
    schema = pa.schema([("source_table", pa.string()), ("source_key", pa.string())])
    counts: Counter[str] = Counter()
    # Sorted, so that a row's repetitions follow each other: a set of them all would grow with the practice.
    with Sorter(schema, schema.names, folder / "claimed.rough") as sorter:
        for name in TABLES:
            if name != "native":
                for batch in written(folder, name, schema.names):
                    sorter.add(batch)
        last: tuple[str, str] | None = None
        for batch in sorter.sorted():
            pairs = list(dict.fromkeys(zip(*(c.to_pylist() for c in batch.columns), strict=True)))
            counts.update(table for table, _ in pairs)
            if pairs[0] == last:
                counts[last[0]] -= 1
            last = pairs[-1]
    return counts


def _native_cells(folder: Path) -> Counter[str]:
    """Cells in native, by source table."""
    counts: Counter[str] = Counter()
    for batch in written(folder, "native", ["key", "content", "source_table"]):
        for key, content, table in zip(*(c.to_pylist() for c in batch.columns), strict=True):
            if not key.endswith(UNREADABLE):
                counts[table] += len(orjson.loads(content))
    return counts
