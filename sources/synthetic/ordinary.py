"""An ordinary patient's life in the practice, drawn at random: identity status, visits, documents, results.

Each patient has a generator of random numbers of its own, from the seed and the rank, so the thousandth patient is the same in a
practice of one thousand and of one hundred thousand.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

from transvase.model.codes.mandated_documents import CODES as MANDATED
from transvase.sources.synthetic import vocabulary as words
from transvase.sources.synthetic.cabinet import HISTORY, OID, Cabinet, Doctor
from transvase.sources.synthetic.database import Cells
from transvase.sources.synthetic.people import draw_person, visits_a_year
from transvase.sources.synthetic.record import Body, Record

# What a visit of the given age leaves as a document made here: cumulated shares.
CHILD = (
    (0.30, "ORDO_MED"),
    (0.50, "CERT_ENF"),
    (0.62, "CERTIF"),
    (0.78, "NOTE_VAC"),
    (0.90, "CRT_ADR"),
    (1.0, "DEM_IMG"),
)
ADULT = (
    (0.40, "ORDO_MED"), (0.55, "ORDO_BIO"), (0.65, "DEM_IMG"), (0.76, "CRT_ADR"), (0.85, "CERTIF"), (0.90, "ARRET_TRAV"),
    (0.925, "ORDO_KINE"), (0.945, "ORDO_IDE"), (0.965, "CR_CONS"), (0.98, "VSM"), (0.987, "DECL_AT"), (0.991, "PROT_ALD"),
    (0.995, "LDL_ENT"), (0.998, "FICHE_INT"), (1.0, "PETITE_CHIR"),
)  # fmt: skip
# What comes from outside, with the partner who sends it.
RECEIVED = (
    (0.44, "CR_BIO", "laboratoire"), (0.62, "CR_IMG", "imagerie"), (0.80, "CR_SPE", "cardiologue"),
    (0.85, "LDL_SOR", "hopital"), (0.88, "CR_HOSP", "hopital"), (0.91, "CR_URG", "urgences"), (0.93, "CR_OPE", "maternite"),
    (0.945, "CR_ACP", "laboratoire"), (0.95, "CR_GEN", "laboratoire"), (0.965, "OBS_IDE", "infirmier"),
    (0.98, "ORDO_EXT", "hopital"), (0.992, "DOC_EXT", "hopital"), (1.0, "DEVIS", "pharmacie"),
)  # fmt: skip
HOSPITAL = {"LDL_SOR", "CR_HOSP", "CR_URG", "CR_OPE"}
# Forms of bodies: cumulated shares for what is made here and for what arrives.
MADE_HERE = ((0.90, "printed"), (0.96, "rtf"), (0.98, "text"), (1.0, "ansi"))
ARRIVED = (
    (0.62, "scanned"), (0.76, "printed"), (0.86, "cda"), (0.91, "rtf"), (0.94, "photo"), (0.97, "fax"), (0.985, "text"), (1.0, "ansi"),
)  # fmt: skip
ORDERS = {"ORDO_MED": "M", "ORDO_BIO": "B", "DEM_IMG": "I", "ORDO_KINE": "S", "ORDO_IDE": "S"}
CARE = {
    "DEM_IMG": "Radiographie du genou, face et profil",
    "ORDO_KINE": "Rééducation du rachis lombaire, 10 séances",
    "ORDO_IDE": "Pansement simple à domicile, 7 jours",
}


@lru_cache(maxsize=256)
def obligation(national: str) -> str | None:
    """Day (ISO) from which a national type must be fed: empty when always, None when never."""
    dates = [row.effective_from for row in MANDATED.values() if national in row.type_codes and row.dmp != "false"]
    return min(dates, default=None) if national else None


def _one(shares: tuple[tuple[float, str], ...], at: float) -> str:
    return next(name for top, name in shares if at < top)


def patient(cabinet: Cabinet, index: int) -> tuple[Record, Random]:
    """The whole record of patient number `index`, not yet saved, and its generator for what comes after."""
    rng = Random(cabinet.seed * 1_000_003 + index)  # noqa: S311
    draw = rng.random
    calendar = cabinet.calendar
    person = draw_person(rng, cabinet.register, calendar.clock.date(), index + 1)
    age = calendar.clock.year - person.born.year
    since = min(int(120 + draw() * (HISTORY - 120)), calendar.today - person.born.toordinal())
    doctor = cabinet.doctors[int(draw() * 3)]
    record = Record(cabinet, person, opened=calendar.today - since, PAT_MT=doctor.key)
    _identity(record, rng, since)
    _household(record, rng, age)
    _background(record, rng, age, doctor)
    # People come more now than when they joined, and half of what is on file is from the last year.
    visits = min(int(visits_a_year(age) * since / 365 * 0.85 + draw() * 2) + 1, 26)
    for day in sorted(calendar.today - 1 - int((since - 2) * draw() ** 2.6) for _ in range(visits)):
        _visit(record, rng, day, age, _who(cabinet, doctor, day, draw()))
    if draw() < 0.3:
        record.appointment(calendar.today + 1 + int(draw() * 60), 540 + int(draw() * 480), doctor, "P", "Consultation")
    if draw() < 0.015:
        record.object(
            "DPCT"[int(draw() * 4)],
            calendar.today - int(draw() * since),
            doctor,
            reason=words.OBJECTION_REASONS[index % 3],
        )
    return record, rng


def _who(cabinet: Cabinet, usual: Doctor, day: int, at: float) -> Doctor:
    """The usual doctor, a colleague, or the one who has left since (two years before the clock)."""
    if at < 0.8:
        return usual
    if at > 0.93 and day < cabinet.calendar.today - 2 * 365:
        return cabinet.doctors[3]
    return cabinet.doctors[int(at * 1000) % 3]


def _identity(record: Record, rng: Random, since: int) -> None:
    """Status by facts (call to INSi, document shown), then what the practice knows of the DMP, address and telecom."""
    draw, calendar, cells = rng.random, record.cabinet.calendar, record.patient
    at = draw()
    day = calendar.today - int(draw() * since * 0.8)
    if at < 0.92:
        if at < 0.87:
            record.recover(day)
        if at < 0.81 or at >= 0.87:
            record.check(("CNI", "PASS", "SEJ", "AN")[int(draw() ** 3 * 4)])
    # The label is kept by hand: one in twelve says VALI, which users read as "the INS is fine".
    if record.qualified and draw() < 0.08:
        cells["PAT_STATUT_ID"] = "VALI"
    known = draw()
    if known < 0.90:
        cells["PAT_DMP"] = "O" if known < 0.84 else "N" if known < 0.88 else "F"
        cells["PAT_DMP_DT"] = calendar.number(calendar.today - int(draw() * min(since, 300)))
    home = words.RESIDENCES[int(draw() * len(words.RESIDENCES))]
    number = int(draw() * 90) + 1
    cells["PAT_ADR"] = f"{number} {words.STREETS[number % len(words.STREETS)]}"
    cells["PAT_CP"], cells["PAT_VILLE"] = home.postal, home.label
    # Numbers that the regulator keeps for fiction.
    cells["PAT_PORT"] = f"063998{int(draw() * 10000):04d}"
    if draw() < 0.4:
        cells["PAT_TEL"] = f"036391{int(draw() * 10000):04d}"
    if draw() < 0.5:
        cells["PAT_MEL"] = f"patient{record.key}@courriel.exemple"
    if draw() < 0.02:
        cells["PAT_DECES"] = calendar.french(calendar.today - int(draw() * min(since, 300)))
    if draw() < 0.06 and len(record.person.givens) > 1:
        cells["PAT_PREN_USU"] = record.person.givens[1]
    if draw() < 0.3:
        cells["PAT_MUTUELLE"] = "MUTUELLE DES MIRABELLES"
    if draw() < 0.01:
        # A picture of the patient: no canonical column has a place for it.
        cells["PAT_PHOTO"] = rng.randbytes(400)
    if draw() < 0.05:
        cells["PAT_ALERTE"] = "Allergie à vérifier avant toute prescription"


def _household(record: Record, rng: Random, age: int) -> None:
    """Parents of a minor, trusted person of the old, occupation of the others."""
    draw, person = rng.random, record.person
    if age < 18:
        mother = words.FAMILIES[int(draw() * len(words.FAMILIES))]
        record.relative("MER", mother, "Claire", legal=True, phone=f"063998{int(draw() * 10000):04d}")
        if draw() < 0.8:
            record.relative("PER", person.family, "Julien", legal=True)
        return
    record.patient["PAT_PROF"] = words.OCCUPATIONS[0 if age > 65 else 1 + int(draw() * (len(words.OCCUPATIONS) - 1))]
    if age > 70 and draw() < 0.4:
        record.relative(
            "PCF" if draw() < 0.7 else "URG", person.family, "Anne", phone=f"063998{int(draw() * 10000):04d}"
        )
    if age > 85 and draw() < 0.1:
        record.relative("TUT", "Association tutélaire du Toulois", "", legal=True)


def _background(record: Record, rng: Random, age: int, doctor: Doctor) -> None:
    """History, allergies (affirmed, denied or nothing), treatments, risk factors, vaccines."""
    draw, calendar = rng.random, record.cabinet.calendar
    year = calendar.clock.year
    born = record.person.born.year
    seen = calendar.today - 30 - int(draw() * 300)
    for code, label, heading, least in words.PROBLEMS:
        if age >= least and draw() < (0.05 if age < 40 else 0.12):
            when = max(born + least, year - int(draw() * 15))
            form = draw()
            onset = f"{when}" if form < 0.5 else f"{int(draw() * 12) + 1:02d}/{when}"
            line = record.problem(heading, code, label, onset=onset if form < 0.95 else None, seen=seen)
            if heading == "A" and draw() < 0.3:
                line["ATD_FIN"] = str(min(year, when + 2))
    if draw() < 0.06:
        record.problem("P", "E11.9", "Diabète sucré de type 2, sans complication", onset=None, seen=seen, state="N")
    at = draw()
    if at < 0.2:
        record.allergy(words.ALLERGIES[int(draw() * len(words.ALLERGIES))], seen=seen)
    elif at < 0.45:
        record.allergy((None, None, "Aucune allergie connue", None, None), seen=seen, state="N")
    if age > 40:
        for drug in words.DRUGS:
            if drug.long_term and draw() < 0.2:
                record.treat(drug, since=calendar.today - int(draw() * 1500), doctor=doctor)
    if age > 15 and draw() < 0.5:
        smokes = draw() < 0.3
        record.add(
            "T_FDR",
            FDR_PAT=record.key,
            FDR_NAT="TAB",
            FDR_LIB="Tabac",
            FDR_VAL=f"{int(draw() * 20) + 1} cigarettes par jour" if smokes else None,
            FDR_ETAT="O" if smokes else "N",
            FDR_SAISIE=calendar.at(seen, 610),
        )
    for code, label, doses in words.VACCINES[:2] if age < 18 else words.VACCINES[2:5]:
        if draw() < 0.35:
            for rank in range(1, doses + 1):
                _vaccinate(record, rng, code, label, rank, doctor, age, doses)


def _vaccinate(
    record: Record, rng: Random, code: str, label: str, rank: int, doctor: Doctor, age: int, doses: int
) -> None:
    calendar = record.cabinet.calendar
    first = record.person.born.toordinal() + 60 if age < 18 else calendar.today - 1200
    day = min(calendar.today - 1, first + rank * max(60, (calendar.today - first) // (doses + 1)))
    record.add(
        "T_VACCIN",
        VAC_PAT=record.key,
        VAC_ITV=doctor.key,
        VAC_COD=code,
        VAC_NOM="ATC",
        VAC_LIB=label,
        VAC_LOT=f"L{int(rng.random() * 100000):05d}",
        VAC_DT=calendar.french(day),
        VAC_RANG=rank,
        VAC_ETAT="O",
        VAC_SITE="Deltoïde gauche" if rank % 2 else "Deltoïde droit",
        VAC_RAPPEL=int(rank == doses and doses > 2),
        VAC_VOIE="Voie intramusculaire",
        VAC_PAR="Infirmière du cabinet" if rank % 3 == 0 else None,
        VAC_REACTION="Rougeur au point d'injection" if rank == 2 else None,
        VAC_NOTE="Prochaine dose à programmer" if rank < doses else None,
    )


def _visit(record: Record, rng: Random, day: int, age: int, doctor: Doctor) -> None:
    """A visit and what it leaves, at once or some days later."""
    draw, calendar = rng.random, record.cabinet.calendar
    minute = 480 + int(draw() * 630)
    reason = words.REASONS[int(draw() * len(words.REASONS))]
    at = draw()
    where = "C" if at < 0.9 else "D" if at < 0.96 else "T"
    act = record.visit(day, minute, doctor, reason, where=where, coded="G" if where != "T" else "TCG")
    if draw() < 0.6:
        record.appointment(day, minute, doctor, "V")
    elif draw() < 0.1:
        record.appointment(max(day - 3, 1), minute, doctor, "L" if draw() < 0.5 else "A")
    if draw() < 0.5:
        record.trace(day, minute + 1, doctor.login, "LEC" if draw() < 0.7 else "MOD", "DOSSIER")
    if draw() < 0.7:
        record.note(act, day, minute + 15, doctor, words.NOTES[int(draw() * len(words.NOTES))], rich=draw() < 0.25)
    if draw() < 0.01:
        record.add(
            "T_NOTE_PERSO",
            NPE_PAT=record.key,
            NPE_ITV=doctor.key,
            NPE_ACT=act,
            NPE_DT=calendar.at(day, minute + 16),
            NPE_TITRE="Pense-bête",
            NPE_TXT="À revoir seul, situation familiale tendue.",
        )
    if where != "T" and draw() < 0.55:
        _measures(record, rng, act, day, minute + 5, age)
    if draw() < 0.74:
        _document(record, rng, act, day, minute + 10, age, doctor)
    if draw() < 0.40:
        _arrival(record, rng, min(calendar.today - 1, day + int(draw() * 12)))
    if draw() < 0.02:
        kind = ("DOC_PAT", "MUTUELLE", "DIR_ANT")[int(draw() * 3)] if age >= 18 else "DOC_PAT"
        record.document(kind, day, minute, body=Body("scanned", draw(), 1))


def _measures(record: Record, rng: Random, act: int, day: int, minute: int, age: int) -> None:
    draw = rng.random
    if age < 18:
        years = max(0.1, (day - record.person.born.toordinal()) / 365.25)
        record.measure(act, day, minute, "POIDS", f"{3.4 + years * 2.9 + draw() * 2:.1f}".replace(".", ","))
        record.measure(act, day, minute, "TAILLE", f"{min(178.0, 52 + years * 7.4 + draw() * 4):.0f}")
        return
    record.measure(act, day, minute, "TAS", f"{112 + int(draw() * 45)}")
    record.measure(act, day, minute, "TAD", f"{62 + int(draw() * 30)}")
    if draw() < 0.4:
        record.measure(act, day, minute, "POIDS", f"{55 + draw() * 40:.1f}".replace(".", ","))


def _document(record: Record, rng: Random, act: int, day: int, minute: int, age: int, doctor: Doctor) -> None:
    """A document made here, with the prescription behind it and what was done with it."""
    draw = rng.random
    kind = _one(CHILD if age < 12 else ADULT, draw())
    pages = 1 if draw() < 0.85 else 2
    body = Body(_one(MADE_HERE, draw()), draw(), pages)
    document = record.document(kind, day, minute, doctor=doctor, act=act, body=body)
    nature = ORDERS.get(kind)
    if nature == "M":
        first = int(draw() * len(words.DRUGS))
        lines: list[words.Drug | words.Analyte | str] = [
            words.DRUGS[(first + i) % len(words.DRUGS)] for i in range(1 + int(draw() * 3))
        ]
        record.order(nature, document, day, minute, doctor, act, lines)
    elif nature == "B":
        first = int(draw() * len(words.ANALYTES))
        record.order(
            nature,
            document,
            day,
            minute,
            doctor,
            act,
            [words.ANALYTES[(first + i) % len(words.ANALYTES)] for i in range(3)],
        )
    elif nature:
        record.order(nature, document, day, minute, doctor, act, [CARE[kind]])
    _unsaid(record, document, rng)
    _fate(record, document, rng, day, kind)
    if draw() < 0.02:
        record.version(
            document, min(record.cabinet.calendar.today - 1, day + 2), minute + 30, body._replace(draw=draw())
        )


def _unsaid(record: Record, document: Cells, rng: Random) -> None:
    """Flags of exclusion and visibility: mostly no, sometimes yes, sometimes nothing was ticked."""
    draw = rng.random
    at = draw()
    if at < 0.03:
        document["DOC_HOSPI"] = None
    elif at < 0.045:
        document["DOC_HOSPI"] = "O"
    elif at < 0.06 and document["DOC_TYPE"] == "ORDO_MED":
        document["DOC_EP"] = "O" if at < 0.055 else None
    elif at < 0.07:
        document["DOC_MASQ_PS"] = 1
    elif at < 0.074:
        document["DOC_INV_PAT"] = 1
    elif at < 0.082:
        document["DOC_NT_MOTIF"] = words.WITHHELD_REASONS[int(draw() * 2)]
    record.sign(document)


def _fate(record: Record, document: Cells, rng: Random, day: int, kind: str) -> None:
    """What was done with a document made here: the former software fed the mandated ones until the cut-over, Mirabelle 8 hardly any."""
    at = rng.random()
    calendar = record.cabinet.calendar
    since = obligation(words.TYPES[kind].national)
    if day >= calendar.cut_over:
        if at < 0.03 and record.qualified and since is not None:
            record.fed(document, day, oid=OID)
        elif at > 0.98:
            document["DOC_DMP"] = None
    elif at > 0.88:
        document["DOC_DMP"] = None
    elif record.qualified and since is not None and calendar.iso(day) >= since:
        if at < 0.66:
            record.fed(document, day)
        elif at < 0.70:
            record.fed(document, day, state="S")


def _arrival(record: Record, rng: Random, day: int) -> None:
    """A document from outside; laboratory reports bring their results."""
    draw = rng.random
    choice = draw()
    _, kind, partner = next(r for r in RECEIVED if choice < r[0])
    form = _one(ARRIVED, draw())
    minute = 420 + int(draw() * 600)
    qualified = record.qualified
    national = words.TYPES[kind].national
    if form == "cda" and not national:
        form = "scanned"
    body = Body(form, draw(), 1 + int(draw() ** 2 * 3), qualified=qualified)
    document = record.document(kind, day, minute, partner=partner, body=body)
    content = record.rows[-1][1]
    if kind == "CR_BIO":
        first = int(draw() * len(words.ANALYTES))
        lines = []
        for i in range(2 + int(draw() * 4)):
            analyte = words.ANALYTES[(first + i) % len(words.ANALYTES)]
            lines.append(record.result(document, day, 450, analyte, analyte.mean + analyte.spread * (draw() * 4 - 2)))
            if draw() < 0.03:
                # The laboratory's own code, and a result that is not a number.
                record.rows[-1][1].update(
                    BIO_COD="PARA12", BIO_NOM="LABO", BIO_LIB="Recherche de paludisme", BIO_VAL=None,
                    BIO_CHAP="PARASITOLOGIE", BIO_PREL="Sang", BIO_EXAM=None, BIO_TECH=None, BIO_COM="Frottis et goutte épaisse"
                )  # fmt: skip
                record.rows[-1][1].update(BIO_TXT="Négatif", BIO_UNIT=None, BIO_INF=None, BIO_SUP=None, BIO_INTERP=None)
                lines.pop()
        if form == "cda" and lines:
            content["CNT_BLOB"] = content["CNT_BLOB"]._replace(kind="biology", results=tuple(lines))
    elif kind == "CR_GEN":
        document["DOC_GENET"] = ("O", None)[int(draw() * 2)]
    if kind in HOSPITAL:
        document["DOC_HOSPI"] = "O" if draw() < 0.8 else None
    if draw() < 0.03:
        document["DOC_DMP"] = None
    elif qualified and draw() < 0.12:
        # Already in the DMP under its author's identifiers; the practice took it from there.
        record.fed(document, day, oid=record.cabinet.senders[partner].oid)
    if draw() < 0.1:
        document["DOC_HR"] = None
    if draw() < 0.4:
        document["DOC_MSS_ID"] = f"<{document['DOC_ID']}@exemple.mssante.fr>"
