"""A canonical table read through DuckDB answers what its rows say, whatever the values of a column."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from transvase.formats.canonical import literal
from transvase.model.tables import TABLES
from transvase.sources.tables import TableWriter

PRACTICE = TABLES["practice"]
COLUMNS = {
    "one value and an absence": ["a"] * 8 + [None],
    "an absence, then one value": [None] + ["a"] * 8,
    "a value alone": [None] * 8 + ["a"],
    "nothing": [None] * 9,
    "one value": ["a"] * 9,
    "two values": ["a", "b", None] * 3,
}
FILTERS = (
    "phone IS NULL",
    "coalesce(phone, '') = ''",
    "coalesce(phone, '') <> 'a'",
    "coalesce(phone, '') NOT IN ('a', 'x')",
    "phone IS DISTINCT FROM 'a'",
    "phone = 'a' OR phone IS NULL",
    "phone = 'a'",
)


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_a_filter_that_absences_pass_changes_no_value(tmp_path: Path, values: list[str | None]) -> None:
    """DuckDB 2.0.0 answers other rows when the file holds equal bounds for the column: ours hold none (`formats.canonical.LAYOUT`)."""
    names = [c.name for c in PRACTICE.columns]
    with TableWriter(PRACTICE, tmp_path) as writer:
        rows = []
        for rank, value in enumerate(values):
            given = {"key": f"{rank}", "name": "n", "phone": value, "source_table": "t", "source_key": f"{rank}"}
            rows.append(tuple(given.get(n) for n in names))
        writer.add(rows)
    file = literal(tmp_path / "practice.parquet")
    with duckdb.connect() as base:
        base.execute(f"CREATE TABLE held AS FROM read_parquet({file})").fetchall()
        for where in FILTERS:
            found, expected = (
                base.sql(f"SELECT key, phone FROM {source} WHERE {where} ORDER BY key").fetchall()
                for source in (f"read_parquet({file})", "held")
            )
            assert found == expected, where
