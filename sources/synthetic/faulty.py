"""Professionals, structures and correspondents of the practice whose national identifier or directory entry is wrong, and the rows
they make in the product. They left, or closed, before the clock: nothing that is not planted names them.
"""

from __future__ import annotations

from typing import NamedTuple

from transvase.sources.synthetic.cabinet import OID, STRUCTURES, Cabinet, Doctor, mailbox, rpps
from transvase.sources.synthetic.people import luhn


def unkeyed(number: str) -> str:
    """The number with another key than its own."""
    return number[:-1] + str((int(number[-1]) + 1) % 10)


class Stranger(NamedTuple):
    """A correspondent: kind, name, RPPS recorded (empty when none), MSSanté address and telephone recorded."""

    kind: str
    family: str
    given: str
    number: str
    address: str
    phone: str = "0300000199"


class Site(NamedTuple):
    """An annex: kind, nature of its number, number, local codes of its sector of activity and of its practice setting."""

    kind: str
    nature: str
    number: str | None
    sector: str = "CAB"
    setting: str = "AMB"


# Kind, number as the product holds it, whether documents of that author may be fed outside production all the same, local specialty.
PROFESSIONALS: tuple[tuple[str, str | None, bool, str], ...] = (
    ("PROFESSIONAL_WITHOUT_ID", None, False, "MG"),
    ("PROFESSIONAL_PREFIX", "2" + rpps(901), False, "MG"),
    ("PROFESSIONAL_FORM", rpps(902)[:10], False, "MG"),
    ("PROFESSIONAL_TEST", "0B9900071", True, "MG"),
    ("PROFESSIONAL_KEY", unkeyed(rpps(903)), True, "MG"),
    ("PROFESSIONAL_SPECIALTY", rpps(904), True, "RADI"),
)
SITES = (
    Site("STRUCTURE_WITHOUT_ID", "F", None),
    # A FINESS filed as a SIRET: the prefixes of professionals and of structures differ.
    Site("STRUCTURE_FORM", "S", luhn("99000073")),
    Site("STRUCTURE_TEST", "F", "0B9900071"),
    Site("STRUCTURE_KEY", "F", unkeyed(luhn("99000074"))),
    Site("STRUCTURE_TECHNICAL", "N", "R10199000075"),
    Site("STRUCTURE_FACILITY", "F", luhn("99000076"), sector="PEN"),
    Site("STRUCTURE_SETTING", "F", luhn("99000077"), setting="MER"),
)
STRANGERS = (
    Stranger("CORRESPONDENT_KEY", "Bazin", "Luce", unkeyed(rpps(911)), mailbox("Luce", "Bazin")),
    Stranger("CORRESPONDENT_UNREACHABLE", "Chrétien", "Marc", rpps(912), "", ""),
    Stranger("CORRESPONDENT_BY_NAME", "Delacôte", "Iris", "", mailbox("Iris", "Delacôte")),
    Stranger("CORRESPONDENT_AMBIGUOUS", "Ferry", "Jean", "", mailbox("Jean", "Ferry")),
    Stranger("CORRESPONDENT_UNKNOWN", "Gérardin", "Ève", rpps(915), mailbox("Ève", "Gérardin")),
    Stranger("CORRESPONDENT_MAILBOX", "Hingray", "Paul", rpps(916), "ancienne@exemple.mssante.fr"),
)
SPECIALTY, CITY = "G15_10/SM04", "Nancy"


def professional(cabinet: Cabinet, kind: str, number: str | None, specialty: str) -> tuple[Doctor, bool]:
    """The former colleague of that kind, and whether this call made them."""
    if kind in cabinet.faulty:
        return cabinet.faulty[kind], False
    family = f"Ancien-{'ABCDEFGH'[len(cabinet.faulty)]}"
    calendar = cabinet.calendar
    key = cabinet.database.add(
        "T_INTERV",
        ITV_STR=cabinet.structures[0],
        ITV_NOM=family,
        ITV_PREN="Dominique",
        ITV_CIV="Mme",
        ITV_TITRE="Dr",
        ITV_RPPS=number,
        ITV_SPEC=specialty,
        ITV_TEL=STRUCTURES[0][7],
        ITV_SORTIE=calendar.number(calendar.today - 20),
    )
    sender = cabinet.doctors[0].sender._replace(family=family, given="Dominique")
    cabinet.faulty[kind] = Doctor(key, family.lower(), f"Dr Dominique {family}", sender)
    return cabinet.faulty[kind], True


def site(cabinet: Cabinet, rank: int, one: Site) -> int:
    """A closed annex of the practice; its key."""
    key: int = cabinet.database.add(
        "T_STRUCT",
        STR_NOM=f"Annexe fermée n° {rank + 1}",
        STR_ID_NAT=one.nature,
        STR_ID_VAL=one.number,
        STR_OID=f"{OID}.{90 + rank}",
        STR_SECT=one.sector,
        STR_CADRE=one.setting,
        STR_ADR="1 impasse des Mirabelliers",
        STR_CP="54200",
        STR_VILLE="Toul",
        STR_TEL="0300000090",
    )
    return key


def correspondent(cabinet: Cabinet, one: Stranger) -> int:
    """A correspondent of that kind; its key."""
    key: int = cabinet.database.add(
        "T_CORRESP",
        COR_RPPS=one.number or None,
        COR_NOM=one.family,
        COR_PREN=one.given,
        COR_SPEC=SPECIALTY,
        COR_STRUCT="Cabinet de cardiologie du Pont",
        COR_MSS=one.address or None,
        COR_TEL=one.phone or None,
        COR_VILLE=CITY,
    )
    return key
