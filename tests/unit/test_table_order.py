"""Canonical tables are ordered on disk: whatever the rows, their order and their number, they come out as a plain sort of Python would
give them, and the order does not depend on how often they were split."""

from __future__ import annotations

import errno
import itertools
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transvase.model.slot import slot
from transvase.model.tables import TABLES
from transvase.sources.sorting import Sorter, _Part
from transvase.sources.tables import TableWriter, written

SCHEMA = pa.schema([("slot", pa.int16()), ("patient", pa.string()), ("key", pa.string()), ("place", pa.int64())])
KEYS = ("slot", "patient", "key")
Row = tuple[int | None, str | None, str | None]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    root, numbers = tmp_path_factory.mktemp("sorts"), itertools.count()
    return lambda: root / str(next(numbers))


def batches(rows: list[Row], each: int) -> Iterator[pa.RecordBatch]:
    """The rows with their place of arrival, `each` at a time."""
    for start in range(0, len(rows), each):
        lot = [(*row, place) for place, row in enumerate(rows[start : start + each], start)]
        yield pa.record_batch([list(column) for column in zip(*lot, strict=True)], schema=SCHEMA)


def sorted_on_disk(folder: Path, unsorted: list[Row], each: int = 7, **limits: int) -> list[tuple[Any, ...]]:
    with Sorter(SCHEMA, KEYS, folder, **limits) as sorter:
        for batch in batches(unsorted, each):
            sorter.add(batch)
        found = [row for b in sorter.sorted() for row in zip(*(c.to_pylist() for c in b.columns), strict=True)]
    assert not folder.exists()
    return found


def plainly_sorted(rows: list[Row]) -> list[tuple[Any, ...]]:
    """By UTF-8 bytes, nulls last, equal keys as they came."""

    def by(row: tuple[Any, ...]) -> list[Any]:
        number, *words = row[:3]
        return [number is None, number or 0, *((w is None, (w or "").encode()) for w in words)]

    return sorted(((*row, place) for place, row in enumerate(rows)), key=by)


# Values that repeat, that begin each other, that UTF-8 and UTF-16 order differently, that look like nothing.
texts = st.none() | st.sampled_from(
    ["", " ", "a", "A", "aa", "a\0", "é", "e\u0301", "\uffff", "\U0001f600", "10", "9"]
) | st.text(st.characters(exclude_categories=("Cs",)), max_size=4)  # fmt: skip
slots = st.none() | st.integers(-1, 3) | st.integers(-1, 4095)


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(st.tuples(slots, texts, texts), max_size=80),
    each=st.integers(1, 30),
    limit=st.integers(1, 20),
    size=st.sampled_from([1, 100, 1 << 20]),
)
@example(rows=[(None, None, None)] * 40, each=7, limit=1, size=1)
@example(rows=[(-1, None, "a")] * 30 + [(-1, None, "b")] + [(-1, None, "a")] * 30, each=5, limit=2, size=1)
def test_any_rows_come_out_as_a_plain_sort_gives_them(
    fresh: Callable[[], Path], rows: list[Row], each: int, limit: int, size: int
) -> None:
    assert sorted_on_disk(fresh(), rows, each, rows=limit, size=size) == plainly_sorted(rows)


