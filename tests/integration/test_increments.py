"""A second extraction: what changed in the source is known row by row, and what did not is left as it stands."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from transvase.model.tables import TABLES
from transvase.sources import increments
from transvase.sources.extract import extract
from transvase.sources.mapping import folder_of, load
from transvase.sources.synthetic.practice import generate

from ..builders import CLOCK  # noqa: TID252

LATER = CLOCK + timedelta(days=1)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("increments")
    generate(folder / "cabinet.sqlite3", patients=8, clock=CLOCK, document_size=2000)
    extract(load("synthetic"), folder / "cabinet.sqlite3", folder / "work", clock=CLOCK)
    return folder


@pytest.fixture
def practice(first: Path, tmp_path: Path) -> Path:
    """A practice extracted once, for a test to change."""
    return Path(shutil.copytree(first, tmp_path / "practice"))


def again(practice: Path, **options: Any) -> dict[str, Any]:
    return extract(load("synthetic"), practice / "cabinet.sqlite3", practice / "work", clock=LATER, **options)


def change(practice: Path, statement: str) -> int:
    with sqlite3.connect(practice / "cabinet.sqlite3") as base:
        done = base.execute(statement).rowcount
    base.close()
    return done


def tables(practice: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: pq.read_table(practice / "work" / "canonical" / f"{name}.parquet").to_pylist() for name in TABLES}


def states(practice: Path) -> dict[str, tuple[int, int]]:
    found = (practice / "work" / "canonical").glob("*.parquet")
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def test_the_first_extraction_compares_with_nothing(first: Path) -> None:
    from transvase.formats import canonical

    manifest = canonical.manifest(first / "work")
    assert "changes" not in manifest
    rows = pq.read_table(first / "work" / "canonical" / increments.ROWS)
    # Rows of which something leaves.
    assert rows.num_rows == sum(c["rows"] for c in manifest["cells"] if c["excluded"] < c["source"])


def test_when_nothing_changed_the_tables_are_not_touched(practice: Path) -> None:
    before = states(practice)
    manifest = again(practice)
    assert manifest["changes"] == {}
    assert manifest["clock"] == LATER.isoformat()
    assert states(practice) == before
    # And once more, from the manifest it left.
    assert again(practice)["changes"] == {}
    assert not (practice / "work" / "canonical.part").exists()


class Case(NamedTuple):
    statement: str
    table: str
    new: int = 0
    changed: int = 0
    gone: int = 0


ONE_PROBLEM = "(SELECT min(ANT_ID) FROM T_ANTEC)"
CASES = [
    pytest.param(Case("UPDATE T_DOC SET DOC_TITRE = 'Autre' WHERE DOC_ID = (SELECT min(DOC_ID) FROM T_DOC)", "T_DOC", changed=1), id="a mapped cell"),
    pytest.param(Case("UPDATE T_DOC SET DOC_LU = 0 WHERE DOC_ID = (SELECT max(DOC_ID) FROM T_DOC)", "T_DOC", changed=1), id="a native cell"),
    pytest.param(Case("UPDATE T_DOC SET DOC_TITRE = NULL WHERE DOC_ID = (SELECT min(DOC_ID) FROM T_DOC)", "T_DOC", changed=1), id="a cell emptied"),
    pytest.param(Case("UPDATE T_DOC SET DOC_TITRE = CAST(DOC_TITRE AS BLOB) WHERE DOC_ID = (SELECT min(DOC_ID) FROM T_DOC)", "T_DOC", changed=1), id="a type alone"),
    pytest.param(Case("DELETE FROM T_RDV WHERE RDV_ID = (SELECT min(RDV_ID) FROM T_RDV)", "T_RDV", gone=1), id="a row gone"),
    pytest.param(Case("INSERT INTO T_RDV (RDV_ID) VALUES (999999999)", "T_RDV", new=1), id="a row more"),
    pytest.param(
        Case("UPDATE T_DOC_CONTENU SET CNT_BLOB = CNT_BLOB || x'00' WHERE CNT_ID = (SELECT min(CNT_ID) FROM T_DOC_CONTENU)", "T_DOC_CONTENU", changed=1),
        id="one byte of a body",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_change_is_known_by_its_row(practice: Path, case: Case) -> None:
    assert change(practice, case.statement) == 1
    manifest = again(practice)
    assert manifest["changes"] == {case.table: {"new": case.new, "changed": case.changed, "gone": case.gone}}
    (row,) = pq.read_table(practice / "work" / "canonical" / increments.CHANGES).to_pylist()
    assert row["source_table"] == case.table
    assert row["change"] == ("new" if case.new else "gone" if case.gone else "changed")
    # The next one starts from there.
    assert again(practice)["changes"] == {}
    assert not (practice / "work" / "canonical" / increments.CHANGES).exists()


def test_a_changed_row_changes_its_canonical_row_and_no_other(practice: Path) -> None:
    before = tables(practice)
    (key,) = {str(r["key"]) for r in before["document"][3:4]}
    change(practice, f"UPDATE T_DOC SET DOC_TITRE = 'Autre titre' WHERE DOC_ID = {key}")
    again(practice)
    after = tables(practice)
    changed = {
        (name, row["key"]) for name in TABLES for row in after[name] if row not in before[name] or len(after[name]) != len(before[name])
    }  # fmt: skip
    assert changed == {("document", key)}


def test_an_excluded_column_changes_nothing(practice: Path) -> None:
    excluded = [c for c, use in load("synthetic").columns.items() if use.disposition == "excluded"]
    assert excluded
    (table, column) = next((t, c) for t, c in excluded if change(practice, f"UPDATE {t} SET {c} = {c}"))
    one = f"SELECT rowid FROM {table} LIMIT 1"
    assert change(practice, f"UPDATE {table} SET {column} = 'autre chose' WHERE rowid = ({one})") == 1
    assert again(practice)["changes"] == {}


def test_the_order_of_rows_changes_nothing(practice: Path) -> None:
    """A backup restored elsewhere holds the same rows in another order."""
    with sqlite3.connect(practice / "cabinet.sqlite3") as base:
        declared, names = base.execute("SELECT sql, name FROM sqlite_master WHERE name = 'T_RDV'").fetchone()
        base.execute(f"ALTER TABLE {names} RENAME TO aside")
        base.execute(declared)
        base.execute(f"INSERT INTO {names} SELECT * FROM aside ORDER BY RDV_ID DESC")
        base.execute("DROP TABLE aside")
    base.close()
    assert again(practice)["changes"] == {}


WITHOUT_COMPARISON = [
    pytest.param(lambda p: (p / "work" / "canonical" / "patient.parquet").unlink(), id="a table is lost"),
    pytest.param(lambda p: (p / "work" / "canonical" / increments.ROWS).unlink(), id="the digests are lost"),
    pytest.param(lambda p: next((p / "work" / "bodies").glob("*/*")).unlink(), id="a body is lost"),
    pytest.param(lambda p: next((p / "work" / "bodies").glob("*/*")).write_bytes(b""), id="a body is cut"),
    pytest.param(lambda p: (p / "work" / "canonical" / "extraction.json").write_bytes(b"{"), id="the manifest is cut"),
]


@pytest.mark.parametrize("spoil", WITHOUT_COMPARISON)
def test_what_stands_spoiled_is_extracted_again(practice: Path, spoil: Any) -> None:
    before = tables(practice)
    bodies = {p.name for p in (practice / "work" / "bodies").glob("*/*")}
    spoil(practice)
    assert "changes" not in again(practice)
    assert tables(practice) == before
    assert {p.name for p in (practice / "work" / "bodies").glob("*/*") if p.stat().st_size} == bodies


def test_everything_is_read_again_when_asked(practice: Path) -> None:
    before = states(practice)
    assert "changes" not in again(practice, again=True)
    assert not set(states(practice).items()) & set(before.items())


def test_another_mapping_is_not_compared(practice: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folder_of("synthetic"), tmp_path / "own"))
    with (own / "columns.csv").open("a", encoding="utf-8") as file:
        file.write("\n")
    manifest = extract(load(str(own)), practice / "cabinet.sqlite3", practice / "work", clock=LATER)
    assert "changes" not in manifest


def test_a_file_beside_the_database_counts(practice: Path, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    path = folder / "a.txt"
    path.write_text("un")
    with increments.FileStates(tmp_path / increments.FILES) as seen:
        seen.add(path)
        seen.add(folder / "absent.txt")
    assert not increments.files_changed(tmp_path)
    path.write_text("deux")
    assert increments.files_changed(tmp_path)
    path.unlink()
    assert increments.files_changed(tmp_path)


def test_a_wrapped_body_is_stored_as_the_document_inside(practice: Path, tmp_path: Path) -> None:
    """`body_encoding`: the digest, size and nature are those of what was wrapped; what is not wrapped so is kept with its damage."""
    own = Path(shutil.copytree(folder_of("synthetic"), tmp_path / "own"))
    query = (own / "sql" / "document_version.sql").read_text(encoding="utf-8")
    wrapped = "c.CNT_BLOB AS body, 'hexadecimal' AS body_encoding,"
    (own / "sql" / "document_version.sql").write_text(query.replace("c.CNT_BLOB AS body,", wrapped), encoding="utf-8")
    (before,) = [r for r in tables(practice)["document_version"] if r["detected"] == "pdf"][:1]
    change(practice, f"UPDATE T_DOC_CONTENU SET CNT_BLOB = hex(CNT_BLOB) WHERE CNT_ID = {before['key']}")
    extract(load(str(own)), practice / "cabinet.sqlite3", practice / "work", clock=LATER)
    after = {r["key"]: r for r in tables(practice)["document_version"]}
    assert after[before["key"]] == before
    assert {r["damage"] for k, r in after.items() if k != before["key"] and r["size"]} == {"wrapping hexadecimal"}
