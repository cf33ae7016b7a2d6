"""The practice as files of FHIR resources: complete, the same twice, read back by the source of kind `fhir`; what FHIR cannot carry of a
row is listed here, and nothing else is lost."""

from __future__ import annotations

import re
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from transvase.commands.main import main
from transvase.exporters.fhir import bulk
from transvase.exporters.fhir.collection import LEFT_OUT
from transvase.exporters.fhir.subject import resource_id
from transvase.model.record import ROW
from transvase.model.tables import TABLES
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.synthetic.practice import generate
from transvase.validators.verdicts import judge

from .conftest import CLOCK

CREATED = CLOCK.isoformat()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a small practice, judged."""
    root = tmp_path_factory.mktemp("origin")
    generate(root / "cabinet.sqlite3", patients=12, clock=CLOCK, bodies=False)
    extract(mapping.load("synthetic"), root / "cabinet.sqlite3", root / "work", clock=CLOCK)
    judge(root / "work", clock=CLOCK, environment="sandbox")
    (root / "transvase.toml").write_text(
        '[source]\nproduct = "synthetic"\npath = "cabinet.sqlite3"\n[work]\nfolder = "work"\n[export]\nfolder = "out"\n',
        encoding="utf-8",
    )
    return root


def command(origin: Path, out: Path) -> int:
    return main(["fhir", "--settings", str(origin / "transvase.toml"), "--clock", CREATED, "--out", str(out)])


@pytest.fixture(scope="module")
def written(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fhir") / "export"
    assert command(origin, folder) == 0
    return folder


def resources(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for path in sorted(folder.glob("*.ndjson")) for line in path.read_bytes().splitlines()]


def rows_of(work: Path, name: str) -> list[Any]:
    columns = [c.name for c in TABLES[name].columns]
    found = pq.read_table(work / "canonical" / f"{name}.parquet").to_pylist()
    return [ROW[name]._make([row[c] for c in columns]) for row in found]


def test_the_manifest_counts_what_stands_beside_it(written: Path, origin: Path) -> None:
    told = orjson.loads((written / bulk.MANIFEST).read_bytes())
    assert told["transactionTime"] == CREATED and told["requiresAccessToken"] is False and told["error"] == []
    held = {path.name: len(path.read_bytes().splitlines()) for path in written.glob("*.ndjson")}
    assert {one["url"]: one["count"] for one in told["output"]} == held
    for one in told["output"]:
        lines = (written / one["url"]).read_bytes().splitlines()
        assert {orjson.loads(line)["resourceType"] for line in lines} == {one["type"]}
    assert told["extension"]["patients"] == len(rows_of(origin / "work", "patient")) == held["Patient.ndjson"]


def test_the_same_tables_and_clock_give_the_same_bytes(written: Path, origin: Path, tmp_path: Path) -> None:
    assert command(origin, tmp_path / "again") == 0
    one, two = ({p.name: p.read_bytes() for p in folder.iterdir()} for folder in (written, tmp_path / "again"))
    assert one == two


def test_an_independent_reader_is_shown_a_sample(
    origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(origin, tmp_path / "out") == 0
    held = {path.name: len(path.read_bytes().splitlines()) for path in (tmp_path / "out").glob("*.ndjson")}
    read = sum(count if count <= 200 else len(range(0, count, -(-count // 200))) for count in held.values())
    line = f"FHIR : {read} ressources sur {sum(held.values())} relues par un lecteur indépendant (fhir.resources), aucune différence"
    assert capsys.readouterr().out.splitlines()[-1] == line
    assert read == sum(held.values()) > 500


@pytest.mark.parametrize("form", ["document", "collection"])
def test_a_bundle_for_each_patient(origin: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    def write(out: Path) -> dict[str, bytes]:
        settings = str(origin / "transvase.toml")
        assert (
            main(["fhir", "--settings", settings, "--clock", CREATED, "--out", str(out), "--form", form, "--json"]) == 0
        )
        return {path.name: path.read_bytes() for path in out.iterdir()}

    made = write(tmp_path / "one")
    (practice, *_) = rows_of(origin / "work", "practice")
    people = rows_of(origin / "work", "patient")
    assert made.keys() == {f"{resource_id(practice.oid, 'patient', row.key)}.json" for row in people}
    sample = orjson.loads(capsys.readouterr().out)["sample"]
    assert sample == {"read": len(people), "of": len(people), "different": 0, "differing": []}
    identifiers = set()
    for name, data in made.items():
        bundle = orjson.loads(data)
        kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
        assert bundle["type"] == form and bundle["timestamp"] == CREATED
        (patient,) = (e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
        assert f"{patient['id']}.json" == name
        assert (kinds[0] == "Composition") is (form == "document")
        identifiers.add(bundle.get("identifier", {}).get("value"))
    assert len(identifiers) == (len(people) if form == "document" else 1)
    assert {path.stat().st_mode & 0o77 for path in (tmp_path / "one", *(tmp_path / "one").iterdir())} == {0}
    assert write(tmp_path / "two") == made


def test_references_name_a_line_of_the_file_of_their_type(written: Path) -> None:
    every = resources(written)
    names = Counter(f"{r['resourceType']}/{r['id']}" for r in every)
    assert set(names.values()) == {1}
    found = re.findall(rb'"reference":"([^"]*)"', b"".join(map(orjson.dumps, every)))
    assert len(found) > 100 and {reference.decode() for reference in found} <= names.keys()


def test_files_are_private_and_a_folder_that_holds_something_is_refused(written: Path, origin: Path) -> None:
    assert {path.stat().st_mode & 0o77 for path in (written, *written.iterdir())} == {0}
    assert command(origin, written) == 2


def test_every_row_has_its_resource(written: Path, origin: Path) -> None:
    numbers = {i["value"] for r in resources(written) for i in r.get("identifier", []) if "system" in i}
    for name, table in TABLES.items():
        if not table.of_patient or name in LEFT_OUT or name in ("patient", "prescription"):
            continue
        stated = [r for r in rows_of(origin / "work", name) if getattr(r, "assertion", "") != "not_recorded"]
        assert {f"{name}/{r.key}" for r in stated} <= numbers, name


# What FHIR R4 has no element for, or says in words only. A column that is not here comes back as it left.
LOST: dict[str, set[str]] = {
    "patient": {
        # Not in the Patient resource at all.
        *("dmp", "dmp_checked", "created", "important", "occupation", "sensitive_connection", "former_ins"),
        # A flag that says no, or that nothing says: the status says only yes.
        *("insi_confirmed", "insi_date", "document_checked", "homonym", "doubtful", "fictitious", "birth_date_uncertain"),
        # The matricule leaves with a qualified identity only; sexes and deaths that are no date leave as unknown.
        *("ins", "ins_oid", "sex", "birth_date", "death_date"),
    },
    # Their number here is the name of a resource there.
    "related_person": {"legal_representative", "birth_date"},
    "encounter": {"practitioner"},
    "problem": {"practitioner", "onset", "resolved", "recorded"},
    "allergy": {"practitioner", "severity"},
    "treatment": {"practitioner", "long_term"},
    "risk_factor": set(),
    "immunization": {"practitioner", "system"},
    "vital_sign": {"encounter"},
    # The report is a document, which stays in the archive; an instant in words joins the comment.
    "lab_result": {"document", "comment"},
    # Only medicines are read back as prescriptions; a flag that says no is not said.
    "prescription_line": {
        "prescription", "long_term", "work_related", "prevention", "not_reimbursed", "off_label", "unsubstitutable_reason",
    },
    "prescription": {
        "practitioner", "encounter", "document", "two_zones", "exceptional", "secured", "urgent", "at_home",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def back(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of the files read as a source."""
    work = tmp_path_factory.mktemp("back") / "work"
    manifest = extract(mapping.load("fhir"), written, work, clock=CLOCK)
    assert not manifest["unreadable"]
    assert all(c["source"] == c["mapped"] + c["native"] + c["excluded"] for c in manifest["cells"])
    return work


