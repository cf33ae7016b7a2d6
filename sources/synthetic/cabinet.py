"""The practice itself: its structures, professionals and correspondents, its calendar, and the partners who send documents.

Everything that exists before the first patient. Patients' records are made by `record` and its callers.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from transvase.sources.synthetic import vocabulary as words
from transvase.sources.synthetic.cda import Sender
from transvase.sources.synthetic.database import Database
from transvase.sources.synthetic.people import Register, luhn

# The arc that the OID registry keeps for examples: nobody's.
OID = "2.999.250.1"
FORMER_OID = "2.999.250.2"
# Days before the clock at which the practice moved from its former software, which fed the DMP, to Mirabelle 8.
CUT_OVER = 365
# The record goes back six years.
HISTORY = 6 * 365

HM = tuple(f"{m // 60:02d}:{m % 60:02d}" for m in range(1440))


class Calendar:
    """Days as ordinals, in the three forms of the product. Days of the last years are formatted once."""

    def __init__(self, clock: datetime) -> None:
        self.clock = clock
        self.today = clock.toordinal()
        self.cut_over = self.today - CUT_OVER
        self._first = self.today - HISTORY - 400
        self._iso = tuple(date.fromordinal(d).isoformat() for d in range(self._first, self.today + 200))

    def iso(self, day: int) -> str:
        """AAAA-MM-JJ."""
        at = day - self._first
        return self._iso[at] if 0 <= at < len(self._iso) else date.fromordinal(day).isoformat()

    def at(self, day: int, minute: int) -> str:
        """AAAA-MM-JJ HH:MM:SS."""
        return f"{self.iso(day)} {HM[minute]}:00"

    def number(self, day: int) -> int:
        """AAAAMMJJ as an integer."""
        text = self.iso(day)
        return int(text[:4] + text[5:7] + text[8:])

    def french(self, day: int) -> str:
        """JJ/MM/AAAA."""
        text = self.iso(day)
        return f"{text[8:]}/{text[5:7]}/{text[:4]}"

    def moment(self, day: int, minute: int) -> datetime:
        """The instant itself, local time."""
        return datetime.combine(date.fromordinal(day), datetime.min.time()).replace(
            hour=minute // 60, minute=minute % 60
        )


class Doctor(NamedTuple):
    """A professional of the practice: key, login, and how documents name them."""

    key: int
    login: str
    name: str
    sender: Sender


def rpps(rank: int) -> str:
    """An RPPS number with a valid key, in the range of test cards."""
    return luhn(f"9970099{rank:03d}")


def mailbox(given: str, family: str) -> str:
    """An MSSanté address under a domain that does not exist."""
    return f"{given}.{family}@exemple.mssante.fr".lower().replace("é", "e").replace("ï", "i")


STRUCTURES = (
    ("Maison de santé des Mirabelliers", "F", luhn("99000071"), "MSP", "12 rue des Mirabelliers", "54200", "Toul", "0300000010"),
    ("Cabinet annexe de la Moselotte", "S", luhn(luhn("99800072") + "0001"), "CAB", "3 place du Lac", "54300", "Lunéville", "0300000020"),
)  # fmt: skip
# Name, given, civility, title, specialty (local), national specialty, structure, years since departure (0: still there).
PEOPLE = (
    ("Vautrin", "Claire", "Mme", "Dr", "MG", "G15_10/SM26", 0, 0),
    ("Lefèvre", "Étienne", "M.", "Dr", "MG", "G15_10/SM26", 0, 0),
    ("Benali", "Nadia", "Mme", "Dr", "MG", "G15_10/SM54", 0, 0),
    ("Grosjean", "Paul", "M.", "Dr", "MG", "G15_10/SM26", 0, 2),
    ("Kerdoncuff", "Maëlle", "Mme", "", "SF", "G15_50", 1, 0),
    ("Thiébaut", "Romain", "M.", "", "IPA", "G15_60/SI01", 0, 0),
    ("Mangin", "Sylvie", "Mme", "", "SEC", "", 0, 0),
)


class Cabinet:
    """What every record needs: where rows go, what day it is, who works here, who writes from outside."""

    def __init__(self, database: Database, clock: datetime, seed: int) -> None:
        self.database = database
        self.calendar = Calendar(clock)
        self.register = Register()
        self.seed = seed
        self.structures: list[int] = []
        self.doctors: list[Doctor] = []
        self.correspondents: dict[str, int] = {}
        # Professionals, structures and correspondents of the planted defects, by kind: each is made once, when first needed.
        self.faulty: dict[str, Doctor] = {}
        self.senders: dict[str, Sender] = {}
        self._open()

    @property
    def midwife(self) -> Doctor:
        """The midwife, of the second structure."""
        return self.doctors[4]

    def _open(self) -> None:
        add = self.database.add
        for name, value in (
            ("VERSION", "8.0.1"),
            ("EDITEUR", "Verger Informatique"),
            ("REPRISE_LE", self.calendar.iso(self.calendar.cut_over)),
            ("REPRISE_DE", "Quetsche 3"),
            ("IMPRIMANTE", "HP-ACCUEIL"),
        ):
            add("T_PARAM", PRM_CLE=name, PRM_VAL=value)
        for rank, kind in enumerate(words.DOCUMENT_TYPES):
            add("T_TYPE_DOC", TYD_CODE=kind.code, TYD_LIB=kind.label, TYD_CLASSEUR=kind.binder, TYD_ORDRE=rank)
        for rank, (name, nature, number, sector, street, postal, city, phone) in enumerate(STRUCTURES):
            self.structures.append(
                add(
                    "T_STRUCT",
                    STR_NOM=name,
                    STR_ID_NAT=nature,
                    STR_ID_VAL=number,
                    STR_OID=OID if rank == 0 else f"{OID}.{rank}",
                    STR_SECT=sector,
                    STR_CADRE="AMB",
                    STR_ADR=street,
                    STR_CP=postal,
                    STR_VILLE=city,
                    STR_TEL=phone,
                    STR_MEL=f"secretariat{rank + 1}@mirabelliers.exemple",
                    STR_IBAN="FR7600000000000000000000097",
                )
            )
        for rank, (family, given, civility, title, local, national, at, gone) in enumerate(PEOPLE):
            login = f"{given[0]}{family}".lower()
            key = add(
                "T_INTERV",
                ITV_STR=self.structures[at],
                ITV_NOM=family,
                ITV_PREN=given,
                ITV_CIV=civility,
                ITV_TITRE=title or None,
                ITV_RPPS=rpps(100 + rank) if national else None,
                ITV_SPEC=local,
                ITV_TEL=STRUCTURES[at][7],
                ITV_SORTIE=self.calendar.number(self.calendar.today - 365 * gone) if gone else None,
                ITV_LOGIN=login,
                ITV_MDP_HASH=f"{rank * 2654435761 % 2**32:08x}",
                ITV_COUL_AGENDA="#%06x" % (rank * 1234567 % 2**24),
            )
            if national:
                sender = Sender(
                    STRUCTURES[at][0],
                    ("1" if STRUCTURES[at][1] == "F" else "3") + STRUCTURES[at][2],
                    OID if at == 0 else f"{OID}.{at}",
                    "8" + rpps(100 + rank),
                    family,
                    given,
                    "MME" if civility == "Mme" else "M",
                    national,
                    "SA52" if at == 0 else "SA07",
                    "AMBULATOIRE",
                    STRUCTURES[at][7],
                    STRUCTURES[at][4],
                    STRUCTURES[at][5],
                    STRUCTURES[at][6],
                )
                self.doctors.append(Doctor(key, login, f"{title} {given} {family}".strip(), sender))
        for rank, (local, organisation, family, given, prefix, specialty, facility, setting) in enumerate(PARTNERS):
            self.senders[local] = Sender(
                organisation,
                "1" + luhn(f"9900009{rank}"),
                f"2.999.250.3.{rank}",
                "8" + rpps(200 + rank),
                family,
                given,
                prefix,
                specialty,
                facility,
                setting,
                f"03000001{rank:02d}",
                f"{rank + 1} rue des Quatre-Églises",
                "54000",
                "Nancy",
            )
            self.correspondents[local] = add(
                "T_CORRESP",
                COR_RPPS=rpps(200 + rank),
                COR_NOM=family,
                COR_PREN=given,
                COR_SPEC=specialty,
                COR_STRUCT=organisation,
                COR_MSS=mailbox(given, family),
                COR_TEL=f"03000001{rank:02d}",
                COR_VILLE="Nancy",
                COR_FAX=f"03000002{rank:02d}",
            )


# Local name, structure, family, given, civility, national specialty, facility, setting.
PARTNERS = (
    ("laboratoire", "Laboratoire des Charmilles", "Ravenel", "Odile", "MME", "G15_10/SM03", "SA25", "AMBULATOIRE"),
    ("imagerie", "Centre d'imagerie des Ducs", "Thirion", "Paul", "M", "G15_10/SM44", "SA08", "AMBULATOIRE"),
    ("hopital", "Centre hospitalier de la Meurthe", "Valmont", "Inès", "MME", "G15_10/SM26", "SA01", "ETABLISSEMENT"),
    ("cardiologue", "Cabinet de cardiologie du Pont", "Castelnau", "Henri", "M", "G15_10/SM04", "SA07", "AMBULATOIRE"),
    ("maternite", "Clinique des Trois-Maisons", "Arnoult", "Léonie", "MME", "G15_10/SM20", "SA04", "ETABLISSEMENT"),
    ("infirmier", "Cabinet infirmier de la Côte", "Marchal", "Denis", "M", "G15_60", "SA08", "AMBULATOIRE"),
    ("pharmacie", "Pharmacie de la Place", "Collin", "Rose", "MME", "G15_21/A", "SA33", "AMBULATOIRE"),
    ("urgences", "Centre hospitalier de la Meurthe, urgences", "Noirel", "Ali", "M", "G15_10/SM26", "SA01", "ETABLISSEMENT"),
)  # fmt: skip
