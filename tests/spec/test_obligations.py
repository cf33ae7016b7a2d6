"""The mandated list asked of every document: which row answers, since when, what excludes, what the data cannot decide.

Expected dates and legs are those of the sheet (mandated-documents.csv), typed here a second time on purpose.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from transvase.model.codes.code import MandatedDocument
from transvase.model.codes.mandated_documents import CODES
from transvase.validators.obligation import EXCLUSIONS, obligations

from ..builders import DOCTOR, Judged, a_document, a_patient, judged, practice  # noqa: TID252

# Legs: DMP, MSSanté to professionals, MSSanté to the patient.
EVERYWHERE = ("true", "true", "true")
DESIGNATED = ("true", "conditional", "true")
DMP_ONLY = ("true", "false", "false")
NONE = (None, None, None)

BIOLOGY, IMAGING, DRUGS, SURGERY, LAB_REQUEST, IMAGING_REQUEST = (
    "11502-2", "18748-4", "57833-6", "34874-8", "PRESC-BIO", "55115-0",
)  # fmt: skip
CERTIFICATE, DECLARATION, LETTER = "89601-9", "CERT_DECL", "96349-6"
ADMISSION, DISCHARGE, STAY_REPORT, EPISODE = "18761-7", "11490-0", "34112-3", "34133-9"
SUMMARY, IPS, VISIT = "SYNTH", "60591-5", "11488-4"

# What the record says of the act: nothing excludes it, or one fact.
NOTHING_EXCLUDES = {"hospital_stay": False, "prior_agreement": False, "constitutional_genetics": False}
SILENT: dict[str, bool | None] = {"hospital_stay": None, "prior_agreement": None, "constitutional_genetics": None}


class Case(NamedTuple):
    """A document and what the list says of it."""

    name: str
    type_code: str | None
    act: str | None
    facts: dict[str, Any]
    obligation: str | None
    state: str
    confirmed: bool | None
    legs: tuple[str | None, str | None, str | None]
    fact: str = ""
    patient: dict[str, Any] = {}


def case(name: str, type_code: str | None, act: str | None, obligation: str | None, state: str, confirmed: bool | None,
         legs: tuple[str | None, ...], fact: str = "", patient: dict[str, Any] | None = None, **facts: Any) -> Case:  # fmt: skip
    """A case whose record excludes nothing but what `facts` says."""
    return Case(name, type_code, act, NOTHING_EXCLUDES | facts, obligation, state, confirmed, legs, fact, patient or {})  # type: ignore[arg-type]


CASES = [
    # Rows of the arrêté: the day before, the day, today.
    case("biology, the day", BIOLOGY, "2022-12-31", "cr-biologie", "due", True, EVERYWHERE),
    case("biology, its first minute", BIOLOGY, "2022-12-31T00:00:00", "cr-biologie", "due", True, EVERYWHERE),
    case("biology, the day before: the older row answers", BIOLOGY, "2022-12-30T23:59:59", "cr-biologie-r6211-4", "due", False, DMP_ONLY),
    case("biology, long before", BIOLOGY, "1998-05-04", "cr-biologie-r6211-4", "due", False, DMP_ONLY),
    case("biology, today", BIOLOGY, "2026-11-23T19:00:00", "cr-biologie", "due", True, EVERYWHERE),
    case("imaging report, the day before", IMAGING, "2022-12-30", "cr-radiodiagnostic", "before", True, EVERYWHERE),
    case("imaging report, the day", IMAGING, "2022-12-31", "cr-radiodiagnostic", "due", True, EVERYWHERE),
    case("drugs, the day before", DRUGS, "2022-12-30", "prescription-produits-sante", "before", True, DESIGNATED),
    case("drugs, the day", DRUGS, "2022-12-31", "prescription-produits-sante", "due", True, DESIGNATED),
    case("surgery, the day before", SURGERY, "2023-12-30", "cr-operatoire", "before", True, EVERYWHERE),
    case("surgery, the day", SURGERY, "2023-12-31", "cr-operatoire", "due", True, EVERYWHERE),
    case("laboratory request, the day before", LAB_REQUEST, "2023-12-30", "prescription-biologie", "before", True, DESIGNATED),
    case("laboratory request, the day", LAB_REQUEST, "2023-12-31", "prescription-biologie", "due", True, DESIGNATED),
    # Rows whose date our sources do not confirm: every output that relies on them must say so.
    case("imaging request, the day before", IMAGING_REQUEST, "2024-12-30", "demande-radiologie", "before", False, DESIGNATED),
    case("imaging request, the day", IMAGING_REQUEST, "2024-12-31", "demande-radiologie", "due", False, DESIGNATED),
    case("certificate, the day before", CERTIFICATE, "2024-12-30", "certificats-declarations", "before", False, EVERYWHERE),
    case("certificate, the day", CERTIFICATE, "2024-12-31", "certificats-declarations", "due", False, EVERYWHERE),
    case("declaration, the day before", DECLARATION, "2024-12-30", "certificats-declarations", "before", False, EVERYWHERE),
    case("declaration, the day", DECLARATION, "2024-12-31", "certificats-declarations", "due", False, EVERYWHERE),
    case("letter, the day before", LETTER, "2024-12-30", "lettres-courriers-ps", "before", False, EVERYWHERE),
    case("letter, the day", LETTER, "2024-12-31", "lettres-courriers-ps", "due", False, EVERYWHERE),
    # Rows in force before the arrêté, their first day not researched.
    case("letter of admission, old", ADMISSION, "2010-01-01", "ldl-entree", "due", False, EVERYWHERE),
    case("letter of admission, of nothing known", ADMISSION, "2025-06-01", "ldl-entree", "due", False, EVERYWHERE, **SILENT),
    case("letter of discharge", DISCHARGE, "2025-06-01", "ldl-sortie", "due", False, EVERYWHERE, hospital_stay=True),
    case("report of a stay", STAY_REPORT, "2025-06-01", "documents-sortie", "due", False, DMP_ONLY),
    case("summary of an episode", EPISODE, "2025-06-01", "documents-sortie", "due", False, DMP_ONLY),
    # Exclusions: true excludes, false does not, empty leaves it open.
    case("biology in hospital", BIOLOGY, "2025-06-01", "cr-biologie", "excluded", True, EVERYWHERE, "hospital_stay", hospital_stay=True),
    case("biology, nobody says where", BIOLOGY, "2025-06-01", "cr-biologie", "undecidable", True, EVERYWHERE, "hospital_stay", hospital_stay=None),
    case("constitutional genetics", BIOLOGY, "2025-06-01", "cr-biologie", "excluded", True, EVERYWHERE, "constitutional_genetics", constitutional_genetics=True),
    case("perhaps genetics", BIOLOGY, "2025-06-01", "cr-biologie", "undecidable", True, EVERYWHERE, "constitutional_genetics", constitutional_genetics=None),
    case("genetics, nobody says where: one exclusion is enough", BIOLOGY, "2025-06-01", "cr-biologie", "excluded", True, EVERYWHERE,
         "constitutional_genetics", constitutional_genetics=True, hospital_stay=None),
    case("biology of which nothing is known", BIOLOGY, "2025-06-01", "cr-biologie", "undecidable", True, EVERYWHERE,
         "hospital_stay constitutional_genetics", **SILENT),
    case("the older row of biology excludes nothing", BIOLOGY, "2020-06-01", "cr-biologie-r6211-4", "due", False, DMP_ONLY, hospital_stay=True),
    case("imaging in hospital", IMAGING, "2025-06-01", "cr-radiodiagnostic", "excluded", True, EVERYWHERE, "hospital_stay", hospital_stay=True),
    case("imaging, nobody says where", IMAGING, "2025-06-01", "cr-radiodiagnostic", "undecidable", True, EVERYWHERE, "hospital_stay", hospital_stay=None),
    case("imaging, a fact of another row", IMAGING, "2025-06-01", "cr-radiodiagnostic", "due", True, EVERYWHERE, prior_agreement=True),
    case("drugs with a prior agreement", DRUGS, "2025-06-01", "prescription-produits-sante", "excluded", True, DESIGNATED, "prior_agreement", prior_agreement=True),
    case("drugs, agreement unknown", DRUGS, "2025-06-01", "prescription-produits-sante", "undecidable", True, DESIGNATED, "prior_agreement", prior_agreement=None),
    case("drugs in hospital", DRUGS, "2025-06-01", "prescription-produits-sante", "excluded", True, DESIGNATED, "hospital_stay", hospital_stay=True),
    case("drugs, both exclusions", DRUGS, "2025-06-01", "prescription-produits-sante", "excluded", True, DESIGNATED,
         "prior_agreement hospital_stay", prior_agreement=True, hospital_stay=True),
    case("surgery in hospital: no such exclusion on this row", SURGERY, "2025-06-01", "cr-operatoire", "due", True, EVERYWHERE, hospital_stay=True),
    case("surgery of which nothing is known", SURGERY, "2025-06-01", "cr-operatoire", "due", True, EVERYWHERE, **SILENT),
    case("laboratory request for a stay", LAB_REQUEST, "2025-06-01", "prescription-biologie", "excluded", True, DESIGNATED, "hospital_stay", hospital_stay=True),
    case("imaging request for a stay", IMAGING_REQUEST, "2025-06-01", "demande-radiologie", "excluded", False, DESIGNATED, "hospital_stay", hospital_stay=True),
    case("imaging request, nobody says", IMAGING_REQUEST, "2025-06-01", "demande-radiologie", "undecidable", False, DESIGNATED, "hospital_stay", hospital_stay=None),
    case("letter from a stay", LETTER, "2025-06-01", "lettres-courriers-ps", "excluded", False, EVERYWHERE, "hospital_stay", hospital_stay=True),
    case("before the obligation nothing else is asked", DRUGS, "2020-06-01", "prescription-produits-sante", "before", True, DESIGNATED,
         "prior_agreement hospital_stay", **SILENT),
    # The summary is due from the attending physician only.
    case("summary by the attending physician", SUMMARY, "2025-06-01", "vsm", "due", False, DMP_ONLY),
    case("summary in its other form", IPS, "2025-06-01", "vsm", "due", False, DMP_ONLY),
    case("summary by another physician", SUMMARY, "2025-06-01", "vsm", "excluded", False, DMP_ONLY, "NOT by_attending", patient={"attending": "DR2"}),
    case("summary, attending physician unknown", SUMMARY, "2025-06-01", "vsm", "undecidable", False, DMP_ONLY, "NOT by_attending", patient={"attending": None}),
    case("summary, author unknown", SUMMARY, "2025-06-01", "vsm", "undecidable", False, DMP_ONLY, "NOT by_attending", practitioner=None),
    # Documents that the list does not name, or whose date says nothing.
    case("visit note", VISIT, "2025-06-01", None, "none", None, NONE),
    case("no national type", None, "2025-06-01", None, "none", None, NONE),
    case("a code that nobody knows", "00000-0", "2025-06-01", None, "none", None, NONE),
    case("no date: the present list answers", BIOLOGY, None, "cr-biologie", "due", True, EVERYWHERE),
    case("impossible date", SURGERY, "2025-02-30", "cr-operatoire", "due", True, EVERYWHERE),
    case("a month is not a date", SURGERY, "2020-05", "cr-operatoire", "due", True, EVERYWHERE),
]  # fmt: skip


def documents(cases: list[Case]) -> list[Any]:
    """Each case as its own patient and document, P1 and D1 onwards."""
    rows: list[Any] = []
    for number, one in enumerate(cases, 1):
        rows.append(a_patient(f"P{number}", **one.patient))
        rows.append(a_document(f"D{number}", f"P{number}", type_code=one.type_code, act=one.act, **one.facts))
    return rows


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """All cases as one practice."""
    return judged(practice(tmp_path_factory.mktemp("obligations"), *documents(CASES)))


@pytest.mark.parametrize(("number", "one"), enumerate(CASES, 1), ids=[c.name for c in CASES])
def test_what_the_list_says(found: Judged, number: int, one: Case) -> None:
    said = found.obligations[f"D{number}"]
    assert (
        said["obligation"],
        said["state"],
        said["confirmed"],
        (said["dmp"], said["mss_pro"], said["mss_patient"]),
    ) == (
        one.obligation,
        one.state,
        one.confirmed,
        one.legs,
    )
    assert (said["fact"] or "") == one.fact


def test_every_row_and_every_type_of_the_list_has_a_case() -> None:
    tested = {(c.obligation, c.type_code) for c in CASES if c.obligation}
    assert tested == {(row.id, code) for row in CODES.values() for code in row.type_codes}


def test_every_row_with_a_date_is_tested_on_both_sides_of_it() -> None:
    for row in CODES.values():
        for code in row.type_codes if row.effective_from else ():
            states = {
                c.act[:10]: c.obligation if c.state == "due" else c.state
                for c in CASES
                if c.type_code == code and c.act
            }
            assert states[row.effective_from] == row.id
            assert states[_the_day_before(row.effective_from)] != row.id


def _the_day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def test_every_exclusion_of_every_row_is_tested_true_and_unknown() -> None:
    for row in CODES.values():
        for exclusion in row.exclusions:
            test = EXCLUSIONS[exclusion]
            states = {c.state for c in CASES if c.obligation == row.id and test in c.fact} - {"before"}
            if test == "false":
                assert states == set()
            else:
                assert "excluded" in states, (row.id, exclusion)
    for test in {t for t in EXCLUSIONS.values() if t != "false"}:
        assert {c.state for c in CASES if c.fact == test} >= {"excluded", "undecidable"}, test


def test_one_answer_per_document(found: Judged) -> None:
    assert len(found.obligations) == len(found.decisions) == sum(found.counts["documents"].values()) == len(CASES)


@pytest.mark.shared
def test_the_list_is_that_of_the_sheet(shared: Path) -> None:
    with (shared / "reference" / "mandated-documents.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["id"] for r in rows] == list(CODES)
    for row in rows:
        code = CODES[row["id"]]
        assert (code.dmp, code.mss_pro, code.mss_patient, code.effective_from) == (
            row["dmp"],
            row["mss_pro"],
            row["mss_patient"],
            row["effective_from"],
        )
        assert ";".join(code.type_codes) == row["type_codes"]
        assert "; ".join(code.exclusions) == row["exclusions"]
        assert code.confirmed is ("UNCONFIRMED" not in row["note"])


# A later decree is a row of the list, not a change of the engine.


def decree(
    ident: str, type_code: str, since: str, *exclusions: str, legs: tuple[str, str, str] = EVERYWHERE
) -> MandatedDocument:
    """A row that a decree to come would add."""
    return MandatedDocument(ident, "Texte à venir", "décret à venir", *legs, since, exclusions, (type_code,), True, "")


def judged_with(folder: Path, decrees: list[MandatedDocument], *rows: Any) -> Judged:
    return judged(practice(folder, a_patient(), *rows), mandated=[*CODES.values(), *decrees])


def test_a_type_becomes_due_from_the_day_of_a_decree(tmp_path: Path) -> None:
    visits = (
        a_document("before", type_code=VISIT, act="2026-06-30T23:59:00"),
        a_document("the day", type_code=VISIT, act="2026-07-01T00:00:00"),
        a_document("after", type_code=VISIT, act="2026-10-01T09:00:00"),
    )
    found = judged_with(tmp_path, [decree("cr-consultation", VISIT, "2026-07-01")], *visits)
    assert {k: v["state"] for k, v in found.obligations.items()} == {
        "before": "before",
        "the day": "due",
        "after": "due",
    }
    assert {k: v["outcome"] for k, v in found.decisions.items()} == {
        "before": "before_obligation",
        "the day": "to_send",
        "after": "to_send",
    }
    without = judged(tmp_path)
    assert {v["outcome"] for v in without.decisions.values()} == {"not_mandated"}


def test_a_decree_changes_a_type_already_due(tmp_path: Path) -> None:
    new = decree("prescription-elargie", DRUGS, "2026-07-01", "séjour hospitalier")
    agreed = {"prior_agreement": True, "hospital_stay": False, "type_code": DRUGS}
    found = judged_with(
        tmp_path,
        [new],
        a_document("before", act="2026-06-30", **agreed),
        a_document("the day", act="2026-07-01", **agreed),
    )
    said = {k: (v["obligation"], v["state"], v["mss_pro"]) for k, v in found.obligations.items()}
    assert said == {
        "before": ("prescription-produits-sante", "excluded", "conditional"),
        "the day": ("prescription-elargie", "due", "true"),
    }


def test_a_decree_moves_no_document_older_than_both_rows(tmp_path: Path) -> None:
    """Which row an older document waits for: the first that comes, as before the decree."""
    later = decree("cr-operatoire-2027", SURGERY, "2027-01-01")
    found = judged_with(tmp_path, [later], a_document("old", act="2020-01-01"), a_document("due", act="2026-01-01"))
    assert {k: (v["obligation"], v["state"]) for k, v in found.obligations.items()} == {
        "old": ("cr-operatoire", "before"),
        "due": ("cr-operatoire", "due"),
    }


def test_a_decree_with_an_exclusion_nobody_can_read_is_refused() -> None:
    with pytest.raises(KeyError):
        obligations([decree("x", VISIT, "2027-01-01", "sauf le dimanche")])


def test_the_author_named_by_the_summary_is_the_attending_physician(tmp_path: Path) -> None:
    found = judged(
        practice(
            tmp_path,
            a_patient(),
            a_document("by the attending", type_code=SUMMARY, practitioner=DOCTOR),
            a_document("by a colleague", type_code=SUMMARY, practitioner="DR2"),
        )
    )
    assert {k: v["outcome"] for k, v in found.decisions.items()} == {
        "by the attending": "to_send",
        "by a colleague": "excluded",
    }
