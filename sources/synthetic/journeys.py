"""The five journeys of the national programme (journeys.md), each told as it happened in the practice whose database this is.

They are the smallest embedded practice. Dates count back from the clock, so that the stories stay recent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from transvase.sources.synthetic import vocabulary as words
from transvase.sources.synthetic.cabinet import OID, Cabinet, Doctor
from transvase.sources.synthetic.people import Person
from transvase.sources.synthetic.record import Body, Record
from transvase.sources.synthetic.vocabulary import Place

# The names by which tests and demonstrations find the patients of the journeys.
NURSING, BICYCLE, EHPAD, BIOLOGY, PREGNANCY, NEWBORN = (
    "Aubertin",
    "Castel",
    "Malgrange",
    "Okonjo",
    "Valroy",
    "Valroy-Simonin",
)


def records(cabinet: Cabinet, examples: Sequence[Path] = ()) -> Iterator[Record]:
    """The records of the five journeys, not yet saved. `examples` are filed in the record of the fourth."""
    yield home_nursing(cabinet)
    yield bicycle_accident(cabinet)
    yield nursing_home(cabinet)
    chronic = biology_away(cabinet)
    for path in examples:
        file_example(chronic, path)
    yield chronic
    mother = pregnancy(cabinet)
    yield mother
    yield newborn(cabinet, mother)


def _person(cabinet: Cabinet, family: str, givens: str, sex: str, born: date, place: Place, used: str = "") -> Person:
    matricule = cabinet.register.matricule(sex, born, place, 9001)
    return Person(family, tuple(givens.split()), sex, born, place, matricule, used)


def _open(
    cabinet: Cabinet, person: Person, doctor: Doctor, *, ago: int, dmp: str | None = "O", **cells: object
) -> Record:
    """A record opened `ago` days ago; the state of the DMP was looked up twenty days ago when it is known."""
    today, calendar = cabinet.calendar.today, cabinet.calendar
    home = words.RESIDENCES[1]
    return Record(
        cabinet,
        person,
        opened=today - ago,
        PAT_MT=doctor.key,
        PAT_DMP=dmp,
        PAT_DMP_DT=calendar.number(today - 20) if dmp else None,
        PAT_ADR="8 rue des Mirabelliers",
        PAT_CP=home.postal,
        PAT_VILLE=home.label,
        PAT_PORT="0639980101",
        **cells,
    )


def _years(cabinet: Cabinet, years: int, month: int, day: int) -> date:
    """A day of birth that keeps the patient's age whatever the clock."""
    return date(cabinet.calendar.clock.year - years, month, day)


def home_nursing(cabinet: Cabinet) -> Record:
    """Home nursing, then the GP. The identity is qualified between two documents: what came before waits, then goes."""
    today, doctor = cabinet.calendar.today, cabinet.doctors[0]
    person = _person(cabinet, NURSING, "Josette Marie", "F", _years(cabinet, 74, 4, 12), words.RESIDENCES[2], "Lefort")
    patient = _open(cabinet, person, doctor, ago=420, PAT_PROF="Retraitée", PAT_ALD=1)
    patient.problem("P", "L97", "Ulcère du membre inférieur", onset="2025", seen=today - 60)
    patient.treat(words.DRUGS[3], since=today - 300, doctor=doctor)
    # The nurse writes: her letter is filed, it is not the practice's to feed.
    letter = patient.document(
        "OBS_IDE",
        today - 34,
        1110,
        partner="infirmier",
        title="Observations infirmières, plaie de jambe",
        body=Body("printed", 0.4),
    )
    letter["DOC_MSS_ID"] = f"<{letter['DOC_ID']}@exemple.mssante.fr>"
    # First visit: a certificate is made while the identity is still provisional.
    first = patient.visit(
        today - 33, 560, doctor, "Plaie de jambe, suite au courrier de l'infirmier", where="D", coded="VG"
    )
    patient.note(first, today - 33, 580, doctor, "Ulcère veineux probable, berges propres. Pansements à poursuivre.")
    patient.measure(first, today - 33, 565, "TAS", "142")
    patient.measure(first, today - 33, 565, "TAD", "81")
    patient.document("CERTIF", today - 33, 585, doctor=doctor, act=first, title="Certificat pour l'aide à domicile")
    # The doctor qualifies the INS at the second visit, then issues the e-prescription.
    patient.qualify(today - 20)
    second = patient.visit(today - 20, 600, doctor, "Contrôle de la plaie, ordonnance")
    patient.note(
        second, today - 20, 615, doctor, "Bonne évolution. Identité contrôlée, INS qualifiée ce jour.", rich=True
    )
    order = patient.document("ORDO_MED", today - 20, 620, doctor=doctor, act=second, title="Ordonnance numérique")
    patient.order("M", order, today - 20, 620, doctor, second, [words.DRUGS[0], words.DRUGS[3]])
    care = patient.document("ORDO_IDE", today - 20, 622, doctor=doctor, act=second, title="Pansements à domicile")
    patient.order("S", care, today - 20, 622, doctor, second, ["Pansement d'ulcère, un jour sur deux, 30 jours"])
    patient.trace(today - 20, 601, doctor.login, "LEC", "DOSSIER")
    patient.trace(today - 20, 621, doctor.login, "IMP", "ORDONNANCE")
    patient.relative("URG", "Lefort", "Bernard", phone="0639980102")
    patient.appointment(today + 10, 600, doctor, "P", "Contrôle de la plaie")
    return patient


