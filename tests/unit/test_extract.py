"""Extraction of small bases that hold what real ones hold: numbers in text columns, text in number columns, bytes of another
encoding, keys with quotes, tables without a key. Whatever they hold, every cell is found again or the extraction is refused."""

from __future__ import annotations

import base64
import itertools
import json
import math
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from transvase.errors import CellsUnaccounted, MappingInvalid, SchemaDrift, SourceMissing, SourceUnreadable
from transvase.model.tables import TABLES
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.sqlite import decode

CLOCK = datetime(2026, 11, 23, 20)

# No column has a type, so that SQLite keeps each value as it is given.
SCHEMA = """
CREATE TABLE person (id PRIMARY KEY, name, flag, kind, extra, secret);
CREATE TABLE content (id INTEGER PRIMARY KEY, person, vers, made, body, note);
CREATE TABLE loose (a, b, c);
CREATE TABLE "we""ird t'able" ("co""l'é", "|", PRIMARY KEY ("co""l'é", "|"));
CREATE TABLE paired (x, y, z, PRIMARY KEY (x, y)) WITHOUT ROWID;
"""
COLUMNS = [
    ("person", "id", "mapped"),
    ("person", "name", "mapped"),
    ("person", "flag", "mapped"),
    ("person", "kind", "mapped"),
    ("person", "extra", "native"),
    ("person", "secret", "excluded"),
    ("content", "id", "mapped"),
    ("content", "person", "mapped"),
    ("content", "vers", "mapped"),
    ("content", "made", "mapped"),
    ("content", "body", "mapped"),
    ("content", "note", "native"),
    ("loose", "a", "native"),
    ("loose", "b", "native"),
    ("loose", "c", "excluded"),
    ("we\"ird t'able", "co\"l'é", "native"),
    ("we\"ird t'able", "|", "native"),
    ("paired", "x", "native"),
    ("paired", "y", "native"),
    ("paired", "z", "native"),
]
PATIENT = """SELECT CAST(id AS TEXT) AS key, name AS birth_family, flag AS homonym, 'person' AS source_table,
CAST(id AS TEXT) AS source_key FROM person WHERE kind IS 1"""
# The patient is left as stored: a vendor who forgets a cast must not stop the extraction.
VERSION = """SELECT CAST(id AS TEXT) AS key, person AS patient, id AS document, vers AS version, made AS created, body,
'content' AS source_table, CAST(id AS TEXT) AS source_key FROM content"""


class Raw(NamedTuple):
    """Text whose bytes are these, in whatever encoding."""

    data: bytes


Folder = Callable[..., Path]


