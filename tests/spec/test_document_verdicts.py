"""Every rule of the catalogue met by a record, the reason chosen when several apply, and what each environment accepts.

A case says all that stands against the document and its patient: a rule that appears or disappears elsewhere fails it too.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from transvase.errors import BadCall
from transvase.model.outcome import OUTCOMES
from transvase.model.verdict import CATALOGUE

from ..builders import (  # noqa: TID252
    NIA_OID,
    NIR_OID,
    NO_BODY,
    TEST_OID,
    Body,
    Judged,
    Row,
    a_document,
    a_patient,
    a_version,
    an_objection,
    ins,
    judged,
    practice,
)

# What stands against the document in the DMP and its severity; against the archive everything is a warning.
B, W = "block", "warning"
VISIT, LETTER, DRUGS = "11488-4", "96349-6", "57833-6"


class Case(NamedTuple):
    """Rows about the patient P1 and the document D1, and what is found."""

    name: str
    rows: tuple[Any, ...]
    outcome: str
    rule: str | None
    document: dict[str, str] = {}
    patient: dict[str, str] = {}
    archive: tuple[str, ...] = ()


def of_document(name: str, outcome: str, rule: str | None, found: dict[str, str], *archive: str, rows: tuple[Row, ...] = (), **facts: Any) -> Case:  # fmt: skip
    """A case where only the document is out of the ordinary."""
    return Case(name, (a_patient(), a_document(**facts), *rows), outcome, rule, found, {}, archive)


def of_patient(
    name: str, rule: str, found: dict[str, str], *archive: str, outcome: str = "identity", **facts: Any
) -> Case:
    """A case where only the patient is out of the ordinary: the document inherits."""
    return Case(name, (a_patient(**facts), a_document()), outcome, rule, {}, found, archive)


def key_of(thirteen: str) -> str:
    return f"{thirteen}{97 - int(thirteen) % 97:02d}"


SOUND = ins()
NOT_QUALIFIED = {"RNIV-STATUS": B}
UNFLAGGED = {"RNIV-DATE-PARTIAL": B, "RNIV-DATE-UNFLAGGED": W}
CASES = [
    of_document("nothing wrong", "to_send", None, {}),
    # Whose document it is, and where it comes from.
    of_document("no patient", "orphan", "DOC-ORPHAN", {"DOC-ORPHAN": B}, "DOC-ORPHAN", patient=None),
    of_document("a patient that does not exist", "orphan", "DOC-ORPHAN", {"DOC-ORPHAN": B}, "DOC-ORPHAN", patient="P404"),
    of_document("received", "not_produced", "DOC-RECEIVED", {"DOC-RECEIVED": B}, origin="received"),
    of_document("from the patient", "not_produced", "DOC-PATIENT", {"DOC-PATIENT": B}, origin="patient"),
    of_document("fed before", "adopted", "DOC-FED", {"DOC-FED": B}, fed_state="fed"),
    of_document("fed, then deleted", "withdrawn", "DOC-FED-DELETED", {"DOC-FED-DELETED": B}, fed_state="deleted"),
    of_document("unknown history", "unknown_history", "DOC-UNKNOWN-HISTORY", {"DOC-UNKNOWN-HISTORY": B}, fed_state="unknown"),
    of_document("a history that the software does not write", "unknown_history", "DOC-UNKNOWN-HISTORY", {"DOC-UNKNOWN-HISTORY": B}, fed_state=None),
    # The obligation.
    of_document("not on the list", "not_mandated", "OBL-NONE", {"OBL-NONE": B}, type_code=VISIT),
    of_document("older than the obligation", "before_obligation", "OBL-BEFORE", {"OBL-BEFORE": B}, act="2023-12-30"),
    of_document("excluded", "excluded", "OBL-EXCLUDED", {"OBL-EXCLUDED": B}, type_code=DRUGS, hospital_stay=True, prior_agreement=False),
    of_document("exclusion unknown: presumed due", "to_send", None, {"OBL-UNDECIDABLE": W}, type_code=DRUGS, hospital_stay=False),
    of_document("date of the obligation unconfirmed", "to_send", None, {"OBL-UNCONFIRMED": W}, type_code=LETTER, hospital_stay=False),
    of_document("no national type", "type_unmapped", "DOC-TYPE-UNMAPPED", {"DOC-TYPE-UNMAPPED": B}, "DOC-TYPE-UNMAPPED", type_code=None),
    of_document("a type that no value set holds", "type_unmapped", "DOC-TYPE-UNKNOWN", {"DOC-TYPE-UNKNOWN": B}, type_code="34874-9"),
    of_document("a type of former value sets", "not_mandated", "OBL-NONE", {"OBL-NONE": B, "DOC-TYPE-UNKNOWN": B}, type_code="10213-7"),
    # Decisions of persons.
    of_document("the patient objects", "objection", "OBJ-DMP", {"OBJ-DMP": B}, rows=(an_objection(),)),
    of_document("objects to everything", "objection", "OBJ-DMP", {"OBJ-DMP": B}, rows=(an_objection(scope="all"),)),
    of_document("objects to this document", "objection", "OBJ-DMP", {"OBJ-DMP": B}, rows=(an_objection(document="D1"),)),
    of_document("objects to another document", "to_send", None, {}, rows=(an_objection(document="D2"),)),
    of_document("objects to messages only", "to_send", None, {}, rows=(an_objection(scope="mss_pro"), an_objection(scope="mss_patient"))),
    of_document("another patient objects", "to_send", None, {}, rows=(a_patient("P2"), an_objection("P2"))),
    of_document("withheld", "withheld", "DOC-WITHHELD", {"DOC-WITHHELD": B}, withheld="Annonce à faire"),
    of_document("a reason left blank withholds nothing", "to_send", None, {}, withheld=""),
    of_document("masked to professionals", "to_send", None, {"DOC-MASKED": W}, masked_ps=True),
    of_document("invisible to the patient", "to_send", None, {"DOC-MASKED": W}, invisible_patient=True),
    Case("a minor's, invisible to representatives", (a_patient(birth_date="2012-01-15"), a_document(invisible_representatives=True)),
         "to_send", None, {"DOC-MASKED": W}),
    of_document("an adult's, invisible to representatives", "visibility", "VIS-ADULT", {"DOC-MASKED": W, "VIS-ADULT": B},
                invisible_representatives=True),
    # The content.
    of_document("no version", "no_content", "DOC-ABSENT", {"DOC-ABSENT": B}, "DOC-ABSENT", body=NO_BODY),
    of_document("of the size announced", "to_send", None, {}, body=Body(declared=1000)),
    of_document("of another size", "to_send", None, {"DOC-SIZE": W}, "DOC-SIZE", body=Body(declared=999)),
    of_document("empty", "no_content", "DOC-EMPTY", {"DOC-EMPTY": B}, "DOC-EMPTY", body=Body("empty")),
    of_document("damaged", "corrupt", "DOC-CORRUPT", {"DOC-CORRUPT": B}, "DOC-CORRUPT", body=Body("pdf", "no end")),
    of_document("damaged and of no known nature", "corrupt", "DOC-CORRUPT", {"DOC-CORRUPT": B}, "DOC-CORRUPT", body=Body("unknown", "cut")),
    of_document("of no known nature", "corrupt", "DOC-FORMAT", {"DOC-FORMAT": B}, "DOC-FORMAT", body=Body("unknown")),
    of_document("an archive", "corrupt", "DOC-FORMAT", {"DOC-FORMAT": B}, "DOC-FORMAT", body=Body("zip")),
    of_document("a CDA", "to_send", None, {}, body=Body("cda")),
    of_document("its last version counts: now sound", "to_send", None, {}, body=Body("pdf", "no end"),
                rows=(a_version("D1-2", "D1", rank=2, body=Body(content="two")),)),
    of_document("its last version counts: now empty", "no_content", "DOC-EMPTY", {"DOC-EMPTY": B}, "DOC-EMPTY",
                rows=(a_version("D1-2", "D1", rank=2, body=Body("empty", content="two")),)),
    # The date.
    of_document("no date", "date_invalid", "DOC-DATE", {"DOC-DATE": B}, "DOC-DATE", act=None),
    of_document("31 February", "date_invalid", "DOC-DATE", {"DOC-DATE": B}, "DOC-DATE", act="2026-02-31"),
    of_document("a month", "date_invalid", "DOC-DATE", {"DOC-DATE": B}, "DOC-DATE", act="2026-02"),
    of_document("tomorrow", "date_invalid", "DOC-FUTURE", {"DOC-FUTURE": B}, "DOC-FUTURE", act="2026-11-24"),
    of_document("in a second", "date_invalid", "DOC-FUTURE", {"DOC-FUTURE": B}, "DOC-FUTURE", act="2026-11-23T20:00:01"),
    of_document("now", "to_send", None, {}, act="2026-11-23T20:00:00"),
    of_document("today", "to_send", None, {}, act="2026-11-23"),
    # The matricule: one reason per value, in the order of the sheet.
    of_patient("no matricule", "INS-EMPTY", {"INS-EMPTY": B, "RNIV-STATUS": B}, ins=None),
    of_patient("an empty matricule", "INS-EMPTY", {"INS-EMPTY": B, "RNIV-STATUS": B}, ins=""),
    of_patient("a blank matricule", "INS-EMPTY", {"INS-EMPTY": B, "RNIV-STATUS": B}, ins="  "),
    of_patient("written with spaces", "INS-NOT_CANONICAL", {"INS-NOT_CANONICAL": B}, ins="1 80 01 75 990 001 57"),
    of_patient("fourteen characters", "INS-LENGTH", {"INS-LENGTH": B}, ins=SOUND[:14]),
    of_patient("a letter O", "INS-CHARSET", {"INS-CHARSET": B}, ins=SOUND[:10] + "O" + SOUND[11:]),
    of_patient("first digit 9", "INS-SEX", {"INS-SEX": B}, ins=key_of("9800175990001")),
    of_patient("month 13", "INS-MONTH", {"INS-MONTH": B}, ins=key_of("1801375990001")),
    of_patient("department 00", "INS-PLACE", {"INS-PLACE": B}, ins=key_of("1800100990001")),
    of_patient("order 000", "INS-ORDER", {"INS-ORDER": B}, ins=key_of("1800175990000")),
    of_patient("a filler", "INS-FILLER", {"INS-FILLER": B}, ins="111111111111120"),
    of_patient("key 00", "INS-KEY_RANGE", {"INS-KEY_RANGE": B}, ins=SOUND[:13] + "00"),
    of_patient("wrong key", "INS-KEY_MISMATCH", {"INS-KEY_MISMATCH": B}, ins=f"{SOUND[:13]}{int(SOUND[13:]) % 97 + 1:02d}"),
    of_patient("OID of another environment", "INS-OID", {"INS-OID": B}, ins_oid=NIR_OID),
    of_patient("no OID", "INS-OID", {"INS-OID": B}, ins_oid=None),
    # RNIV, by criteria.
    of_patient("doubtful", "RNIV-DOUBTFUL", {"RNIV-DOUBTFUL": B, "RNIV-STATUS": B}, doubtful=True),
    of_patient("fictitious", "RNIV-FICTITIOUS", {"RNIV-FICTITIOUS": B, "RNIV-STATUS": B}, fictitious=True),
    of_patient("not checked against a document", "RNIV-STATUS", NOT_QUALIFIED, document_checked=False),
    of_patient("not obtained from INSi", "RNIV-STATUS", NOT_QUALIFIED, insi_confirmed=None),
    of_patient("a homonym is no less qualified", "", {}, homonym=True, outcome="to_send"),
    *(
        of_patient(f"without {trait}", "RNIV-TRAIT", {"RNIV-TRAIT": B}, **{trait: value})
        for trait, value in (
            ("birth_family", None),
            ("birth_given", " "),
            ("birth_first_given", ""),
            ("sex", "UN"),
            ("birth_place_code", None),
        )
    ),
    of_patient("no date of birth", "RNIV-TRAIT", {"RNIV-TRAIT": B}, "CDA-TRAITS", birth_date=" "),
    # Dates (sheet ins-identity, section 4): the rule of the RNIV gives a whole date and a flag, and nothing suspicious is refused.
    of_patient("a year of birth is not a trait, but a header", "RNIV-DATE-PARTIAL", UNFLAGGED, birth_date="1951"),
    of_patient("a month of birth, flagged", "RNIV-DATE-PARTIAL", {"RNIV-DATE-PARTIAL": B}, birth_date="1951-03", birth_date_uncertain=True),
    *(
        of_patient(f"a lunar date allows no header: {date}", "RNIV-DATE-PARTIAL", UNFLAGGED, "CDA-TRAITS", birth_date=date)
        for date in ("1951-00-00", "1951-13-01", "1951-04-00", "00/00/1951", "12/00/1951", "01/42/1951")
    ),
    *(
        of_patient(f"an impossible date: {date}", "RNIV-DATE-IMPOSSIBLE", {"RNIV-DATE-IMPOSSIBLE": B}, "CDA-TRAITS", birth_date=date)
        for date in ("1980-02-31", "31/02/1980", "1979-02-29", "hier", "19800115")
    ),
    *(
        of_patient(f"a date that the rule fixes: {date}", "", {}, birth_date=date, birth_date_uncertain=True, outcome="to_send")
        for date in ("1951-12-31", "1951-07-01", "1951-01-17", "1951-01-01")
    ),
    of_patient("31 December is a day like another", "", {}, birth_date="1951-12-31", outcome="to_send"),
    of_patient("flagged, in no form of the rule", "", {"RNIV-DATE-RULE": W}, birth_date="1951-07-14", birth_date_uncertain=True, outcome="to_send"),
    of_patient("born tomorrow", "RNIV-DATE-FUTURE", {"RNIV-DATE-FUTURE": B}, birth_date="2026-11-24"),
    of_patient("born today", "", {}, birth_date="2026-11-23", outcome="to_send"),
    of_patient("born next year, day unknown", "RNIV-DATE-PARTIAL", UNFLAGGED | {"RNIV-DATE-FUTURE": B}, birth_date="2027"),
    of_patient("dead before birth", "", {"RNIV-DEATH": W}, death_date="1980-01-14", outcome="to_send"),
    of_patient("dead on the day of birth", "", {}, death_date="1980-01-15", outcome="to_send"),
    of_patient("dead in the year of birth, day unknown", "", {}, death_date="1980", outcome="to_send"),
    of_patient("dead before the year of birth", "", {"RNIV-DEATH": W}, death_date="1979", outcome="to_send"),
    # Places.
    of_patient("a birth in Corsica", "", {}, birth_place_code="2A004", outcome="to_send"),
    *(
        of_patient(f"a place that is no code: {code}", "RNIV-PLACE-FORM", {"RNIV-PLACE-FORM": B}, birth_place_code=code)
        for code in ("7505", "NANCY", "1B004", "75O56", "750566", "2C004")
    ),
    # Names: what the comparison forgives is a remark, what it does not blocks.
    of_patient("hyphens and apostrophes are kept in the name", "", {}, birth_family="D'HONDT--LE-GOFF", outcome="to_send"),
    of_patient("and in the given names", "", {}, birth_given="JEAN-PAUL N'DOUMBE", birth_first_given="JEAN-PAUL", outcome="to_send"),
    *(
        of_patient(f"a character without equivalent: {name!r}", "RNIV-NAME-CHARACTER", {"RNIV-NAME-CHARACTER": B}, birth_family=name)
        for name in ("MARTIN2", "MARTIN_PAUL", "MARTIN/PAUL", "MARTIN (EP. DUPONT)", "МАРТИН", "MARTIN\tPAUL")
    ),
    *(
        of_patient(f"not as INSi writes it: {name!r}", "", {"RNIV-NAME-CASE": W}, birth_family=name, outcome="to_send")
        for name in ("Martin", "LEFÈVRE", "GARÇON", "LEBŒUF", "D’HONDT", "LE‑GOFF", "WIŚNIEWSKI", "ŁUCZAK", "E\u0301TIENNE")
    ),
    of_patient("a local identity keeps its spelling", "RNIV-STATUS", NOT_QUALIFIED, birth_family="Lefèvre", insi_confirmed=False),
    *(
        of_patient(f"a misplaced separator in the name: {name!r}", "", {"RNIV-NAME-SEPARATOR": W}, birth_family=name, outcome="to_send")
        for name in (" MARTIN", "-MARTIN", "LE  GOFF", "D' HONDT", "D''HONDT", "MARTIN ", "MARTIN---PAUL")
    ),
    of_patient("an apostrophe may begin a name", "", {}, birth_family="'T HOOFT", outcome="to_send"),
    *(
        of_patient(f"a misplaced separator in the given names: {name!r}", "", {"RNIV-NAME-SEPARATOR": W}, birth_given=name, outcome="to_send")
        for name in ("PAUL--HENRI", "PAUL JEAN-", "PAUL  JEAN", "PAUL JEAN'", " PAUL JEAN")
    ),
    of_patient("the name in use only remarks", "", {"RNIV-USED-NAME": W}, used_family="Dupont 2", outcome="to_send"),
    of_patient("the given name in use only remarks", "", {"RNIV-USED-NAME": W}, used_given="-Jean", outcome="to_send"),
    of_patient("a name in use keeps its spelling", "", {}, used_family="Lefèvre-D’Hondt", used_given="Anaïs", outcome="to_send"),
    # The first given name is the beginning of the list, hyphen and apostrophe as spaces (EXI ID 10).
    of_patient("the first given name is another", "", {"RNIV-FIRST-GIVEN": W}, birth_first_given="JEAN", outcome="to_send"),
    of_patient("the first given name is cut", "", {"RNIV-FIRST-GIVEN": W}, birth_first_given="PAU", outcome="to_send"),
    of_patient("the first given name is longer than the list", "", {"RNIV-FIRST-GIVEN": W}, birth_first_given="PAUL JEAN MARC", outcome="to_send"),
    of_patient("a hyphen in one of them only", "", {}, birth_given="JEAN-PAUL LUC", birth_first_given="JEAN PAUL", outcome="to_send"),
    of_patient("case and diacritics are forgiven", "RNIV-STATUS", NOT_QUALIFIED, birth_given="Zoé Marie", birth_first_given="ZOE", insi_confirmed=False),
    # Never compared with the matricule (section 1): its digits say a man born in January 1980 in Paris.
    of_patient("no trait is inferred from the digits", "", {}, sex="F", birth_date="1946-05-02", birth_place_code="99352", outcome="to_send"),
    of_patient("no DMP", "DMP-NONE", {"DMP-NONE": B}, dmp="none", outcome="no_dmp"),
    of_patient("a closed DMP", "DMP-NONE", {"DMP-NONE": B}, dmp="closed", outcome="no_dmp"),
    of_patient("a DMP nobody looked up: the registry will say", "", {}, dmp="unknown", outcome="to_send"),
]  # fmt: skip


# One practice per case costs half a second: cases are judged together instead, each under its own keys.
def renamed(one: Case, number: int) -> list[Row]:
    """The rows of a case with P1, P2, D1, D2 and so on made its own."""

    def own(value: Any) -> Any:
        if isinstance(value, str) and value[:1] in "PDO" and value[1:2].isdigit() and len(value) < 8:
            return f"{value[0]}{number:03d}_{value[1:]}"
        return value

    rows = []
    for row in one.rows:
        for single in [row] if isinstance(row, Row) else row:
            values = {k: own(v) for k, v in single.values.items()}
            if single.table == "patient":
                values["ins"] = _own_ins(values["ins"], number, single.values["key"])
                # Everybody would be the same person otherwise.
                if values["birth_family"] == "MARTIN":
                    values["birth_family"] += "".join(chr(65 + int(d)) for d in values["key"] if d.isdigit())
                elif values["birth_date"] == "1980-01-15":
                    values["birth_date"] = (date(1980, 1, 15) + timedelta(number)).isoformat()
            rows.append(Row(single.table, values))
    return rows


def _own_ins(value: str | None, number: int, key: str) -> str | None:
    """Sound matricules are made distinct; the others are the case and stay."""
    return ins(number + 500 if key != "P1" else number) if value in (SOUND, ins(2)) else value


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    rows = [renamed(one, number) for number, one in enumerate(CASES, 1)]
    return judged(practice(tmp_path_factory.mktemp("cases"), *rows))


@pytest.mark.requirement("DMP-33", "INS-07", "INS-09", "INS-10", "INS-12", "INS-13")
@pytest.mark.parametrize(("number", "one"), enumerate(CASES, 1), ids=[c.name for c in CASES])
def test_what_stands_against_a_document(together: Judged, number: int, one: Case) -> None:
    patient, document = f"P{number:03d}_1", f"D{number:03d}_1"
    assert together.rules("document", document) == one.document
    assert together.rules("patient", patient) == one.patient
    archive = together.rules("document", document, "portability") | together.rules("patient", patient, "portability")
    assert archive == dict.fromkeys(one.archive, W)
    decision = together.decisions[document]
    assert (decision["outcome"], decision["rule"] or None) == (one.outcome, one.rule or None)


def test_every_rule_of_the_catalogue_is_met() -> None:
    met = {rule for c in CASES for rule in (*c.document, *c.patient, *c.archive)}
    # Some rules need two records, or a table of the operator: below. Professionals are in test_professional_verdicts.py.
    # Those of restrictions are in test_restrictions.py;
    # those of PDF/A-1 are met when the archive is made (unit/exporters/pdf/test_ladder.py).
    elsewhere = {
        r for r in CATALOGUE if r.startswith(("PRO-", "STR-", "COR-", "VIS-", "OBJ-", "INSI-", "DOC-WITHHELD-", "PDF-"))
    } - {
        "VIS-ADULT",
        "OBJ-DMP",
    }
    others = {"DOC-DUPLICATE", "PAT-DUPLICATE-INS", "PAT-TRAITS-TWO-INS", "PAT-TRAITS-NO-INS", "RNIV-PLACE-DATE"}
    assert met | others | elsewhere == set(CATALOGUE)
    assert not met & (others | elsewhere)


def test_every_outcome_of_the_verdicts_is_met() -> None:
    # An author or a structure without identifier is in test_professional_verdicts.py.
    met = {c.outcome for c in CASES} | {"duplicate", "author"}
    # The other three are the registry's to give.
    assert met | {"registered", "in_doubt", "refused"} == set(OUTCOMES)


def test_the_evidence_names_a_place_and_never_a_value(together: Judged) -> None:
    values = {SOUND, "MARTIN", "PAUL", "PAUL JEAN", "1980-01-15", "Annonce à faire", "1951", "1951-00-00"}
    for found in (f for fs in together.verdicts.values() for f in fs):
        assert not any(value in found.evidence for value in values), found
    assert together.verdicts["patient", f"P{_number('without sex'):03d}_1"][0].evidence == "sex"


def _number(name: str) -> int:
    return [c.name for c in CASES].index(name) + 1


# Two records of one thing.


def test_an_exact_copy_is_a_duplicate_and_the_first_goes_its_way(tmp_path: Path) -> None:
    same = {"body": Body(content="same"), "title": "Courrier"}
    found = judged(
        practice(tmp_path, a_patient(), a_document("D1", **same), a_document("D2", **same), a_document("D3", **same))
    )
    assert {k: v["outcome"] for k, v in found.decisions.items()} == {
        "D1": "to_send",
        "D2": "duplicate",
        "D3": "duplicate",
    }
    assert [f.evidence for f in found.verdicts["document", "D3"]] == ["document:D1", "document:D1"]
    assert found.carrying("DOC-DUPLICATE", "portability") == {"D2", "D3"}


@pytest.mark.parametrize(
    "different",
    [
        {"title": "Autre titre"},
        {"act": "2026-03-02T10:00:01"},
        {"body": Body(content="other")},
        {"practitioner": "DR2"},
        {"patient": "P2"},
        {"local_type": "CRO2"},
    ],
    ids=lambda d: next(iter(d)),
)
def test_what_differs_is_no_duplicate(tmp_path: Path, different: dict[str, Any]) -> None:
    same: dict[str, Any] = {"body": Body(content="same")}
    found = judged(
        practice(tmp_path, a_patient(), a_patient("P2"), a_document("D1", **same), a_document("D2", **same | different))
    )
    assert found.carrying("DOC-DUPLICATE") == set()
    assert {v["outcome"] for v in found.decisions.values()} == {"to_send"}


def test_documents_without_a_body_are_never_duplicates(tmp_path: Path) -> None:
    found = judged(practice(tmp_path, a_patient(), a_document("D1", body=NO_BODY), a_document("D2", body=NO_BODY)))
    assert {v["outcome"] for v in found.decisions.values()} == {"no_content"}


@pytest.mark.parametrize(
    ("second", "shared"),
    [
        pytest.param({"ins": SOUND}, {"P1", "P2"}, id="the same matricule"),
        pytest.param({"ins": "1 80 01 75 990 001 " + SOUND[13:]}, {"P1", "P2"}, id="the same in display form"),
        pytest.param({}, set(), id="two matricules"),
    ],
)
def test_a_matricule_on_two_records_qualifies_neither(tmp_path: Path, second: dict[str, Any], shared: set[str]) -> None:
    rows = (a_patient("P1"), a_patient("P2", **second), a_document("D1", "P1"), a_document("D2", "P2"))
    found = judged(practice(tmp_path, *rows))
    assert found.carrying("PAT-DUPLICATE-INS") == shared
    assert {v["outcome"] for v in found.decisions.values()} == ({"identity"} if shared else {"to_send"})
    assert {v["qualified"] for v in found.identities.values()} == {not shared}


@pytest.mark.parametrize("absent", [None, "", "   "])
def test_an_absent_matricule_is_shared_by_nobody(tmp_path: Path, absent: str | None) -> None:
    rows = (a_patient("P1", ins=absent), a_patient("P2", ins=absent, birth_family="DURAND"))
    found = judged(practice(tmp_path, *rows))
    assert found.rules("patient", "P1") == found.rules("patient", "P2") == {"INS-EMPTY": B, "RNIV-STATUS": B}


@pytest.mark.requirement("INS-15")
def test_a_filler_is_nobodys_matricule(tmp_path: Path) -> None:
    filler = "111111111111120"
    rows = (a_patient("P1", ins=filler), a_patient("P2", ins=filler, birth_family="DURAND"))
    found = judged(practice(tmp_path, *rows))
    assert found.rules("patient", "P1") == found.rules("patient", "P2") == {"INS-FILLER": B}


# Doubts between records: same strict traits, not one matricule. Remarks for both destinations, and nothing is merged.

DOUBTS = [
    # second record, rule carried by both
    pytest.param({}, "PAT-TRAITS-TWO-INS", id="two matricules"),
    pytest.param({"ins": None}, "PAT-TRAITS-NO-INS", id="one without a matricule"),
    pytest.param({"birth_family": "Martin", "birth_first_given": "Paul"}, "PAT-TRAITS-TWO-INS", id="spelt otherwise"),
    pytest.param({"birth_place_code": None}, "PAT-TRAITS-TWO-INS", id="no place on one"),
    pytest.param({"birth_given": "PAUL ANDRE"}, "PAT-TRAITS-TWO-INS", id="other second given name"),
    pytest.param({"ins": SOUND}, None, id="one matricule: another rule"),
    pytest.param({"birth_first_given": "JEAN", "birth_given": "JEAN"}, None, id="twins"),
    pytest.param({"birth_family": "DURAND"}, None, id="another name"),
    pytest.param({"sex": "F"}, None, id="another sex"),
    pytest.param({"birth_date": "1980-01-16"}, None, id="another day"),
    pytest.param({"birth_place_code": "69381"}, None, id="another place"),
    pytest.param({"birth_first_given": None}, None, id="a trait missing"),
]


@pytest.mark.parametrize(("second", "rule"), DOUBTS)
def test_the_same_traits_on_two_records_are_a_doubt(tmp_path: Path, second: dict[str, Any], rule: str | None) -> None:
    rows = (a_patient("P1"), a_patient("P2", **second), a_patient("P3", birth_family="PETIT"), a_document("D1", "P1"))
    found = judged(practice(tmp_path, *rows))
    for name in ("PAT-TRAITS-TWO-INS", "PAT-TRAITS-NO-INS"):
        for destination in ("dmp", "portability"):
            assert found.carrying(name, destination) == ({"P1", "P2"} if name == rule else set())
    if rule:
        assert {f.evidence for f in found.verdicts["patient", "P1"] if f.rule == rule} == {"patient:P2"}
        assert {f.evidence for f in found.verdicts["patient", "P2"] if f.rule == rule} == {"patient:P1"}
        assert found.rules("patient", "P1")[rule] == W
        assert found.decisions["D1"]["outcome"] == "to_send"


def test_two_records_without_matricule(tmp_path: Path) -> None:
    found = judged(practice(tmp_path, a_patient("P1", ins=None), a_patient("P2", ins=""), a_patient("P3", sex="F")))
    assert found.carrying("PAT-TRAITS-NO-INS") == {"P1", "P2"}
    assert found.carrying("PAT-TRAITS-TWO-INS") == set()


def test_a_record_without_place_meets_those_of_every_place(tmp_path: Path) -> None:
    rows = (
        a_patient("P1"),
        a_patient("P2", birth_place_code="69381"),
        a_patient("P3", birth_place_code=None, ins=None),
    )
    found = judged(practice(tmp_path, *rows))
    assert found.carrying("PAT-TRAITS-NO-INS") == {"P1", "P2", "P3"}
    # P1 and P2 were born in two places: P3 does not bring them together.
    assert found.carrying("PAT-TRAITS-TWO-INS") == set()


def test_a_homonym_that_the_practice_knows_is_no_doubt(tmp_path: Path) -> None:
    rows = (a_patient("P1", homonym=True), a_patient("P2", homonym=True), a_patient("P3"))
    assert judged(practice(tmp_path, *rows)).carrying("PAT-TRAITS-TWO-INS") == {"P3"}


def test_thousands_of_records_of_one_person_cost_no_pair(tmp_path: Path) -> None:
    # 3,000 records would be nine million pairs.
    rows = [a_patient(f"P{n}", ins=None) for n in range(3000)]
    assert len(judged(practice(tmp_path, *rows)).carrying("PAT-TRAITS-NO-INS")) == 3000


# The place of birth, by the operator's table (sheet ins-identity, section 4, COG).

COG = "code,start,end\n75056,,\n20004,,1975-12-31\n2A004,1976-01-01,\n54999,1943-01-01,1972-06-30\n54999,1990-01-01,1995-12-31\n"
BIRTHS = [
    pytest.param("75056", "1980-01-15", None, True, id="always"),
    pytest.param("20004", "1975-12-31", None, True, id="last day"),
    pytest.param("20004", "1976-01-01", None, False, id="the day after"),
    pytest.param("2A004", "1975-12-31", None, False, id="the day before"),
    pytest.param("2A004", "1976-01-01", None, True, id="first day"),
    pytest.param("54999", "1960-05-05", None, True, id="first period"),
    pytest.param("54999", "1980-05-05", None, False, id="between two periods"),
    pytest.param("54999", "1992-05-05", None, True, id="second period"),
    pytest.param("54999", "1972", None, True, id="a year that the code saw"),
    pytest.param("54999", "1973", None, False, id="a year too late"),
    pytest.param("54999", "1972-12-31", True, True, id="a day fixed by the rule says its year only"),
    pytest.param("54998", "1980-01-15", None, False, id="a code that the table has not"),
    pytest.param("99352", "1980-01-15", None, True, id="a country, of which the table has none"),
    pytest.param("99999", "1980-01-15", None, True, id="an unknown place"),
]


@pytest.mark.requirement("INS-14")
def test_a_place_in_force_at_the_birth(tmp_path: Path) -> None:
    (tmp_path / "cog.csv").write_text(COG, encoding="utf-8")
    rows = [
        a_patient(f"P{n}", birth_place_code=p.values[0], birth_date=p.values[1], birth_date_uncertain=p.values[2])
        for n, p in enumerate(BIRTHS, 1)
    ]
    work = practice(tmp_path, *rows)
    assert judged(work, cog=tmp_path / "cog.csv").carrying("RNIV-PLACE-DATE") == {
        f"P{n}" for n, p in enumerate(BIRTHS, 1) if not p.values[3]
    }
    assert judged(work).carrying("RNIV-PLACE-DATE") == set()


@pytest.mark.requirement("INS-14")
def test_a_birth_before_the_table_begins_is_judged_at_its_first_day(tmp_path: Path) -> None:
    text = "code,start,end\n20004,1943-01-01,1975-12-31\n2A004,1976-01-01,\n54999,1950-01-01,\n"
    (tmp_path / "cog.csv").write_text(text, encoding="utf-8")
    places = ("20004", "2A004", "54999")
    rows = [a_patient(f"P{n}", birth_place_code=place, birth_date="1938-02-03") for n, place in enumerate(places, 1)]
    assert judged(practice(tmp_path, *rows), cog=tmp_path / "cog.csv").carrying("RNIV-PLACE-DATE") == {"P2", "P3"}


def test_countries_are_judged_when_the_table_has_some(tmp_path: Path) -> None:
    (tmp_path / "cog.csv").write_text("code,start,end\n75056,,\n99100,,\n", encoding="utf-8")
    work = practice(tmp_path, a_patient("P1", birth_place_code="99352"), a_patient("P2", birth_place_code="99100"))
    found = judged(work, cog=tmp_path / "cog.csv")
    assert found.carrying("RNIV-PLACE-DATE") == {"P1"}
    assert found.rules("patient", "P1") == {"RNIV-PLACE-DATE": W}


@pytest.mark.parametrize(
    "text",
    [None, "", "code;start;end\n75056;;\n", "code,start\n75056,\n", "code,start,end\n75056,01/01/1943,\n", "code,start,end\nPARIS,,\n"],
    ids=["absent", "empty", "semicolons", "no end", "French dates", "names"],
)  # fmt: skip
def test_what_is_no_table_of_places_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "cog.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadCall, match=r"cog\.csv"):
        judged(practice(tmp_path, a_patient()), cog=tmp_path / "cog.csv")
    assert not (tmp_path / "verdicts").exists()


# One reason: the catalogue's order.


def test_the_reason_is_the_first_of_the_catalogue(tmp_path: Path) -> None:
    """A document against which several things stand: mending them one by one uncovers the next reason, in order."""
    facts: dict[str, Any] = {
        "origin": "received", "fed_state": "unknown", "withheld": "x", "act": "2026-11-30", "body": Body("pdf", "cut"),
    }  # fmt: skip
    mended: dict[str, Any] = {
        "origin": "produced",
        "withheld": None,
        "fed_state": "never",
        "body": Body(),
        "act": "2026-11-01",
    }
    rows: list[Any] = [a_patient(ins=None), an_objection(document="D0")]
    for number in range(len(mended) + 1):
        repaired = dict(list(mended.items())[:number])
        rows.append(a_document(f"D{number}", **facts | repaired))
    found = judged(practice(tmp_path, *rows))
    chosen = [found.decisions[f"D{n}"]["rule"] for n in range(len(mended) + 1)]
    assert chosen == ["DOC-RECEIVED", "DOC-WITHHELD", "DOC-UNKNOWN-HISTORY", "DOC-CORRUPT", "DOC-FUTURE", "INS-EMPTY"]
    order = list(CATALOGUE)
    assert [order.index(r) for r in chosen] == sorted(order.index(r) for r in chosen)


def test_a_warning_decides_nothing(together: Judged) -> None:
    for (table, key), found in together.verdicts.items():
        if table == "document" and together.decisions[key]["outcome"] == "to_send":
            # A leg of messages may be closed while the DMP's is open.
            assert {f.severity for f in found if f.destination in ("dmp", "portability")} <= {W}


def test_a_document_inherits_from_its_patient_only(tmp_path: Path) -> None:
    rows = (
        a_patient("P1", doubtful=True),
        a_patient("P2"),
        a_document("D1", "P1"),
        a_document("D2", "P2"),
        a_document("D3", "P1"),
    )
    found = judged(practice(tmp_path, *rows))
    assert {k: (v["outcome"], v["rule"]) for k, v in found.decisions.items()} == {
        "D1": ("identity", "RNIV-DOUBTFUL"),
        "D2": ("to_send", None),
        "D3": ("identity", "RNIV-DOUBTFUL"),
    }
    assert ("document", "D1") not in found.verdicts


def test_totals_add_up_to_the_documents(together: Judged) -> None:
    assert sum(together.counts["documents"].values()) == len(together.decisions)
    assert sum(v["count"] for v in together.counts["verdicts"]) == sum(len(f) for f in together.verdicts.values())
    assert set(together.counts["documents"]) <= set(OUTCOMES)


# Choices of the operator.


@pytest.mark.requirement("DMP-62")
@pytest.mark.parametrize(
    ("created", "cut_off", "outcome"),
    [
        pytest.param("2026-03-02T10:30:00", None, "unknown_history", id="no decision"),
        pytest.param("2025-12-31T23:59:59", date(2026, 1, 1), "unknown_history", id="made before the date"),
        pytest.param("2026-01-01T00:00:00", date(2026, 1, 1), "to_send", id="made on the date"),
        pytest.param("2026-03-02T10:30:00", date(2026, 1, 1), "to_send", id="made after"),
        pytest.param(None, date(2026, 1, 1), "unknown_history", id="made nobody knows when"),
    ],
)
def test_a_cut_off_date_settles_the_unknown_history(
    tmp_path: Path, created: str | None, cut_off: date | None, outcome: str
) -> None:
    rows = (a_patient(), a_document(fed_state="unknown", created=created), a_document("D2", fed_state="fed"))
    found = judged(practice(tmp_path, *rows), cut_off=cut_off)
    assert found.decisions["D1"]["outcome"] == outcome
    # What is known to have been fed is never sent again, whatever the date.
    assert found.decisions["D2"]["outcome"] == "adopted"


@pytest.mark.requirement("DMP-62")
@pytest.mark.parametrize(("chosen", "outcome", "severity"), [(False, "before_obligation", B), (True, "to_send", W)])
def test_feeding_the_history_is_an_explicit_choice(tmp_path: Path, chosen: bool, outcome: str, severity: str) -> None:
    rows = (a_patient(), a_document(act="2020-05-04"), a_document("D2", act="2020-05-04", type_code=VISIT))
    found = judged(practice(tmp_path, *rows), before_obligation=chosen)
    assert found.decisions["D1"]["outcome"] == outcome
    assert found.rules("document", "D1") == {"OBL-BEFORE": severity}
    # The choice concerns types of the list only.
    assert found.decisions["D2"]["outcome"] == "not_mandated"


@pytest.mark.parametrize(("chosen", "outcome", "severity"), [(False, "not_mandated", B), (True, "to_send", W)])
def test_feeding_what_no_obligation_names_is_an_explicit_choice(
    tmp_path: Path, chosen: bool, outcome: str, severity: str
) -> None:
    rows = (
        a_patient(),
        a_document(type_code=VISIT),
        a_document("D2", type_code=VISIT, origin="received"),
        a_document("D3", type_code="10213-7"),
        a_document("D4", type_code=None),
    )
    found = judged(practice(tmp_path, *rows), without_obligation=chosen)
    assert found.decisions["D1"]["outcome"] == outcome
    assert found.rules("document", "D1") == {"OBL-NONE": severity}
    # Never what others made, nor what has no current national type.
    assert "to_send" not in {found.decisions[d]["outcome"] for d in ("D2", "D3", "D4")}


# RNIV status by criteria (sheet ins-identity, section 3): what was done with the identity, never a label.

STATUSES = [
    # insi_confirmed, document_checked, doubtful, fictitious, matricule -> status
    pytest.param(False, False, None, None, True, "PROV", id="nothing done"),
    pytest.param(None, None, None, None, True, "PROV", id="nothing known"),
    pytest.param(False, True, None, None, True, "VALI", id="document checked"),
    pytest.param(True, False, None, None, True, "RECUP", id="obtained from INSi"),
    pytest.param(True, True, None, None, True, "QUAL", id="both"),
    pytest.param(True, True, True, None, True, "PROV", id="doubtful forces provisional"),
    pytest.param(True, True, None, True, True, "PROV", id="fictitious forces provisional"),
    pytest.param(True, True, False, False, True, "QUAL", id="neither"),
    pytest.param(True, True, None, None, False, "VALI", id="without a matricule nothing came from INSi"),
    pytest.param(True, False, None, None, False, "PROV", id="without a matricule nor document"),
]


@pytest.mark.requirement("INS-05", "INS-06", "INS-07")
@pytest.mark.parametrize(("insi", "document", "doubtful", "fictitious", "matricule", "status"), STATUSES)
@pytest.mark.parametrize("absent", [None, ""], ids=["null", "empty"])
def test_status(tmp_path: Path, insi: Any, document: Any, doubtful: Any, fictitious: Any, matricule: bool, status: str, absent: Any) -> None:  # fmt: skip
    patient = a_patient(
        insi_confirmed=insi,
        document_checked=document,
        doubtful=doubtful,
        fictitious=fictitious,
        ins=SOUND if matricule else absent,
    )
    found = judged(practice(tmp_path, patient))
    assert found.identities["P1"]["status"] == status
    assert found.identities["P1"]["qualified"] is (status == "QUAL")
    assert ("RNIV-STATUS" in found.rules("patient", "P1")) is (status != "QUAL")


# Environments (sheet ins-identity, sections 2 and 8).


@pytest.mark.requirement("DMP-20", "INS-04")
@pytest.mark.parametrize(
    ("environment", "accepted"),
    [("production", {NIR_OID, NIA_OID}), ("test", {TEST_OID}), ("sandbox", {TEST_OID})],
)
def test_oids_that_an_environment_accepts(tmp_path: Path, environment: str, accepted: set[str]) -> None:
    oids = [f"1.2.250.1.213.1.4.{n}" for n in (2, 6, 7, 8, 9, 10, 11, 13)]
    rows = [(a_patient(f"P{n}", ins_oid=oid), a_document(f"D{n}", f"P{n}")) for n, oid in enumerate(oids, 1)]
    found = judged(practice(tmp_path, *(r for pair in rows for r in pair)), environment=environment)
    # NIR and NIA have one form: only the OID tells them apart.
    natures = {8: "NIR", 9: "NIA", 10: "NIR-TEST", 11: "NIR-DEMO"}
    assert [found.identities[f"P{n}"]["nature"] for n in range(1, 9)] == [
        natures.get(int(o.rsplit(".", 1)[1])) for o in oids
    ]
    assert {oids[int(k[1:]) - 1] for k, v in found.decisions.items() if v["outcome"] == "to_send"} == accepted
    assert found.carrying("INS-OID") == {f"P{n}" for n, oid in enumerate(oids, 1) if oid not in accepted}


@pytest.mark.requirement("INS-16")
@pytest.mark.parametrize(
    ("environment", "oid", "severity", "outcome"),
    [
        pytest.param("production", NIR_OID, B, "identity", id="production refuses"),
        pytest.param("sandbox", TEST_OID, B, "identity", id="our sandbox is as strict"),
        pytest.param("test", TEST_OID, W, "to_send", id="the test platform's own identities have wrong keys"),
        pytest.param("test", NIR_OID, W, "identity", id="but a production number has nothing to do there"),
    ],
)
def test_a_wrong_key(tmp_path: Path, environment: str, oid: str, severity: str, outcome: str) -> None:
    wrong = f"{SOUND[:13]}{int(SOUND[13:]) % 97 + 1:02d}"
    found = judged(practice(tmp_path, a_patient(ins=wrong, ins_oid=oid), a_document()), environment=environment)
    assert found.rules("patient", "P1")["INS-KEY_MISMATCH"] == severity
    assert found.decisions["D1"]["outcome"] == outcome


@pytest.mark.requirement("INS-16")
def test_only_a_wrong_key_is_tolerated_on_the_test_platform(tmp_path: Path) -> None:
    patients = [
        a_patient(f"P{n}", ins=value) for n, value in enumerate((SOUND[:14], "111111111111120", SOUND[:13] + "00"), 1)
    ]
    found = judged(practice(tmp_path, *patients), environment="test")
    assert {v["qualified"] for v in found.identities.values()} == {False}


# The pass itself.


def test_judging_again_writes_the_same_bytes(tmp_path: Path) -> None:
    work = practice(tmp_path, *[renamed(one, n) for n, one in enumerate(CASES, 1)])
    judged(work)
    first = {p.name: p.read_bytes() for p in (work / "verdicts").iterdir()}
    judged(work)
    assert {p.name: p.read_bytes() for p in (work / "verdicts").iterdir()} == first


def test_a_practice_without_any_record(tmp_path: Path) -> None:
    found = judged(practice(tmp_path))
    assert (found.verdicts, found.decisions, found.counts["documents"]) == ({}, {}, {})


def test_the_catalogue_speaks_of_known_outcomes() -> None:
    assert {r.outcome for r in CATALOGUE.values()} - {""} <= set(OUTCOMES)
    assert all(r.sentence_fr and r.sentence and r.source and r.unblock for r in CATALOGUE.values())
