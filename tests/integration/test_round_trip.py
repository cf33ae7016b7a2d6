"""Out and back: what an archive of ours holds becomes the same tables, the same bodies and the same archive again; `diff` says so,
and names what changed. Archives of others become received documents. Nothing hostile gets further than a list of what was refused."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transvase.commands.diff import differences, sentence
from transvase.errors import ArchiveInvalid, BadCall
from transvase.exporters import portability
from transvase.formats import zip_stream
from transvase.formats.xdm import XdmArchive
from transvase.formats.zip_window import window
from transvase.model.tables import TABLES
from transvase.sources.archive.foreign import local
from transvase.sources.archive.importer import Imported, import_archive
from transvase.validators.verdicts import judge

CLOCK = datetime.fromisoformat("2026-11-23T20:00:00+01:00")
CONTACT = {"name": "Contact Portabilité", "email": "portabilite@cabinet.invalid", "phone": "+33300000099"}
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture(scope="module")
def imported(practice, tmp_path_factory) -> Path:
    """The work folder that the archive of the practice gives back."""
    work = tmp_path_factory.mktemp("imported") / "work"
    assert import_archive(practice.path, work, clock=CLOCK).unread == []
    return work


def tables(work: Path) -> dict[str, Any]:
    return {n: pq.read_table(work / "canonical" / f"{n}.parquet") for n in TABLES}


def digests(folder: Path) -> set[str]:
    return {p.name for p in folder.glob("*/*") if hashlib.sha256(p.read_bytes()).hexdigest() == p.name}


def exported_again(work: Path, out: Path) -> Path:
    judge(work, clock=CLOCK, environment="sandbox")
    job = portability.job_of(work, {}, CLOCK, "Transvase 0.1.0", None, "Europe/Paris")
    path: Path = out / portability.export(job, out, CONTACT, workers=1)["archive"]
    return path


# -- The round trip -------------------------------------------------------------------------------------------------------------


def test_the_tables_come_back_equal_in_order_and_schema(practice, imported):
    before, after = tables(practice.work), tables(imported)
    for name in TABLES:
        assert after[name].schema == before[name].schema
        assert after[name].equals(before[name]), name
    assert sum(t.num_rows for t in after.values()) > 1000


def test_the_extraction_s_own_account_comes_back(practice, imported):
    name = "canonical/extraction.json"
    assert (imported / name).read_bytes() == (practice.work / name).read_bytes()
    assert json.loads((imported / "canonical/import.json").read_bytes()) == {
        "archive": practice.path.name,
        "unread": [],
        "in_documents": [],
    }


def test_every_body_comes_back(practice, imported):
    """From a CDA of its own, from inside the CDA we wrote, from a PDF without CDA, from ORIGINAUX, from ORPHELIN; an empty one too."""
    assert digests(imported / "bodies") == digests(practice.work / "bodies")
    assert EMPTY in digests(imported / "bodies")
    forms = {
        line["form"] for n in practice.patients for line in json.loads(practice.inner(n)["DONNEES.JSON"])["documents"]
    }
    assert forms >= {"carried", "written", "plain", "absent"}


def test_the_same_cda_filed_twice_and_versions_of_one_document_come_back(small, make, tmp_path):
    """One file of the archive for two documents: the second is said to be repeated, and its content is found there."""
    path = tmp_path / "cabinet.sqlite3"
    shutil.copy(small.database, path)
    with contextlib.closing(sqlite3.connect(path)) as base:
        ((patient,),) = base.execute("SELECT PAT_ID FROM T_PATIENT").fetchall()
        for key in (801, 802):
            base.execute("INSERT INTO T_DOC (DOC_ID, DOC_PAT, DOC_ORIG) VALUES (?, ?, 'I')", (key, patient))
            base.execute(
                "INSERT INTO T_DOC_CONTENU VALUES (?, ?, 1, NULL, NULL, NULL, NULL, NULL, ?)",
                (key, key, cda([("1.9", "7")])),
            )
        base.execute(
            "INSERT INTO T_DOC_CONTENU VALUES (803, 802, 2, NULL, NULL, NULL, NULL, NULL, ?)", (b"second version",)
        )
        base.commit()
    twice = make(path, tmp_path)
    assert twice.facts["forms"]["repeated"] == 1
    done = import_archive(twice.path, tmp_path / "back", clock=CLOCK)
    assert done.unread == []
    assert list(differences(twice.work, tmp_path / "back")) == []
    assert digests(tmp_path / "back" / "bodies") == digests(twice.work / "bodies")


def test_exporting_what_was_imported_gives_the_same_archive(practice, imported, tmp_path):
    again = exported_again(imported, tmp_path)
    assert again.name == practice.path.name
    assert hashlib.sha256(again.read_bytes()).hexdigest() == practice.facts["sha256"]


@pytest.mark.parametrize("kept", [True, False], ids=["as it came", "from the required part alone"])
def test_the_archive_with_its_optional_folders_comes_back_the_same(small, tmp_path, kept):
    """VIEWER/, PARQUET/ and FHIR/ are made of the tables, and an import does not look at them."""

    def export(work: Path, out: Path) -> Path:
        job = portability.job_of(
            work, {}, CLOCK, "Transvase 0.1.0", None, "Europe/Paris", viewer=True, parquet=True, fhir=True
        )
        return out / portability.export(job, out, CONTACT, workers=1)["archive"]

    first = export(small.work, tmp_path / "first")
    with zipfile.ZipFile(first) as outer:
        members = {n: outer.read(n) for n in outer.namelist()}
    folders = {n.split("/")[0] for n in members if "/" in n} - {"DOCUMENTATION"}
    assert folders == {"VIEWER", "PARQUET", "FHIR"}
    given_back = first
    if not kept:
        required = {n: d for n, d in members.items() if n.split("/")[0] not in folders}
        given_back = rebuilt(required, tmp_path / first.name)
    assert import_archive(given_back, tmp_path / "work", clock=CLOCK).unread == []
    judge(tmp_path / "work", clock=CLOCK, environment="sandbox")
    assert export(tmp_path / "work", tmp_path / "again").read_bytes() == first.read_bytes()


def test_importing_again_changes_nothing_and_mends_a_spoilt_body(practice, imported):
    before = {p.name: p.read_bytes() for p in (imported / "canonical").iterdir()}
    spoilt = next(p for p in (imported / "bodies").glob("*/*") if p.stat().st_size)
    spoilt.write_bytes(b"\0" * spoilt.stat().st_size)
    done = import_archive(practice.path, imported, clock=CLOCK)
    assert (done.unread, done.bodies) == ([], 1)
    assert {p.name: p.read_bytes() for p in (imported / "canonical").iterdir()} == before
    assert digests(imported / "bodies") == digests(practice.work / "bodies")


def test_an_interrupted_import_leaves_what_was_there(practice, imported):
    before = {p.name: p.read_bytes() for p in (imported / "canonical").iterdir()}

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_archive(practice.path, imported, clock=CLOCK, progress=stop)
    assert {p.name: p.read_bytes() for p in (imported / "canonical").iterdir()} == before
    assert not (imported / "canonical.part").exists()


def test_an_interrupted_first_import_leaves_no_table(practice, tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_archive(practice.path, tmp_path / "work", clock=CLOCK, progress=stop)
    assert [p.name for p in (tmp_path / "work").iterdir()] == ["bodies"]


def test_what_is_written_is_for_its_owner_alone(imported):
    for path in (imported, imported / "canonical", imported / "bodies"):
        assert path.stat().st_mode & 0o077 == 0


def test_diff_is_empty(practice, imported):
    assert list(differences(practice.work, imported)) == []


# -- diff names what changed ----------------------------------------------------------------------------------------------------


@pytest.fixture
def changed(imported, tmp_path) -> Callable[..., Path]:
    """`changed(table, sql)`: a copy of the import where a table is what the query makes of it."""

    def run(table: str, query: str) -> Path:
        work = tmp_path / "changed"
        if not work.exists():
            shutil.copytree(imported, work, copy_function=os.link)
        path = work / "canonical" / f"{table}.parquet"
        duckdb.sql(
            f"COPY ({query.format(table=f'read_parquet({str(path)!r})')}) TO '{tmp_path / 'new'}' (FORMAT parquet)"
        )
        (tmp_path / "new").replace(path)
        return work

    return run


def lines(a: Path, b: Path) -> list[str]:
    return [sentence(d, "en") for d in differences(a, b)]


def a_row(work: Path, table: str, where: str = "true") -> tuple[str, str, str]:
    query = f"SELECT key, source_table, source_key FROM '{work}/canonical/{table}.parquet' WHERE {where} ORDER BY ALL LIMIT 1"
    ((key, source, source_key),) = duckdb.sql(query).fetchall()
    return key, source, source_key


def said(table: str, row: tuple[str, str, str]) -> str:
    key, source, source_key = row
    return f"{table} {key}" + (f" ({source} {source_key})" if source_key != key else "")


CELLS = [
    (t.name, c.name) for t in TABLES.values() for c in t.columns[1:] if c.name not in ("source_table", "source_key")
]


def test_one_changed_cell_of_each_table_is_named_by_table_record_and_column_and_no_value_is_shown(changed, imported):
    expected = []
    # The invented practice has no row of these two.
    for table in [n for n in TABLES if n not in ("objection", "dispensation")]:
        schema = TABLES[table].schema
        column = next(c for t, c in CELLS if t == table and str(schema.field(c).type) == "string")
        key, source, source_key = a_row(imported, table)
        name = key.replace("'", "''")
        work = changed(
            table,
            f"SELECT * REPLACE (CASE WHEN key = '{name}' AND source_key = '{source_key}' AND source_table = '{source}' "
            f'THEN \'xyzzy\' ELSE "{column}" END AS "{column}") FROM {{table}}',
        )
        expected.append(f"{said(table, (key, source, source_key))} : {column}")
    assert lines(imported, work) == expected
    assert "xyzzy" not in str(list(differences(imported, work)))


def test_several_changed_columns_stand_in_one_line(changed, imported):
    key, *_ = row = a_row(imported, "patient")
    work = changed("patient", f"SELECT * REPLACE (if(key = '{key}', NULL, birth_family) AS birth_family, "
                              f"if(key = '{key}', 'x', city) AS city) FROM {{table}}")  # fmt: skip
    assert lines(imported, work) == [f"{said('patient', row)} : birth_family, city"]


@pytest.mark.parametrize("table", ["patient", "problem", "document_version", "native"])
def test_a_dropped_row_is_named_on_the_side_that_has_it(changed, imported, table):
    row = a_row(imported, table)
    work = changed(
        table, f"FROM {{table}} WHERE NOT (key = '{row[0]}' AND source_key = '{row[2]}' AND source_table = '{row[1]}')"
    )
    assert lines(imported, work) == [f"{said(table, row)} : only in A"]
    assert lines(work, imported) == [f"{said(table, row)} : only in B"]


def test_a_doubled_row_is_a_difference(changed, imported):
    row = a_row(imported, "problem")
    work = changed("problem", f"FROM {{table}} UNION ALL FROM {{table}} WHERE key = '{row[0]}'")
    assert lines(imported, work) == [f"{said('problem', row)} : only in B"]


@pytest.mark.parametrize(
    "spoil", [lambda p: p.write_bytes(b"\0" + p.read_bytes()[1:]), lambda p: p.unlink()], ids=["changed", "lost"]
)
def test_a_spoilt_body_is_named_by_its_version(imported, tmp_path, spoil):
    work = tmp_path / "changed"
    shutil.copytree(imported, work)
    row = a_row(imported, "document_version", "size > 0")
    ((digest,),) = duckdb.sql(
        f"SELECT sha256 FROM '{work}/canonical/document_version.parquet' WHERE key = '{row[0]}'"
    ).fetchall()
    spoil(work / "bodies" / digest[:2] / digest)
    assert lines(imported, work) == [f"{said('document_version', row)} : body (only in A)"]


def test_a_work_folder_and_an_archive_are_compared(practice, small):
    done = command("diff", practice.work, practice.path)
    assert (done.returncode, done.stdout) == (0, "")
    other = command("diff", practice.path, small.work, "--json")
    assert other.returncode == 1
    assert len(json.loads(other.stdout)["differences"]) > 1000


def test_diff_refuses_what_it_cannot_compare(practice, tmp_path):
    (tmp_path / "empty").mkdir()
    assert command("diff", practice.work, tmp_path / "none").returncode == 2
    assert command("diff", practice.work, tmp_path / "empty").returncode == 30
    shutil.copy(practice.path, tmp_path)
    with (tmp_path / practice.path.name).open("r+b") as file:
        file.truncate(10_000)
    assert command("diff", tmp_path / practice.path.name, practice.work).returncode == 40


# -- The command ----------------------------------------------------------------------------------------------------------------


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "transvase.commands.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def receiving(tmp_path) -> Path:
    """The settings of who receives."""
    path = tmp_path / "transvase.toml"
    path.write_text('[work]\nfolder = "travail"\n')
    return path


def test_port_14_import_then_export_by_the_command_line(small, receiving, tmp_path):
    done = command("import", small.path, "--settings", receiving)
    assert (done.returncode, done.stdout.count("non repris")) == (0, 0), done.stderr
    assert command("diff", small.work, tmp_path / "travail").returncode == 0
    exported = command("export", "--settings", receiving, "--clock", CLOCK.isoformat(), "--json")
    assert exported.returncode in (0, 1), exported.stderr
    assert json.loads(exported.stdout)["patients"] == 1


@pytest.mark.parametrize(("options", "code"), [((), 40), (("--unverified",), 0)])
def test_a_changed_archive_is_refused_unless_asked(small, receiving, tmp_path, options, code):
    """One letter of a member's name: the records are whole, the archive is not what was delivered."""
    path = tmp_path / small.path.name
    path.write_bytes(small.path.read_bytes().replace(b"DOCUMENTATION/FICHIERS.CSV", b"DOCUMENTATIOM/FICHIERS.CSV"))
    done = command("import", path, "--settings", receiving, *options)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "travail" / "canonical").exists() is (code == 0)


