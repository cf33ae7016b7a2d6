"""Names planted in a practice, with faults on the same records, and everything run on it: only the archive and the working copies
hold them. Screens, logs, Dagster, ledger, reports and counts do not."""

from __future__ import annotations

import re
import shutil
import sqlite3
import zipfile

import pyarrow.parquet as pq
import pypdfium2
import pytest

from transvase.sandbox.dmp import Sandbox

from .conftest import CLOCK, SETTINGS, Office

PLANTED = {
    "family name": "ZZNOMNAISSANCE",
    "given name": "ZZPRENOM",
    "used name": "ZZNOMUSUEL",
    "address": "ZZADRESSE",
    "e-mail": "zzcourriel@zz.invalid",
    "warning": "ZZALERTE",
    "impossible birth date": "77/77/ZZ77",
    "document title": "ZZTITREDOC",
    "file name": "ZZFICHIER",
    "outside author": "ZZAUTEUR",
    "unknown local type": "ZZTYPE",
    "reason not to send": "ZZMOTIF",
    "broken body": "ZZCORPS",
    "note": "ZZNOTE",
    "personal note": "ZZNOTEPERSO",
    "problem": "ZZANTECEDENT",
    "text in a number": "ZZVERSION",
    "appointment": "ZZRENDEZVOUS",
    "trace": "ZZTRACE",
}


def plant(office: Office) -> str:
    """The values, on the one patient of the office; its wrong matricule."""
    with sqlite3.connect(office.database) as base:
        ((patient, ins),) = base.execute("SELECT PAT_ID, PAT_INS FROM T_PATIENT").fetchall()
        # One digit of the key is wrong: a blocking verdict on the very record.
        wrong = ins[:-1] + str((int(ins[-1]) + 1) % 10)
        base.execute(
            "UPDATE T_PATIENT SET PAT_NOM_NAIS = ?, PAT_PRENS_NAIS = ?, PAT_PREN1 = ?, PAT_NOM_USU = ?, PAT_ADR = ?, PAT_MEL = ?, "
            "PAT_ALERTE = ?, PAT_DTN = ?, PAT_INS = ?, PAT_SEXE = 'ZZSEXE'",
            (*(PLANTED[n] for n in ("family name", "given name", "given name", "used name", "address", "e-mail", "warning",
                                    "impossible birth date")), wrong),
        )  # fmt: skip
        base.execute(
            "UPDATE T_DOC SET DOC_TITRE = ?, DOC_AUT_EXT = ?, DOC_NT_MOTIF = ?, DOC_TYPE = ?, DOC_DT = '77-77-7777'",
            [PLANTED[n] for n in ("document title", "outside author", "reason not to send", "unknown local type")],
        )
        base.execute(
            "UPDATE T_DOC_CONTENU SET CNT_NOM = ?, CNT_VERS = ?, CNT_BLOB = ?",
            (PLANTED["file name"], PLANTED["text in a number"], b"%PDF-1.4 " + PLANTED["broken body"].encode()),
        )
        base.execute(
            "INSERT INTO T_NOTE (NOT_ID, NOT_PAT, NOT_TXT) VALUES (1, ?, ?)", (patient, f"<b>{PLANTED['note']}</b>\x01")
        )
        base.execute(
            "INSERT INTO T_NOTE_PERSO (NPE_ID, NPE_PAT, NPE_TXT) VALUES (1, ?, ?)", (patient, PLANTED["personal note"])
        )
        base.execute(
            "INSERT INTO T_RDV (RDV_ID, RDV_PAT, RDV_DEB, RDV_LIB) VALUES (1, ?, 'ZZ', ?)",
            (patient, PLANTED["appointment"]),
        )
        base.execute(
            "INSERT INTO T_TRACE (TRC_ID, TRC_PAT, TRC_DT, TRC_OBJET) VALUES (1, ?, 'ZZ', ?)",
            (patient, PLANTED["trace"]),
        )
        # A document that is due, of the same patient: its feeding is asked for and refused by the verdicts.
        base.execute(
            "INSERT INTO T_DOC (DOC_ID, DOC_PAT, DOC_TYPE, DOC_TITRE, DOC_ORIG, DOC_DT, DOC_DMP) "
            "VALUES (1, ?, 'PETITE_CHIR', ?, 'I', '2026-11-20', 'J')",
            (patient, PLANTED["document title"]),
        )
        # And one of nobody.
        base.execute("INSERT INTO T_DOC (DOC_ID, DOC_TITRE, DOC_ORIG) VALUES (2, ?, 'I')", (PLANTED["document title"],))
        base.execute("INSERT INTO T_ATCD (ATD_ID, ATD_PAT, ATD_LIB) VALUES (1, ?, ?)", (patient, PLANTED["problem"]))
    return wrong