def bicycle_accident(cabinet: Cabinet) -> Record:
    """Bicycle accident of a minor with two legal representatives. The hospital fed its own documents under its own identifiers."""
    today, doctor = cabinet.calendar.today, cabinet.doctors[1]
    person = _person(cabinet, BICYCLE, "Noé Jean-Baptiste", "M", _years(cabinet, 14, 6, 3), words.BIRTHPLACES[9])
    patient = _open(cabinet, person, doctor, ago=1500)
    patient.relative("MER", "Castel", "Inès", legal=True, phone="0639980103")
    patient.relative("PER", "Castel", "Gaëtan", legal=True, phone="0639980104")
    patient.allergy((None, None, "Aucune allergie connue", None, None), seen=today - 900, state="N")
    hospital = cabinet.senders["urgences"].oid
    # Nothing of the hospital stay is in the access journal of the practice: break-glass is traced by the DMP, not here.
    emergency = patient.document(
        "CR_URG",
        today - 45,
        1020,
        partner="urgences",
        title="Passage aux urgences, chute de vélo",
        body=Body("cda", 0.3),
        DOC_HOSPI="O",
    )
    imaging = patient.document(
        "CR_IMG",
        today - 45,
        1080,
        partner="imagerie",
        title="Radiographie du poignet",
        body=Body("scanned", 0.4),
        DOC_HOSPI="O",
    )
    letter = patient.document(
        "LDL_SOR", today - 43, 900, partner="hopital", title="Lettre de liaison de sortie", body=Body("cda", 0.5), DOC_HOSPI="O",
        DOC_DT_FIN=cabinet.calendar.iso(today - 43),
    )  # fmt: skip
    patient.fed(emergency, today - 45, oid=hospital)
    patient.fed(imaging, today - 45, oid=cabinet.senders["imagerie"].oid)
    patient.fed(letter, today - 43, oid=cabinet.senders["hopital"].oid)
    patient.problem(
        "T",
        "S52.5",
        "Fracture de l'extrémité inférieure du radius",
        onset=cabinet.calendar.french(today - 45),
        seen=today - 30,
    )
    # Follow-up: the doctor qualifies the identity that the hospital's letter carried, and feeds his own documents.
    patient.qualify(today - 30, "PASS")
    visit = patient.visit(today - 30, 1020, doctor, "Suivi de fracture du poignet")
    patient.note(
        visit,
        today - 30,
        1035,
        doctor,
        "Plâtre bien supporté, pas de trouble vasculo-nerveux. Contrôle à six semaines.",
    )
    patient.document("CRT_ADR", today - 30, 1040, doctor=doctor, act=visit, title="Courrier au chirurgien orthopédiste")
    exempt = patient.document("CERTIF", today - 30, 1042, doctor=doctor, act=visit, title="Dispense de sport")
    exempt["DOC_MSS_ID"] = f"<{exempt['DOC_ID']}@exemple.mssante.fr>"
    control = patient.document("DEM_IMG", today - 30, 1044, doctor=doctor, act=visit, title="Radiographie de contrôle")
    patient.order("I", control, today - 30, 1044, doctor, visit, ["Radiographie du poignet gauche, face et profil"])
    return patient