def test_import_does_not_replace_the_extraction_of_a_database(small, practice):
    before = (practice.work / "canonical" / "extraction.json").read_bytes()
    with pytest.raises(BadCall, match="database"):
        import_archive(small.path, practice.work, clock=CLOCK)
    assert (practice.work / "canonical" / "extraction.json").read_bytes() == before


def test_a_missing_archive_is_a_bad_call(receiving, tmp_path):
    assert command("import", tmp_path / "none.zip", "--settings", receiving).returncode == 2


# -- Archives that are damaged, edited or made to harm --------------------------------------------------------------------------


def rebuilt(members: dict[str, bytes], path: Path) -> Path:
    path.write_bytes(
        zip_stream.build([(n, d, not n.endswith(".ZIP")) for n, d in members.items()], CLOCK.replace(tzinfo=None))
    )
    return path


def repacked(inner: dict[str, bytes]) -> bytes:
    return zip_stream.build([(n, d, True) for n, d in inner.items()], CLOCK.replace(tzinfo=None))


@pytest.fixture
def edited(small, tmp_path) -> Callable[..., Imported]:
    """Import the small archive after an edit of one inner archive's members (`None` removes one) or of its bytes."""

    def run(name: str, edit: Callable[[dict[str, bytes]], Any]) -> Imported:
        inner = small.inner(name)
        result = edit(inner)
        data = result if isinstance(result, bytes) else repacked(inner)
        path = rebuilt({**small.members, name: data}, tmp_path / small.path.name)
        return import_archive(path, tmp_path / "work", clock=CLOCK)

    return run


