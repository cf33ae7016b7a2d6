"""Every kind of defect is in a practice of three hundred, and the truth agrees with an independent reading of the rows."""

from __future__ import annotations

import csv
from datetime import date

import pytest

from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.model.tables import TABLES
from transvase.sources.synthetic.defects import KINDS

from .conftest import made

SHEET_LABELS = {
    "KEY_MISMATCH",
    "KEY_RANGE",
    "LENGTH",
    "EMPTY",
    "NOT_CANONICAL",
    "CHARSET",
    "SEX",
    "MONTH",
    "PLACE",
    "ORDER",
}


@pytest.mark.parametrize("patients", [250, 300])
def test_every_kind_is_there(tmp_path, patients):
    practice = made(tmp_path, patients=patients, bodies=False)
    assert set(practice.census.truth) == set(KINDS)


def test_the_labels_of_the_ins_sheet_are_all_planted():
    assert {k.label for k in KINDS.values() if k.code.startswith("INS_") and k.label} == SHEET_LABELS


@pytest.mark.shared
def test_the_labels_are_those_of_the_sheet(shared):
    with (shared / "reference/valid-ins-samples.csv").open(encoding="utf-8") as file:
        assert {row["reason_code"] for row in csv.DictReader(file)} - {""} == SHEET_LABELS


