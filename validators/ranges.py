"""Queries asked of one range of slots after another, so that the memory they take does not follow the practice. What is asked belongs
to the callers; what compares patients with each other cannot be asked so.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from transvase.formats.canonical import LAYOUT, literal
from transvase.model.slot import SLOTS, lots

# Documents, versions and patients asked about at a time.
_ROWS = 16_384
# Rows written together.
_WRITTEN = 16_384
# The tables of a patient that a query sees a range of; those of the practice it sees whole.
_ASKED = ("patient", "document", "document_version", "objection")
_COMPARED = ("identities", "across")
_VERSION = "document, key, version, sha256, size, declared_size, detected, damage"


def show(base: duckdb.DuckDBPyConnection, name: str, path: Path, where: str = "") -> None:
    """Make a Parquet file, or the rows of it for which a condition holds, a view."""
    base.execute(f"CREATE OR REPLACE VIEW {name} AS FROM read_parquet({literal(path)}) {where}").fetchall()


def in_ranges(base: duckdb.DuckDBPyConnection, work: Path, building: Path, queries: dict[str, str]) -> None:
    """Ask each query of one range of slots after another, and write the answers under each other as `<name>.parquet`; within a range a
    query sees the answers of those before it. Afterwards each is a view.

    A patient's rows have one slot. Only the version of a document may have another, when its own patient is not the document's: such
    rows are set aside first, as `astray`."""
    tables = {n: work / "canonical" / f"{n}.parquet" for n in _ASKED}
    tables |= {n: building / f"{n}.parquet" for n in _COMPARED}
    counted = " UNION ALL ".join(f"SELECT slot FROM {n}" for n in ("document", "document_version", "patient"))
    per_slot = base.sql(f"SELECT slot, count(*) FROM ({counted}) GROUP BY slot ORDER BY slot").fetchall()
    # From slot -1, of what has no patient, to the last, without a gap: a table may hold slots that these three do not.
    starts = [lot.first for lot in lots(per_slot, _ROWS)]
    bounds = list(pairwise([-1, *starts[1:], SLOTS]))
    base.execute(f"CREATE OR REPLACE TEMP TABLE astray AS SELECT {_VERSION} FROM document_version LIMIT 0").fetchall()

    def narrow(first: int, end: int) -> None:
        for name, path in tables.items():
            show(base, name, path, f"WHERE slot >= {first} AND slot < {end}")

    for first, end in bounds:
        narrow(first, end)
        base.execute(
            f"INSERT INTO astray SELECT {_VERSION} FROM document_version v WHERE NOT EXISTS (FROM document d WHERE d.key = v.document)"
        ).fetchall()
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}

        def ask(names: Iterable[str], practice_wide: bool = False) -> None:
            for name in names:
                base.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {queries[name]}").fetchall()
                found = base.sql(f"FROM temp.{name}").to_arrow_reader(_WRITTEN)
                if name not in writers:
                    writer = pq.ParquetWriter(building / f"{name}.parquet", found.schema, **LAYOUT)
                    writers[name] = stack.enter_context(writer)
                for batch in found:
                    writers[name].write_batch(batch)
                found.close()
                pa.default_memory_pool().release_unused()
                if name == "verdict" and practice_wide:
                    # What stands against a professional stands against documents of every range, and is written with the first.
                    base.execute(
                        f"INSERT INTO temp.verdict FROM read_parquet({literal(tables['across'])}) WHERE slot < 0"
                    ).fetchall()

        for first, end in bounds:
            narrow(first, end)
            base.execute(
                f"CREATE OR REPLACE TEMP VIEW judged_version AS SELECT {_VERSION} FROM document_version WHERE document IN (SELECT key FROM document) "
                f"UNION ALL SELECT {_VERSION} FROM astray WHERE document IN (SELECT key FROM document)"
            ).fetchall()
            ask(queries, practice_wide=first >= 0)
        # Versions of documents that do not exist.
        narrow(-1, SLOTS)
        base.execute(
            "CREATE OR REPLACE TEMP VIEW judged_version AS FROM astray v WHERE NOT EXISTS (FROM document d WHERE d.key = v.document)"
        ).fetchall()
        ask(["versions"])
        for name in queries:
            base.execute(f"DROP TABLE temp.{name}").fetchall()
    for name in queries:
        show(base, name, building / f"{name}.parquet")
