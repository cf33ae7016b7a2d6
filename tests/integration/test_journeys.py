"""The five journeys of the national programme, from the software's database to the legs: at each step who receives what, and why.

The stories are those of the sheet journeys.md, as `sources.synthetic.journeys` tells them; what must come of them is typed here.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from transvase.formats import canonical
from transvase.sources.extract import extract
from transvase.sources.mapping import load
from transvase.sources.synthetic import journeys
from transvase.sources.synthetic.people import strict
from transvase.sources.synthetic.practice import generate
from transvase.validators.restrictions import legs

from ..builders import CLOCK, Judged, changed, copied, judged, rows_of  # noqa: TID252

LEGS = ("dmp", "mss_pro", "mss_patient")
# Legs of a step: DMP, MSSanté to professionals, MSSanté to the patient.
EVERYWHERE = ("yes", "yes", "yes")
DESIGNATED = ("yes", "conditional", "yes")
NOBODY = ("no", "no", "no")
# Sent to the DMP; no message under a secret connection.
SECRETLY = ("yes", "no", "no")
FORMERLY = ("no", "conditional", "conditional")


class Step(NamedTuple):
    """A document of a journey, by its local type and how many days ago: outcome, legs, and what decides of each leg (a rule of the
    catalogue or a row of the list; one for all when they agree)."""

    told: str
    family: str
    local_type: str
    ago: int
    outcome: str
    legs: tuple[str, str, str]
    why: tuple[str, ...]


def _(told: str, family: str, local_type: str, ago: int, outcome: str, who: tuple[str, str, str], *why: str) -> Step:
    return Step(told, family, local_type, ago, outcome, who, why * 3 if len(why) == 1 else why)


N, B, E, L, P, C = (
    journeys.NURSING, journeys.BICYCLE, journeys.EHPAD, journeys.BIOLOGY, journeys.PREGNANCY, journeys.NEWBORN,
)  # fmt: skip
CERTIFICATE, LETTER, DRUGS = "certificats-declarations", "lettres-courriers-ps", "prescription-produits-sante"
LAB, IMAGING = "prescription-biologie", "demande-radiologie"
STEPS = [
    # Home nursing, then the GP.
    _("the nurse's observations arrive: hers to feed", N, "OBS_IDE", 34, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("the GP's certificate, made before the identity was qualified, goes now", N, "CERTIF", 33, "to_send", EVERYWHERE, CERTIFICATE),
    _("the e-prescription goes to the DMP, to the patient, to the pharmacist the patient designates", N, "ORDO_MED", 20, "to_send", DESIGNATED, DRUGS),
    _("the nursing prescription is not on the list", N, "ORDO_IDE", 20, "not_mandated", NOBODY, "OBL-NONE"),
    # Bicycle accident.
    _("the emergency report is the hospital's, already in the DMP", B, "CR_URG", 45, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("so is the imaging report", B, "CR_IMG", 45, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("and the letter of discharge", B, "LDL_SOR", 43, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("the GP's letter to the surgeon goes", B, "CRT_ADR", 30, "to_send", EVERYWHERE, LETTER),
    _("the exemption from sport goes: the patient is a minor, nothing was asked", B, "CERTIF", 30, "to_send", EVERYWHERE, CERTIFICATE),
    _("the request of imaging goes", B, "DEM_IMG", 30, "to_send", DESIGNATED, IMAGING),
    # EHPAD.
    _("the liaison document was fed by the software at the time", E, "DLU", 120, "adopted", NOBODY, "DOC-FED", "OBL-NONE", "OBL-NONE"),
    _("the transfer form is not on the list", E, "FLUDT", 25, "not_mandated", NOBODY, "OBL-NONE"),
    _("what the hospital sends back is the hospital's", E, "FLUDR", 23, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("so is its prescription", E, "ORDO_EXT", 23, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("the laboratory's report is the laboratory's", E, "CR_BIO", 24, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("the scanner report is the imaging centre's", E, "CR_IMG", 24, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("advance directives come from the patient", E, "DIR_ANT", 700, "not_produced", NOBODY, "DOC-PATIENT"),
    # Biology away from home.
    _("a prescription of last year was fed by the former software", L, "ORDO_BIO", 400, "adopted", FORMERLY, "DOC-FED"),
    _("a prescription since then goes", L, "ORDO_BIO", 215, "to_send", DESIGNATED, LAB),
    _("and the last one", L, "ORDO_BIO", 30, "to_send", DESIGNATED, LAB),
    *(
        _("the laboratory's reports, old, corrected or new, are never ours", L, "CR_BIO", ago, "not_produced", NOBODY, "DOC-RECEIVED")
        for ago in range(2060, 20, -185)
    ),
    # Pregnancy, of a minor in secret connection.
    _("the letter of the earlier termination stays here", P, "CR_CONS", 480, "not_mandated", NOBODY, "OBL-NONE"),
    _("the first prescription is fed out of sight of the parents", P, "ORDO_BIO", 320, "to_send", SECRETLY, LAB, "VIS-MSS", "VIS-MSS"),
    _("the first biology is the laboratory's", P, "CR_BIO", 314, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("the ultrasound is the imaging centre's", P, "CR_IMG", 290, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("the letter to the maternity is fed out of sight of the parents", P, "CRT_ADR", 180, "to_send", SECRETLY, LETTER, "VIS-MSS", "VIS-MSS"),
    _("the questionnaire is not on the list", P, "QUEST", 150, "not_mandated", NOBODY, "OBL-NONE"),
    _("its answer comes from the patient", P, "DOC_PAT", 147, "not_produced", NOBODY, "DOC-PATIENT"),
    _("the anaesthetist's report is the maternity's", P, "CPA", 120, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("the report of the birth too", P, "CR_ACC", 70, "not_produced", NOBODY, "DOC-RECEIVED"),
    _("the postnatal consultation is not on the list", P, "CR_CONS", 28, "not_mandated", NOBODY, "OBL-NONE"),
    _("the last prescription is fed, and the parents will see it: warned", P, "ORDO_MED", 28, "to_send", SECRETLY, DRUGS, "VIS-MSS", "VIS-MSS"),
    # The child.
    _("the certificate of health is not on the list", C, "CERT_ENF", 60, "not_mandated", NOBODY, "OBL-NONE"),
    _("nor the note of vaccination", C, "NOTE_VAC", 30, "not_mandated", NOBODY, "OBL-NONE"),
]  # fmt: skip


class World(NamedTuple):
    work: Path
    keys: dict[tuple[str, str, str], str]
    found: Judged
    legs: dict[str, dict[str, tuple[str, str]]]


def answers(work: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """Document to leg to (answer, reason)."""
    told: dict[str, dict[str, tuple[str, str]]] = {}
    with canonical.connect(work) as base:
        for document, leg, answer, reason in base.sql(
            f"SELECT document, leg, answer, reason FROM ({legs()})"
        ).fetchall():
            told.setdefault(document, {})[leg] = (answer, reason)
    return told


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("journeys")
    generate(folder / "cabinet.sqlite3", clock=CLOCK, document_size=2000)
    extract(load("synthetic"), folder / "cabinet.sqlite3", folder / "work", clock=CLOCK)
    found = judged(folder / "work")
    rows = rows_of(
        folder / "work",
        "SELECT p.birth_family, d.local_type, left(d.act, 10), d.key FROM document d JOIN patient p ON p.key = d.patient",
    )
    keys = {(family, kind, act): key for family, kind, act, key in rows}
    assert len(keys) == len(rows)
    return World(folder / "work", keys, found, answers(folder / "work"))


def key_of(world: World, family: str, kind: str, ago: int) -> str:
    return world.keys[strict(family), kind, (CLOCK.date() - timedelta(ago)).isoformat()]


@pytest.mark.parametrize("step", STEPS, ids=[f"{s.family}: {s.local_type} {s.ago}" for s in STEPS])
def test_who_receives_what_and_why(world: World, step: Step) -> None:
    key = key_of(world, step.family, step.local_type, step.ago)
    assert world.found.decisions[key]["outcome"] == step.outcome, step.told
    said = world.legs[key]
    assert tuple(said[leg][0] for leg in LEGS) == step.legs, step.told
    assert tuple(said[leg][1] for leg in LEGS) == step.why, step.told


def test_every_document_of_the_journeys_is_a_step(world: World) -> None:
    assert {key_of(world, s.family, s.local_type, s.ago) for s in STEPS} == set(world.found.decisions)


def test_what_was_made_before_the_identity_was_qualified_waits_then_goes(world: World, tmp_path: Path) -> None:
    """Home nursing, between the two visits: the certificate is there, the identity is not yet qualified."""
    work = copied(world.work, tmp_path / "between")
    patient = world.found.decisions[key_of(world, N, "CERTIF", 33)]["patient"]
    nothing: dict[str, Any] = {"ins": None, "ins_oid": None, "insi_confirmed": False, "document_checked": False}
    changed(work, "patient", lambda row: nothing if row["key"] == patient else {})
    found = judged(work)
    certificate = key_of(world, N, "CERTIF", 33)
    assert (found.decisions[certificate]["outcome"], found.decisions[certificate]["rule"]) == ("identity", "INS-EMPTY")
    # The professionals may be written to without INS; the citizen's address is built from a qualified one only.
    assert answers(work)[certificate] == {
        "dmp": ("no", "INS-EMPTY"),
        "mss_pro": ("yes", CERTIFICATE),
        "mss_patient": ("no", "INS-EMPTY"),
    }
    assert world.found.decisions[certificate]["outcome"] == "to_send"


def test_the_letter_that_the_patient_wants_silent_has_every_protection(world: World) -> None:
    letter = key_of(world, P, "CR_CONS", 480)
    rules = world.found.rules("document", letter)
    assert rules["DOC-WITHHELD"] == "block"
    assert rules["DOC-MASKED"] == "warning"
    assert "VIS-ADULT" not in rules and "VIS-SECRET" not in rules


def test_what_a_minor_in_secret_connection_shows_is_said(world: World) -> None:
    made = {
        k
        for k, d in world.found.decisions.items()
        if d["patient"] == world.found.decisions[key_of(world, P, "QUEST", 150)]["patient"]
    }
    assert world.found.carrying("VIS-SECRET") & made == {
        key_of(world, P, "QUEST", 150),
        key_of(world, P, "ORDO_MED", 28),
    }
    # The other minor asked for nothing.
    assert world.found.carrying("VIS-SECRET") <= made
    assert world.found.carrying("VIS-SECRET-ADULT") == set()


def test_nothing_of_another_producer_ever_leaves(world: World) -> None:
    outside = {k for (k,) in rows_of(world.work, "SELECT key FROM document WHERE origin <> 'produced'")}
    assert len(outside) > 20
    assert {answer for key in outside for answer, _ in world.legs[key].values()} == {"no"}
