"""What may be asked of INSi about a patient, in which order, and what its answer changes (sheets insi 3, 4 and 7, ins-identity 1 to 5).

Pure functions on traits: the call belongs to `gateways.insi`, its trace to `ledger.insi`. The local identity is compared, never written:
what INSi says becomes an evidence on the verdict. The strict comparison stands for a check; it is not the official verification.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from transvase.model.slot import slot
from transvase.model.verdict import POLICIES, VERDICT_SCHEMA, WARNING

Outcome = Literal[
    "equal",  # every trait agrees, but perhaps for accents, hyphens or case
    "completes",  # nothing contradicts, and INSi knows more than the record
    "differs",  # at least one trait contradicts
    "unusable",  # 00 without a strict trait, of another environment, or with a wrong key where keys are right
    "not_found",  # 01 to every try
    "several",  # 02 to the last try
    "refused",  # this request was refused
    "later",  # technical error or no answer: come back
    "unreadable",  # not an answer of INSi
    "blocked",  # doubtful or fictitious identity: no call
    "unsendable",  # a trait is missing, or cannot be written as the service takes it: no call
    "not_called",  # quota reached or run stopped before: no call
]
# Something is now known of the patient: the verdicts may rest on it until the next conclusion.
CONCLUSIVE: tuple[Outcome, ...] = ("equal", "completes", "differs", "unusable", "not_found", "several")
Agreement = Literal["equal", "spelling", "shorter", "absent", "former", "differs"]

# Environment to the OIDs that INSi may answer with. Its test platform answers .8 where the test DMP wants .10 (ins-identity, 2).
_ANSWERED = {
    "production": POLICIES["production"].oids,
    "test": (*POLICIES["production"].oids, *POLICIES["test"].oids),
    "sandbox": POLICIES["sandbox"].oids,
}
# Both name the INS-NIR; only on the test platform do they stand for each other.
_NIR = ("1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.10")

# SEL-MP-043 as the sheet gives it (ins-identity, 4): groups of letters, one separator between two; `--` in family names only.
_FAMILY = re.compile(r"'?[A-Z]+(?:(?:--|[-' ])[A-Z]+)*")
_GIVEN = re.compile(r"'?[A-Z]+(?:[-' ][A-Z]+)*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLACE = re.compile(r"[0-9][0-9AB][0-9]{3}")
_EQUIVALENT = str.maketrans(
    {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'",
     "‐": "-", "‑": "-", "–": "-", "\u00a0": " ", "\u202f": " "}
)  # fmt: skip


class Traits(NamedTuple):
    """An identity, as a record or INSi holds it; a value that is not known is empty. Names are those of the table `patient`."""

    ins: str = ""
    ins_oid: str = ""
    birth_family: str = ""
    birth_given: str = ""
    birth_first_given: str = ""
    sex: str = ""
    birth_date: str = ""
    birth_place_code: str = ""


class Try(NamedTuple):
    """One call: `criteria` says in a word what it searches with, for the journal (`given-1`, `all-given`, `all-given+place`)."""

    criteria: str
    given: str
    birth_place: str


def written(value: str) -> str:
    """A name as INSi writes it: upper case, no accent, ligatures opened, one space between words. What has no equivalent stays, so that
    it is seen and refused, never dropped."""
    plain = unicodedata.normalize("NFKD", value.translate(_EQUIVALENT))
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).upper().split())


def unsendable(traits: Traits) -> tuple[str, ...]:
    """Names of the traits that keep the search from being made: absent, or not writable in the characters that the service takes.

    The place is never one of them: the search does without (ins-identity, 4). A date of reduced precision is not completed here."""
    return tuple(
        name
        for name, fit in (
            ("birth_family", bool(_FAMILY.fullmatch(written(traits.birth_family)))),
            ("birth_given", bool(_names(traits)) and all(map(_GIVEN.fullmatch, _names(traits)))),
            ("sex", traits.sex in ("F", "M")),
            ("birth_date", bool(_DAY.fullmatch(traits.birth_date))),
        )
        if not fit
    )


def _names(traits: Traits) -> list[str]:
    """Each given name once, in order; the first may hold a space that the list alone would not tell from a separator."""
    first, listed = written(traits.birth_first_given), written(traits.birth_given)
    rest = listed.removeprefix(f"{first} ") if first and f"{listed} ".startswith(f"{first} ") else listed
    return list(dict.fromkeys(filter(None, (first, *(rest.split() if rest != first else ())))))


def tries(traits: Traits) -> Generator[Try, str, None]:
    """The calls of a search, each given after the code of the one before has been sent in: `00`, `01`, `02` or anything else.

    Each given name in order, then all together; a `02` goes on with all given names, then with the place. The end is a `00`, an error, or
    nothing left to vary (sheet insi, 3). At most the number of given names and two."""
    names = _names(traits)
    together = " ".join(names)
    place = traits.birth_place_code if _PLACE.fullmatch(traits.birth_place_code) else ""
    ambiguous = ("", "")
    for rank, name in enumerate(names, 1):
        code = yield Try(f"given-{rank}", name, "")
        if code == "02":
            ambiguous = ("given+place", name)
            break
        if code != "01":
            return
    if len(names) > 1:
        code = yield Try("all-given", together, "")
        if code == "02":
            ambiguous = ("all-given+place", together)
        elif code != "01":
            return
    if all(ambiguous) and place:
        yield Try(*ambiguous, place)


def compare(
    here: Traits, there: Traits, former: Sequence[str] = (), environment: str = "production"
) -> dict[str, Agreement]:
    """Trait by trait, in the order of `Traits`. `former` are the matricules that the person had.

    `spelling`: they differ by case, accents, hyphens or apostrophes only (RNIV EXI ID 10). `shorter`: the record holds the beginning of the
    list of given names. `absent`: the record has nothing. `former`: the record holds a matricule that is no longer the active one."""
    found: dict[str, Agreement] = {}
    for name, ours, theirs in zip(Traits._fields, here, there, strict=True):
        ours = ours.strip()
        if not ours or (name == "sex" and ours == "UN"):
            # INSi answers F or M only; UN says that the practice does not know.
            found[name] = "absent"
        elif ours == theirs:
            found[name] = "equal"
        elif name.endswith(("_family", "_given")):
            found[name] = _names_agree(name, ours, theirs)
        elif name == "ins":
            found[name] = "former" if ours in former else "differs"
        elif name == "ins_oid" and environment == "test" and {ours, theirs} <= {*_NIR}:
            found[name] = "equal"
        else:
            found[name] = "differs"
    return found


def _names_agree(name: str, ours: str, theirs: str) -> Agreement:
    mine, its = (re.sub("[-']+", " ", written(v)).split() for v in (ours, theirs))
    if mine == its:
        return "spelling"
    return "shorter" if name == "birth_given" and mine and mine == its[: len(mine)] else "differs"


def outcome_of(agreement: dict[str, Agreement]) -> Outcome:
    """What a comparison comes to."""
    kinds = set(agreement.values())
    if kinds & {"differs", "former"}:
        return "differs"
    return "completes" if kinds & {"absent", "shorter"} else "equal"


def unusable(ins: str, oid: str, environment: str) -> bool:
    """A found matricule that must not be kept: its OID is not one of the environment, or its key is wrong where keys are right."""
    if oid not in _ANSWERED[environment]:
        return True
    digits = ins[:5] + {"2A": "19", "2B": "18"}.get(ins[5:7], ins[5:7]) + ins[7:13]
    right = bool(re.fullmatch("[0-9]{13}", digits)) and f"{97 - int(digits) % 97:02d}" == ins[13:]
    return not right and POLICIES[environment].key_blocks


# -- evidence --------------------------------------------------------------------------------------------------------------

EVIDENCE = "insi_evidence"
_RULES = {"differs": "INSI-DIFFERS", "not_found": "INSI-NOT-FOUND"}
_DESTINATIONS = ("portability", "dmp")


class Evidence(NamedTuple):
    """The last conclusion about a patient: local day of the call, code, outcome, names of the traits that differ, with spaces between."""

    patient: str
    day: str
    code: str
    outcome: str
    traits: str


def evidence(journal: Path) -> list[Evidence]:
    """Last conclusion of each patient in a journal of calls (view `conclusion` of `insi.sqlite`), by patient; none without a journal.

    Opened read only, so that a verdict pass never writes there. `sqlite3.DatabaseError` when the file is no journal."""
    if not journal.is_file():
        return []
    base = sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True)
    try:
        rows = base.execute("SELECT patient, day, code, outcome, traits FROM conclusion ORDER BY patient").fetchall()
    finally:
        base.close()
    return [Evidence(*row) for row in rows]


def verdict_rows(rows: Sequence[Evidence]) -> Any:
    """Arrow table (`VERDICT_SCHEMA`) of what the conclusions say against patients: a warning for both destinations.

    A patient who is found and equal has no row. The evidence is the day, the code and the names of traits, never a value."""
    import pyarrow as pa

    lines = [
        {
            "slot": slot(row.patient),
            "patient": row.patient,
            "record_table": "patient",
            "record_key": row.patient,
            "rule": _RULES[row.outcome],
            "destination": destination,
            "severity": WARNING,
            "evidence": " ".join(filter(None, (row.day, row.code, row.traits))),
        }
        for row in rows
        if row.outcome in _RULES
        for destination in _DESTINATIONS
    ]
    return pa.Table.from_pylist(lines, schema=VERDICT_SCHEMA)


def evidence_sql() -> str:
    """SQL: verdict rows from the Arrow table of `verdict_rows`, registered as the view `insi_evidence`; a patient who has left the record
    has none."""
    return (
        "SELECT e.slot, e.patient, e.record_table, e.record_key, e.rule, e.destination, e.severity, e.evidence "
        f"FROM {EVIDENCE} e SEMI JOIN identities i ON i.patient = e.patient"
    )