def bomb(name: str) -> bytes:
    return zip_stream.build([(name, bytes(60_000_000), True)], CLOCK)


def with_data(edit: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], None]:
    def run(inner: dict[str, bytes]) -> None:
        content = orjson.loads(inner["DONNEES.JSON"])
        result = edit(content)
        inner["DONNEES.JSON"] = result if isinstance(result, bytes) else json.dumps(content).encode()

    return run


def first(content: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = content["tables"]["document_version"][0]
    return row


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda c: c.update(version=2), id="another version"),
        pytest.param(lambda c: c.pop("patient"), id="no patient"),
        pytest.param(lambda c: c["patient"].update(key=None), id="patient without key"),
        pytest.param(lambda c: c["patient"].update(more=1), id="one column more"),
        pytest.param(lambda c: c["patient"].pop("city"), id="one column less"),
        pytest.param(lambda c: c["patient"].update(city=["x"]), id="a list for a text"),
        pytest.param(lambda c: c["patient"].update(homonym="yes"), id="a text for a flag"),
        pytest.param(lambda c: first(c).update(version=True), id="a flag for a number"),
        pytest.param(lambda c: first(c).update(version=2**70), id="a number too large"),
        pytest.param(lambda c: first(c).update(patient="another"), id="a row of another patient"),
        pytest.param(lambda c: c["tables"].update(unknown=[]), id="unknown table"),
        pytest.param(lambda c: c["tables"].update(practice=[]), id="a table of the practice"),
        pytest.param(lambda c: c.update(documents=[{"form": "lost"}]), id="a line without a document"),
        pytest.param(lambda c: b"[]", id="a list"),
        pytest.param(lambda c: b"", id="empty"),
        pytest.param(lambda c: b"[" * 5000, id="deep"),
        pytest.param(lambda c: b'{"version": 1, "patient": "\xff"}', id="not UTF-8"),
    ],
)
def test_data_of_another_shape_are_refused_whole_and_the_documents_are_read_instead(edited, edit):
    done = edited("PAT00001.ZIP", with_data(edit))
    assert any("DONNEES.JSON is not of the documented shape" in line for line in done.unread)
    assert done.manifest["rows"]["problem"] == 0
    assert done.manifest["rows"]["document"] >= 1
    assert done.manifest["rows"]["patient"] == 1