@pytest.mark.parametrize("name", LOST)
def test_rows_come_back(origin: Path, back: Path, name: str) -> None:
    (practice, *_) = rows_of(origin / "work", "practice")
    compared = [c.name for c in TABLES[name].own if c.name not in {"key", "patient", "attending", *LOST[name]}]
    medicines = {r.key for r in rows_of(origin / "work", "prescription") if r.category == "medication"}

    def kept(row: Any) -> bool:
        if name == "prescription_line":
            return row.prescription in medicines
        if name == "prescription":
            return row.key in {r.prescription for r in rows_of(origin / "work", "prescription_line")} & medicines
        return True

    def patient(row: Any) -> str:
        return resource_id(practice.oid, "patient", row.key if name == "patient" else row.patient)

    def plain(value: Any) -> Any:
        # FHIR has no empty text, and no other space than the plain one.
        return re.sub(r"\s", " ", value) or None if isinstance(value, str) else value

    def said(row: Any) -> Any:
        # The absence of any allergy is coded in FHIR, whatever the record has.
        if name == "allergy" and row.label == "Aucune allergie connue":
            return row._replace(code="716186003", system="2.16.840.1.113883.6.96")
        # A result of no known state was received: it leaves as final.
        return row._replace(status=row.status or "final") if name == "lab_result" else row

    before = Counter(
        (patient(r), *(plain(getattr(r, c)) for c in compared))
        for r in map(said, rows_of(origin / "work", name))
        if kept(r) and getattr(r, "assertion", "") != "not_recorded"
    )
    after = Counter(
        (r.key if name == "patient" else r.patient, *(plain(getattr(r, c)) for c in compared))
        for r in rows_of(back, name)
    )
    assert sum(before.values()) > 0
    assert after == before


def test_professionals_and_the_practice_come_back(origin: Path, back: Path) -> None:
    def held(work: Path, name: str, columns: tuple[str, ...]) -> Counter[Any]:
        return Counter(tuple(getattr(r, c) for c in columns) for r in rows_of(work, name))

    people = ("idnat", "family", "given", "specialty", "active")
    assert held(back, "practitioner", people) == held(origin / "work", "practitioner", people)
    # Of several structures the source takes the one that answers for the patients.
    own = ("oid", "name", "struct_idnat", "facility_type", "city")
    assert held(back, "practice", own) <= held(origin / "work", "practice", own)
    assert len(rows_of(back, "practice")) == 1


def test_memory_does_not_follow_the_practice(origin: Path, tmp_path: Path) -> None:
    (practice, *_) = rows_of(origin / "work", "practice")
    (row, *_) = rows_of(origin / "work", "patient")
    problems = [r._replace(patient=row.key) for r in rows_of(origin / "work", "problem")]

    def peak(patients: int) -> int:
        def people() -> Any:
            for number in range(patients):
                yield bulk.Person(row._replace(key=str(number)), {"problem": problems}, False)

        tracemalloc.start()
        bulk.write(tmp_path / str(patients), people(), practices=[practice], practitioners={}, created=CREATED)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(50)
    assert peak(600) < peak(60) * 1.5 + 200_000