def test_the_truth_file_names_records_that_the_mapping_delivers(three_hundred):
    delivered = {
        t: {str(r["key"]) for r in three_hundred.canonical(t)} for t in {k.table for k in KINDS.values()} - {"native"}
    }
    with three_hundred.path.with_suffix(".truth.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == sum(len(v) for v in three_hundred.census.truth.values())
    for line in lines:
        assert line["table"] in TABLES
        if line["table"] != "native":
            assert line["key"] in delivered[line["table"]], line


def test_deleted_rows_are_in_the_truth_and_not_delivered(three_hundred):
    keys = set(three_hundred.census.truth["SOFT_DELETED"])
    gone = {f"T_DOC:{k}" for (k,) in three_hundred.all("SELECT DOC_ID FROM T_DOC WHERE DOC_SUPPR = 'O'")}
    gone |= {f"T_NOTE:{k}" for (k,) in three_hundred.all("SELECT NOT_ID FROM T_NOTE WHERE NOT_SUPPR = 1")}
    assert keys == gone
    delivered = {d["key"] for d in three_hundred.canonical("document")}
    assert not delivered & {k.removeprefix("T_DOC:") for k in keys}


def status(row: dict) -> str:
    """The RNIV status by its criteria, written again from the sheet (ins-identity.md, section 3)."""
    if row["doubtful"] or row["fictitious"]:
        return "PROV"
    return {(0, 0): "PROV", (0, 1): "VALI", (1, 0): "RECUP", (1, 1): "QUAL"}[
        row["insi_confirmed"], row["document_checked"]
    ]


@pytest.mark.parametrize(
    "kind, expected",
    [("IDENTITY_PROVISIONAL", "PROV"), ("IDENTITY_VALIDATED", "VALI"), ("IDENTITY_RECUPERATED", "RECUP")],
)
def test_identity_status_by_criteria_and_not_by_label(three_hundred, kind, expected):
    found = {r["key"] for r in three_hundred.canonical("patient") if status(r) == expected}
    assert found == set(three_hundred.census.truth[kind])
    labels = {label for (label,) in three_hundred.all("SELECT DISTINCT PAT_STATUT_ID FROM T_PATIENT")}
    assert labels == {"PROV", "VALI", "RECUP", "QUAL"}


def test_the_label_of_the_product_lies_both_ways(three_hundred):
    rows = {r["key"]: status(r) for r in three_hundred.canonical("patient")}
    lies = {
        (label, rows[str(key)])
        for key, label in three_hundred.all("SELECT PAT_ID, PAT_STATUT_ID FROM T_PATIENT")
        if label != rows[str(key)]
    }
    assert {("VALI", "QUAL"), ("QUAL", "PROV"), ("VALI", "RECUP")} <= lies


def rules(row: dict) -> list:
    return [m for m in MANDATED.values() if row["type_code"] in m.type_codes and m.dmp != "false"]


def real(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


READINGS = {
    "MASKED": lambda d: d["masked_ps"],
    "INVISIBLE_PATIENT": lambda d: d["invisible_patient"],
    "INVISIBLE_REPRESENTATIVES": lambda d: d["invisible_representatives"],
    "VISIBILITY_NOBODY": lambda d: d["masked_ps"] and d["invisible_patient"],
    "VISIBILITY_BOTH": lambda d: d["invisible_patient"] and d["invisible_representatives"],
    "WITHHELD": lambda d: d["withheld"] is not None,
    "RECEIVED": lambda d: d["origin"] == "received",
    "FROM_PATIENT": lambda d: d["origin"] == "patient",
    "FED_BEFORE": lambda d: d["fed_state"] == "fed",
    "FED_DELETED": lambda d: d["fed_state"] == "deleted",
    "UNKNOWN_HISTORY": lambda d: d["fed_state"] == "unknown",
    "UNMAPPED_TYPE": lambda d: d["type_code"] is None,
    "NO_AUTHOR": lambda d: d["origin"] == "produced" and d["practitioner"] is None,
    "WRONG_DATE": lambda d: not real(d["act"][:10]),
    "FUTURE_ACT": lambda d: d["origin"] == "produced" and d["act"][:10] > "2026-11-23",
    "BEFORE_OBLIGATION": lambda d: (
        d["origin"] == "produced"
        and rules(d)
        and real(d["act"][:10])
        and d["act"][:10] < min(m.effective_from for m in rules(d))
    ),
    "UNDECIDABLE_HOSPITAL_STAY": lambda d: undecidable(d, "hospital_stay", "séjour hospitalier"),
    "UNDECIDABLE_PRIOR_AGREEMENT": lambda d: undecidable(d, "prior_agreement", "entente préalable"),
    "UNDECIDABLE_GENETICS": lambda d: undecidable(d, "constitutional_genetics", "génétique constitutionnelle"),
}


def undecidable(row: dict, flag: str, phrase: str) -> bool:
    """Made here, an exclusion of that name applies on that day, and the software does not say."""
    return (
        row["origin"] == "produced"
        and row[flag] is None
        and real(row["act"][:10])
        and any(phrase in e and row["act"][:10] >= m.effective_from for m in rules(row) for e in m.exclusions)
    )


@pytest.mark.parametrize("kind", READINGS)
def test_the_truth_of_documents_is_complete(three_hundred, kind):
    found = {d["key"] for d in three_hundred.canonical("document") if READINGS[kind](d)}
    assert found
    assert found == set(three_hundred.census.truth[kind])


def test_orphans_name_an_absent_patient_or_none(three_hundred):
    known = {r["key"] for r in three_hundred.canonical("patient")}
    orphans = {d["key"] for d in three_hundred.canonical("document") if d["patient"] not in known}
    assert orphans == set(three_hundred.census.truth["ORPHAN_DOCUMENT"])
    assert len({d["patient"] for d in three_hundred.canonical("document") if d["key"] in orphans}) == 2


def test_replaced_documents_have_several_versions(three_hundred):
    versions: dict[str, list[str]] = {}
    for v in three_hundred.canonical("document_version"):
        versions.setdefault(v["document"], []).append(v["created"])
    assert {k for k, v in versions.items() if len(v) > 1} == set(three_hundred.census.truth["REPLACED"])
    late = {
        d["key"]
        for d in three_hundred.canonical("document")
        if d["fed_state"] == "fed" and len(versions[d["key"]]) > 1 and max(versions[d["key"]]) > d["fed_at"]
    }
    assert late == set(three_hundred.census.truth["REPLACED_AFTER_FEEDING"])


def test_objections_are_all_in_the_truth(three_hundred):
    rows = three_hundred.canonical("objection")
    assert {r["key"] for r in rows} == set(three_hundred.census.truth["OBJECTION"])
    everything = {
        r["patient"] for r in rows if r["scope"] == "all" and r["document"] is None and r["practitioner"] is None
    }
    assert everything == set(three_hundred.census.truth["OBJECTION_TO_ALL"])
    assert {r["scope"] for r in rows} >= {"dmp", "mss_patient", "all"}
    against = {r["key"] for r in rows if r["practitioner"] is not None}
    assert against == set(three_hundred.census.truth["OBJECTION_TO_PROFESSIONAL"])
    incomplete = {r["key"] for r in rows if r["recorded"] is None or r["recorded_by"] is None}
    assert incomplete == set(three_hundred.census.truth["OBJECTION_INCOMPLETE"])
    assert any(r["document"] for r in rows)


def age_on(patient: dict, day: str) -> tuple[int, int]:
    """Least and greatest age on a day, counted in Python; of a date flagged uncertain only the year is sure."""
    born = date.fromisoformat(patient["birth_date"])
    then = date.fromisoformat(day)
    days = (date(born.year, 1, 1), date(born.year, 12, 31)) if patient["birth_date_uncertain"] else (born, born)
    return tuple(sorted(then.year - d.year - ((then.month, then.day) < (d.month, d.day)) for d in days))


def test_restrictions_of_minors_are_all_in_the_truth(three_hundred):
    patients = {p["key"]: p for p in three_hundred.canonical("patient") if real(p["birth_date"] or "")}
    found: dict[str, set[str]] = {"VISIBILITY_ADULT": set(), "VISIBILITY_AGE_UNKNOWN": set(), "SECRET_VISIBLE": set()}
    for d in three_hundred.canonical("document"):
        patient = patients.get(d["patient"])
        if patient is None or not real(d["act"][:10]):
            continue
        least, most = age_on(patient, d["act"][:10])
        if d["invisible_representatives"] and most >= 18:
            found["VISIBILITY_ADULT" if least >= 18 else "VISIBILITY_AGE_UNKNOWN"].add(d["key"])
        made = d["origin"] == "produced" and not d["invisible_representatives"]
        if patient["sensitive_connection"] and made and most < 18:
            found["SECRET_VISIBLE"].add(d["key"])
    assert found == {kind: set(three_hundred.census.truth[kind]) for kind in found}
    adults = {p["key"] for p in patients.values() if p["sensitive_connection"] and age_on(p, "2026-11-23")[0] >= 18}
    assert adults == set(three_hundred.census.truth["SECRET_ADULT"])


def same_but_key(rows: list[dict], ignored: set[str]) -> set[str]:
    """Keys of rows equal to another in all other columns."""
    groups: dict[tuple, list[str]] = {}
    for row in rows:
        groups.setdefault(tuple(v for c, v in row.items() if c not in ignored), []).append(row["key"])
    return {key for keys in groups.values() if len(keys) > 1 for key in keys}


def test_duplicate_rows_differ_by_their_key_only(three_hundred):
    assert same_but_key(three_hundred.canonical("problem"), {"key", "source_key"}) == set(
        three_hundred.census.truth["DUPLICATE_ROW"]
    )


def test_duplicate_documents_share_one_content(three_hundred):
    groups: dict[bytes, set[str]] = {}
    for v in three_hundred.canonical("document_version"):
        if v["body"]:
            groups.setdefault(v["body"], set()).add(v["document"])
    assert {d for g in groups.values() if len(g) > 1 for d in g} == set(
        three_hundred.census.truth["DUPLICATE_DOCUMENT"]
    )


def test_one_matricule_in_two_records(three_hundred):
    repeated = three_hundred.all(
        "SELECT PAT_ID FROM T_PATIENT WHERE PAT_INS IN (SELECT PAT_INS FROM T_PATIENT GROUP BY PAT_INS HAVING count(*) > 1 AND PAT_INS <> '')"
    )
    assert {str(k) for (k,) in repeated} == set(three_hundred.census.truth["SAME_MATRICULE_TWO_RECORDS"])


def test_twins_share_everything_but_the_matricule_and_the_given_name(three_hundred):
    keys = three_hundred.census.truth["TWINS"]
    first, second = (r for r in three_hundred.canonical("patient") if r["key"] in keys)
    for column in ("birth_family", "birth_date", "birth_place_code", "sex", "address"):
        assert first[column] == second[column]
    assert first["ins"] != second["ins"]
    assert first["birth_first_given"] != second["birth_first_given"]


def test_sentences_are_whole_and_unique():
    assert all(k.sentence.endswith(".") and k.sentence[0].isupper() for k in KINDS.values())
    assert len({k.sentence for k in KINDS.values()}) == len(KINDS)