def test_a_content_that_is_not_the_one_its_row_says_is_not_kept(edited, tmp_path):
    def swap(inner: dict[str, bytes]) -> None:
        for name in [n for n in inner if n.startswith(("ORIGINAUX/", "IHE_XDM/SUBSET01/DOC"))]:
            inner[name] = inner[name] + b"\n"
            inner[name] = inner[name].replace(b"JVBERi0", b"JVBERi1")

    done = edited("PAT00001.ZIP", swap)
    asked = duckdb.sql(
        f"SELECT DISTINCT key FROM '{tmp_path / 'work'}/canonical/document_version.parquet' WHERE size > 0"
    ).fetchall()
    assert sorted(done.unread) == sorted(
        f"PAT00001.ZIP, document_version {key}: its content is not in the archive." for (key,) in asked
    )
    assert done.bodies == 0


def test_a_place_that_leaves_the_archive_is_not_followed(edited):
    done = edited("PAT00001.ZIP", with_data(lambda c: [d.update(uri="../../../etc/passwd") for d in c["documents"]]))
    assert all("is not in the archive" in line for line in done.unread)
    assert done.unread


@pytest.mark.parametrize(
    ("name", "edit", "sentence"),
    [
        pytest.param("PAT00001.ZIP", lambda f: b"", "cannot be opened", id="empty"),
        pytest.param("PAT00001.ZIP", lambda f: b"no zip", "cannot be opened", id="no zip"),
        pytest.param("PAT00001.ZIP", lambda f: bomb("DONNEES.JSON"), "cannot be opened", id="bomb"),
        pytest.param("PAT00001.ZIP", lambda f: f.update({"../../x": b""}), "cannot be opened", id="path that goes up"),
        pytest.param("TRANSVERSE.ZIP", lambda f: b"no zip", "TRANSVERSE.ZIP is damaged", id="transverse no zip"),
        pytest.param("TRANSVERSE.ZIP", lambda f: bomb("TRANSVERSE/NATIVE.JSONL"), "not opened", id="transverse bomb"),
        pytest.param("TRANSVERSE.ZIP", lambda f: f.update({"TRANSVERSE/PRACTICE.JSONL": b"{}\n"}), "line 1: it is not a row of practice", id="not a row"),
        pytest.param("TRANSVERSE.ZIP", lambda f: f.update({"TRANSVERSE/NATIVE.JSONL": b"\xff\xfe\n"}), "line 1: it is not a row of native", id="not JSON"),
        pytest.param("TRANSVERSE.ZIP", lambda f: f.update({"TRANSVERSE/OTHER.XML": b""}), "has no place in the tables", id="unknown file"),
        pytest.param("TRANSVERSE.ZIP", lambda f: f.pop("TRANSVERSE/EXTRACTION.JSON"), "no account of an extraction", id="no account"),
        pytest.param("TRANSVERSE.ZIP", lambda f: f.update({"TRANSVERSE/EXTRACTION.JSON": b'{"rows": 1}'}), "no account of an extraction", id="bad account"),
        pytest.param("TRANSVERSE.ZIP", lambda f: f.update({"TRANSVERSE/PRACTICE.JSONL": b""}), "practice: 2 rows announced, 0 read", id="rows missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_listed_and_the_rest_is_imported(edited, name, edit, sentence):
    done = edited(name, edit)
    assert any(sentence in line for line in done.unread), done.unread


def test_a_patient_that_stands_twice_is_imported_once(small, tmp_path):
    path = rebuilt({**small.members, "PAT00002.ZIP": small.members["PAT00001.ZIP"]}, tmp_path / small.path.name)
    done = import_archive(path, tmp_path / "work", clock=CLOCK)
    assert done.unread == ["PAT00002.ZIP: its patient is that of an earlier archive; not imported."]
    assert done.manifest["rows"]["patient"] == 1


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"<a/>", b"\0" * 1000])
def test_what_is_no_archive_is_refused_and_leaves_nothing(tmp_path, data):
    path = tmp_path / "PA20261123T200000.ZIP"
    path.write_bytes(data)
    try:
        done = import_archive(path, tmp_path / "work", clock=CLOCK)
    except ArchiveInvalid:
        assert not (tmp_path / "work" / "canonical").exists()
        assert not (tmp_path / "work" / "canonical.part").exists()
    else:
        # An empty ZIP is an archive that holds nothing, and says so.
        assert done.unread


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_flipped_byte_makes_more_than_a_list_or_a_refusal(small, tmp_path_factory, data):
    """Unverified on purpose. Whatever was kept in the store is what its name says."""
    good = small.path.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    folder = tmp_path_factory.mktemp("flipped")
    path = folder / small.path.name
    path.write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
    try:
        import_archive(path, folder / "work", clock=CLOCK)
    except ArchiveInvalid:
        return
    finally:
        assert digests(folder / "work" / "bodies") == {p.name for p in (folder / "work" / "bodies").glob("*/*")}
        shutil.rmtree(folder)


def test_messages_quote_nothing_of_a_patient(edited, small):
    person = json.loads(small.inner("PAT00001.ZIP")["DONNEES.JSON"])["patient"]
    done = edited("PAT00001.ZIP", with_data(lambda c: c.update(version=2)))
    text = " ".join(done.unread)
    for value in (person["birth_family"], person["birth_given"], person["ins"]):
        assert value and value not in text


# -- Archives of others ---------------------------------------------------------------------------------------------------------

OFFICIAL = (
    "VSM_1.4_2022.01.zip",
    "BIO-CR-BIO_2021.01_CDA-R2-Niveau-1.zip",
    "BIO-CR-BIO_2021.01_Auto-Presentable.zip",
    "IMG_CR_IMG_2024.01.zip",
    "eP-MED-DM_2024.01_PosoStruct.zip",
)


@pytest.mark.shared
@pytest.mark.parametrize("name", OFFICIAL)
def test_an_official_xdm_archive_becomes_a_patient_and_a_received_document(shared, tmp_path, name):
    path = shared / "xdm-examples" / name
    done = import_archive(path, tmp_path / "work", clock=CLOCK)
    assert done.unread == []
    found = tables(tmp_path / "work")
    (patient,), (document,), (version,) = (found[n].to_pylist() for n in ("patient", "document", "document_version"))
    with zipfile.ZipFile(path) as archive:
        body = archive.read("IHE_XDM/SUBSET01/DOC0001.XML")
        metadata = archive.read("IHE_XDM/SUBSET01/METADATA.XML").decode()
    assert (tmp_path / "work" / "bodies" / version["sha256"][:2] / version["sha256"]).read_bytes() == body
    assert (document["origin"], document["fed_state"], document["patient"]) == ("received", "unknown", patient["key"])
    assert (version["document"], version["detected"], version["size"]) == (document["key"], "cda", len(body))
    # What the official generator says of the same document.
    assert f"{patient['ins']}^^^&amp;{patient['ins_oid']}&amp;ISO^NH" in metadata
    assert f"PID-5|{patient['birth_family']}^{patient['birth_first_given']}^{patient['birth_given']}^" in metadata
    assert f"PID-7|{patient['birth_date'].replace('-', '')}" in metadata
    assert f"PID-8|{patient['sex']}" in metadata
    assert f'nodeRepresentation="{document["type_code"]}"' in metadata
    assert (patient["insi_confirmed"], patient["document_checked"]) == (None, None)
    assert done.manifest["rows"] == {n: t.num_rows for n, t in found.items()}


@pytest.mark.shared
def test_a_folder_of_every_official_archive_is_imported_and_exported(shared, tmp_path):
    """Sixty-nine archives, six people: the same documents under the same bytes, and two known oddities of the examples named."""
    done = import_archive(shared / "xdm-examples", tmp_path / "work", clock=CLOCK)
    rows = done.manifest["rows"]
    assert rows["patient"] == 6
    assert len(digests(tmp_path / "work" / "bodies")) == rows["document_version"] == 68
    assert all(
        "differs from an earlier document" in line or "another content has its identifier" in line
        for line in done.unread
    )
    judge(tmp_path / "work", clock=CLOCK, environment="sandbox")
    given_ = {"name": "Cabinet", "oid": "1.2.250.1.213.9.9"}
    job = portability.job_of(tmp_path / "work", given_, CLOCK, "Transvase 0.1.0", None, "Europe/Paris")
    facts = portability.export(job, tmp_path / "out", CONTACT, workers=1)
    assert facts["patients"] == 6
    assert facts["forms"]["carried"] >= 66


@pytest.mark.shared
def test_an_unpacked_archive_and_lone_documents_are_imported_too(shared, tmp_path):
    source = tmp_path / "received"
    with zipfile.ZipFile(shared / "xdm-examples" / OFFICIAL[0]) as archive:
        archive.extractall(source / "unpacked")
    with zipfile.ZipFile(shared / "xdm-examples" / OFFICIAL[1]) as archive:
        (source / "alone.xml").write_bytes(archive.read("IHE_XDM/SUBSET01/DOC0001.XML"))
    (source / "broken.xml").write_bytes(b"<ClinicalDocument xmlns='urn:hl7-org:v3'><id")
    (source / "other.xml").write_bytes(b"<a/>")
    (source / "other.zip").write_bytes(b"no zip")
    (source / "link.xml").symlink_to("/etc/passwd")
    done = import_archive(source, tmp_path / "work", clock=CLOCK)
    ranks = {
        p.name: n for n, p in enumerate(sorted(p for p in source.rglob("*") if p.is_file() and not p.is_symlink()), 1)
    }
    assert done.manifest["rows"]["document"] == 3
    assert set(done.unread) == {
        f"file {ranks['broken.xml']}: its CDA cannot be read; kept as a document without a patient.",
        f"file {ranks['other.xml']}: it is not a CDA; not imported.",
        f"file {ranks['other.zip']}: it is not an archive that can be opened.",
    }
    documents = tables(tmp_path / "work")["document"].to_pylist()
    # Only metadata speak of visibility: False where there are some, nothing where there are none.
    assert sorted(str(d["masked_ps"]) for d in documents) == ["False", "None", "None"]


def test_a_portability_archive_of_another_maker_is_read_by_its_documents(practice, tmp_path):
    """Ours without DONNEES.JSON is what the guide asks of anybody."""
    members = dict(practice.members)
    for name in practice.patients:
        members[name] = repacked({n: d for n, d in practice.inner(name).items() if n != "DONNEES.JSON"})
    members["TRANSVERSE.ZIP"] = repacked({"README.TXT": b"", "TRANSVERSE/AGENDA.ICS": b""})
    done = import_archive(rebuilt(members, tmp_path / practice.path.name), tmp_path / "work", clock=CLOCK)
    rows = done.manifest["rows"]
    known = len(practice.patients)
    without_cda = sum(
        not any(n.startswith("IHE_XDM/SUBSET01/DOC") and n.endswith(".XML") for n in practice.inner(p))
        for p in practice.patients
    )
    assert rows["patient"] <= known - without_cda
    assert rows["patient"] > known - without_cda - 4
    described = {
        hashlib.sha256(d).hexdigest() for p in practice.patients for n, d in practice.inner(p).items() if n.startswith("IHE_XDM/SUBSET01/DOC")
    }  # fmt: skip
    assert digests(tmp_path / "work" / "bodies") == described
    assert any("no account of an extraction" in line for line in done.unread)


def cda(
    identifiers: list[tuple[str, str]], family: str = "DUPONT", document: str = "1", of_set: str = "9", version: int = 1
) -> bytes:
    ids = "".join(f'<id root="{r}" extension="{e}"/>' for r, e in identifiers)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3">'
        f'<id root="1.2.3.{document}"/><code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/><title>T</title>'
        f'<effectiveTime value="20260105103000+0100"/><setId root="1.2.3.{of_set}"/><versionNumber value="{version}"/>'
        f'<recordTarget><patientRole>{ids}<patient><name><family qualifier="BR">{family}</family></name></patient></patientRole>'
        "</recordTarget></ClinicalDocument>"
    ).encode()


