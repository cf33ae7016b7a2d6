"""The record of one patient while it is being written: the verbs of a practice (see, note, prescribe, receive) as product rows.

Journeys tell a story with these verbs and `ordinary` draws a life with the same ones, so every record has the same shape.
Rows stay in memory, where `defects` may spoil them, until `save`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from transvase.sources.synthetic import bodies, cda
from transvase.sources.synthetic import vocabulary as words
from transvase.sources.synthetic.cabinet import FORMER_OID, Cabinet, Doctor
from transvase.sources.synthetic.cda import Result, Sender
from transvase.sources.synthetic.database import Cells
from transvase.sources.synthetic.people import TEST_OID, Person, ins_key, strict

# Kind of body: media type and file name ending, as the product files them.
FORMS = {
    "printed": ("application/pdf", "pdf"),
    "scanned": ("application/pdf", "pdf"),
    "cda": ("text/xml", "xml"),
    "biology": ("text/xml", "xml"),
    "rtf": ("application/rtf", "rtf"),
    "text": ("text/plain", "txt"),
    "ansi": ("text/plain", "txt"),
    "photo": ("image/jpeg", "jpg"),
    "fax": ("image/tiff", "tif"),
    "file": ("text/xml", "xml"),
}


class Body(NamedTuple):
    """What a body will be once written. `draw` in 0..1 chooses its size; `spoil` is how it is damaged, empty when it is not."""

    kind: str
    draw: float = 0.5
    pages: int = 1
    sender: Sender | None = None
    results: tuple[Result, ...] = ()
    qualified: bool = True
    data: bytes = b""
    spoil: str = ""


PRINTED = Body("printed")


class Record:
    """One patient's rows. Cells are the product's; keys are given when a row is made, so that rows can name each other."""

    __slots__ = ("cabinet", "closed_since", "key", "patient", "person", "rows")

    def __init__(self, cabinet: Cabinet, person: Person, *, opened: int, **cells: Any) -> None:
        """Open the record on day `opened` with an identity nobody has checked; `qualify` and `cells` say more."""
        self.cabinet = cabinet
        self.person = person
        self.rows: list[tuple[str, Cells]] = []
        # The national side closed the DMP after the practice last looked.
        self.closed_since = False
        self.key = cabinet.database.key("T_PATIENT")
        calendar = cabinet.calendar
        self.patient: Cells = {
            "PAT_ID": self.key,
            "PAT_NUM": f"M{self.key - 100_000:06d}",
            "PAT_NOM_NAIS": person.family,
            "PAT_PRENS_NAIS": " ".join(person.givens),
            "PAT_PREN1": person.givens[0],
            "PAT_NOM_USU": person.used_family or None,
            "PAT_SEXE": 1 if person.sex == "M" else 2,
            "PAT_DTN": f"{person.born:%d/%m/}{person.born.year:04d}",
            "PAT_DTN_INCERT": 0,
            "PAT_LIEU_COG": person.place.cog,
            "PAT_LIEU_LIB": person.place.label,
            "PAT_STATUT_ID": "PROV",
            "PAT_HOMONYME": 0,
            "PAT_DOUTEUX": 0,
            "PAT_FICTIF": 0,
            "PAT_PAYS": "FRANCE",
            "PAT_CREE": calendar.iso(opened),
            "PAT_SECRET": 0,
            "PAT_ARCHIVE": 0,
            "PAT_ALD": 0,
            "PAT_CAISSE": "541",
            **cells,
        }
        self.rows.append(("T_PATIENT", self.patient))

    def recover(self, day: int) -> None:
        """INSi was called on that day and gave one identity: matricule, OID and traits as INSi writes them."""
        person, patient = self.person, self.patient
        patient["PAT_INS"], patient["PAT_INS_OID"] = person.matricule, TEST_OID
        patient["PAT_INS_APPEL"], patient["PAT_INS_CR"] = self.cabinet.calendar.number(day), "00"
        if person.place.cog.startswith("99") and person.matricule[0] in "12":
            # Born abroad: known under a waiting matricule until the civil status was established.
            waiting = "78"[int(person.matricule[0]) - 1] + person.matricule[1:13]
            last = self.cabinet.calendar.iso(max(day - 400, 0))
            patient["PAT_INS_ANC"] = f"{waiting}{ins_key(waiting)},{TEST_OID},{person.born:%Y-%m-%d},{last}"
        patient["PAT_NOM_NAIS"], patient["PAT_PRENS_NAIS"] = strict(person.family), person.strict_givens
        patient["PAT_PREN1"], patient["PAT_LIEU_LIB"] = strict(person.givens[0]), strict(person.place.label)
        patient["PAT_STATUT_ID"] = "RECUP"

    def check(self, paper: str = "CNI") -> None:
        """A high-trust document was shown: with INSi the identity is qualified, without it only validated."""
        self.patient["PAT_PIECE"] = paper
        self.patient["PAT_STATUT_ID"] = "QUAL" if self.patient.get("PAT_INS_CR") == "00" else "VALI"

    def qualify(self, day: int, paper: str = "CNI") -> None:
        """Both steps on the same day, as it usually goes."""
        self.recover(day)
        self.check(paper)

    @property
    def qualified(self) -> bool:
        """Whether the product holds both facts."""
        return self.patient.get("PAT_INS_CR") == "00" and self.patient.get("PAT_PIECE") is not None

    def add(self, table: str, **cells: Any) -> Cells:
        """A row of the record, with its key and nothing else than what is given."""
        database = self.cabinet.database
        cells[database.key_column[table]] = database.key(table)
        self.rows.append((table, cells))
        return cells

    def of(self, table: str) -> list[Cells]:
        """The rows of a table, in the order they were made."""
        return [cells for name, cells in self.rows if name == table]

    # Verbs of the practice. Days are ordinals; minutes count from midnight.

    def visit(self, day: int, minute: int, doctor: Doctor, reason: str, *, where: str = "C", coded: str = "G") -> int:
        """A consultation (C), home visit (D) or remote one (T); its key."""
        calendar = self.cabinet.calendar
        act = self.add(
            "T_ACTE",
            ACT_PAT=self.key,
            ACT_ITV=doctor.key,
            ACT_DT=calendar.iso(day),
            ACT_HR_DEB=calendar.at(day, minute)[11:16],
            ACT_HR_FIN=calendar.at(day, minute + 17)[11:16],
            ACT_LIEU=where,
            ACT_MOTIF=reason,
            ACT_COTATION=coded,
            ACT_VERROU=1,
        )
        self.add(
            "T_FACTURE",
            FAC_PAT=self.key,
            FAC_DT=calendar.number(day),
            FAC_LIB=f"Acte {coded}",
            FAC_MT=3000,
            FAC_TIERS=0,
        )
        key: int = act["ACT_ID"]
        return key

    def note(self, act: int, day: int, minute: int, doctor: Doctor, text: str, *, rich: bool = False) -> Cells:
        """A consultation note, in RTF when `rich`."""
        return self.add(
            "T_NOTE",
            NOT_PAT=self.key,
            NOT_ITV=doctor.key,
            NOT_ACT=act,
            NOT_DT=self.cabinet.calendar.at(day, minute),
            NOT_TITRE="Consultation",
            NOT_TXT=bodies.rtf([text]) if rich else text,
            NOT_FORMAT="R" if rich else "T",
            NOT_SUPPR=0,
        )

    def measure(self, act: int, day: int, minute: int, code: str, value: str) -> None:
        """A measure taken during a visit; `value` with a decimal comma."""
        label, unit = words.MEASURES[code]
        self.add(
            "T_CONST",
            CST_PAT=self.key,
            CST_ACT=act,
            CST_COD=code,
            CST_LIB=label,
            CST_VAL=value,
            CST_UNIT=unit,
            CST_DT=self.cabinet.calendar.at(day, minute),
        )

    def problem(
        self, heading: str, code: str | None, label: str, *, onset: str | None, seen: int, state: str = "O"
    ) -> Cells:
        """A line of history; `onset` in the product's partial forms."""
        return self.add(
            "T_ATCD",
            ATD_PAT=self.key,
            ATD_ITV=self.patient.get("PAT_MT"),
            ATD_RUB=heading,
            ATD_COD=code,
            ATD_NOM="CIM" if code else None,
            ATD_LIB=label,
            ATD_ETAT=state,
            ATD_DEB=onset,
            ATD_SAISIE=self.cabinet.calendar.at(seen, 600),
            ATD_CONFID=0,
        )

    def allergy(
        self, line: tuple[str | None, str | None, str, str | None, int | None], *, seen: int, state: str = "O"
    ) -> None:
        """An allergy of the vocabulary, affirmed (O) or denied (N)."""
        code, system, label, reaction, severity = line
        self.add(
            "T_ALLERG",
            ALG_PAT=self.key,
            ALG_ITV=self.patient.get("PAT_MT"),
            ALG_COD=code,
            ALG_NOM=system,
            ALG_LIB=label,
            ALG_REACT=reaction,
            ALG_GRAV=severity,
            ALG_ETAT=state,
            ALG_SAISIE=self.cabinet.calendar.at(seen, 605),
        )

    def treat(self, drug: words.Drug, *, since: int, until: int | None = None, doctor: Doctor | None = None) -> None:
        """A treatment taken, going on while `until` is None."""
        calendar = self.cabinet.calendar
        self.add(
            "T_TTT",
            TTT_PAT=self.key,
            TTT_ITV=doctor.key if doctor else None,
            TTT_COD=drug.code,
            TTT_NOM=drug.system,
            TTT_LIB=drug.label,
            TTT_POSO=drug.dosage,
            TTT_DEB=calendar.number(since),
            TTT_FIN=calendar.number(until) if until else None,
            TTT_FOND=int(drug.long_term),
            TTT_ETAT="O",
        )

    def relative(self, link: str, family: str, given: str, *, legal: bool = False, phone: str | None = None) -> None:
        """A relative, guardian, trusted person."""
        self.add(
            "T_PROCHE",
            PRO_PAT=self.key,
            PRO_LIEN=link,
            PRO_REP_LEGAL=int(legal),
            PRO_NOM=family,
            PRO_PREN=given,
            PRO_TEL=phone,
        )

    def sign(self, document: Cells) -> None:
        """Say who withheld or restricted a document made here, and when, as the product does with each of these acts."""
        if document["DOC_ITV"] is None:
            return
        for acts, author, when in (
            (("DOC_NT_MOTIF",), "DOC_NT_ITV", "DOC_NT_DT"),
            (("DOC_MASQ_PS", "DOC_INV_PAT", "DOC_INV_REP"), "DOC_CONF_ITV", "DOC_CONF_DT"),
        ):
            if any(document.get(a) for a in acts):
                document.setdefault(author, document["DOC_ITV"])
                document.setdefault(when, document["DOC_CREE"])

    def document(
        self,
        kind: str,
        day: int,
        minute: int,
        *,
        doctor: Doctor | None = None,
        partner: str = "",
        act: int | None = None,
        title: str = "",
        body: Body = PRINTED,
        **cells: Any,
    ) -> Cells:
        """A document with its first version: made here when `doctor` is given, else received from `partner` or the patient."""
        calendar = self.cabinet.calendar
        declared = words.TYPES[kind]
        origin = "I" if doctor else "E" if partner else "P"
        sender = doctor.sender if doctor else self.cabinet.senders[partner] if partner else None
        document = self.add(
            "T_DOC",
            DOC_PAT=self.key,
            DOC_ITV=doctor.key if doctor else None,
            DOC_ACT=act,
            DOC_TYPE=kind,
            DOC_TITRE=title or declared.label,
            DOC_ORIG=origin,
            DOC_AUT_EXT=f"{sender.given} {sender.family}, {sender.organisation}" if sender and not doctor else None,
            DOC_DT=calendar.iso(day),
            DOC_HR=calendar.at(day, minute)[11:16],
            DOC_CREE=calendar.at(day, minute + 5),
            DOC_HOSPI="N",
            DOC_EP="N",
            DOC_GENET="N",
            DOC_MASQ_PS=0,
            DOC_INV_PAT=0,
            DOC_INV_REP=0,
            DOC_DMP="J",
            DOC_SUPPR="N",
            DOC_COR=self.cabinet.correspondents.get(partner),
            DOC_CLASSEUR=declared.binder,
            DOC_LU=1,
        )
        document.update(cells)
        self.sign(document)
        self.version(document, day, minute + 5, body if body.sender else body._replace(sender=sender))
        return document

    def version(self, document: Cells, day: int, minute: int, body: Body) -> Cells:
        """A stored version of a document, after those it already has."""
        rank = 1 + sum(1 for name, c in self.rows if name == "T_DOC_CONTENU" and c["CNT_DOC"] == document["DOC_ID"])
        media, ending = FORMS[body.kind]
        return self.add(
            "T_DOC_CONTENU",
            CNT_DOC=document["DOC_ID"],
            CNT_VERS=rank,
            CNT_DT=self.cabinet.calendar.at(day, minute),
            CNT_MIME=media,
            CNT_NOM=f"{document['DOC_TYPE']}_{document['DOC_ID']}_{rank}.{ending}",
            CNT_CRC=document["DOC_ID"] * 2654435761 % 2**31,
            CNT_BLOB=body,
        )

    def fed(self, document: Cells, day: int, *, state: str = "E", oid: str = FORMER_OID, minute: int = 1260) -> None:
        """What a software (the former one by default) says it did: fed (E), or fed then deleted (S)."""
        number = document["DOC_ID"]
        document["DOC_DMP"] = state
        document["DOC_DMP_UID"] = f"{oid}.{number}.1"
        document["DOC_DMP_UUID"] = f"urn:uuid:{cda.uuid_of(number, 9).lower()}"
        document["DOC_DMP_DT"] = self.cabinet.calendar.at(day, minute)

    def order(
        self,
        nature: str,
        document: Cells,
        day: int,
        minute: int,
        doctor: Doctor,
        act: int,
        lines: list[words.Drug | words.Analyte | str],
    ) -> None:
        """A prescription behind its document: medicines (M), biology (B), imaging (I), care (S)."""
        order = self.add(
            "T_ORDO",
            ORD_PAT=self.key,
            ORD_ITV=doctor.key,
            ORD_ACT=act,
            ORD_DOC=document["DOC_ID"],
            ORD_NAT=nature,
            ORD_DT=self.cabinet.calendar.at(day, minute),
            ORD_NUM_EPRES=f"EP{document['DOC_ID']}"
            if nature == "M" and day >= self.cabinet.calendar.cut_over
            else None,
            **self._forms(nature, lines, day),
        )
        for line in lines:
            cells: Cells = {"OLI_PAT": self.key, "OLI_ORD": order["ORD_ID"]}
            if isinstance(line, words.Drug):
                cells.update(
                    OLI_COD=line.code,
                    OLI_NOM=line.system,
                    OLI_LIB=line.label,
                    OLI_POSO=line.dosage,
                    OLI_DUREE="3 mois" if line.long_term else "7 jours",
                    OLI_RENOUV=2 if line.long_term else 0,
                    OLI_ALD=int(line.long_term),
                    **self._dispensing(line, day),
                )
            elif isinstance(line, words.Analyte):
                cells.update(
                    OLI_COD=line.code, OLI_NOM="LOINC", OLI_LIB=line.label.split(" [")[0], OLI_RENOUV=0, OLI_ALD=0
                )
            else:
                cells.update(OLI_LIB=line, OLI_RENOUV=0, OLI_ALD=0)
            self.add("T_ORDO_LIG", **cells)

    def _forms(self, nature: str, lines: list[words.Drug | words.Analyte | str], day: int) -> Cells:
        """The form that an order is written on, and until when it holds: three months for medicines, a year for the rest."""
        of_drugs = nature == "M"
        return {
            "ORD_FIN": self.cabinet.calendar.iso(day + (91 if of_drugs else 365)),
            "ORD_BIZONE": int(any(isinstance(line, words.Drug) and line.long_term for line in lines)),
            "ORD_EXCEPT": 0,
            "ORD_SECUR": 0,
            "ORD_URG": 0,
            "ORD_DOMIC": int(nature == "S"),
        }

    def _dispensing(self, drug: words.Drug, day: int) -> Cells:
        """What the product asks of a line of medicines: its dose when it is a plain number of intakes a day, quantity, boxes ticked."""
        calendar = self.cabinet.calendar
        cells: Cells = {
            "OLI_QTE": "3" if drug.long_term else "1",
            "OLI_QTE_U": "boîte",
            "OLI_NON_SUBST": int(drug.code == "H03AA01"),
            "OLI_NS_MOTIF": "Marge thérapeutique étroite" if drug.code == "H03AA01" else None,
            "OLI_AT": 0,
            "OLI_PREV": 0,
            "OLI_NR": 0,
            "OLI_HORS_AMM": 0,
            "OLI_DEB": calendar.iso(day),
            "OLI_FIN": calendar.iso(day + (90 if drug.long_term else 6)),
            "OLI_VOIE": drug.route,
            "OLI_CONSIGNE": "Ne pas interrompre sans avis médical" if drug.long_term else None,
            "OLI_NOTE_PHARMA": "Délivrer par mois" if drug.long_term else None,
        }
        if drug.daily:
            cells.update(OLI_DOSE="1", OLI_DOSE_U=drug.unit, OLI_NB=drug.daily, OLI_PER="1", OLI_PER_U="J")
        return cells

    def result(
        self, document: Cells | None, day: int, minute: int, analyte: words.Analyte, value: float | str, **cells: Any
    ) -> Result:
        """A laboratory result in the product's table; the same line for the report. `value` may already be text."""
        text = value if isinstance(value, str) else f"{max(value, analyte.low / 3):.{analyte.decimals}f}"
        number = float(text)
        flag = "L" if number < analyte.low else "H" if number > analyte.high else "N"
        low, high = f"{analyte.low:.{analyte.decimals}f}", f"{analyte.high:.{analyte.decimals}f}"
        self.add(
            "T_BIO",
            **{
                "BIO_PAT": self.key,
                "BIO_DOC": document["DOC_ID"] if document else None,
                "BIO_COD": analyte.code,
                "BIO_NOM": "LOINC",
                "BIO_LIB": analyte.label,
                "BIO_VAL": text.replace(".", ","),
                "BIO_UNIT": analyte.unit,
                "BIO_INF": low.replace(".", ","),
                "BIO_SUP": high.replace(".", ","),
                "BIO_INTERP": {"L": "B", "H": "H", "N": "N"}[flag],
                "BIO_DT": self.cabinet.calendar.number(day),
                "BIO_HR": minute // 60 * 100 + minute % 60,
                "BIO_CORRIGE": 0,
                "BIO_LABO": "CHARMILLES",
                "BIO_CHAP": analyte.chapter,
                "BIO_PREL": analyte.specimen,
                "BIO_EXAM": analyte.panel,
                "BIO_TECH": analyte.method,
                "BIO_VALID": "Dr Odile Ravenel",
                "BIO_VALID_DT": self.cabinet.calendar.at(day, minute + 180),
                **cells,
            },
        )
        return Result(analyte.code, analyte.label, text, analyte.unit, low, high, flag)

    def appointment(self, day: int, minute: int, doctor: Doctor, state: str, label: str | None = None) -> Cells:
        """An appointment of twenty minutes: planned (P), came (V), cancelled (A), did not come (L)."""
        calendar = self.cabinet.calendar
        return self.add(
            "T_RDV",
            RDV_PAT=self.key,
            RDV_ITV=doctor.key,
            RDV_DEB=calendar.at(day, minute)[:16],
            RDV_FIN=calendar.at(day, minute + 20)[:16],
            RDV_ETAT=state,
            RDV_LIB=label,
            RDV_SUPPR=0,
            RDV_ORIGINE="WEB" if minute % 2 else "SECRETARIAT",
        )

    def trace(self, day: int, minute: int, login: str, action: str, what: str) -> None:
        """An access to the record."""
        self.add(
            "T_TRACE",
            TRC_PAT=self.key,
            TRC_LOGIN=login,
            TRC_DT=self.cabinet.calendar.at(day, minute),
            TRC_ACTION=action,
            TRC_OBJET=what,
            TRC_POSTE="PC-03",
        )

    def object(
        self,
        scope: str,
        day: int,
        doctor: Doctor,
        *,
        document: Cells | None = None,
        against: Doctor | None = None,
        reason: str | None = None,
    ) -> Cells:
        """An objection of the patient: to the DMP (D), to professionals' messages (P), to the patient's own (C), to all (T); about one
        document, or the documents of one professional."""
        return self.add(
            "T_OPPOS",
            OPP_PAT=self.key,
            OPP_DOC=document["DOC_ID"] if document else None,
            OPP_ITV_VISE=against.key if against else None,
            OPP_PORTEE=scope,
            OPP_DT=self.cabinet.calendar.at(day, 660),
            OPP_ITV=doctor.key,
            OPP_MOTIF=reason,
        )

    def save(self, *, with_bodies: bool, size: int | None) -> None:
        """Write every row; bodies are made now, one at a time."""
        put = self.cabinet.database.put
        documents: dict[int, Cells] = {}
        for table, cells in self.rows:
            if table == "T_DOC":
                documents[cells["DOC_ID"]] = cells
            elif table == "T_DOC_CONTENU":
                body = cells["CNT_BLOB"]
                if not isinstance(body, bytes | str):
                    made = self._made(body, documents.get(cells["CNT_DOC"], {}), cells, size) if with_bodies else None
                    cells["CNT_BLOB"] = body = made
                if body is not None:
                    cells.setdefault("CNT_TAILLE", len(body if isinstance(body, bytes) else body.encode()))
            put(table, cells)

    def _made(self, body: Body, document: Cells, content: Cells, size: int | None) -> bytes | str:
        key: int = content["CNT_ID"]
        kind = body.kind
        if kind == "file":
            return body.data
        if kind == "photo":
            data = bodies.stamped(bodies.photographs()[key % 4], key)
        elif kind == "fax":
            data = bodies.stamped(bodies.faxes()[key % 3], key)
        else:
            lines = self._lines(document, content)
            if kind == "rtf":
                data = bodies.rtf(lines).encode("ascii")
            elif kind == "text":
                data = "\r\n".join(lines).encode()
            elif kind == "ansi":
                data = "\r\n".join(lines).encode("cp1252", "replace")
            else:
                mean = size or (bodies.SCANNED if kind == "scanned" else bodies.PRINTED)
                image = bodies.pool(mean)[int(body.draw * bodies.STEPS)]
                data = bodies.pdf(lines, body.pages, image)
                if kind in ("cda", "biology"):
                    data = self._cda(body, document, content, data)
        return spoiled(data, body.spoil)

    def _lines(self, document: Cells, content: Cells) -> list[str]:
        """The text of a document: who, for whom, when, then prose that depends on its number."""
        key: int = content["CNT_ID"]
        person = self.person
        start = key % len(words.PARAGRAPHS)
        return [
            str(document.get("DOC_AUT_EXT") or "Maison de santé des Mirabelliers"),
            "",
            str(document.get("DOC_TITRE")),
            f"Patient : {person.used_family or person.family} {person.givens[0]}, dossier {self.patient['PAT_NUM']}",
            f"Document n° {document.get('DOC_ID')}, version {content['CNT_VERS']}, du {document.get('DOC_DT')}",
            "",
            *(words.PARAGRAPHS[(start + 3 * i) % len(words.PARAGRAPHS)] for i in range(4)),
        ]

    def _cda(self, body: Body, document: Cells, content: Cells, pdf: bytes) -> bytes:
        sender = body.sender or self.cabinet.doctors[0].sender
        moment = datetime.strptime(content["CNT_DT"], "%Y-%m-%d %H:%M:%S")
        number: int = document["DOC_ID"]
        version: int = content["CNT_VERS"]
        if body.kind == "biology":
            return cda.biology(
                sender,
                self.person,
                pdf,
                list(body.results),
                number=number,
                version=version,
                act=moment,
                qualified=body.qualified,
            )
        return cda.level_1(
            sender,
            self.person,
            pdf,
            number=number,
            version=version,
            type_code=words.TYPES[document["DOC_TYPE"]].national,
            title=document["DOC_TITRE"],
            act=moment,
            qualified=body.qualified,
        )


def spoiled(data: bytes, how: str) -> bytes:
    """The body as it was damaged: emptied, cut in two, reduced to its first bytes, or made ill-formed."""
    if how == "empty":
        return b""
    if how == "cut":
        return data[: len(data) // 2]
    if how == "head":
        return data[:20]
    if how == "unclosed":
        return data.replace(b"</recordTarget>", b"", 1)
    return data