def nursing_home(cabinet: Cabinet) -> Record:
    """EHPAD: the coordinating doctor's liaison document has a newer version, after the first was fed. Guardian and trusted person."""
    today, doctor = cabinet.calendar.today, cabinet.doctors[2]
    person = _person(cabinet, EHPAD, "Suzanne Odette", "F", _years(cabinet, 91, 1, 30), words.BIRTHPLACES[11], "Perrin")
    patient = _open(cabinet, person, doctor, ago=1900, PAT_ALERTE="Résidente de l'EHPAD Les Tilleuls, chute récente")
    patient.qualify(today - 400)
    patient.relative("TUT", "Association tutélaire du Toulois", "", legal=True, phone="0300000030")
    patient.relative("PCF", "Perrin", "Anne", phone="0639980105")
    patient.problem("P", "G30.1", "Maladie d'Alzheimer à début tardif", onset="2021", seen=today - 700)
    patient.problem("P", "I48.9", "Fibrillation auriculaire, sans précision", onset="2018", seen=today - 700)
    patient.treat(words.DRUGS[8], since=today - 900, doctor=doctor)
    patient.allergy(words.ALLERGIES[0], seen=today - 700)
    first = patient.visit(today - 120, 840, doctor, "Visite à l'EHPAD, document de liaison", where="D", coded="VG")
    liaison = patient.document("DLU", today - 120, 860, doctor=doctor, act=first, title="Document de liaison d'urgence")
    # Fed by Mirabelle at the time, then updated after the fall: a replacement (RPLC), not a new document.
    patient.fed(liaison, today - 120, oid=OID)
    fall = patient.visit(today - 25, 1300, doctor, "Chute, transfert aux urgences", where="D", coded="VG")
    patient.note(
        fall, today - 25, 1310, doctor, "Chute de sa hauteur, plaie du cuir chevelu sous anticoagulant. Transfert."
    )
    patient.document("FLUDT", today - 25, 1315, doctor=doctor, act=fall, title="Fiche de transfert aux urgences")
    # The return, and what came with it.
    patient.document(
        "FLUDR",
        today - 23,
        660,
        partner="urgences",
        title="Fiche de retour des urgences",
        body=Body("cda", 0.3),
        DOC_HOSPI="O",
    )
    patient.document(
        "ORDO_EXT",
        today - 23,
        662,
        partner="urgences",
        title="Ordonnance de sortie",
        body=Body("scanned", 0.3),
        DOC_HOSPI="O",
    )
    patient.document(
        "CR_IMG",
        today - 24,
        600,
        partner="imagerie",
        title="Scanner cérébral",
        body=Body("scanned", 0.6),
        DOC_HOSPI="O",
    )
    biology = patient.document(
        "CR_BIO", today - 24, 540, partner="laboratoire", body=Body("printed", 0.3), DOC_HOSPI="O"
    )
    patient.result(biology, today - 24, 500, words.ANALYTES[0], "11.4")
    patient.result(biology, today - 24, 500, words.ANALYTES[5], "92")
    patient.version(liaison, today - 22, 900, Body("printed", 0.6, 2, sender=doctor.sender))
    patient.document("DIR_ANT", today - 700, 900, title="Directives anticipées", body=Body("scanned", 0.3))
    return patient