INS = "1.2.250.1.213.1.4.8"


@pytest.mark.parametrize(
    ("documents", "people"),
    [
        pytest.param([cda([(INS, "1")], document="1"), cda([(INS, "1")], document="2", of_set="8")], 1, id="same INS"),
        pytest.param([cda([(INS, "1")], document="1"), cda([(INS, "2")], document="2", of_set="8")], 2, id="two INS"),
        pytest.param([cda([(INS, "1"), ("1.9", "7")]), cda([("1.9", "7")], document="2", of_set="8")], 1, id="known by a local number"),
        pytest.param([cda([("1.9", "7")]), cda([(INS, "1"), ("1.9", "7")], document="2", of_set="8")], 1, id="INS learnt later"),
        pytest.param([cda([(INS, "1"), ("1.9", "7")]), cda([(INS, "2"), ("1.9", "7")], document="2", of_set="8")], 2, id="one local number, two INS"),
        pytest.param([cda([("1.9", "7")]), cda([("1.8", "7")], document="2", of_set="8")], 2, id="same number of two structures"),
        pytest.param([cda([]), cda([], document="2", of_set="8")], 0, id="no identifier"),
    ],
)  # fmt: skip
def test_a_patient_is_recognised_by_identifiers_alone(tmp_path, documents, people):
    (tmp_path / "in").mkdir()
    for rank, data in enumerate(documents):
        (tmp_path / "in" / f"{rank}.xml").write_bytes(data)
    done = import_archive(tmp_path / "in", tmp_path / "work", clock=CLOCK)
    assert (done.manifest["rows"]["patient"], done.manifest["rows"]["document"]) == (people, 2)
    assert len(done.unread) == (2 if people == 0 else 0)


