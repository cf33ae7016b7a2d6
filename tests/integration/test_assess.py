"""`transvase assess`: what a clinic runs alone before anything moves. Its page names nobody; each thing in the way is of one class, is
signed by somebody for what was seen, and is open again when that changes; some cannot be signed at all."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import zipfile
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from transvase.commands import assess
from transvase.commands.main import main
from transvase.errors import SourceMissing
from transvase.ledger import sign_offs
from transvase.reports import assessment
from transvase.sources import appraisal, mapping
from transvase.sources.connection import opened
from transvase.sources.synthetic.practice import generate

CLOCK = datetime(2026, 11, 23, 20, 0, 0, tzinfo=ZoneInfo("Europe/Paris"))


class Office(NamedTuple):
    """A practice in a folder, and what is run on it."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "travail"

    @property
    def database(self) -> Path:
        return self.folder / "cabinet.sqlite3"

    def run(self, *arguments: str) -> int:
        settings = str(self.folder / "transvase.toml")
        return main(["assess", *arguments, "--settings", settings, "--clock", CLOCK.isoformat()])

    def sql(self, *statements: str) -> None:
        with sqlite3.connect(self.database) as base:
            for statement in statements:
                base.execute(statement)

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.work / assess.FOLDER / assess.FILE).read_bytes())
        return found

    def page(self, language: str = "fr") -> str:
        return (self.folder / "resultats" / assess.REPORTS[language]).read_text(encoding="utf-8")


SETTINGS = """[source]
product = "synthetic"
path = "cabinet.sqlite3"
[work]
folder = "travail"
[export]
folder = "resultats"
"""


def office(folder: Path, database: Path) -> Office:
    shutil.copyfile(database, folder / "cabinet.sqlite3")
    (folder / "transvase.toml").write_text(SETTINGS, encoding="utf-8")
    return Office(folder)


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    """Five journeys, with what a base that lived holds."""
    path = tmp_path_factory.mktemp("cabinet") / "cabinet.sqlite3"
    generate(path, patients=3, clock=CLOCK, document_size=300)
    with sqlite3.connect(path) as base:
        base.execute("UPDATE T_ACTE SET ACT_DT = '2026-02-30' WHERE ACT_ID = (SELECT MIN(ACT_ID) FROM T_ACTE)")
        base.execute("UPDATE T_NOTE SET NOT_PAT = 999 WHERE NOT_ID = (SELECT MIN(NOT_ID) FROM T_NOTE)")
        base.execute("UPDATE T_INTERV SET ITV_LOGIN = 'rÃ©gine' WHERE ITV_ID = (SELECT MIN(ITV_ID) FROM T_INTERV)")
        base.execute(
            "UPDATE T_DOC_CONTENU SET CNT_BLOB = CAST('%PDF-1.4 coupé' AS BLOB) WHERE CNT_ID = (SELECT MIN(CNT_ID) FROM T_DOC_CONTENU)"
        )
    return path


@pytest.fixture(scope="module")
def assessed(database, tmp_path_factory) -> Office:
    """The practice, assessed once."""
    one = office(tmp_path_factory.mktemp("evalue"), database)
    assert one.run() == 1
    return one


@pytest.fixture
def fresh(database, tmp_path) -> Office:
    return office(tmp_path, database)


# -- what is told ----------------------------------------------------------------------------------------------------------


