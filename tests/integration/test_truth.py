"""The synthetic practice knows what was planted in it: each kind must meet the verdict that the sheets ask, and nothing else must.

Three hundred patients are generated, extracted and judged once; each kind of the truth file is one line of the table below.
`TRANSVASE_TRUTH=100000` asks by hand for that many, without bodies, with `-k "carries"` for what does not need them.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from transvase.model.verdict import CATALOGUE
from transvase.sources.extract import extract
from transvase.sources.mapping import load
from transvase.sources.synthetic import references
from transvase.sources.synthetic.defects import KINDS
from transvase.sources.synthetic.practice import generate

from ..builders import CLOCK, Judged, judged, rows_of  # noqa: TID252

PATIENTS = int(os.environ.get("TRANSVASE_TRUTH", "300"))


class World(NamedTuple):
    """The judged practice and its truth: kind to keys."""

    work: Path
    truth: dict[str, set[str]]
    found: Judged

    def rows(self, query: str) -> list[tuple]:
        return rows_of(self.work, query)

    def column(self, query: str) -> set[str]:
        return {r[0] for r in self.rows(query)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("truth")
    database, work = folder / "cabinet.sqlite3", folder / "work"
    generate(database, patients=PATIENTS, clock=CLOCK, bodies=PATIENTS <= 300, document_size=2000)
    extract(load("synthetic"), database, work, clock=CLOCK)
    published = references.write(folder)
    truth: dict[str, set[str]] = {}
    with database.with_suffix(".truth.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            truth.setdefault(line["kind"], set()).add(line["key"])
    return World(work, truth, judged(work, **published._asdict()))


class Expected(NamedTuple):
    """What a kind must meet. `rules` stand against the record itself; `only` the kinds that together explain every record with the
    rule, when the truth is complete about it; `silent` says why no rule is due."""

    rules: tuple[str, ...] = ()
    severity: str = "block"
    only: tuple[str, ...] = ()
    silent: str = ""
    destination: str = "dmp"


def exact(rule: str, *others: str, severity: str = "block") -> Expected:
    """The rule stands against these records and those of the other kinds, and against no other record."""
    return Expected((rule,), severity, others or ("",))


def about_archive(rule: str, *others: str) -> Expected:
    """The same for what nobody signs: a remark in the archive."""
    return exact(rule, *others, severity="warning")._replace(destination="portability")


OIDS = ("INS_PRODUCTION_OID", "INS_OID_MISSING")
NOT_QUALIFIED = ("IDENTITY_PROVISIONAL", "IDENTITY_VALIDATED", "IDENTITY_RECUPERATED")
TRAITS = ("TRAIT_MISSING", "SEX_UNKNOWN")
PARTIAL = ("BIRTH_DATE_LUNAR", "BIRTH_DATE_UNFLAGGED")
MASKS = ("MASKED", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTATIVES")
UNDECIDABLE = ("UNDECIDABLE_HOSPITAL_STAY", "UNDECIDABLE_PRIOR_AGREEMENT", "UNDECIDABLE_GENETICS")

EXPECTED: dict[str, Expected] = {
    # The matricule.
    "INS_KEY_MISMATCH": exact("INS-KEY_MISMATCH"),
    "INS_KEY_RANGE": exact("INS-KEY_RANGE"),
    "INS_LENGTH": exact("INS-LENGTH"),
    "INS_EMPTY": Expected(("INS-EMPTY",)),
    "INS_NOT_CANONICAL": exact("INS-NOT_CANONICAL"),
    "INS_CHARSET": exact("INS-CHARSET"),
    "INS_SEX": exact("INS-SEX"),
    "INS_MONTH": exact("INS-MONTH"),
    "INS_PLACE": exact("INS-PLACE"),
    "INS_ORDER": exact("INS-ORDER"),
    "INS_FILLER": exact("INS-FILLER"),
    "INS_PRODUCTION_OID": exact("INS-OID", *OIDS),
    "INS_OID_MISSING": exact("INS-OID", *OIDS),
    "SAME_MATRICULE_TWO_RECORDS": exact("PAT-DUPLICATE-INS"),
    "SAME_TRAITS_TWO_MATRICULES": exact("PAT-TRAITS-TWO-INS", severity="warning"),
    "SAME_TRAITS_NO_MATRICULE": exact("PAT-TRAITS-NO-INS", severity="warning"),
    "TWINS": Expected(silent="two persons with two matricules: nothing to say, and above all no duplicate"),
    # The identity.
    "IDENTITY_PROVISIONAL": exact("RNIV-STATUS", *NOT_QUALIFIED),
    "IDENTITY_VALIDATED": exact("RNIV-STATUS", *NOT_QUALIFIED),
    "IDENTITY_RECUPERATED": exact("RNIV-STATUS", *NOT_QUALIFIED),
    "MISLEADING_LABEL": Expected(silent="the status follows from the facts, the software's label is not read"),
    "DOUBTFUL": exact("RNIV-DOUBTFUL"),
    "FICTITIOUS": exact("RNIV-FICTITIOUS"),
    "HOMONYM": Expected(silent="compatible with every status (sheet ins-identity, section 3)"),
    "TRAIT_MISSING": exact("RNIV-TRAIT", *TRAITS),
    "SEX_UNKNOWN": exact("RNIV-TRAIT", *TRAITS),
    "BIRTH_DATE_IMPOSSIBLE": exact("RNIV-DATE-IMPOSSIBLE"),
    "BIRTH_DATE_LUNAR": exact("RNIV-DATE-PARTIAL", *PARTIAL),
    "BIRTH_DATE_UNFLAGGED": exact("RNIV-DATE-UNFLAGGED", severity="warning"),
    "BIRTH_DATE_AGAINST_RULE": exact("RNIV-DATE-RULE", severity="warning"),
    "BIRTH_DATE_FUTURE": exact("RNIV-DATE-FUTURE"),
    "DEATH_BEFORE_BIRTH": exact("RNIV-DEATH", severity="warning"),
    "BIRTH_PLACE_FORM": exact("RNIV-PLACE-FORM"),
    "BIRTH_PLACE_LATER": exact("RNIV-PLACE-DATE", severity="warning"),
    "BIRTH_DATE_UNCERTAIN": Expected(silent="a date fixed by the rule is a whole date, kept as it is"),
    "TRAIT_CHARSET": exact("RNIV-NAME-CHARACTER"),
    "NAME_CASE": exact("RNIV-NAME-CASE", "NAME_CASE", "FIRST_GIVEN_MISMATCH", severity="warning"),
    "NAME_SEPARATOR": exact("RNIV-NAME-SEPARATOR", severity="warning"),
    "USED_NAME_CHARSET": exact("RNIV-USED-NAME", severity="warning"),
    "FIRST_GIVEN_MISMATCH": exact("RNIV-FIRST-GIVEN", severity="warning"),
    "DMP_CLOSED_SINCE": Expected(silent="the practice cannot know: the registry refuses it"),
    # Professionals, structures, correspondents: our sandbox takes test identifiers, and says so.
    "PROFESSIONAL_WITHOUT_ID": exact("PRO-ID-EMPTY"),
    "PROFESSIONAL_PREFIX": exact("PRO-ID-PREFIX"),
    "PROFESSIONAL_FORM": exact("PRO-ID-FORM"),
    "PROFESSIONAL_TEST": exact("PRO-ID-TEST", severity="warning"),
    "PROFESSIONAL_KEY": exact("PRO-ID-KEY", severity="warning"),
    "PROFESSIONAL_SPECIALTY": exact("PRO-SPECIALTY", severity="warning"),
    "STRUCTURE_FACILITY": exact("STR-FACILITY", severity="warning"),
    "STRUCTURE_SETTING": exact("STR-SETTING", severity="warning"),
    "STRUCTURE_WITHOUT_ID": exact("STR-ID-EMPTY"),
    "STRUCTURE_FORM": exact("STR-ID-FORM"),
    "STRUCTURE_TEST": exact("STR-ID-TEST", severity="warning"),
    "STRUCTURE_KEY": exact("STR-ID-KEY", severity="warning"),
    "STRUCTURE_TECHNICAL": exact("STR-ID-TECHNICAL", severity="warning"),
    "CORRESPONDENT_KEY": about_archive("PRO-ID-KEY", "CORRESPONDENT_KEY", "PROFESSIONAL_KEY"),
    "CORRESPONDENT_UNREACHABLE": about_archive("COR-COORDINATES"),
    "CORRESPONDENT_BY_NAME": about_archive("COR-BY-NAME"),
    "CORRESPONDENT_AMBIGUOUS": about_archive("COR-AMBIGUOUS"),
    "CORRESPONDENT_UNKNOWN": about_archive("COR-NOT-FOUND"),
    "CORRESPONDENT_MAILBOX": about_archive("COR-MAILBOX"),
    # The document.
    "AUTHOR_REFUSED": Expected(silent="inherited: see test_documents_of_a_refused_author"),
    "ORPHAN_DOCUMENT": exact("DOC-ORPHAN"),
    "WRONG_DATE": exact("DOC-DATE"),
    "FUTURE_ACT": exact("DOC-FUTURE"),
    "DUPLICATE_ROW": Expected(silent="two rows of the source are two rows of the archive: nothing is merged"),
    "EMPTY_BODY": exact("DOC-EMPTY"),
    "CORRUPT_BODY": exact("DOC-CORRUPT"),
    "MISDECLARED_BODY": Expected(silent="what the first bytes say is believed, and can be read"),
    "SIZE_MISMATCH": exact("DOC-SIZE", severity="warning"),
    "UNMAPPED_TYPE": exact("DOC-TYPE-UNMAPPED"),
    "NO_AUTHOR": Expected(silent="the practice answers for it"),
    "MASKED": exact("DOC-MASKED", *MASKS, severity="warning"),
    "INVISIBLE_PATIENT": exact("DOC-MASKED", *MASKS, severity="warning"),
    "INVISIBLE_REPRESENTATIVES": exact("DOC-MASKED", *MASKS, severity="warning"),
    "WITHHELD": exact("DOC-WITHHELD"),
    "WITHHELD_INCOMPLETE": exact("DOC-WITHHELD-INCOMPLETE", severity="warning"),
    "VISIBILITY_INCOMPLETE": exact("VIS-INCOMPLETE", severity="warning"),
    "RECEIVED": exact("DOC-RECEIVED"),
    "FROM_PATIENT": exact("DOC-PATIENT"),
    "FED_BEFORE": exact("DOC-FED"),
    "FED_DELETED": exact("DOC-FED-DELETED"),
    "UNKNOWN_HISTORY": exact("DOC-UNKNOWN-HISTORY"),
    "REPLACED": Expected(silent="the last version is judged"),
    "REPLACED_AFTER_FEEDING": Expected(("DOC-FED",)),
    "BEFORE_OBLIGATION": Expected(("OBL-BEFORE",)),
    "UNDECIDABLE_HOSPITAL_STAY": Expected(("OBL-UNDECIDABLE",), "warning"),
    "UNDECIDABLE_PRIOR_AGREEMENT": Expected(("OBL-UNDECIDABLE",), "warning"),
    "UNDECIDABLE_GENETICS": Expected(("OBL-UNDECIDABLE",), "warning"),
    "SOFT_DELETED": Expected(silent="kept in the native part, not a document of the record"),
    # These say something of several documents: they have their own tests.
    "DUPLICATE_DOCUMENT": Expected(silent="the first goes its way: see test_the_second_copy_is_the_duplicate"),
    "OBJECTION": Expected(silent="see test_an_objection_stands_against_what_it_names"),
    "OBJECTION_TO_ALL": Expected(silent="see test_an_objection_stands_against_what_it_names"),
    "OBJECTION_TO_PROFESSIONAL": Expected(silent="see test_an_objection_stands_against_what_it_names"),
    "OBJECTION_INCOMPLETE": exact("OBJ-INCOMPLETE", severity="warning"),
    # Restrictions of visibility (sheets confidentiality-codes, vihf, xdm-mssante).
    "VISIBILITY_ADULT": exact("VIS-ADULT"),
    "VISIBILITY_AGE_UNKNOWN": exact("VIS-AGE", severity="warning"),
    "VISIBILITY_NOBODY": exact("VIS-NOBODY", severity="warning"),
    "VISIBILITY_BOTH": exact("VIS-BOTH", severity="warning"),
    "SECRET_VISIBLE": exact("VIS-SECRET", severity="warning"),
    "SECRET_ADULT": exact("VIS-SECRET-ADULT", severity="warning"),
}


def test_every_kind_of_the_generator_is_in_the_table() -> None:
    assert set(EXPECTED) == set(KINDS)
    assert {r for e in EXPECTED.values() for r in e.rules} <= set(CATALOGUE)


def test_every_kind_was_planted(world: World) -> None:
    assert set(world.truth) == set(EXPECTED)


def records(world: World, kind: str) -> set[str]:
    """Keys of the records judged for a kind: a version is judged through its document."""
    keys = world.truth[kind]
    if KINDS[kind].table == "document_version":
        listed = ", ".join(f"'{k}'" for k in keys)
        return world.column(f"SELECT document FROM document_version WHERE key IN ({listed})")
    return keys


# Without bodies nothing is wrong with them: they are absent.
RULED = [
    kind for kind, e in EXPECTED.items() if e.rules and (PATIENTS <= 300 or KINDS[kind].table != "document_version")
]


@pytest.mark.parametrize("kind", RULED)
def test_what_was_planted_carries_its_rule(world: World, kind: str) -> None:
    table = "document" if KINDS[kind].table == "document_version" else KINDS[kind].table
    expected = EXPECTED[kind]
    for key in records(world, kind):
        rules = world.found.rules(table, key, expected.destination)
        assert {r: rules.get(r) for r in expected.rules} == dict.fromkeys(expected.rules, expected.severity), key


@pytest.mark.parametrize("kind", [k for k in RULED if EXPECTED[k].only])
def test_nothing_else_carries_it(world: World, kind: str) -> None:
    (rule,) = EXPECTED[kind].rules
    kinds = [k for k in EXPECTED[kind].only if k] or [kind]
    assert world.found.carrying(rule, EXPECTED[kind].destination) == set().union(*(records(world, k) for k in kinds))


@pytest.mark.parametrize("kind", [k for k in RULED if KINDS[k].table == "patient" and EXPECTED[k].severity == "block"])
def test_the_documents_of_such_a_patient_are_not_sent(world: World, kind: str) -> None:
    for patient in world.truth[kind]:
        documents = [d for d in world.found.decisions.values() if d["patient"] == patient]
        assert "to_send" not in {d["outcome"] for d in documents}


SILENT_PATIENTS = (
    "TWINS",
    "HOMONYM",
    "BIRTH_DATE_UNCERTAIN",
    "DMP_CLOSED_SINCE",
)


@pytest.mark.parametrize("kind", SILENT_PATIENTS)
def test_a_kind_that_asks_nothing_gets_nothing(world: World, kind: str) -> None:
    """Patients planted with it and with nothing else carry no rule."""
    spoiled = {
        key for k, keys in world.truth.items() if KINDS[k].table == "patient" and EXPECTED[k].rules for key in keys
    }
    alone = world.truth[kind] - spoiled
    assert alone, "no patient shows that kind alone"
    for key in alone:
        assert set(world.found.rules("patient", key)) <= {"DMP-NONE"}


@pytest.mark.parametrize(
    "kind", [k for k in RULED if KINDS[k].table == "patient" and EXPECTED[k].severity == "warning"]
)
def test_a_remark_about_a_patient_stops_nothing(world: World, kind: str) -> None:
    """Patients of whom nothing else is said have documents that go."""
    blocked = {k for (t, k), fs in world.found.verdicts.items() if t == "patient" for f in fs if f.severity == "block"}
    for patient in world.truth[kind] - blocked:
        assert world.found.identities[patient]["qualified"]
        documents = [d for d in world.found.decisions.values() if d["patient"] == patient]
        assert "identity" not in {d["outcome"] for d in documents}


def test_documents_of_a_refused_author(world: World) -> None:
    refused = {k: d for k, d in world.found.decisions.items() if (d["rule"] or "").startswith(("PRO-", "STR-"))}
    assert set(refused) <= world.truth["AUTHOR_REFUSED"]
    # What the patient decided, or lacks, comes first.
    assert "to_send" not in {world.found.decisions[k]["outcome"] for k in world.truth["AUTHOR_REFUSED"]}
    assert {d["rule"] for d in refused.values()} == {"PRO-ID-EMPTY", "PRO-ID-PREFIX", "PRO-ID-FORM"}
    assert {d["outcome"] for d in refused.values()} == {"author"}


def test_correspondents_are_matched_as_the_truth_says(world: World) -> None:
    import pyarrow.parquet as pq

    rows = pq.read_table(world.work / "verdicts" / "correspondents.parquet").to_pylist()
    labels = {
        key: KINDS[kind].label for kind in KINDS for key in world.truth[kind] if KINDS[kind].table == "correspondent"
    }
    assert {r["correspondent"]: r["quality"] for r in rows} == {
        r["correspondent"]: labels.get(r["correspondent"]) or "identifier" for r in rows
    }
    assert {r["correspondent"] for r in rows if r["published"] is False} == world.truth["CORRESPONDENT_MAILBOX"]


def test_the_ordinary_population_is_clean(world: World) -> None:
    """A rule about identities or professionals stands only where the truth explains it."""
    planted = {key for kind, keys in world.truth.items() if EXPECTED[kind].rules for key in keys}
    for (table, key), found in world.found.verdicts.items():
        if table != "document" and key not in planted:
            assert {f.rule for f in found} <= {"INS-EMPTY", "DMP-NONE"}, (table, key)


def test_an_empty_matricule_is_found_wherever_it_is(world: World) -> None:
    assert world.found.carrying("INS-EMPTY") == world.column(
        "SELECT key FROM patient WHERE coalesce(trim(ins), '') = ''"
    )


def test_the_status_is_that_of_the_facts(world: World) -> None:
    """The truth knows the status of every patient: its label is expected, QUAL for whoever is not listed."""
    labels = {key: KINDS[kind].label for kind in NOT_QUALIFIED for key in world.truth[kind]}
    assert {k: v["status"] for k, v in world.found.identities.items()} == {
        k: labels.get(k, "QUAL") for k in world.found.identities
    }
    assert {KINDS[k].label for k in ("DOUBTFUL", "FICTITIOUS")} == {"PROV"}


@pytest.mark.parametrize("kind", [k for k, v in KINDS.items() if k.startswith("INS_") and v.label])
def test_the_matricule_fails_by_the_reason_of_the_sheet(world: World, kind: str) -> None:
    for key in world.truth[kind]:
        assert world.found.identities[key]["ins_failed"] == f"INS-{KINDS[kind].label}"


def test_undecidable_names_the_fact_that_would_decide(world: World) -> None:
    facts = dict(zip(UNDECIDABLE, ("hospital_stay", "prior_agreement", "constitutional_genetics"), strict=True))
    for kind, fact in facts.items():
        for key in world.truth[kind]:
            (found,) = [f for f in world.found.verdicts["document", key] if f.rule == "OBL-UNDECIDABLE"]
            assert fact in found.evidence.split()


def test_nothing_else_of_ours_is_undecidable(world: World) -> None:
    known = set().union(*(world.truth[k] for k in UNDECIDABLE))
    rest = world.found.carrying("OBL-UNDECIDABLE") - known
    # The truth speaks of documents made here; the summary's exclusion depends on the attending physician.
    listed = ", ".join(f"'{k}'" for k in rest) or "''"
    assert (
        world.rows(
            f"SELECT key FROM document WHERE key IN ({listed}) AND origin = 'produced' AND type_code NOT IN ('SYNTH', '60591-5')"
        )
        == []
    )


def test_older_than_the_obligation_are_those_of_the_truth_and_received_ones(world: World) -> None:
    produced = world.column("SELECT key FROM document WHERE origin = 'produced'")
    assert world.found.carrying("OBL-BEFORE") & produced == world.truth["BEFORE_OBLIGATION"]


def test_the_second_copy_is_the_duplicate(world: World) -> None:
    first, second = sorted(world.truth["DUPLICATE_DOCUMENT"])
    assert world.found.carrying("DOC-DUPLICATE") == {second}
    assert [f.evidence for f in world.found.verdicts["document", second] if f.rule == "DOC-DUPLICATE"] == [
        f"document:{first}"
    ] * 2


def test_an_objection_stands_against_what_it_names(world: World) -> None:
    objections = {r[0]: r[1:] for r in world.rows("SELECT key, patient, document, practitioner, scope FROM objection")}
    assert set(objections) == world.truth["OBJECTION"]
    assert {k for k, (_, _, who, _) in objections.items() if who} == world.truth["OBJECTION_TO_PROFESSIONAL"]
    documents = world.rows("SELECT key, patient, practitioner, origin FROM document")
    expected: dict[str, set[str]] = {"dmp": set(), "mss_pro": set(), "mss_patient": set()}
    for patient, document, who, scope in objections.values():
        for leg in expected:
            if scope in (leg, "all"):
                # A message is the practice's to send when the document is; one without author may be anybody's.
                expected[leg] |= {
                    key
                    for key, whose, author, origin in documents
                    if whose == patient and document in (None, key) and (None in (who, author) or who == author)
                    and (leg == "dmp" or origin == "produced")
                }  # fmt: skip
    assert {leg: world.found.carrying("OBJ-DMP" if leg == "dmp" else "OBJ-MSS", leg) for leg in expected} == expected
    for patient in world.truth["OBJECTION_TO_ALL"]:
        assert {key for key, whose, _, _ in documents if whose == patient} <= expected["dmp"]


def test_messages_follow_the_restrictions(world: World) -> None:
    """The matrix of sheet xdm-mssante, written a second time from the truth: what serves professionals, and what serves the patient."""
    secret = world.column(
        "SELECT d.key FROM document d JOIN patient p ON p.key = d.patient WHERE p.sensitive_connection"
    )
    masked, hidden, unseen = (world.truth[k] for k in MASKS)
    produced = world.column("SELECT key FROM document WHERE origin = 'produced'")
    assert world.found.carrying("VIS-MSS", "mss_pro") == (secret | unseen | masked - hidden) & produced
    assert world.found.carrying("VIS-MSS", "mss_patient") == (secret | hidden) & produced
    assert world.found.carrying("VIS-APART", "mss_patient") == (masked | unseen) & produced - secret - hidden


def test_what_was_deleted_in_the_software_is_kept_but_never_judged(world: World) -> None:
    kept = {f"{t}:{k}" for t, k in world.rows("SELECT source_table, source_key FROM native")}
    assert world.truth["SOFT_DELETED"] <= kept
    deleted = {k.split(":")[1] for k in world.truth["SOFT_DELETED"] if k.startswith("T_DOC:")}
    assert deleted and not deleted & set(world.found.decisions)


def test_a_body_is_what_its_bytes_say(world: World) -> None:
    (key,) = world.truth["MISDECLARED_BODY"]
    assert world.rows(f"SELECT media_type, detected, damage FROM document_version WHERE key = '{key}'") == [
        ("application/pdf", KINDS["MISDECLARED_BODY"].label, None)
    ]


def test_orphans_and_received_documents_end_as_such(world: World) -> None:
    outcome = {k: v["outcome"] for k, v in world.found.decisions.items()}
    assert {k for k, v in outcome.items() if v == "orphan"} == world.truth["ORPHAN_DOCUMENT"]
    outside = world.truth["RECEIVED"] | world.truth["FROM_PATIENT"]
    earlier = world.truth["ORPHAN_DOCUMENT"] | world.truth["DUPLICATE_DOCUMENT"]
    assert {k for k, v in outcome.items() if v == "not_produced"} == outside - earlier


def test_nothing_planted_against_feeding_is_to_be_sent(world: World) -> None:
    blocking = {
        k
        for kind in RULED
        if EXPECTED[kind].severity == "block" and KINDS[kind].table != "patient"
        for k in records(world, kind)
    }
    assert not blocking & {k for k, v in world.found.decisions.items() if v["outcome"] == "to_send"}


def test_every_document_ends_once(world: World) -> None:
    assert set(world.found.decisions) == world.column("SELECT key FROM document")
    assert sum(world.found.counts["documents"].values()) == len(world.found.decisions)