def test_versions_of_one_set_are_one_document_and_the_same_file_twice_is_one(tmp_path):
    (tmp_path / "in").mkdir()
    two = cda([(INS, "1")], document="2", version=2).replace(b">T<", b">New title<")
    for rank, data in enumerate((two, cda([(INS, "1")]), cda([(INS, "1")]))):
        (tmp_path / "in" / f"{rank}.xml").write_bytes(data)
    done = import_archive(tmp_path / "in", tmp_path / "work", clock=CLOCK)
    found = tables(tmp_path / "work")
    assert [d["title"] for d in found["document"].to_pylist()] == ["New title"]
    assert sorted(v["version"] for v in found["document_version"].to_pylist()) == [1, 2]
    assert done.unread == []


@pytest.mark.parametrize(
    ("hl7", "iso"),
    [
        ("2026", "2026"),
        ("202601", "2026-01"),
        ("20260105", "2026-01-05"),
        ("20260105103000+0100", "2026-01-05T10:30:00"),
        ("20260705103000+0000", "2026-07-05T12:30:00"),
        ("20260105103000", "2026-01-05T10:30:00"),
        ("2026010510", "2026-01-05T10:00:00"),
        ("202601051030+0100", "2026-01-05T10:30:00"),
        ("20260105103000.123+0100", "2026-01-05T10:30:00"),
        ("20260230", None),
        ("", None),
        ("hier", None),
        ("00000101", None),
        ("00010101000000+1200", None),
        ("99991231235959-1200", None),
    ],
)  # fmt: skip
def test_times_of_documents_become_local_time_of_the_same_precision(hl7, iso):
    assert local(hl7) == iso