@pytest.fixture(scope="module")
def ran(template: Office, tmp_path_factory: pytest.TempPathFactory) -> tuple[Office, dict[str, str], str]:
    """The office after every command, what they said by name, and the matricule."""
    folder = tmp_path_factory.mktemp("privacy") / "office"
    shutil.copytree(template.folder, folder)
    office = Office(folder)
    for name in ("canonical", "verdicts", "bodies", "dagster"):
        shutil.rmtree(office.work / name)
    matricule = plant(office)
    said: dict[str, str] = {}
    with Sandbox(folder / "dmp", office.database.with_suffix(".dmp-patients.csv"), CLOCK) as sandbox:
        text = re.sub(r"https://[^\"]*", sandbox.url, SETTINGS)
        office.settings.write_text(text.replace('"keys/', '"dmp/'))
        for arguments in (
            ("extract",),
            ("check",),
            ("export",),
            ("verify", office.out / "PA20261123T200000.ZIP"),
            ("feed",),
            ("audit",),
            ("explain", "1"),
            ("explain", "2", "--json"),
        ):
            done = office.run(*arguments)
            said[" ".join(map(str, arguments[:2]))] = done.stdout + done.stderr
            assert done.returncode in (0, 1), done.stderr
        # A fault of the archive, and one of the base in the middle of a table.
        archive = office.out / "PA20261123T200000.ZIP"
        data = bytearray(archive.read_bytes())
        data[len(data) // 2] ^= 0xFF
        (office.folder / "PA20261123T200001.ZIP").write_bytes(data)
        said["verify spoilt"] = (d := office.run("verify", "PA20261123T200001.ZIP")).stdout + d.stderr
        assert d.returncode == 40
    return office, said, matricule


def holds(data: bytes, matricule: str) -> set[str]:
    lowered = data.lower()
    values = {**PLANTED, "matricule": matricule}
    return {
        name
        for name, value in values.items()
        if any(form in lowered for form in (value.lower().encode(), value.lower().encode("utf-16-le")))
    }


def test_the_values_are_where_they_must_be(ran):
    """A check of the check: the archive and the canonical tables hold every one of them."""
    office, _, matricule = ran
    text = " ".join(
        str(pq.read_table(path).to_pylist()) for path in sorted((office.work / "canonical").glob("*.parquet"))
    ).encode()
    bodies = b" ".join(p.read_bytes() for p in (office.work / "bodies").glob("*/*"))
    assert holds(text + bodies, matricule) == {*PLANTED, "matricule"}


def test_nothing_is_said_on_the_terminal(ran):
    _, said, matricule = ran
    for command, text in said.items():
        assert holds(text.encode(), matricule) == set(), command
        assert len(text) > 20, command


def test_nothing_is_kept_by_dagster(ran):
    office, _, matricule = ran
    seen = 0
    for path in (office.work / "dagster").rglob("*"):
        if not path.is_file():
            continue
        assert holds(path.read_bytes(), matricule) == set(), path.name
        if path.read_bytes()[:15] == b"SQLite format 3":
            # A value may stand across two pages of the file: rows are read too.
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
                text = "\n".join(base.iterdump())
            assert holds(text.encode(), matricule) == set(), path.name
            seen += len(text)
    assert seen > 10_000


def test_nothing_is_kept_in_the_ledger(ran):
    office, _, matricule = ran
    assert holds((office.work / "ledger.sqlite").read_bytes(), matricule) == set()
    records = b"".join(path.read_bytes() for path in sorted((office.work / "runs").iterdir()))
    assert b'"command":"export"' in records and holds(records, matricule) == set()


@pytest.mark.parametrize("name", ["out/rapport.html", "out/report.html", "out/rapport.json", "out/report.json", "work/export.json", "work/verdicts/counts.json",
                                  "work/canonical/extraction.json", "out/PA20261123T200000.ZIP.sha256"])  # fmt: skip
def test_nothing_stands_in_reports_and_counts(ran, name):
    office, _, matricule = ran
    data = (office.folder / name).read_bytes()
    assert holds(data, matricule) == set()
    assert len(data) > 50


def test_nothing_stands_in_the_other_forms_of_the_report_nor_in_data_docs(ran):
    office, _, matricule = ran
    texts = [p.read_bytes() for p in (office.out / "rapport-pieces").iterdir()]
    docs = [p.read_bytes() for p in (office.work / "expectations").rglob("*") if p.is_file()]
    # The failing columns are there: the pages speak of the very record that holds the values.
    assert any(b"RNIV-DATE-IMPOSSIBLE" in d for d in docs) and any(b"DOC-DATE" in d for d in docs)
    for name in ("rapport", "report"):
        with zipfile.ZipFile(office.out / f"{name}-csv.zip") as archive:
            texts += [archive.read(i) for i in archive.infolist()]
        with pypdfium2.PdfDocument(office.out / f"{name}.pdf") as paper:
            texts += [page.get_textpage().get_text_bounded().encode() for page in paper]
    texts.append(str([pq.read_table(p).to_pylist() for p in (office.work / "report").iterdir()]).encode())
    assert len(texts) > 20 and len(docs) > 3
    for text in (*texts, *docs):
        assert holds(text, matricule) == set()


def test_verdicts_name_records_by_reference_only(ran):
    office, _, matricule = ran
    rows = 0
    for path in sorted((office.work / "verdicts").glob("*.parquet")):
        table = pq.read_table(path)
        rows += table.num_rows
        assert holds(str(table.to_pylist()).encode(), matricule) == set(), path.name
    assert rows > 5


def test_nothing_else_was_written_beside(ran):
    """Every other file of the folder is one of the known ones: a new log would have to be looked at here."""
    office, _, _ = ran
    known = re.compile(
        r"cabinet\.(sqlite3|truth\.csv|dmp-patients\.csv|identities\.csv)|transvase\.toml|(keys|dmp)/.+|PA20261123T200001\.ZIP|"
        r"out/(rapport|report)(\.(html|pdf|json)|-csv\.zip)|out/rapport-pieces/\d{6}\.html|out/PA20261123T200000\.ZIP(\.sha256)?|work/(canonical|verdicts|bodies|dagster|expectations|report)/.+|"
        r"work/(export\.json|ledger\.sqlite(\.lock)?)|work/runs/(\d{6}\.json|head\.json|writing\.lock)"
    )
    files = [p.relative_to(office.folder).as_posix() for p in office.folder.rglob("*") if p.is_file()]
    assert [f for f in files if not known.fullmatch(f)] == []


def test_the_name_of_the_archive_s_members_is_the_only_name_in_clear(ran):
    """PORT-50 puts the patient's name into the name of a PDF: inside the inner archive only."""
    office, _, _ = ran
    with zipfile.ZipFile(office.out / "PA20261123T200000.ZIP") as archive:
        names = " ".join(archive.namelist()).encode()
    assert not any(value.encode() in names for value in PLANTED.values())
    assert b"PAT00001.ZIP" in names


def test_working_copies_archive_and_reports_are_private(ran):
    office, _, _ = ran
    folders = (office.work, office.out, *(p for p in office.work.iterdir() if p.is_dir()))
    for path in (*folders, *office.out.iterdir(), office.work / "ledger.sqlite"):
        assert path.stat().st_mode & 0o077 == 0, path.name