SKEWED = {
    "no patient at all": [(-1, None, f"{n * 7919 % 3001}") for n in range(3001)],
    "one patient holds everything": [(5, "p", f"{n * 7919 % 3001}") for n in range(3001)],
    "one key holds everything": [(5, "p", "k")] * 3001,
    "one key holds all but the ends": [(5, "p", "k") if n % 1000 else (n // 1000, "p", "k") for n in range(3001)],
    "two keys hold everything": [(5, "p", "ab"[n % 2]) for n in range(3001)],
    "in order already": [(n // 10, f"{n:05d}", "k") for n in range(3001)],
    "in reverse": [(-n // 10, f"{9999 - n}", "k") for n in range(3001)],
    "one slot holds nine rows in ten": [(7 if n % 10 else n % 4096, str(n), "k") for n in range(3001)],
}


@pytest.mark.parametrize("rows", SKEWED.values(), ids=SKEWED)
def test_tables_whose_rows_are_badly_spread(tmp_path: Path, rows: list[Row]) -> None:
    assert sorted_on_disk(tmp_path / "s", rows, 100, rows=64) == plainly_sorted(rows)


@pytest.mark.parametrize("rows", SKEWED.values(), ids=SKEWED)
def test_the_work_stays_in_proportion(tmp_path: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are written when they come and once for each splitting they go through, which is two: the whole, and a part of it that came
    out too large."""
    moved = []
    write = _Part.add
    monkeypatch.setattr(_Part, "add", lambda part, batch: (moved.append(batch.num_rows), write(part, batch))[1])
    sorted_on_disk(tmp_path / "s", rows, 100, rows=64)
    assert len(rows) * 2 <= sum(moved) <= len(rows) * 4


def test_no_row_gives_no_row(tmp_path: Path) -> None:
    assert sorted_on_disk(tmp_path / "s", []) == []


def test_long_texts_are_sorted_a_few_at_a_time(tmp_path: Path) -> None:
    """The limit counts bytes too: ten rows of a megabyte are not sorted at once because they are only ten."""
    rows: list[Row] = [(n % 3, str(n), chr(97 + n) * 1_000_000) for n in range(10)]
    with Sorter(SCHEMA, KEYS, tmp_path / "s", rows=1000, size=2_500_000) as sorter:
        for batch in batches(rows, 1):
            sorter.add(batch)
        found = list(sorter.sorted())
    assert max(b.num_rows for b in found) <= 2
    assert [r for b in found for r in b.column("place").to_pylist()] == [r[3] for r in plainly_sorted(rows)]


def test_what_was_read_leaves_the_disk(tmp_path: Path) -> None:
    rows: list[Row] = [(n % 97, str(n), None) for n in range(5000)]
    with Sorter(SCHEMA, KEYS, tmp_path / "s", rows=100) as sorter:
        for batch in batches(rows, 500):
            sorter.add(batch)
        held = []
        for _ in sorter.sorted():
            held.append(sum(p.stat().st_size for p in (tmp_path / "s").iterdir()))
    assert held[-1] < held[0] / 10


def test_rows_are_private_and_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Sorter(SCHEMA, KEYS, tmp_path / "s") as sorter:
        for batch in batches([(1, "p", "k")], 1):
            sorter.add(batch)
        if sys.platform != "win32":
            assert (tmp_path / "s").stat().st_mode & 0o077 == 0
        raise RuntimeError
    assert not (tmp_path / "s").exists()


# -- the canonical files ---------------------------------------------------------------------------------------------------------


def person_rows(count: int) -> list[tuple[Any, ...]]:
    """Rows of the table `note`: patients come back, some have none."""
    names = [c.name for c in TABLES["note"].columns]
    rows = []
    for n in range(count):
        values: dict[str, Any] = dict.fromkeys(names)
        values |= {"key": str(n), "patient": str(n * 31 % 977) if n % 50 else None}
        rows.append(tuple((values | {"source_table": "t", "source_key": str(n)}).values()))
    return rows


def test_a_table_is_ordered_by_slot_patient_and_key(tmp_path: Path) -> None:
    rows = person_rows(40_000)
    with TableWriter(TABLES["note"], tmp_path) as writer:
        for start in range(0, len(rows), 3000):
            assert writer.add(rows[start : start + 3000]) == []
    assert [p.name for p in tmp_path.iterdir()] == ["note.parquet"]
    found = pq.read_table(tmp_path / "note.parquet", columns=["slot", "patient", "key"])
    wanted = sorted(
        ((-1 if p is None else slot(p), p or "", k) for p, k in ((r[1], r[0]) for r in rows)),
    )
    assert [(s, p or "", k) for s, p, k in zip(*(c.to_pylist() for c in found.columns), strict=True)] == wanted
    # A reader of some slots opens a part of the file.
    groups = pq.ParquetFile(tmp_path / "note.parquet").metadata
    ends = [groups.row_group(n).column(0).statistics for n in range(groups.num_row_groups)]
    assert len(ends) > 1
    assert all(a.max <= b.min for a, b in itertools.pairwise(ends))


def test_a_table_is_read_back_in_batches(tmp_path: Path) -> None:
    with TableWriter(TABLES["note"], tmp_path) as writer:
        writer.add(person_rows(20_000))
    found = list(written(tmp_path, "note", ["source_key"]))
    assert max(b.num_rows for b in found) <= 8192
    assert sorted(k for b in found for k in b.column(0).to_pylist()) == sorted(str(n) for n in range(20_000))


def test_after_an_error_no_table_stands_there(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), TableWriter(TABLES["note"], tmp_path) as writer:
        writer.add(person_rows(10))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are set as Linux sets them")
@pytest.mark.parametrize("limit", [20_000, 60_000])
def test_a_disk_that_fills_says_so_and_leaves_no_table(tmp_path: Path, limit: int) -> None:
    """While rows come, or while the table is written."""
    kept, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError) as refusal, TableWriter(TABLES["note"], tmp_path) as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, kept[1]))
            for start in range(0, 40_000, 2000):
                writer.add(person_rows(40_000)[start : start + 2000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        signal.signal(signal.SIGXFSZ, ignored)
    assert refusal.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["patient", "practitioner", "note"])
def test_a_table_too_large_to_be_sorted_at_once(name, fresh):
    """More rows than are sorted together, of a table whose patient is its key, of one without patients, of one with both."""
    table, folder = TABLES[name], fresh()
    folder.mkdir()
    columns = [c.name for c in table.columns]
    given = {"source_table": "t", "family": "F", "birth_family": "F"}
    count = 20_000
    with TableWriter(table, folder) as writer:
        for start in range(0, count, 2000):
            numbers = [str((n * 7919) % count) for n in range(start, start + 2000)]
            writer.add(
                [tuple({**given, "key": n, "source_key": n, "patient": n}.get(c) for c in columns) for n in numbers]
            )
    found = pq.read_table(folder / f"{name}.parquet", columns=["slot", "key"]).to_pylist()
    expected = sorted((slot(str(n)) if table.patient_column else -1, str(n).encode()) for n in range(count))
    assert [(row["slot"], row["key"].encode()) for row in found] == expected
