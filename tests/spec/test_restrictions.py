"""Objections, restrictions of visibility, minors and the secret connection: each rule met by a record, by its bounds and by absent facts.

The legs that follow from them are in test_legal_cases.py.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.verdict import CATALOGUE
from transvase.validators.documents import types
from transvase.validators.restrictions import findings

from ..builders import CLOCK, DOCTOR, OFFICE, a_document, a_patient, an_objection, judged, practice, rows_of  # noqa: TID252

ACT = "2026-03-02T10:00:00"
B, W = "block", "warning"


def found(folder: Path, *rows: Any) -> dict[tuple[str, str, str], str]:
    """(rule, destination, record) to severity, of the rules of restrictions."""
    seen = {}
    for (table, key), verdicts in judged(practice(folder, *rows)).verdicts.items():
        for v in verdicts:
            if v.rule.startswith(("VIS-", "OBJ-")):
                seen[v.rule, v.destination, f"{table}:{key}"] = v.severity
    return seen


# Minors: the age is that of the act.

AGES = [
    # birth date, uncertain, verdict on a document of 2 March 2026 that representatives may not see
    pytest.param("2008-03-03", None, None, id="eighteen tomorrow"),
    pytest.param("2008-03-02", None, "VIS-ADULT", id="eighteen today"),
    pytest.param("1950-01-01", None, "VIS-ADULT", id="old"),
    pytest.param("2026-03-02", None, None, id="born on the day of the act"),
    pytest.param("2008-12-31", True, "VIS-AGE", id="born in 2008, day fixed by the rule"),
    pytest.param("2007-12-31", True, "VIS-ADULT", id="born in 2007, day fixed by the rule"),
    pytest.param("2009-12-31", True, None, id="born in 2009, day fixed by the rule"),
    pytest.param("2008", None, "VIS-AGE", id="year only"),
    pytest.param("2007", None, "VIS-ADULT", id="year only, of age whatever the day"),
    pytest.param("2008-00-00", None, "VIS-AGE", id="lunar"),
    pytest.param("1951-13-01", None, "VIS-ADULT", id="lunar, of age whatever the day"),
    pytest.param(None, None, "VIS-AGE", id="no birth date"),
    pytest.param("", None, "VIS-AGE", id="empty birth date"),
    pytest.param("2012-02-31", None, "VIS-AGE", id="impossible: nothing of it is believed"),
    pytest.param("02/03/2012", None, "VIS-AGE", id="of a form that nothing declares"),
    pytest.param("hier", None, "VIS-AGE", id="no date at all"),
]


@pytest.mark.parametrize(("born", "uncertain", "rule"), AGES)
def test_hidden_from_representatives(
    tmp_path: Path, born: str | None, uncertain: bool | None, rule: str | None
) -> None:
    patient = a_patient(birth_date=born, birth_date_uncertain=uncertain)
    seen = found(tmp_path, patient, a_document(act=ACT, invisible_representatives=True))
    ages = {r: s for (r, d, _), s in seen.items() if d == "dmp"}
    assert ages == ({} if rule is None else {rule: B if rule == "VIS-ADULT" else W})


def test_born_on_29_february_comes_of_age_on_1_march(tmp_path: Path) -> None:
    rows: list[Any] = [a_patient(birth_date="2008-02-29")]
    days = {"eve": "2026-02-28", "day": "2026-03-01"}
    rows += [one for key, day in days.items() for one in a_document(key, act=day, invisible_representatives=True)]
    assert judged(practice(tmp_path, *rows)).carrying("VIS-ADULT") == {"day"}


@pytest.mark.parametrize("act", [None, "2026-02-31", "2026-03", "ZZ"])
def test_without_a_date_of_the_act_the_date_is_the_matter(tmp_path: Path, act: str | None) -> None:
    work = judged(practice(tmp_path, a_patient(birth_date=None), a_document(act=act, invisible_representatives=True)))
    assert {r for r in work.rules("document", "D1") if r.startswith("VIS-")} == set()
    assert work.decisions["D1"]["outcome"] == "date_invalid"


DAYS = st.tuples(st.dates(date(1930, 1, 1), date(2026, 3, 1)), st.dates(date(2018, 1, 1), date(2026, 11, 23)))


@given(st.lists(DAYS, min_size=100, max_size=200))
@settings(max_examples=5, deadline=None)
def test_age_is_that_of_the_civil_code(tmp_path_factory: pytest.TempPathFactory, days: list[tuple[date, date]]) -> None:
    """The rule in SQL against the age counted in Python, whatever the days of birth and of the act."""
    rows: list[Any] = []
    adults = set()
    for n, (born, act) in enumerate(days):
        rows.append(a_patient(f"P{n}", birth_date=born.isoformat()))
        rows.append(a_document(f"D{n}", f"P{n}", act=act.isoformat(), invisible_representatives=True))
        if act.year - born.year - ((act.month, act.day) < (born.month, born.day)) >= 18:
            adults.add(f"D{n}")
    work = judged(practice(tmp_path_factory.mktemp("age"), *rows))
    assert work.carrying("VIS-ADULT") == adults
    assert work.carrying("VIS-AGE") == set()


# The secret connection hides the access, not the document.

SECRETS = [
    # birth date, hidden from representatives, origin -> rules of the DMP about the document, about the patient
    pytest.param("2012-01-15", False, "produced", {"VIS-SECRET"}, set(), id="a minor's, visible"),
    pytest.param("2012-01-15", True, "produced", set(), set(), id="a minor's, hidden"),
    pytest.param("2012-01-15", False, "received", set(), set(), id="received: another's to feed"),
    pytest.param("1980-01-15", False, "produced", set(), {"VIS-SECRET-ADULT"}, id="an adult's"),
    pytest.param("2008-11-24", False, "produced", {"VIS-SECRET"}, set(), id="of age tomorrow"),
    pytest.param(
        "2008-11-23",
        False,
        "produced",
        {"VIS-SECRET"},
        {"VIS-SECRET-ADULT"},
        id="of age today, a minor when it was made",
    ),
    pytest.param(None, False, "produced", set(), {"VIS-AGE"}, id="age unknown"),
]


@pytest.mark.requirement("MSS-19")
@pytest.mark.parametrize(("born", "hidden", "origin", "document", "patient"), SECRETS)
def test_secret_connection(tmp_path: Path, born: str | None, hidden: bool, origin: str, document: set[str], patient: set[str]) -> None:  # fmt: skip
    who = a_patient(birth_date=born, sensitive_connection=True)
    seen = found(tmp_path, who, a_document(act=ACT, origin=origin, invisible_representatives=hidden))
    assert {r for (r, d, k) in seen if d == "dmp" and k == "document:D1"} == document
    assert {r for (r, d, k) in seen if d == "dmp" and k == "patient:P1"} == patient
    assert {s for (_, d, _), s in seen.items() if d == "dmp"} <= {W}
    # No case of the matrix sends a message under a secret connection.
    legs = {d for (r, d, _), s in seen.items() if r == "VIS-MSS" and s == B}
    assert legs == ({"mss_pro", "mss_patient"} if origin == "produced" else set())


# Combinations of restrictions. The matrix of messages is that of the sheet xdm-mssante, typed a second time.

COMBINATIONS = [
    # masked, invisible to the patient, to representatives -> remarks for the DMP, legs refused, leg apart
    pytest.param(False, False, False, set(), set(), False, id="none"),
    pytest.param(True, False, False, set(), {"mss_pro"}, True, id="masked"),
    pytest.param(False, True, False, set(), {"mss_patient"}, False, id="invisible to the patient"),
    pytest.param(True, True, False, {"VIS-NOBODY"}, {"mss_patient"}, False, id="masked and invisible to the patient"),
    pytest.param(False, False, True, set(), {"mss_pro"}, True, id="invisible to representatives"),
    pytest.param(True, False, True, set(), {"mss_pro"}, True, id="masked and invisible to representatives"),
    pytest.param(False, True, True, {"VIS-BOTH"}, {"mss_pro", "mss_patient"}, False, id="invisible to both"),
    pytest.param(True, True, True, {"VIS-BOTH", "VIS-NOBODY"}, {"mss_pro", "mss_patient"}, False, id="all three"),
]


@pytest.mark.requirement("DMP-48", "MSS-19")
@pytest.mark.parametrize(("masked", "hidden", "unseen", "remarks", "refused", "apart"), COMBINATIONS)
def test_combinations(tmp_path: Path, masked: bool, hidden: bool, unseen: bool, remarks: set[str], refused: set[str], apart: bool) -> None:  # fmt: skip
    facts = {"masked_ps": masked, "invisible_patient": hidden, "invisible_representatives": unseen}
    seen = found(tmp_path, a_patient(birth_date="2012-01-15"), a_document(act=ACT, **facts))
    assert {r for (r, d, _) in seen if d == "dmp"} == remarks
    assert {d for (r, d, _) in seen if r == "VIS-MSS"} == refused
    assert (("VIS-APART", "mss_patient", "document:D1") in seen) is apart


def test_the_evidence_names_the_columns_that_decide(tmp_path: Path) -> None:
    who = a_patient(birth_date="2012-01-15", sensitive_connection=True)
    work = judged(practice(tmp_path, who, a_document(act=ACT, masked_ps=True, invisible_representatives=True)))
    told = {(f.rule, f.destination): f.evidence for f in work.verdicts["document", "D1"]}
    assert told["DOC-MASKED", "dmp"] == "document.masked_ps document.invisible_representatives"
    assert told["VIS-MSS", "mss_pro"] == f"{told['DOC-MASKED', 'dmp']} patient.sensitive_connection"


# Objections: what they name, who recorded them.

OBJECTIONS = [
    # facts of the objection, author of the document -> destinations refused
    pytest.param({"scope": "dmp"}, DOCTOR, {"dmp"}, id="the DMP"),
    pytest.param({"scope": "all"}, DOCTOR, {"dmp", "mss_pro", "mss_patient"}, id="everything"),
    pytest.param({"scope": "mss_patient"}, DOCTOR, {"mss_patient"}, id="the citizen's mailbox"),
    pytest.param(
        {"scope": "une portée inconnue"}, DOCTOR, {"dmp", "mss_pro", "mss_patient"}, id="an unknown scope is the widest"
    ),
    pytest.param({"scope": None}, DOCTOR, {"dmp", "mss_pro", "mss_patient"}, id="no scope is the widest"),
    pytest.param({"practitioner": DOCTOR}, DOCTOR, {"dmp"}, id="its author"),
    pytest.param({"practitioner": "DR2"}, DOCTOR, set(), id="another professional"),
    pytest.param({"practitioner": "DR2"}, None, {"dmp"}, id="a professional, when its author is unknown"),
    pytest.param({"practitioner": DOCTOR, "document": "D1"}, DOCTOR, {"dmp"}, id="this document of its author"),
    pytest.param({"practitioner": DOCTOR, "document": "D2"}, DOCTOR, set(), id="another document of its author"),
    pytest.param({"practitioner": "DR2", "document": "D1"}, DOCTOR, set(), id="this document, of somebody else"),
    pytest.param({"practitioner": "DR404"}, DOCTOR, set(), id="a professional that does not exist"),
]


@pytest.mark.requirement("DMP-11", "MSS-16")
@pytest.mark.parametrize(("facts", "author", "refused"), OBJECTIONS)
def test_objections(tmp_path: Path, facts: dict[str, Any], author: str | None, refused: set[str]) -> None:
    rows = (a_patient(), a_document(practitioner=author), an_objection(**({"scope": "dmp"} | facts)))
    seen = found(tmp_path, *OFFICE, *rows)
    assert {d for (r, d, k), s in seen.items() if k == "document:D1" and s == B} == refused
    assert {r for (r, d, k) in seen if k == "document:D1"} == {"OBJ-DMP" if d == "dmp" else "OBJ-MSS" for d in refused}


@pytest.mark.requirement("DMP-11")
def test_an_objection_is_told_once_and_by_its_key(tmp_path: Path) -> None:
    rows = (
        a_patient(),
        a_document(),
        an_objection(key="O7"),
        an_objection(key="O8", document="D1"),
        an_objection(key="O9", scope="all"),
    )
    told = [f for f in judged(practice(tmp_path, *rows)).verdicts["document", "D1"] if f.rule == "OBJ-DMP"]
    assert [f.evidence for f in told] == ["objection:O7"]


def test_when_nothing_tells_the_author_the_evidence_says_so(tmp_path: Path) -> None:
    rows = (a_patient(), a_document(practitioner=None), an_objection(key="O7", practitioner="DR2"))
    told = [f.evidence for f in judged(practice(tmp_path, *rows)).verdicts["document", "D1"] if f.rule == "OBJ-DMP"]
    assert told == ["objection:O7 document.practitioner"]


RECORDED = [
    pytest.param({}, "", id="whole"),
    pytest.param({"recorded": None}, "objection.recorded", id="no date"),
    pytest.param({"recorded": ""}, "objection.recorded", id="an empty date"),
    pytest.param({"recorded": "2026-02-31"}, "objection.recorded", id="an impossible date"),
    pytest.param({"recorded": "2026"}, "objection.recorded", id="a year"),
    pytest.param({"recorded_by": None}, "objection.recorded_by", id="nobody"),
    pytest.param({"recorded_by": " "}, "objection.recorded_by", id="a blank author"),
    pytest.param({"recorded": None, "recorded_by": None}, "objection.recorded objection.recorded_by", id="neither"),
    pytest.param({"reason": None}, "", id="no reason: the patient owes none"),
]


@pytest.mark.parametrize(("facts", "missing"), RECORDED)
def test_an_objection_has_an_author_and_a_date(tmp_path: Path, facts: dict[str, Any], missing: str) -> None:
    work = judged(practice(tmp_path, a_patient(), a_document(), an_objection(key="O1", **facts)))
    told = work.verdicts.get(("objection", "O1"), [])
    assert [(f.rule, f.severity, f.evidence) for f in told] == ([("OBJ-INCOMPLETE", W, missing)] if missing else [])
    # Not proved, but respected.
    assert work.decisions["D1"]["outcome"] == "objection"


SIGNED = [
    # facts of a document made here, what its record lacks
    pytest.param({"withheld": "annonce"}, {}, id="withheld, by whom and when"),
    pytest.param({"withheld": "annonce", "withheld_by": None}, {"DOC-WITHHELD-INCOMPLETE": "document.withheld_by"}, id="withheld by nobody"),
    pytest.param({"withheld": "annonce", "withheld_at": "hier"}, {"DOC-WITHHELD-INCOMPLETE": "document.withheld_at"}, id="withheld on no day"),
    pytest.param({"withheld_by": None, "visibility_by": None}, {}, id="nothing withheld nor restricted"),
    pytest.param({"masked_ps": True}, {}, id="masked, by whom and when"),
    pytest.param({"masked_ps": True, "visibility_by": " "}, {"VIS-INCOMPLETE": "document.visibility_by"}, id="masked by nobody"),
    pytest.param(
        {"invisible_patient": True, "visibility_by": None, "visibility_at": None},
        {"VIS-INCOMPLETE": "document.visibility_by document.visibility_at"},
        id="hidden by nobody on no day",
    ),
    pytest.param({"masked_ps": True, "visibility_by": None, "origin": "received"}, {}, id="another's document is for them to prove"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "missing"), SIGNED)
def test_a_restriction_has_an_author_and_a_date(tmp_path: Path, facts: dict[str, Any], missing: dict[str, str]) -> None:
    work = judged(practice(tmp_path, a_patient(), a_document(**facts)))
    told = {f.rule: (f.severity, f.evidence) for f in work.verdicts.get(("document", "D1"), [])}
    assert {r: e for r, (_, e) in told.items() if r.endswith("-INCOMPLETE")} == missing
    assert {told[r][0] for r in missing} <= {W}
    # Not proved, but respected.
    assert work.decisions["D1"]["outcome"] == (
        "withheld" if facts.get("withheld") else "not_produced" if "origin" in facts else "to_send"
    )


def test_thousands_of_objections_of_one_patient_cost_no_pair(tmp_path: Path) -> None:
    rows: list[Any] = [a_patient(), *(an_objection() for _ in range(3000))]
    rows += [row for n in range(1000) for row in a_document(f"D{n}")]
    assert len(judged(practice(tmp_path, *rows)).carrying("OBJ-DMP")) == 1000


def test_the_rules_of_restrictions_are_those_of_the_catalogue() -> None:
    sql = findings(CLOCK.date())
    rules = {r for r in CATALOGUE if r.startswith(("VIS-", "OBJ-"))}
    assert {r for r in CATALOGUE if f"'{r}'" in sql} == rules | {
        "DOC-MASKED",
        "DOC-WITHHELD",
        "DOC-WITHHELD-INCOMPLETE",
    }


# Local types without a national one: the nearest labels are proposed, never used.

PROPOSED = [
    # local type, code given by the mapping, what must be among the proposals
    pytest.param("Compte rendu opératoire", None, "34874-8", id="its label"),
    pytest.param("COMPTE RENDU OPERATOIRE", None, "34874-8", id="without accents"),
    pytest.param("Lettre de liaison", None, "11490-0", id="the beginning of a label"),
    pytest.param("certificat", None, "89601-9", id="one word"),
    pytest.param("CRO", "34874-9", "34874-8", id="a code with a wrong digit"),
]


@pytest.mark.parametrize(("local", "code", "expected"), PROPOSED)
def test_the_nearest_types_are_proposed(tmp_path: Path, local: str, code: str | None, expected: str) -> None:
    work = practice(tmp_path, a_patient(), a_document(local_type=local, type_code=code))
    ((document, told_code, count, proposals),) = rows_of(work, types())
    assert (document, told_code, count, len(proposals)) == ("D1", code, 1, 3)
    assert expected in proposals
    assert all(TYPES[p].current and TYPES[p].class_code for p in proposals)


def test_types_are_listed_once_with_their_count_and_named_by_a_document(tmp_path: Path) -> None:
    kinds = ["A", "B", "B", None, "", "'; DROP"]
    rows = [a_document(f"D{n}", local_type=kind, type_code=None) for n, kind in enumerate(kinds)]
    work = practice(tmp_path, a_patient(), *rows, a_document("D9"))
    judged(work)
    told = rows_of(work, f"SELECT document, count FROM read_parquet('{work}/verdicts/types.parquet')")
    # A software that lets people type the type may hold anything there.
    assert told == [("D1", 2), ("D0", 1), ("D3", 1), ("D4", 1), ("D5", 1)]


def test_a_column_of_free_text_is_not_a_list_of_types(tmp_path: Path) -> None:
    rows = [a_document(f"D{n}", local_type=f"texte {n}", type_code=None) for n in range(2100)]
    told = rows_of(practice(tmp_path, a_patient(), *rows), types())
    assert len(told) == 2100
    assert sum(1 for *_, proposals in told if proposals) == 2000


def test_the_day_of_the_run_decides_of_the_patient_only() -> None:
    """A document is judged at the age of its act: another day of the run changes the verdicts of patients alone."""
    one, other = findings(date(2026, 11, 23)), findings(date(2026, 11, 23) + timedelta(400))
    differing = [a for a, b in zip(one.split("UNION ALL"), other.split("UNION ALL"), strict=True) if a != b]
    assert len(differing) == 2 and all("'patient' AS record_table" in part for part in differing)