def write_mapping(folder: Path, **files: str) -> Path:
    """The mapping of SCHEMA; `files` replaces or adds some by path, `/` written `__` and `.` written `_dot_`."""
    (folder / "sql").mkdir(parents=True)
    (folder / "mappings").mkdir()
    served = ("patient", "document_version")
    content = {
        "mapping.toml": 'product = "tiny"\nkind = "sqlite"\n',
        "sql/patient.sql": PATIENT,
        "sql/document_version.sql": VERSION,
        "columns.csv": "table,column,disposition,target,reason\n"
        + "".join(f"{q(t)},{q(c)},{d},,{'why' if d == 'excluded' else ''}\n" for t, c, d in COLUMNS),
        "unserved.csv": "table,reason\n" + "".join(f"{t},none\n" for t in TABLES if t not in (*served, "native")),
    }
    for name, text in (content | {n.replace("__", "/").replace("_dot_", "."): t for n, t in files.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def q(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> mapping.Mapping:
    return mapping.load(str(write_mapping(tmp_path_factory.mktemp("mapping") / "tiny")))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    numbers = itertools.count()
    root = tmp_path_factory.mktemp("bases")

    def folder() -> Path:
        path = root / str(next(numbers))
        path.mkdir()
        return path

    return folder


def fill(path: Path, **tables: list[tuple[Any, ...]]) -> Path:
    with sqlite3.connect(path) as base:
        base.executescript(SCHEMA)
        for table, rows in tables.items():
            table = {"weird": "we\"ird t'able"}.get(table, table)
            for row in rows:
                marks = ", ".join("CAST(? AS TEXT)" if isinstance(v, Raw) else "?" for v in row)
                base.execute(
                    f"INSERT INTO {q(table)} VALUES ({marks})", [v.data if isinstance(v, Raw) else v for v in row]
                )
    return path


class Taken(NamedTuple):
    """An extraction: its manifest, canonical rows by table, native contents by key."""

    manifest: dict[str, Any]
    rows: dict[str, list[dict[str, Any]]]
    native: dict[str, dict[str, Any]]
    work: Path

    def cells(self, table: str) -> tuple[int, int, int, int]:
        (line,) = [c for c in self.manifest["cells"] if c["table"] == table]
        return line["source"], line["mapped"], line["native"], line["excluded"]


def take(tiny: mapping.Mapping, folder: Path, **tables: list[tuple[Any, ...]]) -> Taken:
    path = fill(folder / "base.sqlite3", **tables)
    manifest = extract(tiny, path, folder / "work", clock=CLOCK)
    names = ("patient", "document_version", "native")
    rows = {n: pq.read_table(folder / "work" / "canonical" / f"{n}.parquet").to_pylist() for n in names}
    return Taken(manifest, rows, {r["key"]: json.loads(r["content"]) for r in rows["native"]}, folder / "work")


def plain(value: Any) -> Any:
    """A stored value as `native` writes it."""
    if isinstance(value, Raw):
        return decode(value.data)
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | st.sampled_from(
    [
        "",
        "12",
        " 12 ",
        "1_000",
        "١٢",
        "0x10",
        "1.5",
        "2026-02-30",
        "0001-01-01",
        "31/02/1950",
        "'",
        '"',
        "\0",
        "a\r\nb",
        "9" * 30,
    ]
)
raws = st.binary(max_size=12).map(Raw) | st.sampled_from([Raw(b"\x81"), Raw(b"\xe9t\xe9"), Raw(b"\xed\xa0\x80")])
integers = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, 2, -1])
floats = st.floats(allow_nan=False) | st.sampled_from([1.0, 1.5, 1e300, math.inf, 2.0**63])
cells = st.none() | texts | raws | integers | floats | st.binary(max_size=12)
keys = st.lists(texts | integers, unique_by=str, max_size=12)


@st.composite
def bases(draw: st.DrawFn) -> dict[str, list[tuple[Any, ...]]]:
    people = [
        (k, draw(cells), draw(cells), draw(st.sampled_from([1, 1, 0, None])), draw(cells), draw(cells))
        for k in draw(keys)
    ]
    contents = [
        (n, draw(cells), draw(cells), draw(cells), draw(cells), draw(cells)) for n in range(draw(st.integers(0, 12)))
    ]
    loose = draw(st.lists(st.tuples(cells, cells, cells), max_size=8))
    weird = [(k, draw(integers)) for k in draw(keys)]
    paired = [(n, draw(integers), draw(cells)) for n in range(draw(st.integers(0, 4)))]
    return {"person": people, "content": contents, "loose": loose, "weird": weird, "paired": paired}


def integer(value: Any) -> int | None:
    """What an INTEGER column may read of a stored value, None when only the original may be kept."""
    if isinstance(value, Raw):
        value = decode(value.data)
    if isinstance(value, str):
        stripped = value.strip()
        digits = stripped[1:] if stripped[:1] in ("+", "-") else stripped
        value = int(stripped) if digits.isascii() and digits.isdigit() else None
    if isinstance(value, float):
        value = int(value) if math.isfinite(value) and value == int(value) else None
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None


# An extraction writes 25 tables: shrinking a failure would run hundreds of them.
@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(base=bases())
def test_every_cell_is_found_again(tiny: mapping.Mapping, fresh: Callable[[], Path], base: dict[str, Any]) -> None:
    taken = take(tiny, fresh(), **base)
    people, contents = base["person"], base["content"]
    claimed = [p for p in people if p[3] == 1]
    left = [p for p in people if p[3] != 1]

    # The sum, computed here from what was written.
    n = len(people)
    assert taken.cells("person") == (n * 6, len(claimed) * 4, len(claimed) + len(left) * 5, n)
    assert taken.cells("content") == (len(contents) * 6, len(contents) * 5, len(contents), 0)
    assert taken.cells("loose") == (len(base["loose"]) * 3, 0, len(base["loose"]) * 2, len(base["loose"]))
    assert taken.cells("we\"ird t'able") == (len(base["weird"]) * 2, 0, len(base["weird"]) * 2, 0)
    assert taken.cells("paired") == (len(base["paired"]) * 3, 0, len(base["paired"]) * 3, 0)

    # Rows that no query claims are in native whole, the native column of the others too.
    for key, name, flag, kind, extra, _ in left:
        assert taken.native[f"person:{key}"] == {
            "id": plain(key), "name": plain(name), "flag": plain(flag), "kind": kind, "extra": plain(extra)
        }  # fmt: skip
    for key, _, _, _, extra, _ in claimed:
        assert taken.native[f"person:{key}"] == {"extra": plain(extra)}
    for number, row in enumerate(base["loose"], 1):
        assert taken.native[f"loose:{number}"] == {"a": plain(row[0]), "b": plain(row[1])}
    for key, second in base["weird"]:
        assert taken.native[f"we\"ird t'able:{key}|{second}"] == {"co\"l'é": plain(key), "|": second}

    # Mapped values are read in the declared type, or kept as they were.
    patients = {r["key"]: r for r in taken.rows["patient"]}
    assert set(patients) == {str(p[0]) for p in claimed}
    for key, name, flag, *_ in claimed:
        row = patients[str(key)]
        assert same_text(row["birth_family"], name)
        read_or_kept(taken, f"person:{key}:homonym#unreadable", "homonym", row["homonym"], flag, as_flag=True)
    versions = {r["key"]: r for r in taken.rows["document_version"]}
    for number, person, vers, made, body, _ in contents:
        row = versions[str(number)]
        assert same_text(row["patient"], person)
        assert same_text(row["created"], made)
        read_or_kept(taken, f"content:{number}:version#unreadable", "version", row["version"], vers)
        if isinstance(body, bytes):
            assert (taken.work / "bodies" / row["sha256"][:2] / row["sha256"]).read_bytes() == body
            assert row["size"] == len(body)
        assert (row["sha256"] is None) is (body is None)
    assert taken.manifest["unreadable"] == sum(k.endswith("#unreadable") for k in taken.native)


def same_text(read: str | None, stored: Any) -> bool:
    """Nothing of a stored value is lost when it is read as text."""
    if stored is None or read is None:
        return read is stored
    if isinstance(stored, (Raw, bytes)):
        # That `decode` loses no byte is a property of its own, below.
        return read == decode(stored.data if isinstance(stored, Raw) else stored)
    if isinstance(stored, float):
        return float(read) == stored
    return read == str(stored)


def read_or_kept(taken: Taken, key: str, column: str, read: Any, stored: Any, as_flag: bool = False) -> None:
    expected = integer(stored)
    empty = stored is None or stored in ("", Raw(b""))
    if expected is None and not empty:
        assert read is None
        assert taken.native[key] == {column: plain(stored)}
    else:
        assert read == (bool(expected) if as_flag and expected is not None else expected)
        assert key not in taken.native


@given(st.binary(max_size=40))
def test_two_texts_of_the_same_encoding_never_read_the_same(data: bytes) -> None:
    """Bytes that are not UTF-8 are Windows-1252, whose five unused bytes keep their own number: no byte is lost."""
    text = decode(data)
    try:
        assert text == data.decode()
    except UnicodeDecodeError:
        assert len(text) == len(data)
        again = b"".join(
            c.encode("latin-1") if ord(c) in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else c.encode("cp1252") for c in text
        )
        assert again == data


def test_huge_values_pass(tiny, fresh) -> None:
    text, body = "é" * 3_000_000, bytes(range(256)) * 20_000
    taken = take(tiny, fresh(), person=[("k", text, 1, 1, text, None)], content=[(1, "k", 1, None, body, body)])
    assert taken.rows["patient"][0]["birth_family"] == text
    assert taken.native["person:k"]["extra"] == text
    assert taken.rows["document_version"][0]["size"] == len(body)
    assert base64.b64decode(taken.native["content:1"]["note"]["base64"]) == body


def test_more_rows_than_a_batch_pass(tiny, fresh) -> None:
    people = [(f"k{n}", "x", 0, n % 2, None, None) for n in range(20_001)]
    taken = take(tiny, fresh(), person=people, loose=[(n, None, None) for n in range(20_001)])
    assert taken.manifest["rows"]["patient"] == 10_000
    assert taken.manifest["rows"]["native"] == 20_001 * 2


KEYS = (
    "it's",
    'a "b"',
    "a|b",
    "é\u2028\U0001f600",
    "",
    " ",
    "null",
    "1;DROP TABLE person",
    "%_",
    "\\",
    "0",
    "a\0b",
    "A",
    "a",
)


def test_keys_of_any_characters_are_claimed(tiny, fresh) -> None:
    people = [(key, "n", 0, 1, "e", None) for key in KEYS]
    taken = take(tiny, fresh(), person=people, content=[(n, key, 1, None, None, None) for n, key in enumerate(KEYS)])
    assert {r["source_key"] for r in taken.rows["patient"]} == set(KEYS)
    slots = {r["key"]: r["slot"] for r in taken.rows["patient"]}
    for number, key in enumerate(KEYS):
        assert taken.native[f"person:{key}"] == {"extra": "e"}
        (row,) = [r for r in taken.rows["document_version"] if r["key"] == str(number)]
        assert (row["patient"], row["slot"]) == (key, slots[key])


def test_a_row_whose_key_is_absent_is_kept_whole(tiny, fresh) -> None:
    """SQLite allows NULL in a primary key that is not an integer."""
    taken = take(tiny, fresh(), person=[(None, "n", 0, 0, "e", None)])
    assert [json.loads(r["content"]) for r in taken.rows["native"]] == [
        {"id": None, "name": "n", "flag": 0, "kind": 0, "extra": "e"}
    ]


def test_two_rows_under_one_key_text_are_refused_rather_than_merged(tiny, fresh) -> None:
    """The number 1 and the text 1 are two keys for SQLite and one for the mapping's cast."""
    with pytest.raises(CellsUnaccounted) as refusal:
        take(tiny, fresh(), person=[(1, "a", 0, 1, None, None), ("1", "b", 0, 1, None, None)])
    assert refusal.value.exit_code == 25


def test_a_column_named_rowid_does_not_number_the_rows(tmp_path) -> None:
    columns = "table,column,disposition,target,reason\nodd,rowid,native,,\nodd,oid,native,,\n"
    unserved = "table,reason\n" + "".join(f"{t},none\n" for t in TABLES if t != "native")
    folder = write_mapping(tmp_path / "odd", columns_dot_csv=columns, unserved_dot_csv=unserved)
    for file in (folder / "sql").iterdir():
        file.unlink()
    with sqlite3.connect(tmp_path / "base") as base:
        base.execute("CREATE TABLE odd (rowid TEXT, oid TEXT)")
        base.executemany("INSERT INTO odd VALUES (?, ?)", [("same", None), ("same", None), (None, "x")])
    manifest = extract(mapping.load(str(folder)), tmp_path / "base", tmp_path / "work", clock=CLOCK)
    rows = pq.read_table(tmp_path / "work" / "canonical" / "native.parquet").to_pylist()
    assert sorted(r["source_key"] for r in rows) == ["1", "2", "3"]
    assert manifest["cells"][0]["native"] == 6


def test_the_same_base_gives_the_same_files(tiny, fresh) -> None:
    base = {
        "person": [(f"k{n}", "x", 0, n % 3, n, None) for n in range(500)],
        "content": [(n, f"k{n % 7}", n, None, bytes([n % 256]), None) for n in range(300)],
    }
    first, second = (take(tiny, fresh(), **base) for _ in range(2))
    for path in sorted((first.work / "canonical").iterdir()):
        assert path.read_bytes() == (second.work / "canonical" / path.name).read_bytes(), path.name


def test_a_second_extraction_replaces_the_first_and_a_failing_one_leaves_it(tiny, fresh) -> None:
    folder = fresh()
    take(tiny, folder, person=[("a", "x", 0, 1, None, None)])
    before = {p.name: p.read_bytes() for p in (folder / "work" / "canonical").iterdir()}
    (folder / "base.sqlite3").write_bytes(b"no database at all, but long enough to be looked at" * 10)
    with pytest.raises(SourceUnreadable):
        extract(tiny, folder / "base.sqlite3", folder / "work", clock=CLOCK)
    assert {p.name: p.read_bytes() for p in (folder / "work" / "canonical").iterdir()} == before
    assert sorted(p.name for p in (folder / "work").iterdir()) == ["bodies", "canonical"]


def test_the_source_is_never_written(tiny, fresh) -> None:
    folder = fresh()
    path = fill(folder / "base.sqlite3", person=[("a", "x", 0, 1, None, None)])
    before = path.read_bytes(), path.stat().st_mtime_ns, sorted(p.name for p in folder.iterdir())
    extract(tiny, path, folder / "work", clock=CLOCK)
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted({p.name for p in folder.iterdir()} - {"work"})) == before