def biology_away(cabinet: Cabinet) -> Record:
    """Biology away from home: six years of CR-BIO that are the laboratory's to feed, units that change, a result corrected later."""
    today, doctor = cabinet.calendar.today, cabinet.doctors[0]
    person = _person(cabinet, BIOLOGY, "Chidi Emmanuel", "M", _years(cabinet, 58, 9, 9), words.ABROAD[7])
    patient = _open(cabinet, person, doctor, ago=2150, PAT_ALD=1, PAT_PROF="Chauffeur routier")
    patient.qualify(today - 500)
    patient.problem("P", "E11.9", "Diabète sucré de type 2, sans complication", onset="2016", seen=today - 1800)
    patient.treat(words.DRUGS[2], since=today - 2000, doctor=doctor)
    glucose, haemoglobin = words.ANALYTES[3], words.ANALYTES[4]
    molar = words.Analyte("14749-6", "Glucose [Moles/Volume] Sérum/Plasma ; Numérique", "mmol/L", 3.9, 6.1, 1, 7.0, 1.0)
    ifcc = words.Analyte("59261-8", "Hémoglobine A1c/Hémoglobine totale Sang ; Numérique", "mmol/mol", 20, 42, 0, 53, 9)
    creatinine = words.ANALYTES[5]
    for rank, ago in enumerate(range(2060, 20, -185)):
        day = today - ago
        # The laboratory changed its units in the middle of the series.
        old = ago > 1000
        series = [
            (glucose, f"{1.46 - 0.01 * rank:.2f}") if old else (molar, f"{7.9 - 0.05 * rank:.1f}"),
            (haemoglobin, f"{7.4 - 0.05 * rank:.1f}") if old else (ifcc, str(57 - rank)),
            (creatinine, str(84 + rank)),
        ]
        report = patient.document(
            "CR_BIO", day, 700, partner="laboratoire", body=Body("biology", 0.2, qualified=ago < 500)
        )
        content = patient.rows[-1][1]
        lines = tuple(patient.result(report, day, 450, analyte, value) for analyte, value in series)
        content["CNT_BLOB"] = content["CNT_BLOB"]._replace(results=lines)
        patient.fed(report, day, oid=cabinet.senders["laboratoire"].oid)
        if ago == 210:
            # Two days later the laboratory corrects the creatinine: a second version, and a second line.
            corrected = (
                *lines[:2],
                patient.result(report, day, 450, creatinine, "118", BIO_CORRIGE=1, BIO_COM="Annule le précédent"),
            )
            patient.version(
                report, day + 2, 720, Body("biology", 0.2, sender=cabinet.senders["laboratoire"], results=corrected)
            )
    for ago in (400, 215, 30):
        visit = patient.visit(
            today - ago, 1000, doctor, "Suivi du diabète, biologie loin du domicile", where="T", coded="TCG"
        )
        order = patient.document(
            "ORDO_BIO", today - ago, 1010, doctor=doctor, act=visit, title="Ordonnance de biologie"
        )
        patient.order("B", order, today - ago, 1010, doctor, visit, [glucose, haemoglobin, creatinine])
        if ago > cabinet.calendar.today - cabinet.calendar.cut_over:
            patient.fed(order, today - ago)
        patient.note(
            visit,
            today - ago,
            1012,
            doctor,
            "Équilibre correct, bilan à faire sur le trajet. Résultats attendus par messagerie.",
        )
    return patient


def pregnancy(cabinet: Cabinet) -> Record:
    """Pregnancy of a minor, followed in town until the sixth month. An older letter is hidden from professionals and from parents."""
    today, doctor, midwife = cabinet.calendar.today, cabinet.doctors[2], cabinet.midwife
    person = _person(cabinet, PREGNANCY, "Maëlys Rose", "F", _years(cabinet, 17, 1, 8), words.BIRTHPLACES[8])
    patient = _open(cabinet, person, doctor, ago=1100, PAT_MEL="maelys@courriel.exemple", PAT_SECRET=1)
    patient.qualify(today - 330, "CNI")
    patient.relative("MER", "Valroy", "Sabine", legal=True, phone="0639980106")
    # The earlier termination: the patient asked for silence.
    patient.document(
        "CR_CONS", today - 480, 1000, doctor=midwife, title="Courrier de consultation", DOC_MASQ_PS=1, DOC_INV_REP=1,
        DOC_NT_MOTIF=words.WITHHELD_REASONS[2],
    )  # fmt: skip
    patient.problem(
        "P",
        "Z34.0",
        "Surveillance d'une première grossesse normale",
        onset=cabinet.calendar.french(today - 320),
        seen=today - 320,
    )
    early = patient.visit(today - 320, 640, midwife, "Déclaration de grossesse")
    patient.measure(early, today - 320, 645, "POIDS", "57,2")
    order = patient.document(
        "ORDO_BIO", today - 320, 650, doctor=midwife, act=early, title="Bilan du premier trimestre", DOC_INV_REP=1
    )
    patient.order(
        "B", order, today - 320, 650, midwife, early, [words.ANALYTES[0], words.ANALYTES[2], words.ANALYTES[3]]
    )
    biology = patient.document("CR_BIO", today - 314, 700, partner="laboratoire", body=Body("cda", 0.3))
    patient.result(biology, today - 314, 480, words.ANALYTES[0], "12.1")
    patient.fed(biology, today - 314, oid=cabinet.senders["laboratoire"].oid)
    scan = patient.document(
        "CR_IMG",
        today - 290,
        900,
        partner="imagerie",
        title="Échographie du premier trimestre",
        body=Body("scanned", 0.5),
    )
    patient.fed(scan, today - 290, oid=cabinet.senders["imagerie"].oid)
    middle = patient.visit(today - 180, 700, midwife, "Sixième mois, passage à la maternité")
    patient.document(
        "CRT_ADR", today - 180, 720, doctor=midwife, act=middle, title="Courrier à la maternité", DOC_INV_REP=1
    )
    # The questionnaire goes to the citizen's mailbox, whose address comes from the qualified INS only; the answer comes back.
    asked = patient.document(
        "QUEST", today - 150, 600, doctor=midwife, title="Questionnaire avant consultation d'anesthésie"
    )
    asked["DOC_MSS_ID"] = f"<{person.matricule}@patient.exemple.mssante.fr>"
    answer = patient.document(
        "DOC_PAT", today - 147, 1200, title="Réponses au questionnaire d'anesthésie", body=Body("text")
    )
    answer["DOC_MSS_ID"] = f"<{answer['DOC_ID']}@patient.exemple.mssante.fr>"
    patient.document("CPA", today - 120, 600, partner="maternite", body=Body("scanned", 0.4), DOC_HOSPI="N")
    patient.document(
        "CR_ACC",
        today - 70,
        480,
        partner="maternite",
        title="Compte rendu d'accouchement",
        body=Body("cda", 0.4),
        DOC_HOSPI="O",
    )
    after = patient.visit(today - 28, 660, midwife, "Consultation postnatale")
    patient.document(
        "CR_CONS", today - 28, 680, doctor=midwife, act=after, title="Consultation postnatale", DOC_INV_REP=1
    )
    medicine = patient.document(
        "ORDO_MED", today - 28, 682, doctor=midwife, act=after, title="Ordonnance après l'accouchement"
    )
    patient.order("M", medicine, today - 28, 682, midwife, after, [words.DRUGS[11]])
    return patient