# -- Reading an archive inside an archive ---------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_window_reads_like_the_bytes_it_shows(data):
    body = data.draw(st.binary(max_size=300))
    outer = io.BytesIO(zip_stream.build([("a", b"before", False), ("b", body, False), ("c", b"after", False)], CLOCK))
    with zipfile.ZipFile(outer) as archive:
        seen, expected = window(outer, archive.getinfo("b")), io.BytesIO(body)
    for _ in range(5):
        whence = data.draw(st.sampled_from([io.SEEK_SET, io.SEEK_END]))
        offset = data.draw(st.integers(0, 300)) if whence == io.SEEK_SET else -data.draw(st.integers(0, len(body)))
        assert seen.seek(offset, whence) == expected.seek(offset, whence)
        size = data.draw(st.integers(-1, 300))
        assert seen.read(size) == expected.read(size)


@pytest.mark.parametrize("break_", ["deflated", "moved", "long"])
def test_a_window_refuses_what_is_not_stored_where_it_says(break_):
    outer = io.BytesIO(zip_stream.build([("a", b"x" * 100, break_ == "deflated")], CLOCK))
    with zipfile.ZipFile(outer) as archive:
        info = archive.getinfo("a")
    if break_ == "moved":
        info.header_offset = 5
    if break_ == "long":
        info.file_size = info.compress_size = 10_000
    with pytest.raises(zipfile.BadZipFile):
        window(outer, info)


def test_a_patient_archive_reads_the_same_through_a_window(practice):
    with practice.path.open("rb") as file, zipfile.ZipFile(file) as outer:
        for name in practice.patients[:3]:
            with XdmArchive(window(file, outer.getinfo(name))) as archive:
                assert {n: archive.read(n) for n in archive.names if not n.endswith("/")} == {
                    n: d for n, d in practice.inner(name).items() if not n.endswith("/")
                }


def test_every_table_has_a_cell_that_a_test_may_change():
    assert {t for t, _ in CELLS} == set(TABLES)
    assert re.fullmatch(r"[0-9a-f]{64}", EMPTY)
