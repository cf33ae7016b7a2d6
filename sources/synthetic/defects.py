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
from random import Random
from typing import Any, NamedTuple

from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.sources.synthetic import bodies
from transvase.sources.synthetic import vocabulary as words
from transvase.sources.synthetic.database import Cells
from transvase.sources.synthetic.ordinary import obligation
from transvase.sources.synthetic.people import PRODUCTION_OID, TEST_OID, Person, ins_key, sibling
from transvase.sources.synthetic.record import Body, Record

Plant = Callable[[Record, Random, "Truth"], Record | None]
# Every kind is planted in one of the first two hundred patients, then once in a thousand.
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

    def mark(self, code: str, key: object) -> None:
        """The record of that key is of that kind. An undeclared kind is a KeyError."""
        KINDS[code]
        self.keys.setdefault(code, []).append(str(key))

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """(kind, canonical table, key) of every one, in the order of declaration."""
        for code, kind in KINDS.items():
            for key in self.keys.get(code, ()):
                yield code, kind.table, key

    def observe(self, record: Record) -> None:
        """Write down the facts that the rows of a record show."""
        _observe_identity(self, record)
        today = record.cabinet.calendar.iso(record.cabinet.calendar.today)
        versions: dict[int, list[Cells]] = {}
        for table, cells in record.rows:
            if table == "T_DOC_CONTENU":
                versions.setdefault(cells["CNT_DOC"], []).append(cells)
            elif table == "T_OPPOS":
                self.mark("OBJECTION", cells["OPP_ID"])
                if cells["OPP_PORTEE"] == "T" and cells["OPP_DOC"] is None:
                    self.mark("OBJECTION_TO_ALL", record.key)
            elif table == "T_NOTE" and cells["NOT_SUPPR"]:
                self.mark("SOFT_DELETED", f"T_NOTE:{cells['NOT_ID']}")
        for document in record.of("T_DOC"):
            if document["DOC_SUPPR"] == "O":
                self.mark("SOFT_DELETED", f"T_DOC:{document['DOC_ID']}")
            else:
                _observe_document(self, document, versions.get(document["DOC_ID"], []), today)


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
        record.patient.update(cells)
        truth.mark(code, record.key)

    return plant


def _trait_missing(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    record.patient[("PAT_LIEU_COG", "PAT_PREN1", "PAT_PRENS_NAIS")[int(rng.random() * 3)]] = None
    truth.mark("TRAIT_MISSING", record.key)


def _name_with_digit(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    record.patient["PAT_NOM_NAIS"] += "2"
    truth.mark("TRAIT_CHARSET", record.key)


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


def _invisible_representatives(record: Record, rng: Random, truth: Truth) -> None:
    _qualified(record)
    _made_here(record, "CR_CONS", DOC_INV_REP=1, DOC_MASQ_PS=1)


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
             "INVISIBLE_REPRESENTANTS_LEGAUX", _invisible_representatives),
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
    )
}  # fmt: skip
_PLANTS = tuple(k.plant for k in KINDS.values() if k.plant)
# Dealt out by a stride that divides nothing, so that a small practice gets a bit of everything and not every broken matricule.
PLANTED: tuple[Plant, ...] = tuple(_PLANTS[i * STRIDE % len(_PLANTS)] for i in range(len(_PLANTS)))