def newborn(cabinet: Cabinet, mother: Record) -> Record:
    """The child of the fifth journey: no INS at the first visit, then the certificate of health once the identity is qualified."""
    today, doctor = cabinet.calendar.today, cabinet.doctors[2]
    born = date.fromordinal(today - 71)
    person = _person(cabinet, NEWBORN, "Lou", "F", born, words.BIRTHPLACES[0])
    child = _open(cabinet, person, doctor, ago=60)
    child.relative("MER", mother.person.family, mother.person.givens[0], legal=True, phone="0639980107")
    first = child.visit(today - 60, 540, doctor, "Examen du nouveau-né", coded="COE")
    child.measure(first, today - 60, 545, "POIDS", "3,6")
    child.measure(first, today - 60, 545, "PC", "35,5")
    child.document(
        "CERT_ENF", today - 60, 555, doctor=doctor, act=first, title="Certificat de santé, huitième jour (copie)"
    )
    child.qualify(today - 30, "AN")
    second = child.visit(today - 30, 545, doctor, "Examen du deuxième mois, vaccinations", coded="COE")
    child.measure(second, today - 30, 550, "POIDS", "4,7")
    child.document("NOTE_VAC", today - 30, 560, doctor=doctor, act=second, title="Vaccinations du deuxième mois")
    code, label, _ = words.VACCINES[0]
    child.add(
        "T_VACCIN", VAC_PAT=child.key, VAC_ITV=doctor.key, VAC_COD=code, VAC_NOM="ATC", VAC_LIB=label, VAC_LOT="L00421",
        VAC_DT=cabinet.calendar.french(today - 30), VAC_RANG=1, VAC_ETAT="O",
    )  # fmt: skip
    return child


def file_example(record: Record, path: Path) -> None:
    """File a CDA as received, byte for byte, under the local type of its national code when the product has one."""
    data = path.read_bytes()
    head = data[:60_000].decode("utf-8", "replace")
    found = re.search(r"<code\b[^>]*\bcode=\"([^\"]+)\"", head)
    title = re.search(r"<title>([^<]*)</title>", head)
    national = found[1] if found else ""
    kind = next(
        (t.code for t in words.DOCUMENT_TYPES if t.origin == "E" and t.national == national and national), "DOC_EXT"
    )
    today = record.cabinet.calendar.today
    record.document(
        kind, today - 15, 600, partner="hopital", title=title[1] if title else path.stem, body=Body("file", data=data)
    )
