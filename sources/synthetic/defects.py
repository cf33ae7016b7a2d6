"""What is wrong, or out of the ordinary, in the practice: each kind declared once, planted by rank, and written down as the truth.

Two sorts of kinds. Those with a `plant` are put into chosen patients; those without are facts that also happen by themselves
(received, masked, fed before...) and are read off every record just before it is saved. The truth lists all of them, so
that a check can be held to what it finds and to what it should not find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.sources.synthetic import bodies, faulty
from transvase.sources.synthetic import vocabulary as words
from transvase.sources.synthetic.database import Cells
from transvase.sources.synthetic.ordinary import obligation
from transvase.sources.synthetic.people import PRODUCTION_OID, TEST_OID, Person, ins_key, sibling, strict
from transvase.sources.synthetic.record import Body, Record

Plant = Callable[[Record, Random, "Truth"], Record | None]
# Every kind is planted in one of the first two hundred and fifty patients, then once in a thousand.
SPACING = 3
STRIDE = 23
PERIOD = 1000


class Kind(NamedTuple):
    """A kind of defect: code, sentence, canonical table of the record, label expected by the reference sheets (empty when none)."""

    code: str
    sentence: str
    table: str
    label: str = ""
    plant: Plant | None = None


class Truth:
    """Keys of the records of each kind, as they are written."""

    def __init__(self) -> None:
        self.keys: dict[str, list[str]] = {}
        # Strict traits but the place, and the records that have them: key, matricule, place, whether flagged as a homonym.
        self._same: dict[str, list[tuple[int, str, str, bool]]] = {}

    def mark(self, code: str, key: object) -> None:
        """The record of that key is of that kind. An undeclared kind is a KeyError."""
        KINDS[code]
        self.keys.setdefault(code, []).append(str(key))

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """(kind, canonical table, key) of every one, in the order of declaration."""
        for code, kind in KINDS.items():
            for key in self.keys.get(code, ()):
                yield code, kind.table, key

    def settle(self) -> None:
        """Write down what only the whole practice shows, once every record has been observed: same traits, not one matricule. Namesakes
        born on the same day in the same place happen by themselves in a large practice."""
        for records in self._same.values():
            for key, matricule, place, homonym in records if len(records) > 1 else ():
                if homonym:
                    continue
                others = [o for o in records if o[0] != key and (not place or not o[2] or place == o[2])]
                if matricule and any(o[1] and o[1] != matricule for o in others):
                    self.mark("SAME_TRAITS_TWO_MATRICULES", key)
                if others and (not matricule or any(not o[1] for o in others)):
                    self.mark("SAME_TRAITS_NO_MATRICULE", key)

    def observe(self, record: Record) -> None:
        """Write down the facts that the rows of a record show."""
        _observe_identity(self, record)
        traits = _traits(record.patient)
        if traits:
            cells = record.patient
            matricule = re.sub(r"\s", "", cells.get("PAT_INS") or "")
            same = (record.key, matricule, cells["PAT_LIEU_COG"] or "", bool(cells["PAT_HOMONYME"]))
            self._same.setdefault(traits, []).append(same)
        today = record.cabinet.calendar.iso(record.cabinet.calendar.today)
        versions: dict[int, list[Cells]] = {}
        for table, cells in record.rows:
            if table == "T_DOC_CONTENU":
                versions.setdefault(cells["CNT_DOC"], []).append(cells)
            elif table == "T_OPPOS":
                self.mark("OBJECTION", cells["OPP_ID"])
                if cells["OPP_PORTEE"] == "T" and cells["OPP_DOC"] is None and cells["OPP_ITV_VISE"] is None:
                    self.mark("OBJECTION_TO_ALL", record.key)
                if cells["OPP_ITV_VISE"] is not None:
                    self.mark("OBJECTION_TO_PROFESSIONAL", cells["OPP_ID"])
                if cells["OPP_DT"] is None or cells["OPP_ITV"] is None:
                    self.mark("OBJECTION_INCOMPLETE", cells["OPP_ID"])
            elif table == "T_NOTE" and cells["NOT_SUPPR"]:
                self.mark("SOFT_DELETED", f"T_NOTE:{cells['NOT_ID']}")
        for document in record.of("T_DOC"):
            if document["DOC_SUPPR"] == "O":
                self.mark("SOFT_DELETED", f"T_DOC:{document['DOC_ID']}")
            else:
                _observe_document(self, document, versions.get(document["DOC_ID"], []), today)
                _observe_visibility(self, record.patient, document)


def _observe_identity(truth: Truth, record: Record) -> None:
    cells, key = record.patient, record.key
    called, checked = cells.get("PAT_INS_CR") == "00", cells.get("PAT_PIECE") is not None
    spoiled = bool(cells["PAT_DOUTEUX"] or cells["PAT_FICTIF"])
    status = (
        "PROV"
        if spoiled or not (called or checked)
        else "QUAL"
        if called and checked
        else "RECUP"
        if called
        else "VALI"
    )
    for expected, code in (
        ("PROV", "IDENTITY_PROVISIONAL"),
        ("VALI", "IDENTITY_VALIDATED"),
        ("RECUP", "IDENTITY_RECUPERATED"),
    ):
        if status == expected:
            truth.mark(code, key)
    for column, code in (("PAT_DOUTEUX", "DOUBTFUL"), ("PAT_FICTIF", "FICTITIOUS"), ("PAT_HOMONYME", "HOMONYM")):
        if cells[column]:
            truth.mark(code, key)
    if cells["PAT_STATUT_ID"] != status:
        truth.mark("MISLEADING_LABEL", key)
    if cells["PAT_SECRET"] and _age(cells, record.cabinet.calendar.iso(record.cabinet.calendar.today)) == "adult":
        truth.mark("SECRET_ADULT", key)


def _age(cells: Cells, day: str) -> str:
    """Minor, adult or unknown on an ISO day. Of a date flagged uncertain only the year is sure."""
    born = cells["PAT_DTN"] or ""
    iso = f"{born[6:]}-{born[3:5]}-{born[:2]}"
    if not _is_day(iso):
        return "unknown"
    last = f"{int(iso[:4]) + 18}-12-31" if cells["PAT_DTN_INCERT"] else f"{int(iso[:4]) + 18:04d}{iso[4:]}"
    first = f"{last[:4]}-01-01" if cells["PAT_DTN_INCERT"] else last
    return "minor" if day < first else "adult" if day >= last else "unknown"


def _observe_visibility(truth: Truth, patient: Cells, document: Cells) -> None:
    """Combinations of restrictions, whatever the origin of the document; what a minor in secret connection shows, of what is made here."""
    key, act = document["DOC_ID"], document["DOC_DT"]
    masked, hidden, unseen = (bool(document[c]) for c in ("DOC_MASQ_PS", "DOC_INV_PAT", "DOC_INV_REP"))
    if masked and hidden:
        truth.mark("VISIBILITY_NOBODY", key)
    if hidden and unseen:
        truth.mark("VISIBILITY_BOTH", key)
    if not _is_day(act):
        return
    age = _age(patient, act)
    if unseen and age != "minor":
        truth.mark("VISIBILITY_ADULT" if age == "adult" else "VISIBILITY_AGE_UNKNOWN", key)
    if patient["PAT_SECRET"] and document["DOC_ORIG"] == "I" and not unseen and age == "minor":
        truth.mark("SECRET_VISIBLE", key)


def _spelling(name: str | None) -> str:
    """What two spellings of a name have in common: hyphen and apostrophe count as a space (EXI ID 10)."""
    return " ".join(re.sub("[-']", " ", strict(name or "")).split())


def _traits(cells: Cells) -> str:
    """Birth name, first given name, sex and date as one text; empty when one of them is missing or is no date."""
    family, given, born = _spelling(cells["PAT_NOM_NAIS"]), _spelling(cells["PAT_PREN1"]), cells["PAT_DTN"] or ""
    if not family or not given or cells["PAT_SEXE"] == 9 or not _is_day(f"{born[6:]}-{born[3:5]}-{born[:2]}"):
        return ""
    return f"{family}|{given}|{cells['PAT_SEXE']}|{born}"


def _observe_document(truth: Truth, document: Cells, versions: list[Cells], today: str) -> None:
    key = document["DOC_ID"]
    for column, code in (
        ("DOC_MASQ_PS", "MASKED"),
        ("DOC_INV_PAT", "INVISIBLE_PATIENT"),
        ("DOC_INV_REP", "INVISIBLE_REPRESENTATIVES"),
        ("DOC_NT_MOTIF", "WITHHELD"),
    ):
        if document.get(column):
            truth.mark(code, key)
    if document.get("DOC_NT_MOTIF") and not (document.get("DOC_NT_ITV") and document.get("DOC_NT_DT")):
        truth.mark("WITHHELD_INCOMPLETE", key)
    hidden = any(document.get(c) for c in ("DOC_MASQ_PS", "DOC_INV_PAT", "DOC_INV_REP"))
    if hidden and not (document.get("DOC_CONF_ITV") and document.get("DOC_CONF_DT")):
        truth.mark("VISIBILITY_INCOMPLETE", key)
    fed = document["DOC_DMP"]
    if fed is None:
        truth.mark("UNKNOWN_HISTORY", key)
    elif fed != "J":
        truth.mark("FED_BEFORE" if fed == "E" else "FED_DELETED", key)
    if len(versions) > 1:
        truth.mark("REPLACED", key)
        if fed == "E" and max(v["CNT_DT"] for v in versions) > document["DOC_DMP_DT"]:
            truth.mark("REPLACED_AFTER_FEEDING", key)
    kind = words.TYPES.get(document["DOC_TYPE"])
    national = kind.national if kind else ""
    if not national:
        truth.mark("UNMAPPED_TYPE", key)
    if document["DOC_ORIG"] != "I":
        truth.mark("RECEIVED" if document["DOC_ORIG"] == "E" else "FROM_PATIENT", key)
        return
    if document["DOC_ITV"] is None:
        truth.mark("NO_AUTHOR", key)
    act = document["DOC_DT"]
    if not _is_day(act):
        return
    if act > today:
        truth.mark("FUTURE_ACT", key)
    since = obligation(national)
    if since and act < since:
        truth.mark("BEFORE_OBLIGATION", key)
    for column, code in _undecidable(national):
        if document[column] is None and act >= _undecidable_since(national, code):
            truth.mark(code, key)


# The words by which an exclusion of the mandated list is known, the product's column and the kind.
EXCLUSIONS = (
    ("séjour hospitalier", "DOC_HOSPI", "UNDECIDABLE_HOSPITAL_STAY"),
    ("entente préalable", "DOC_EP", "UNDECIDABLE_PRIOR_AGREEMENT"),
    ("génétique constitutionnelle", "DOC_GENET", "UNDECIDABLE_GENETICS"),
)


@lru_cache(maxsize=256)
def _undecidable(national: str) -> tuple[tuple[str, str], ...]:
    """Columns that decide an exclusion for that type, with the kind when they are empty."""
    said = [e for row in MANDATED.values() if national in row.type_codes for e in row.exclusions]
    return tuple((column, code) for phrase, column, code in EXCLUSIONS if any(phrase in e for e in said))


@lru_cache(maxsize=256)
def _undecidable_since(national: str, code: str) -> str:
    """Day from which the row with that exclusion applies."""
    phrase = next(p for p, _, c in EXCLUSIONS if c == code)
    return min(
        row.effective_from
        for row in MANDATED.values()
        if national in row.type_codes and any(phrase in e for e in row.exclusions)
    )


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


FORM = re.compile(r"[12]\d\d(0[1-9]|1[0-2])(?!00)(\d\d|2A|2B)\d{3}(?!000)\d{3}\d\d")
FILLER = "111111111111120"


def national_state(record: Record) -> list[tuple[str, str, str]]:
    """What the national side knows of a patient: (ins, oid, state), nothing when the matricule has not a valid form."""
    cells = record.patient
    matricule = cells.get("PAT_INS") or ""
    if cells.get("PAT_INS_OID") != TEST_OID or matricule == FILLER or not FORM.fullmatch(matricule):
        return []
    if ins_key(matricule[:13]) != matricule[13:]:
        return []
    state = {"O": "active", "N": "none", "F": "closed"}.get(cells.get("PAT_DMP") or "")
    if state is None:
        state = "none" if record.key % 7 == 0 else "active"
    if record.closed_since:
        state = "closed"
    return [(matricule, TEST_OID, state)]


def planted(record: Record, rng: Random, index: int, truth: Truth) -> Iterator[Record]:
    """The record, spoiled when its rank says so, and the second record that some kinds bring."""
    place, rest = divmod(index % PERIOD, SPACING)
    second = None
    if rest == 1 and place < len(PLANTED):
        second = PLANTED[place](record, rng, truth)
    yield record
    if second is not None:
        yield second


# How each kind is planted. A patient who lacks what the defect needs is given it first.


def _spoil_matricule(code: str, change: Callable[[str], str]) -> Plant:
    """A qualified patient whose matricule is changed by `change` (from 15 characters to anything)."""

    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _qualified(record)
        record.patient["PAT_INS"] = change(record.person.matricule)
        truth.mark(code, record.key)

    return plant


def _qualified(record: Record) -> None:
    if not record.qualified:
        record.qualify(record.cabinet.calendar.today - 90)


def _rekeyed(thirteen: str) -> str:
    return thirteen + ins_key(thirteen)


def _next_key(matricule: str) -> str:
    return f"{matricule[:13]}{int(matricule[13:]) % 97 + 1:02d}"


def _shown(matricule: str) -> str:
    """The display form, with spaces."""
    return re.sub(r"(.)(..)(..)(..)(...)(...)(..)", r"\1 \2 \3 \4 \5 \6 \7", matricule)


def _ins_empty(record: Record, rng: Random, truth: Truth) -> None:
    record.patient.update(PAT_INS="", PAT_INS_OID=TEST_OID, PAT_INS_APPEL=None, PAT_INS_CR="01")
    record.check()
    truth.mark("INS_EMPTY", record.key)


def _oid(code: str, oid: str | None) -> Plant:
    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _qualified(record)
        record.patient["PAT_INS_OID"] = oid
        truth.mark(code, record.key)

    return plant


def _status(called: bool, checked: bool, label: str) -> Plant:
    """An identity with those two facts, under a label of the product that says something else."""

    def plant(record: Record, rng: Random, truth: Truth) -> None:
        cells = record.patient
        if called:
            record.recover(record.cabinet.calendar.today - 60)
        else:
            cells.update(PAT_INS=None, PAT_INS_OID=None, PAT_INS_APPEL=None, PAT_INS_CR=None)
        cells["PAT_PIECE"] = "CNI" if checked else None
        cells["PAT_STATUT_ID"] = label

    return plant


def _attribute(column: str) -> Plant:
    """A qualified identity under an RNIV attribute: douteux and fictif make it provisoire all the same."""

    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _qualified(record)
        record.patient[column] = 1

    return plant


def _trait(code: str, **cells: Any) -> Plant:
    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _qualified(record)
        if "PAT_DTN" in cells:
            _always_a_place(record)
        record.patient.update(cells)
        truth.mark(code, record.key)

    return plant


def _always_a_place(record: Record) -> None:
    """A date put in place of the true one must not make the place of birth wrong too: Corsica changed its codes."""
    record.patient["PAT_LIEU_COG"] = words.RESIDENCES[0].cog


def _trait_missing(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    record.patient[("PAT_LIEU_COG", "PAT_PREN1", "PAT_PRENS_NAIS")[int(rng.random() * 3)]] = None
    truth.mark("TRAIT_MISSING", record.key)


def _name_with_digit(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    record.patient["PAT_NOM_NAIS"] += "2"
    truth.mark("TRAIT_CHARSET", record.key)


def _name(code: str, change: Callable[[str], str]) -> Plant:
    """A qualified patient whose birth name is written otherwise."""

    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _qualified(record)
        record.patient["PAT_NOM_NAIS"] = change(record.patient["PAT_NOM_NAIS"])
        truth.mark(code, record.key)

    return plant


def _born(code: str, days: int) -> Plant:
    """A qualified patient born that many days after the clock."""

    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _qualified(record)
        _always_a_place(record)
        record.patient["PAT_DECES"] = None
        record.patient["PAT_DTN"] = record.cabinet.calendar.french(record.cabinet.calendar.today + days)
        truth.mark(code, record.key)

    return plant


def _dead_before_birth(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    record.patient["PAT_DECES"] = record.cabinet.calendar.french(record.person.born.toordinal() - 400)
    truth.mark("DEATH_BEFORE_BIRTH", record.key)


def _closed_since(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    record.patient["PAT_DMP"] = "O"
    record.patient["PAT_DMP_DT"] = record.cabinet.calendar.number(record.cabinet.calendar.today - 200)
    record.closed_since = True
    truth.mark("DMP_CLOSED_SINCE", record.key)


def _made_here(
    record: Record, kind: str = "ORDO_MED", *, ago: int = 40, body: Body | None = None, **cells: Any
) -> Cells:
    """A document made here some days ago, never fed, that a defect will touch."""
    calendar = record.cabinet.calendar
    doctor = record.cabinet.doctors[0]
    day = max(calendar.today - ago, record.person.born.toordinal() + 1)
    return record.document(kind, day, 600, doctor=doctor, body=body or Body("printed", 0.4), **cells)


def _with(kind: str = "ORDO_MED", *, ago: int = 40, **cells: Any) -> Plant:
    """A new document with those cells; the fact is observed when the record is saved."""

    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _qualified(record)
        _made_here(record, kind, ago=ago, **cells)

    return plant


def _orphan(record: Record, rng: Random, truth: Truth) -> None:
    # One names a patient deleted long ago, the other none at all.
    for absent in (77, None):
        document = _made_here(record)
        document["DOC_PAT"] = absent
        truth.mark("ORPHAN_DOCUMENT", document["DOC_ID"])


def _wrong_date(record: Record, rng: Random, truth: Truth) -> None:
    year = record.cabinet.calendar.clock.year - 1
    document = _made_here(record, "CERTIF")
    document["DOC_DT"] = f"{year}-02-31"
    truth.mark("WRONG_DATE", document["DOC_ID"])


def _future_act(record: Record, rng: Random, truth: Truth) -> None:
    document = _made_here(record)
    document["DOC_DT"] = record.cabinet.calendar.iso(record.cabinet.calendar.today + 45)


def _duplicate_row(record: Record, rng: Random, truth: Truth) -> None:
    line = record.problem(
        "P", "I10", "Hypertension essentielle (primitive)", onset="2019", seen=record.cabinet.calendar.today - 400
    )
    copy = {c: v for c, v in line.items() if c != "ATD_ID"}
    truth.mark("DUPLICATE_ROW", line["ATD_ID"])
    truth.mark("DUPLICATE_ROW", record.add("T_ATCD", **copy)["ATD_ID"])


def _duplicate_document(record: Record, rng: Random, truth: Truth) -> None:
    # The same file imported twice: two documents, two keys, one content.
    day = record.cabinet.calendar.today - 30
    first = _made_here(record, "CRT_ADR", ago=30)
    content = record.rows[-1][1]
    data = _fixed(first)
    content["CNT_BLOB"] = Body("file", data=data)
    second = _made_here(record, "CRT_ADR", ago=30, body=Body("file", data=data))
    copied = record.rows[-1][1]
    copied.update(CNT_MIME=content["CNT_MIME"], CNT_NOM=content["CNT_NOM"], CNT_DT=record.cabinet.calendar.at(day, 605))
    for document in (first, second):
        truth.mark("DUPLICATE_DOCUMENT", document["DOC_ID"])


def _fixed(document: Cells) -> bytes:
    """The bytes the document would have had, made now so that a copy can carry them too."""
    return bodies.pdf([str(document["DOC_TITRE"]), f"Document n° {document['DOC_ID']}", *words.PARAGRAPHS[:3]], 1, None)


def _spoiled_body(code: str, *made: tuple[str, str, str]) -> Plant:
    """Documents whose body is damaged: (document type, kind of body, damage)."""

    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _qualified(record)
        for kind, form, damage in made:
            _made_here(record, kind, body=Body(form, 0.3, spoil=damage))
            truth.mark(code, record.rows[-1][1]["CNT_ID"])

    return plant


def _misdeclared(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    _made_here(record, "CERTIF", body=Body("rtf"))
    content = record.rows[-1][1]
    content["CNT_MIME"] = "application/pdf"
    content["CNT_NOM"] = content["CNT_NOM"].replace(".rtf", ".pdf")
    truth.mark("MISDECLARED_BODY", content["CNT_ID"])


def _wrong_size(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    _made_here(record, "CERTIF")
    content = record.rows[-1][1]
    content["CNT_TAILLE"] = 17
    truth.mark("SIZE_MISMATCH", content["CNT_ID"])


def _aged(record: Record, years: int, *, uncertain: bool = False) -> None:
    """A qualified patient of that age, whose place of birth is right at any date; the day fixed by the rule when only the year is known."""
    _qualified(record)
    _always_a_place(record)
    year = date.fromordinal(record.cabinet.calendar.today - 40).year - years
    record.patient.update(
        PAT_DTN=f"{'31/12' if uncertain else '15/03'}/{year:04d}", PAT_DTN_INCERT=int(uncertain), PAT_DECES=None
    )


def _of_age(years: int, kind: str = "CR_CONS", *, uncertain: bool = False, secret: bool = False, **cells: Any) -> Plant:
    """A document with those cells of a patient of that age."""

    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _aged(record, years, uncertain=uncertain)
        record.patient["PAT_SECRET"] = int(secret)
        _made_here(record, kind, **cells)

    return plant


def _objection_to_professional(record: Record, rng: Random, truth: Truth) -> None:
    """Two documents, one of the professional whom the patient refuses."""
    _qualified(record)
    calendar, doctors = record.cabinet.calendar, record.cabinet.doctors
    _made_here(record)
    record.document("ORDO_MED", calendar.today - 41, 600, doctor=doctors[1], body=Body("printed", 0.4))
    record.object("D", calendar.today - 39, doctors[0], against=doctors[1], reason="Demande du patient")


def _objection_incomplete(record: Record, rng: Random, truth: Truth) -> None:
    """Two objections, one that nobody signed and one of no date."""
    _qualified(record)
    _made_here(record)
    day, doctor = record.cabinet.calendar.today - 39, record.cabinet.doctors[0]
    record.object("C", day, doctor)["OPP_ITV"] = None
    record.object("D", day, doctor)["OPP_DT"] = None


def _fed(state: str) -> Plant:
    def plant(record: Record, rng: Random, truth: Truth) -> None:
        _qualified(record)
        calendar = record.cabinet.calendar
        record.fed(_made_here(record, ago=500), calendar.today - 500, state=state)

    return plant


def _replaced_after_feeding(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    calendar = record.cabinet.calendar
    document = _made_here(record, "CRT_ADR", ago=430)
    record.fed(document, calendar.today - 430)
    record.version(document, calendar.today - 50, 700, Body("printed", 0.6))


def _received(record: Record, rng: Random, truth: Truth) -> None:
    record.document(
        "CR_SPE",
        record.cabinet.calendar.today - 20,
        600,
        partner="cardiologue",
        body=Body("cda", 0.2, qualified=record.qualified),
    )


def _from_patient(record: Record, rng: Random, truth: Truth) -> None:
    record.document("DOC_PAT", record.cabinet.calendar.today - 20, 600, body=Body("photo"))


def _objection(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    doctor = record.cabinet.doctors[0]
    document = _made_here(record)
    day = record.cabinet.calendar.today - 39
    record.object("D", day, doctor, document=document, reason="Ce document seulement")
    record.object("C", day, doctor)


def _objection_to_all(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    _made_here(record)
    record.object(
        "T", record.cabinet.calendar.today - 39, record.cabinet.doctors[0], reason="Demande écrite du patient"
    )


def _soft_deleted(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    _made_here(record)["DOC_SUPPR"] = "O"
    calendar, doctor = record.cabinet.calendar, record.cabinet.doctors[0]
    act = record.visit(calendar.today - 40, 600, doctor, "Saisie dans le mauvais dossier")
    record.note(act, calendar.today - 40, 610, doctor, "Note saisie par erreur.")["NOT_SUPPR"] = 1


def _same_matricule(record: Record, rng: Random, truth: Truth) -> Record:
    """The same person opened twice, the second time under the name in use."""
    _qualified(record)
    person: Person = record.person
    calendar = record.cabinet.calendar
    second = Record(record.cabinet, person, opened=calendar.today - 100, PAT_MT=record.cabinet.doctors[1].key)
    second.qualify(calendar.today - 100)
    second.patient.update(PAT_DMP="O", PAT_DMP_DT=calendar.number(calendar.today - 100), PAT_PREN_USU=person.givens[0])
    _made_here(second, ago=100)
    for one in (record, second):
        truth.mark("SAME_MATRICULE_TWO_RECORDS", one.key)
    return second


def _twins(record: Record, rng: Random, truth: Truth) -> Record:
    """Same day, place and name, next order number: two persons."""
    _qualified(record)
    calendar = record.cabinet.calendar
    pool = words.GIVEN_F[1] if record.person.sex == "F" else words.GIVEN_M[1]
    given = next(n for n in pool if n not in record.person.givens)
    person = sibling(record.person, record.cabinet.register, record.person.sex, (given,), int(rng.random() * 9000))
    twin = Record(record.cabinet, person, opened=calendar.today - 300, PAT_MT=record.patient.get("PAT_MT"))
    twin.qualify(calendar.today - 290)
    twin.patient.update(
        {c: record.patient.get(c) for c in ("PAT_ADR", "PAT_CP", "PAT_VILLE", "PAT_TEL")},
        PAT_DMP="O",
        PAT_DMP_DT=calendar.number(calendar.today - 100),
        PAT_HOMONYME=1,
    )
    record.patient["PAT_HOMONYME"] = 1
    _made_here(twin)
    for one in (record, twin):
        truth.mark("TWINS", one.key)
    return twin


def _second(record: Record, person: Person) -> Record:
    """Another record opened for that person by a colleague."""
    calendar = record.cabinet.calendar
    return Record(record.cabinet, person, opened=calendar.today - 100, PAT_MT=record.cabinet.doctors[1].key)


def _same_traits_two_matricules(record: Record, rng: Random, truth: Truth) -> Record:
    """A person known under a former matricule, or a namesake: the traits do not tell."""
    _qualified(record)
    record.patient["PAT_HOMONYME"] = 0
    person = record.person
    other = sibling(person, record.cabinet.register, person.sex, person.givens, int(rng.random() * 9000))
    second = _second(record, other)
    second.qualify(record.cabinet.calendar.today - 100)
    second.patient["PAT_DMP"] = "O"
    _made_here(second, ago=100)
    return second


def _same_traits_no_matricule(record: Record, rng: Random, truth: Truth) -> Record:
    """Opened again in a hurry, in other spelling, without a call to INSi."""
    _qualified(record)
    record.patient["PAT_HOMONYME"] = 0
    second = _second(record, record.person)
    second.check()
    _made_here(second, ago=100)
    return second


def _professionals(record: Record, rng: Random, truth: Truth) -> None:
    """A document of each former colleague whose identifier is wrong."""
    _qualified(record)
    record.patient["PAT_DMP"] = "O"
    calendar = record.cabinet.calendar
    for kind, number, tolerated, specialty in faulty.PROFESSIONALS:
        doctor, new = faulty.professional(record.cabinet, kind, number, specialty)
        if new:
            truth.mark(kind, doctor.key)
        document = record.document("CERTIF", calendar.today - 30, 600, doctor=doctor, body=Body("printed", 0.4))
        if not tolerated:
            truth.mark("AUTHOR_REFUSED", document["DOC_ID"])


def _sites(record: Record, rng: Random, truth: Truth) -> None:
    if "STRUCTURE_FORM" not in truth.keys:
        for rank, one in enumerate(faulty.SITES):
            truth.mark(one.kind, faulty.site(record.cabinet, rank, one))


def _correspondents(record: Record, rng: Random, truth: Truth) -> None:
    if "CORRESPONDENT_KEY" not in truth.keys:
        for one in faulty.STRANGERS:
            truth.mark(one.kind, faulty.correspondent(record.cabinet, one))


KINDS: dict[str, Kind] = {
    k.code: k
    for k in (
        Kind("INS_KEY_MISMATCH", "La clé du matricule ne correspond pas aux treize premiers caractères.", "patient",
             "KEY_MISMATCH", _spoil_matricule("INS_KEY_MISMATCH", _next_key)),
        Kind("INS_KEY_RANGE", "La clé du matricule est hors de 01 à 97.", "patient",
             "KEY_RANGE", _spoil_matricule("INS_KEY_RANGE", lambda m: m[:13] + "00")),
        Kind("INS_LENGTH", "Le matricule n'a pas quinze caractères.", "patient",
             "LENGTH", _spoil_matricule("INS_LENGTH", lambda m: m[:13] + m[14:])),
        Kind("INS_EMPTY", "Le matricule est un texte vide au lieu d'être absent.", "patient", "EMPTY", _ins_empty),
        Kind("INS_NOT_CANONICAL", "Le matricule est rangé sous sa forme d'affichage, avec des espaces.", "patient",
             "NOT_CANONICAL", _spoil_matricule("INS_NOT_CANONICAL", _shown)),
        Kind("INS_CHARSET", "Le matricule porte la lettre O à la place d'un chiffre.", "patient",
             "CHARSET", _spoil_matricule("INS_CHARSET", lambda m: m[:10] + "O" + m[11:])),
        Kind("INS_SEX", "Le premier chiffre du matricule n'est pas un sexe.", "patient",
             "SEX", _spoil_matricule("INS_SEX", lambda m: _rekeyed("9" + m[1:13]))),
        Kind("INS_MONTH", "Le mois du matricule n'existe pas.", "patient",
             "MONTH", _spoil_matricule("INS_MONTH", lambda m: _rekeyed(m[:3] + "13" + m[5:13]))),
        Kind("INS_PLACE", "Le lieu du matricule n'existe pas (département 00).", "patient",
             "PLACE", _spoil_matricule("INS_PLACE", lambda m: _rekeyed(m[:5] + "00" + m[7:13]))),
        Kind("INS_ORDER", "Le numéro d'ordre du matricule est 000.", "patient",
             "ORDER", _spoil_matricule("INS_ORDER", lambda m: _rekeyed(m[:10] + "000"))),
        Kind("INS_FILLER", "Le matricule est une valeur de remplissage.", "patient",
             "", _spoil_matricule("INS_FILLER", lambda m: FILLER)),
        Kind("INS_PRODUCTION_OID", "Un matricule de production dans des données d'essai.", "patient",
             "", _oid("INS_PRODUCTION_OID", PRODUCTION_OID)),
        Kind("INS_OID_MISSING", "Un matricule sans son OID n'est pas un INS.", "patient", "", _oid("INS_OID_MISSING", None)),
        Kind("IDENTITY_PROVISIONAL", "Identité provisoire : ni INSi ni pièce, ou attribut douteux ou fictif.", "patient",
             "PROV", _status(False, False, "QUAL")),
        Kind("IDENTITY_VALIDATED", "Identité validée : pièce contrôlée, pas d'INSi.", "patient", "VALI", _status(False, True, "VALI")),
        Kind("IDENTITY_RECUPERATED", "Identité récupérée : INSi sans pièce contrôlée.", "patient", "RECUP", _status(True, False, "VALI")),
        Kind("MISLEADING_LABEL", "L'étiquette d'identité du logiciel contredit les faits qu'il détient.", "patient",
             "", _status(True, True, "VALI")),
        Kind("DOUBTFUL", "Identité douteuse, avec un matricule resté en place.", "patient", "PROV", _attribute("PAT_DOUTEUX")),
        Kind("FICTITIOUS", "Identité fictive, avec un matricule resté en place.", "patient", "PROV", _attribute("PAT_FICTIF")),
        Kind("HOMONYM", "Homonyme signalé.", "patient", "", _attribute("PAT_HOMONYME")),
        Kind("TRAIT_MISSING", "Un trait strict manque à une identité qualifiée.", "patient", "", _trait_missing),
        Kind("TRAIT_CHARSET", "Un chiffre dans le nom de naissance d'une identité qualifiée.", "patient", "", _name_with_digit),
        Kind("FIRST_GIVEN_MISMATCH", "Le premier prénom n'est pas le début de la liste des prénoms.", "patient",
             "", _trait("FIRST_GIVEN_MISMATCH", PAT_PREN1="ZÉPHYRINE")),
        Kind("SEX_UNKNOWN", "Sexe non renseigné sur une identité qualifiée.", "patient", "", _trait("SEX_UNKNOWN", PAT_SEXE=9)),
        Kind("BIRTH_DATE_IMPOSSIBLE", "Date de naissance impossible.", "patient",
             "", _trait("BIRTH_DATE_IMPOSSIBLE", PAT_DTN="31/02/1980")),
        Kind("BIRTH_DATE_LUNAR", "Date de naissance lunaire, jour et mois à zéro.", "patient",
             "", _trait("BIRTH_DATE_LUNAR", PAT_DTN="00/00/1951", PAT_DTN_INCERT=1)),
        Kind("BIRTH_DATE_UNCERTAIN", "Date de naissance fixée par règle au 31/12, signalée incertaine : à garder telle quelle.", "patient",
             "", _trait("BIRTH_DATE_UNCERTAIN", PAT_DTN="31/12/1951", PAT_DTN_INCERT=1)),
        Kind("DMP_CLOSED_SINCE", "Le cabinet croit le DMP ouvert, il a été fermé depuis.", "patient", "", _closed_since),
        Kind("SAME_MATRICULE_TWO_RECORDS", "Deux dossiers portent le même matricule.", "patient", "", _same_matricule),
        Kind("TWINS", "Jumeaux : mêmes nom, date et lieu, deux matricules.", "patient", "", _twins),
        Kind("ORPHAN_DOCUMENT", "Document sans patient, ou d'un patient absent.", "document", "", _orphan),
        Kind("WRONG_DATE", "Date d'acte impossible (31 février).", "document", "", _wrong_date),
        Kind("FUTURE_ACT", "Acte daté après l'extraction.", "document", "", _future_act),
        Kind("DUPLICATE_ROW", "La même ligne sous deux clés.", "problem", "", _duplicate_row),
        Kind("DUPLICATE_DOCUMENT", "Le même fichier classé deux fois.", "document", "", _duplicate_document),
        Kind("EMPTY_BODY", "Contenu vide.", "document_version", "empty", _spoiled_body("EMPTY_BODY", ("ORDO_MED", "printed", "empty"))),
        Kind("CORRUPT_BODY", "Contenu abîmé : PDF coupé, début d'image seul, CDA mal formé.", "document_version", "",
             _spoiled_body("CORRUPT_BODY", ("ORDO_MED", "printed", "cut"), ("CR_CONS", "photo", "head"), ("CRT_ADR", "cda", "unclosed"))),
        Kind("MISDECLARED_BODY", "Le type déclaré n'est pas celui du contenu.", "document_version", "rtf", _misdeclared),
        Kind("UNMAPPED_TYPE", "Type local sans équivalent national.", "document", "", _with("FICHE_INT")),
        Kind("NO_AUTHOR", "Document produit ici sans auteur.", "document", "", _with("CERTIF", DOC_ITV=None)),
        Kind("MASKED", "Masqué aux professionnels.", "document", "MASQUE_PS", _with(DOC_MASQ_PS=1)),
        Kind("INVISIBLE_PATIENT", "Invisible au patient.", "document", "INVISIBLE_PATIENT", _with(DOC_INV_PAT=1)),
        Kind("INVISIBLE_REPRESENTATIVES", "Invisible aux représentants légaux.", "document",
             "INVISIBLE_REPRESENTANTS_LEGAUX", _of_age(15, DOC_INV_REP=1, DOC_MASQ_PS=1)),
        Kind("WITHHELD", "Non transmis par le professionnel, avec un motif.", "document",
             "", _with(DOC_NT_MOTIF=words.WITHHELD_REASONS[1])),
        Kind("OBJECTION", "Opposition du patient.", "objection", "", _objection),
        Kind("OBJECTION_TO_ALL", "Patient opposé à toute transmission.", "patient", "", _objection_to_all),
        Kind("RECEIVED", "Document reçu de l'extérieur.", "document", "received", _received),
        Kind("FROM_PATIENT", "Document apporté par le patient.", "document", "patient", _from_patient),
        Kind("FED_BEFORE", "Déjà au DMP selon le logiciel.", "document", "fed", _fed("E")),
        Kind("FED_DELETED", "Mis au DMP puis supprimé.", "document", "deleted", _fed("S")),
        Kind("UNKNOWN_HISTORY", "Le logiciel ne dit pas si le document est au DMP.", "document", "unknown", _with(ago=600, DOC_DMP=None)),
        Kind("REPLACED", "Document en plusieurs versions.", "document"),
        Kind("REPLACED_AFTER_FEEDING", "Nouvelle version d'un document déjà au DMP.", "document", "RPLC", _replaced_after_feeding),
        Kind("BEFORE_OBLIGATION", "Document produit avant que son type soit obligatoire.", "document", "", _with("CERTIF", ago=1500)),
        Kind("UNDECIDABLE_HOSPITAL_STAY", "Exclusion du séjour hospitalier indécidable.", "document", "", _with("CRT_ADR", DOC_HOSPI=None)),
        Kind("UNDECIDABLE_PRIOR_AGREEMENT", "Exclusion de l'entente préalable indécidable.", "document", "", _with(DOC_EP=None)),
        Kind("UNDECIDABLE_GENETICS", "Exclusion de la génétique constitutionnelle indécidable.", "document",
             "", _with("BIO_CAB", DOC_GENET=None)),
        Kind("SOFT_DELETED", "Ligne supprimée dans le logiciel mais encore en base : gardée dans la partie native.", "native",
             "", _soft_deleted),
        Kind("BIRTH_DATE_UNFLAGGED", "Date de naissance lunaire que rien ne signale incertaine.", "patient",
             "", _trait("BIRTH_DATE_UNFLAGGED", PAT_DTN="00/03/1962", PAT_DTN_INCERT=0)),
        Kind("BIRTH_DATE_AGAINST_RULE", "Date de naissance signalée incertaine, que la règle n'a pas fixée.", "patient",
             "", _trait("BIRTH_DATE_AGAINST_RULE", PAT_DTN="14/07/1951", PAT_DTN_INCERT=1)),
        Kind("BIRTH_DATE_FUTURE", "Date de naissance dans l'avenir.", "patient", "", _born("BIRTH_DATE_FUTURE", 30)),
        Kind("DEATH_BEFORE_BIRTH", "Décès antérieur à la naissance.", "patient", "", _dead_before_birth),
        Kind("BIRTH_PLACE_FORM", "Nom de commune à la place du code du lieu de naissance.", "patient",
             "", _trait("BIRTH_PLACE_FORM", PAT_LIEU_COG="NANCY")),
        Kind("BIRTH_PLACE_LATER", "Code du lieu de naissance créé après la naissance.", "patient",
             "", _trait("BIRTH_PLACE_LATER", PAT_LIEU_COG="2A004", PAT_DTN="11/02/1960")),
        Kind("NAME_CASE", "Nom de naissance en minuscules sur une identité qualifiée.", "patient", "", _name("NAME_CASE", str.capitalize)),
        Kind("NAME_SEPARATOR", "Tiret au début du nom de naissance.", "patient", "", _name("NAME_SEPARATOR", lambda n: "-" + n)),
        Kind("USED_NAME_CHARSET", "Mention entre parenthèses dans le nom utilisé.", "patient",
             "", _trait("USED_NAME_CHARSET", PAT_NOM_USU="Marchand (veuve)")),
        Kind("SAME_TRAITS_TWO_MATRICULES", "Deux dossiers de mêmes traits, deux matricules.", "patient", "", _same_traits_two_matricules),
        Kind("SAME_TRAITS_NO_MATRICULE", "Deux dossiers de mêmes traits, l'un au moins sans matricule.", "patient",
             "", _same_traits_no_matricule),
        Kind("PROFESSIONAL_WITHOUT_ID", "Ancien confrère sans numéro national.", "practitioner", "", _professionals),
        Kind("PROFESSIONAL_PREFIX", "Numéro d'un confrère sous un préfixe qui n'existe pas.", "practitioner"),
        Kind("PROFESSIONAL_FORM", "Numéro RPPS de dix chiffres.", "practitioner"),
        Kind("PROFESSIONAL_TEST", "Numéro ADELI d'essai, avec une lettre.", "practitioner"),
        Kind("PROFESSIONAL_KEY", "Clé du numéro RPPS fausse.", "practitioner"),
        Kind("AUTHOR_REFUSED", "Document d'un auteur dont l'identifiant est absent ou mal formé.", "document"),
        Kind("STRUCTURE_WITHOUT_ID", "Annexe sans numéro national.", "practice", "", _sites),
        Kind("STRUCTURE_FORM", "FINESS rangé comme un SIRET.", "practice"),
        Kind("STRUCTURE_TEST", "FINESS d'essai, avec une lettre.", "practice"),
        Kind("STRUCTURE_KEY", "Clé du FINESS fausse.", "practice"),
        Kind("STRUCTURE_TECHNICAL", "Annexe connue par un numéro technique, sans préfixe.", "practice"),
        Kind("CORRESPONDENT_KEY", "Clé du RPPS d'un correspondant fausse.", "correspondent", "", _correspondents),
        Kind("CORRESPONDENT_UNREACHABLE", "Correspondant sans adresse MSSanté ni téléphone.", "correspondent"),
        Kind("CORRESPONDENT_BY_NAME", "Correspondant sans RPPS, seul de son nom dans l'annuaire.", "correspondent", "name"),
        Kind("CORRESPONDENT_AMBIGUOUS", "Correspondant sans RPPS, deux personnes possibles dans l'annuaire.", "correspondent", "ambiguous"),
        Kind("CORRESPONDENT_UNKNOWN", "Correspondant absent de l'annuaire.", "correspondent", "none"),
        Kind("CORRESPONDENT_MAILBOX", "Adresse MSSanté d'un correspondant qui n'est plus la sienne.", "correspondent", "identifier"),
        Kind("OBJECTION_TO_PROFESSIONAL", "Opposition aux documents d'un seul professionnel.", "objection", "", _objection_to_professional),
        Kind("OBJECTION_INCOMPLETE", "Opposition enregistrée sans auteur ou sans date.", "objection", "", _objection_incomplete),
        Kind("VISIBILITY_ADULT", "Invisible aux représentants légaux d'un patient majeur.", "document", "", _of_age(40, DOC_INV_REP=1)),
        Kind("VISIBILITY_AGE_UNKNOWN", "Invisible aux représentants légaux d'un patient dont la majorité ne se sait pas.", "document",
             "", _of_age(18, uncertain=True, DOC_INV_REP=1)),
        Kind("VISIBILITY_NOBODY", "Masqué aux professionnels et invisible au patient.", "document", "", _with(DOC_MASQ_PS=1, DOC_INV_PAT=1)),
        Kind("VISIBILITY_BOTH", "Invisible au patient mineur et à ses représentants légaux.", "document",
             "", _of_age(15, DOC_INV_PAT=1, DOC_INV_REP=1)),
        Kind("SECRET_VISIBLE", "Document que verront les représentants légaux d'un mineur en connexion secrète.", "document",
             "", _of_age(16, "ORDO_MED", secret=True)),
        Kind("SECRET_ADULT", "Connexion secrète demandée pour un majeur.", "patient", "", _of_age(40, "ORDO_MED", secret=True)),
        Kind("WITHHELD_INCOMPLETE", "Non transmis sans que l'auteur ou la date soient enregistrés.", "document",
             "", _with(DOC_NT_MOTIF=words.WITHHELD_REASONS[0], DOC_NT_ITV=None)),
        Kind("VISIBILITY_INCOMPLETE", "Restriction de visibilité sans auteur ou sans date.", "document",
             "", _with(DOC_INV_PAT=1, DOC_CONF_DT=None)),
        Kind("SIZE_MISMATCH", "Contenu d'une autre taille que celle que le logiciel annonce.", "document_version", "", _wrong_size),
        Kind("PROFESSIONAL_SPECIALTY", "Profession d'un confrère que la nomenclature ne connaît pas.", "practitioner"),
        Kind("STRUCTURE_FACILITY", "Annexe dont le secteur d'activité n'a pas de code national.", "practice"),
        Kind("STRUCTURE_SETTING", "Annexe dont le cadre d'exercice n'a pas de code national.", "practice"),
    )
}  # fmt: skip
# Dealt out by a stride that divides nothing, so that a small practice gets a bit of everything and not every broken matricule. Kinds
# declared later are dealt after those, so that a small practice keeps the defects it had: the first kind of each later group.
_LATER = ("BIRTH_DATE_UNFLAGGED", "OBJECTION_TO_PROFESSIONAL", "WITHHELD_INCOMPLETE")


def _dealt(plants: tuple[Plant, ...]) -> tuple[Plant, ...]:
    return tuple(plants[i * STRIDE % len(plants)] for i in range(len(plants)))


def _groups() -> Iterator[tuple[Plant, ...]]:
    planted = [k for k in KINDS.values() if k.plant]
    starts = [0, *(next(i for i, k in enumerate(planted) if k.code == code) for code in _LATER), len(planted)]
    for start, end in pairwise(starts):
        yield tuple(k.plant for k in planted[start:end] if k.plant)


PLANTED: tuple[Plant, ...] = tuple(plant for group in _groups() for plant in _dealt(group))
