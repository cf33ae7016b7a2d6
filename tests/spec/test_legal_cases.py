"""The legal cases that a compliance officer reads (docs/explanation/legal-cases.md), each judged: the page is the table of this test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from transvase.formats import canonical
from transvase.model.codes.mandated_documents import CODES
from transvase.model.verdict import CATALOGUE
from transvase.validators.restrictions import legs

from ..builders import DOCTOR, Row, a_document, a_patient, an_objection, judged, practice  # noqa: TID252

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "legal-cases.md"
LEGS = ("dmp", "mss_pro", "mss_patient")


class Case(NamedTuple):
    """A line of the page. A leg is (answer, rule or nothing, words presumed and unconfirmed)."""

    name: str
    type_code: str | None
    act: str
    facts: tuple[str, ...]
    obligation: str | None
    state: str
    confirmed: bool
    legs: dict[str, str]


def read() -> list[Case]:
    cases = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if not line.startswith("|") or cells[0] == "document" or set(cells[0]) <= {"-"}:
            continue
        name, type_code, act, facts, obligation, state, *legs_said = cells
        assert len(legs_said) == 3, name
        words = state.split()
        told = tuple(f.strip() for f in facts.split(";") if f.strip())
        said = dict(zip(LEGS, legs_said, strict=True))
        cases.append(
            Case(name, type_code or None, act, told, obligation or None, words[0], "unconfirmed" not in words, said)
        )
    return cases


CASES = read()
# What the page may say of a record, and how a record says it.
OF_DOCUMENT: dict[str, dict[str, Any]] = {
    "hospital stay": {"hospital_stay": True},
    "hospital stay unknown": {"hospital_stay": None},
    "prior agreement": {"prior_agreement": True},
    "prior agreement unknown": {"prior_agreement": None},
    "genetics": {"constitutional_genetics": True},
    "genetics unknown": {"constitutional_genetics": None},
    "received": {"origin": "received"},
    "from the patient": {"origin": "patient"},
    "fed before": {"fed_state": "fed"},
    "deleted before": {"fed_state": "deleted"},
    "history unknown": {"fed_state": "unknown"},
    "author unknown": {"practitioner": None},
    "withheld": {"withheld": "Décision du médecin"},
    "masked": {"masked_ps": True},
    "invisible to the patient": {"invisible_patient": True},
    "invisible to representatives": {"invisible_representatives": True},
    "history chosen": {},
}
OF_PATIENT: dict[str, dict[str, Any]] = {
    "attending: another": {"attending": "DR2"},
    "attending: unknown": {"attending": None},
    "identity not qualified": {"document_checked": False},
    "no DMP": {"dmp": "none"},
    "secret connection": {"sensitive_connection": True},
}
TARGETS = {"this document": "own", "another document": "D0", "its author": DOCTOR, "another professional": "DR2"}


def rows(number: int, one: Case) -> list[Any]:
    """The records of a line, under keys of its number."""
    patient: dict[str, Any] = {"birth_family": "MARTIN" + "".join(chr(65 + int(d)) for d in str(number))}
    document: dict[str, Any] = {"hospital_stay": False, "prior_agreement": False, "constitutional_genetics": False}
    others: list[Row] = []
    for fact in one.facts:
        if fact in OF_DOCUMENT:
            document |= OF_DOCUMENT[fact]
        elif fact in OF_PATIENT:
            patient |= OF_PATIENT[fact]
        elif born := re.fullmatch(r"born (\d{4})(\?|-\d{2}-\d{2})", fact):
            # The RNIV rule stores the last day of a year of which nothing else is known, and flags it.
            guessed = born[2] == "?"
            patient |= {
                "birth_date": f"{born[1]}-12-31" if guessed else born[1] + born[2],
                "birth_date_uncertain": guessed,
            }
        elif objection := re.fullmatch(r"objection: (\w+)(?: to (.*))?", fact):
            target = TARGETS[objection[2]] if objection[2] else None
            aim = (
                {"document": f"D{number}" if target == "own" else target}
                if target in ("own", "D0")
                else {"practitioner": target}
            )
            others.append(an_objection(f"P{number}", objection[1], **aim))
        else:
            raise AssertionError(f"the page says something that no record can hold: {fact}")
    return [
        a_patient(f"P{number}", **patient),
        a_document(f"D{number}", f"P{number}", type_code=one.type_code, act=one.act, **document),
        *others,
    ]


class Answers(NamedTuple):
    decisions: dict[str, dict[str, Any]]
    legs: dict[tuple[str, str], tuple[Any, ...]]


def answers(folder: Path, *, history: bool) -> Answers:
    chosen = [(n, c) for n, c in enumerate(CASES, 1) if ("history chosen" in c.facts) is history]
    work = practice(folder, *(row for n, c in chosen for row in rows(n, c)))
    found = judged(work, before_obligation=history)
    with canonical.connect(work) as base:
        lines = base.sql(
            f"SELECT document, leg, answer, reason, obligation, presumed, confirmed FROM ({legs()})"
        ).fetchall()
    assert len(lines) == 3 * len(chosen)
    return Answers(found.decisions, {(d, leg): rest for d, leg, *rest in lines})


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    today = answers(tmp_path_factory.mktemp("today"), history=False)
    older = answers(tmp_path_factory.mktemp("history"), history=True)
    return Answers(today.decisions | older.decisions, today.legs | older.legs)


@pytest.mark.parametrize(("number", "one"), enumerate(CASES, 1), ids=[c.name for c in CASES])
def test_the_engine_answers_as_the_page(found: Answers, number: int, one: Case) -> None:
    decision = found.decisions[f"D{number}"]
    assert (decision["obligation"], decision["state"]) == (one.obligation, one.state)
    if one.obligation:
        assert decision["confirmed"] is one.confirmed
    said = {}
    for leg in LEGS:
        answer, reason, obligation, presumed, confirmed = found.legs[f"D{number}", leg]
        words = [
            answer,
            "" if reason == obligation else reason,
            "presumed" if presumed else "",
            "" if confirmed else "unconfirmed",
        ]
        said[leg] = " ".join(filter(None, words))
    assert said == one.legs


def test_every_row_of_the_list_and_every_exclusion_is_on_the_page() -> None:
    assert len(CASES) >= 40
    assert {c.obligation for c in CASES} - {None} == set(CODES)
    assert {(c.obligation, c.type_code) for c in CASES if c.obligation} == {
        (row.id, code) for row in CODES.values() for code in row.type_codes
    }
    for row in CODES.values():
        if row.effective_from:
            assert any(c.obligation == row.id and c.act == row.effective_from for c in CASES), row.id
    assert {f for c in CASES for f in c.facts} >= {*OF_DOCUMENT, *OF_PATIENT}


def test_every_rule_of_restrictions_that_closes_a_leg_is_on_the_page() -> None:
    told = {word for c in CASES for leg in c.legs.values() for word in leg.split()}
    assert told >= {r for r, rule in CATALOGUE.items() if r.startswith(("VIS-", "OBJ-", "OBL-")) and rule.outcome}