def test_the_page_tells_of_the_whole_base(assessed):
    facts = assessed.facts()
    assert facts["answer"] == "sign" and (facts["product"], facts["version"]) == ("Mirabelle 8", "8.0.1")
    assert facts["drift"] == [] and facts["gaps"] == []
    with sqlite3.connect(assessed.database) as base:
        names = [n for (n,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {n: base.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in names}
        columns = {(n, c[1]) for n in names for c in base.execute(f"PRAGMA table_info({n})")}
        size = base.execute("SELECT SUM(LENGTH(CNT_BLOB)) FROM T_DOC_CONTENU").fetchone()[0]
    assert {t["table"]: t["rows"] for t in facts["tables"]} == rows
    assert {(t["table"], c["column"]) for t in facts["tables"] for c in t["columns"]} == columns
    assert all(c["reason"] for t in facts["tables"] for c in t["columns"] if c["disposition"] == "excluded")
    cells = facts["cells"]
    assert cells["source"] == cells["mapped"] + cells["native"] + cells["excluded"] == facts["weight"]["cells"]
    assert sum(d["bytes"] for d in facts["documents"]) == size
    assert {"table": "encounter", "column": "start", "rows": 1} in facts["dates"]
    assert {"table": "note", "rows": 1} in facts["orphans"]
    assert [e for e in facts["encodings"] if e["column"] == "ITV_LOGIN"] == [
        {"table": "T_INTERV", "column": "ITV_LOGIN", "fault": "double", "rows": 1}
    ]
    assert facts["weight"]["body_bytes"] >= size and facts["weight"]["seconds"] >= 1
    assert {b["class"] for b in facts["blockers"]} == {"loss", "documents", "identity", "links", "dates", "encodings"}
    assert sum(facts["identities"].values()) == facts["patients"] == rows["T_PATIENT"]


def test_no_value_of_a_record_is_told(assessed):
    """Names, numbers, streets, texts: nothing that a row of a patient holds stands in what is shared."""
    told = assessed.page() + assessed.page("en") + (assessed.work / assess.FOLDER / assess.FILE).read_text()
    with sqlite3.connect(assessed.database) as base:
        values = {
            str(value)
            for table in ("T_PATIENT", "T_PROCHE", "T_NOTE", "T_DOC", "T_ATCD", "T_RDV", "T_CORRESP", "T_INTERV")
            for row in base.execute(f"SELECT * FROM {table}")
            for value in row
            if isinstance(value, str | int) and len(str(value)) > 5
        }
    # The figures of the page itself, and the codes of the product, are no value of a record.
    words = set(re.findall(r"[\w.@-]+", told))
    columns = {c["column"] for t in assessed.facts()["tables"] for c in t["columns"]}
    assert len(values) > 300
    assert not {v for v in values if v in words or (" " in v and v in told)} - columns - {"FRANCE"}


class Checked(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        self.outside += [v for n, v in attrs if n in ("src", "href") and v]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language, title", [("fr", "Évaluation avant départ"), ("en", "Assessment before moving")])
def test_the_page_stands_alone_and_prints(assessed, language, title):
    page = assessed.page(language)
    parser = Checked()
    parser.feed(page)
    assert not parser.open and not parser.outside and "<script" not in page
    assert f"<h1>{title}</h1>" in page and "@media print" in page and f'<html lang="{language}">' in page


def test_room_and_time_are_said_before_anything_else(database, fresh, capsys, monkeypatch):
    """With too little room nothing is even extracted."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 1000))
    assert fresh.run() == 2
    out = capsys.readouterr().out
    assert out.startswith("durée estimée") and "1,0 ko libres" in out and "space" in out
    assert not (fresh.work / "canonical").exists()


# -- what cannot be signed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement, kind",
    [
        pytest.param("UPDATE T_PARAM SET PRM_VAL = '9.1' WHERE PRM_CLE = 'VERSION'", "version", id="version"),
        pytest.param("ALTER TABLE T_DOC ADD COLUMN DOC_NOUVEAU", "schema", id="schema"),
        pytest.param("DELETE FROM T_PATIENT", "partial", id="half loaded"),
    ],
)
def test_what_stops_everything_is_told_and_cannot_be_signed(fresh, capsys, statement, kind):
    fresh.sql(statement)
    assert fresh.run() == 2
    facts = fresh.facts()
    assert facts["answer"] == "no-go" and kind in {b["class"] for b in facts["blockers"] if not b["signable"]}
    assert not (fresh.work / "canonical").exists()
    capsys.readouterr()
    assert fresh.run("sign", "--class", kind, "--by", "DR1", "--reason", "pressé") == 2
    assert "personne ne peut l'accepter" in capsys.readouterr().err
    assert sign_offs.read(fresh.work / assess.FOLDER).signed == ()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("sign",), "--class"),
        (("sign", "--class", "loss"), "--by"),
        (("sign", "--class", "loss", "--by", "DR1"), "--reason"),
        (("sign", "--class", "loss", "--by", "DR1", "--reason", "a\nb"), "--reason"),
        (("--class", "loss"), "sign"),
    ],
)
def test_a_sign_off_needs_its_class_its_author_and_its_reason(fresh, capsys, arguments, words):
    assert fresh.run(*arguments) == 2
    assert words in capsys.readouterr().err


def test_a_sign_off_needs_an_assessment(fresh, capsys):
    assert fresh.run("sign", "--class", "loss", "--by", "DR1", "--reason", "vu") == 30


@pytest.mark.parametrize("command", ["check", "extract"])
@pytest.mark.parametrize(
    "statement, code, words",
    [
        pytest.param("UPDATE T_PARAM SET PRM_VAL = '9.1' WHERE PRM_CLE = 'VERSION'", 28, "version 9.1", id="version"),
        pytest.param("DELETE FROM T_PATIENT", 29, "la table T_PATIENT est vide", id="half loaded"),
    ],
)
def test_check_and_extract_refuse_it_too(fresh, capsys, command, statement, code, words):
    fresh.sql(statement)
    settings = str(fresh.folder / "transvase.toml")
    assert main([command, "--settings", settings, "--clock", CLOCK.isoformat()]) == code
    assert words in capsys.readouterr().err
    assert not (fresh.work / "canonical").exists()


@pytest.mark.parametrize(
    "command, window, code",
    [
        ("check", "20:00-06:00", 0),
        ("check", "21:00-06:00", 34),
        ("check", "06:00-20:00", 34),
        ("extract", "21:00-06:00", 34),
        ("assess", "21:00-06:00", 34),
    ],
)
def test_the_source_is_read_within_its_hours_only(fresh, capsys, command, window, code):
    path = fresh.folder / "transvase.toml"
    path.write_text(SETTINGS.replace("[work]", f'window = "{window}"\n[work]'), encoding="utf-8")
    assert main([command, "--settings", str(path), "--clock", CLOCK.isoformat()]) == code
    assert (window in capsys.readouterr().err) == bool(code)
    assert not (fresh.work / "canonical").exists()


# -- sign-offs -------------------------------------------------------------------------------------------------------------


def test_every_class_signed_is_a_go_and_what_changes_is_open_again(assessed, capsys, tmp_path):
    one = Office(tmp_path / "copie")
    shutil.copytree(assessed.folder, one.folder)
    kinds = [b["class"] for b in one.facts()["blockers"]]
    for kind in kinds:
        assert one.run("sign", "--class", kind, "--by", "DR1", "--reason", "vu en réunion") == 0
    one.sql("UPDATE T_ACTE SET ACT_DT = '2026-02-31' WHERE ACT_ID = (SELECT MAX(ACT_ID) FROM T_ACTE)")
    capsys.readouterr()
    assert one.run("--json") == 1
    facts = json.loads(capsys.readouterr().out)
    assert {b["class"] for b in facts["blockers"] if b["signed"] is None} == {"dates"}
    assert one.run("sign", "--class", "dates", "--by", "DR2", "--reason", "une de plus") == 0
    record = sign_offs.read(one.work / assess.FOLDER)
    assert [s.kind for s in record.signed] == [*kinds, "dates"] and not record.broken
    found = [assessment.Blocker(b["class"], b["facts"], b["fr"], b["en"]) for b in facts["blockers"]]
    assert [b.digest for b in found] == [b["digest"] for b in facts["blockers"]]
    assert assessment.verdict(found, {b.kind for b in found if record.holding(b.kind, b.digest)}) == "go"
    page = one.page()
    assert "DR1" in page and "vu en réunion" not in page


def test_the_record_is_only_added_to_and_a_change_is_seen(tmp_path):
    for number in range(4):
        sign_offs.sign(tmp_path, "loss", f"DR{number}", "vu", CLOCK, f"{number:064x}")
    path = tmp_path / sign_offs.FILE
    whole = path.read_bytes()
    assert len(sign_offs.read(tmp_path).signed) == 4 and path.stat().st_mode & 0o077 == 0
    lines = whole.splitlines(keepends=True)
    for damaged, kept in (
        (whole.replace(b"DR1", b"DR9"), 2),
        (b"".join(lines[1:]), 0),
        (lines[0] + b"".join(lines[2:]), 1),
        (lines[0] + lines[2] + lines[1] + lines[3], 1),
        (whole[:-1], 3),
        (lines[0] + b"{}\n", 1),
        (b"\xff\n", 0),
    ):
        path.write_bytes(damaged)
        record = sign_offs.read(tmp_path)
        assert record.broken and len(record.signed) == kept


def test_a_sign_off_holds_for_its_class_and_its_facts_only(tmp_path):
    sign_offs.sign(tmp_path, "loss", "DR1", "vu", CLOCK, "a" * 64)
    record = sign_offs.read(tmp_path)
    assert record.holding("loss", "a" * 64) and not record.holding("loss", "b" * 64)
    assert not record.holding("dates", "a" * 64)


@pytest.mark.parametrize("kind", assessment.CLASSES)
def test_each_class_alone_decides(kind):
    one = [assessment.Blocker(kind, {"n": 1}, "", "")]
    signable = assessment.CLASSES[kind].signable
    assert assessment.verdict(one, {}) == ("sign" if signable else "no-go")
    assert assessment.verdict([], {}) == "go"


# -- the estimate ----------------------------------------------------------------------------------------------------------


def test_the_weight_is_counted_and_not_guessed(database, tmp_path):
    files = tmp_path / "documents"
    files.mkdir()
    (files / "scan.pdf").write_bytes(b"x" * 1234)
    product = mapping.load("synthetic")
    with opened("sqlite", database, "", tmp_path) as view:
        alone, beside = appraisal.weigh(product, view, None), appraisal.weigh(product, view, files)
    assert beside.body_bytes == alone.body_bytes + 1234
    assert alone.work_bytes > alone.export_bytes > 2 * alone.body_bytes


def test_a_folder_of_documents_is_assessed_too(small: Any, tmp_path: Path) -> None:
    """It has no schema: room and time, what cannot be read, identities, and what follows."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in small.patients:
        (folder / name).write_bytes(small.members[name])
    (tmp_path / "transvase.toml").write_text(
        SETTINGS.replace("synthetic", "cda").replace("cabinet.sqlite3", "documents"), encoding="utf-8"
    )
    place = Office(tmp_path)
    assert place.run() == 1
    whole = place.facts()
    with zipfile.ZipFile(folder / small.patients[0]) as archive:
        entries = [e.file_size for e in archive.infolist() if not e.is_dir()]
    assert whole["weight"]["rows"] == len(entries) and whole["weight"]["body_bytes"] == sum(entries)
    # Its archives hold more than the exchange: what lies beside IHE_XDM is set aside, and told.
    assert whole["patients"] == 1 and whole["unread"] > 0
    assert "Schéma" not in place.page() and "Identités" in place.page()
    # A file that says nothing of a patient is kept, and awaits a sign-off.
    (folder / "bizarre.bin").write_bytes(b"PK no archive")
    assert place.run() == 1
    (blocker,) = [b for b in place.facts()["blockers"] if b["class"] == "documents"]
    assert blocker["facts"]["unread"] > whole["unread"] and "illisibles" in place.page()
    shutil.rmtree(folder)
    assert place.run() == SourceMissing.exit_code