def test_a_missing_base_is_named(tiny, tmp_path) -> None:
    with pytest.raises(SourceMissing, match=r"Database none\.db does not exist"):
        extract(tiny, tmp_path / "none.db", tmp_path / "work", clock=CLOCK)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("CREATE TABLE added (a)", "table added is new"),
        ("ALTER TABLE person ADD COLUMN more", "column person.more is new"),
        ("DROP TABLE loose", "table loose is gone"),
        ("ALTER TABLE loose DROP COLUMN b", "column loose.b is gone"),
    ],
)
def test_drift_of_the_schema_is_named(tiny, fresh, change: str, said: str) -> None:
    folder = fresh()
    path = fill(folder / "base.sqlite3")
    with sqlite3.connect(path) as base:
        base.execute(change)
    with pytest.raises(SchemaDrift, match=said):
        extract(tiny, path, folder / "work", clock=CLOCK)
    assert not (folder / "work" / "canonical").exists()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("sql__patient_dot_sql", "SELEC 1", "sql/patient.sql: near"),
        ("sql__patient_dot_sql", "", "sql/patient.sql"),
        ("sql__patient_dot_sql", "-- nothing", "sql/patient.sql"),
        ("sql__patient_dot_sql", PATIENT + "; " + PATIENT, "sql/patient.sql"),
        ("sql__patient_dot_sql", "SELECT 1 FROM nowhere", "no such table: nowhere"),
        ("sql__patient_dot_sql", "SELECT 1 AS key", "column source_table is missing"),
        ("sql__patient_dot_sql", PATIENT.replace("birth_family", "surname"), "column surname is not declared"),
        ("sql__patient_dot_sql", PATIENT.replace("IS 1", "IS ?"), "sql/patient.sql"),
        ("sql__patient_dot_sql", "DELETE FROM person", "sql/patient.sql"),
        ("sql__native_dot_sql", PATIENT, "sql/native.sql: no canonical table"),
        ("sql__people_dot_sql", PATIENT, "sql/people.sql: no canonical table"),
        ("sql__note_dot_sql", "SELECT 1", "table note needs either a query or a reason, not both"),
        ("mappings__sexes_dot_csv", "local,code,reason\n1,M,\n1,F,\n", "mappings/sexes.csv: a local code stands twice"),
        ("mappings__sexes_dot_csv", "code\nM\n", "mappings/sexes.csv"),
        ("mappings__sexes_dot_csv", "local,code,reason\n1\n", "mappings/sexes.csv"),
        ("columns_dot_csv", "table,column,disposition\nperson,id,dropped\n", "disposition must be mapped, native, excluded"),
        ("columns_dot_csv", "table,column,disposition,target,reason\nperson,id,excluded,,\n", "excluded without a reason"),
        ("columns_dot_csv", "table,column,disposition\nperson,id,mapped\nperson,id,native\n", "person.id stands twice"),
        ("columns_dot_csv", "nothing here\n1\n", "columns.csv"),
        ("mapping_dot_toml", "kind = 'oracle'\n", "kind must be one of sqlite"),
        ("mapping_dot_toml", "= 1", "mapping.toml: cannot be read"),
    ],
)  # fmt: skip
def test_a_faulty_mapping_is_named_by_file(fresh, file: str, text: str, said: str) -> None:
    folder = fresh()
    written = write_mapping(folder / "tiny", **{file: text})
    path = fill(folder / "base.sqlite3", person=[("a", "x", 0, 1, None, None)])
    with pytest.raises(MappingInvalid) as refusal:
        extract(mapping.load(str(written)), path, folder / "work", clock=CLOCK)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (folder / "work" / "canonical").exists()


@pytest.mark.parametrize("name", ["columns.csv", "sql/patient.sql", "mappings/sexes.csv", "mapping.toml"])
def test_a_mapping_file_in_another_encoding_is_named(fresh, name: str) -> None:
    folder = write_mapping(fresh() / "tiny")
    (folder / name).write_bytes("local,code\né,1\n".encode("cp1252"))
    with pytest.raises(MappingInvalid):
        mapping.load(str(folder))


def test_an_unknown_product_names_the_embedded_ones() -> None:
    with pytest.raises(MappingInvalid, match="libreosteo, openemr, synthetic"):
        mapping.load("nowhere")
