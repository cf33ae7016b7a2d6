"""Comparer deux côtés, chacun un dossier de travail ou une archive : enregistrements et contenus. Rien n'est dit quand ils sont égaux.
/ Compare two sides, each a work folder or an archive: records and contents. Nothing is said when they are equal."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from transvase.commands.session import Progress, with_json
from transvase.errors import ArchiveInvalid, BadCall, Said

# Dates what an archive without an extraction of its own would say; compared with nothing.
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_ROWS = 1000
_IDENTITY = ("key", "source_table", "source_key")


class Difference(NamedTuple):
    """A record that differs, by reference: `columns` that differ when both sides have it (`body`: its content), else the one side
    that has it, A or B."""

    table: str
    key: str | None
    source_table: str | None
    source_key: str | None
    columns: tuple[str, ...]
    only_in: str


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    for side in ("a", "b"):
        parser.add_argument(
            side, type=Path, metavar=side.upper(), help="dossier de travail ou archive / work folder or archive"
        )
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line per difference, never a value; exit 1 when there is one."""
    import orjson

    with ExitStack() as stack:
        sides = [_side(path, options.lang, stack) for path in (options.a, options.b)]
        count = 0
        if options.json:
            found = list(differences(*sides))
            count = len(found)
            print(orjson.dumps({"differences": [d._asdict() for d in found]}).decode())
        else:
            for found_one in differences(*sides):
                count += 1
                print(sentence(found_one, options.lang))
    return 1 if count else 0


def sentence(found: Difference, language: str) -> str:
    """A difference in one line."""
    reference = f"{found.table} {found.key}"
    if found.source_key != found.key:
        reference += f" ({found.source_table} {found.source_key})"
    if found.columns:
        where = f" ({'seulement dans' if language == 'fr' else 'only in'} {found.only_in})" if found.only_in else ""
        return f"{reference} : {', '.join(found.columns)}{where}"
    return f"{reference} : {'seulement dans' if language == 'fr' else 'only in'} {found.only_in}"


def _side(path: Path, language: str, stack: ExitStack) -> Path:
    """The work folder of a side; an archive is verified, then imported in a private folder that goes with the stack."""
    from transvase.formats import canonical
    from transvase.sources.archive.importer import import_archive, is_portability
    from transvase.validators.archive import verify

    if path.is_dir():
        canonical.manifest(path)
        return path
    if not path.is_file():
        raise BadCall(
            what=Said(f"{path.name} n'existe pas", f"{path.name} does not exist"),
            mend=Said("indiquez un dossier de travail ou une archive", "give a work folder or an archive"),
        )
    shown = Progress(language)
    if is_portability(path):
        report = verify(path, lambda done, total: shown("vérification", done, total, ""))
        if report.problems:
            raise ArchiveInvalid(path=path.name, count=len(report.problems))
    work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="transvase-diff-")))
    done = import_archive(path, work, clock=_ANY_TIME, progress=lambda done, total: shown("import", done, total, ""))
    for line in done.unread:
        print(f"{path.name} : {line}", file=sys.stderr)
    return work


def differences(a: Path, b: Path) -> Iterator[Difference]:
    """What differs between two work folders, table by table in the order of the model, then the bodies that both name."""
    import duckdb

    from transvase.formats.canonical import literal
    from transvase.model.tables import TABLES

    with (
        tempfile.TemporaryDirectory(prefix="transvase-diff-") as spill,
        duckdb.connect(config={"memory_limit": "512MB", "threads": 2, "temp_directory": spill}) as base,
    ):
        for name, table in TABLES.items():
            for side, work in (("a", a), ("b", b)):
                source = literal(work / "canonical" / f"{name}.parquet")
                base.execute(
                    f"CREATE OR REPLACE VIEW {side} AS SELECT {table.select} FROM read_parquet({source})"
                ).fetchall()
            # The slot is derived from the patient, and not compared. Equal rows leave here, whatever their number.
            for side, other in (("a", "b"), ("b", "a")):
                base.execute(
                    f"CREATE OR REPLACE TABLE only_{side} AS SELECT *, row_number() OVER (PARTITION BY {', '.join(_IDENTITY)} "
                    f"ORDER BY {table.select}) AS rank FROM (FROM {side} EXCEPT ALL FROM {other})"
                ).fetchall()
            yield from _rows(base, name, [c.name for c in table.columns])
        yield from _bodies(base, a, b)


def _rows(base: Any, name: str, columns: list[str]) -> Iterator[Difference]:
    """Rows of `only_a` and `only_b`, paired by identity; several under one identity pair in the order of their values."""
    same = " AND ".join(f"x.{c} IS NOT DISTINCT FROM y.{c}" for c in (*_IDENTITY, "rank"))
    listed = ", ".join(f'{side}."{c}"' for side in ("x", "y") for c in columns)
    cursor = base.cursor().execute(
        f"SELECT x.rank, y.rank, {listed} FROM only_a x FULL JOIN only_b y ON {same} "
        + "ORDER BY "
        + ", ".join(f"coalesce(x.{c}, y.{c})" for c in (*_IDENTITY, "rank"))
    )
    at = [columns.index(c) for c in _IDENTITY]
    while rows := cursor.fetchmany(_ROWS):
        for in_a, in_b, *values in rows:
            left, right = values[: len(columns)], values[len(columns) :]
            key, source_table, source_key = ((left if in_a else right)[i] for i in at)
            if in_a and in_b:
                changed = tuple(c for c, x, y in zip(columns, left, right, strict=True) if x != y)
                yield Difference(name, key, source_table, source_key, changed, "")
            else:
                yield Difference(name, key, source_table, source_key, (), "A" if in_a else "B")


def _bodies(base: Any, a: Path, b: Path) -> Iterator[Difference]:
    """Contents that both sides name and one only holds intact. What one side alone names is a difference of rows already."""
    from transvase.formats.bodies import read_body
    from transvase.formats.canonical import literal

    x, y = (literal(work / "canonical" / "document_version.parquet") for work in (a, b))
    cursor = base.cursor().execute(
        f"SELECT min(key), arg_min(source_table, key), arg_min(source_key, key), sha256 FROM read_parquet({x}) "
        f"WHERE sha256 IN (SELECT sha256 FROM read_parquet({y})) GROUP BY sha256 ORDER BY ALL"
    )
    while rows := cursor.fetchmany(_ROWS):
        for key, source_table, source_key, digest in rows:
            in_a, in_b = (read_body(work / "bodies", digest) is not None for work in (a, b))
            if in_a != in_b:
                yield Difference("document_version", key, source_table, source_key, ("body",), "A" if in_a else "B")
