"""What a French general practice writes down: names, places, diseases, medicines, analyses, and the product's own document types.

Plausible, not statistical. Nothing here names a living person; identifiers of professionals and structures use ranges
that no directory assigns. The national code beside a local document type is what the mapping must find, not its source.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A commune or country of birth (COG), with its post code when people of the practice live there."""

    cog: str
    label: str
    postal: str = ""


class DocType(NamedTuple):
    """A local document type; `national` is empty when JDV_J07 has no equivalent. `origin` is I, E or P as in T_DOC."""

    code: str
    label: str
    binder: str
    national: str
    origin: str


class Drug(NamedTuple):
    """A medicine: code and nomenclature as the product stores them; intakes a day when the dosage says a plain number of them."""

    code: str
    system: str
    label: str
    dosage: str
    long_term: bool
    daily: int = 0
    unit: str = "comprimé"
    route: str = "Voie orale"


class Analyte(NamedTuple):
    """A laboratory result: LOINC, label, unit (UCUM), reference bounds, decimals, the mean and spread of values, chapter of the
    report, nature of the sample, examination and technique."""

    code: str
    label: str
    unit: str
    low: float
    high: float
    decimals: int
    mean: float
    spread: float
    chapter: str = "BIOCHIMIE"
    specimen: str = "Sérum"
    panel: str | None = None
    method: str | None = None


FAMILIES = (
    "Martin", "Bernard", "Thomas", "Petit", "Robert", "Richard", "Durand", "Dubois", "Moreau", "Laurent", "Simon", "Michel",
    "Lefèvre", "Leroy", "Roux", "Bertrand", "Morel", "Fournier", "Girard", "Bonnet", "Dupont", "Lambert", "Fontaine",
    "Rousseau", "Muller", "Henry", "Roussel", "Mathieu", "Gauthier", "Masson", "Marchand", "Duval", "Noël", "Lemaître",
    "Müller", "Schmitt", "Weber", "Œuvrard", "Lebœuf", "Garçon", "Le Goff", "Le Bihan", "Kerdoncuff", "D'Ambrosio", "D'Hondt",
    "De La Fontaine", "Saint-André", "Ben Salah", "El Amrani", "Benali", "Haddad", "Traoré", "Diallo", "N'Diaye", "Nguyen",
    "Dos Santos", "Da Silva", "Ferreira", "Gonçalves", "García", "Rossi", "Colonna", "Santoni", "Leccia", "Payet", "Hoarau",
    "Grondin", "Césaire", "Yılmaz", "Kaya", "Kowalski", "Wiśniewski", "Peltier-Marchal", "Aubry-Collin", "Guérin",
    "Faÿ", "Thiébaut", "Didierjean", "Claudel", "Humbert", "Mangin", "Grosjean", "Barthélemy", "Vautrin",
)  # fmt: skip

# Born before 1970, then after: a waiting room does not have one generation's names.
GIVEN_F = (
    ("Marie", "Jeanne", "Monique", "Françoise", "Jacqueline", "Denise", "Yvette", "Hélène", "Marie-Thérèse", "Geneviève",
     "Odette", "Anne-Marie", "Nicole", "Josèphe", "Zoé", "Fatima", "Ghislaine", "Régine", "Solange", "Huguette"),
    ("Émilie", "Chloé", "Léa", "Camille", "Anaïs", "Inès", "Jade", "Zoé", "Marie-Ève", "Élodie", "Amélie", "Noémie",
     "Yasmine", "Aïcha", "Maëlys", "Célia", "Lina", "Rose", "Anne-Sophie", "Gwenaëlle", "Mélissa", "Loïse"),
)  # fmt: skip
GIVEN_M = (
    ("Jean", "Pierre", "Michel", "André", "René", "Jean-Pierre", "Gérard", "Jean-Claude", "Marcel", "Roger", "François",
     "Jean-François", "Mohamed", "Antoine", "Étienne", "Rémy", "Gaëtan", "Lucien", "Noël", "Firmin"),
    ("Léo", "Théo", "Hugo", "Noé", "Jérémy", "Loïc", "Mathéo", "Raphaël", "Jean-Baptiste", "Maël", "Adam", "Ismaël",
     "Timéo", "Clément", "Aurélien", "Yanis", "Gaël", "Cédric", "Pierre-Louis", "Stéphane", "Joël", "Kévin"),
)  # fmt: skip

RESIDENCES = (
    Place("54395", "Nancy", "54000"),
    Place("54528", "Toul", "54200"),
    Place("54329", "Lunéville", "54300"),
    Place("54547", "Vandœuvre-lès-Nancy", "54500"),
    Place("54304", "Laxou", "54520"),
    Place("54482", "Saint-Nicolas-de-Port", "54210"),
    Place("54431", "Pont-à-Mousson", "54700"),
    Place("54526", "Tomblaine", "54510"),
)
BIRTHPLACES = (
    *RESIDENCES,
    Place("57463", "Metz"),
    Place("67482", "Strasbourg"),
    Place("55545", "Verdun"),
    Place("88160", "Épinal"),
    Place("75114", "Paris 14e arrondissement"),
    Place("69383", "Lyon 3e arrondissement"),
    Place("13205", "Marseille 5e arrondissement"),
    Place("59350", "Lille"),
    Place("33063", "Bordeaux"),
    Place("29019", "Brest"),
    Place("01053", "Bourg-en-Bresse"),
)
CORSICA = (Place("2A004", "Ajaccio"), Place("2B033", "Bastia"), Place("2B096", "Corte"))
# Code of the commune valid before the split of 1976.
CORSICA_BEFORE_1976 = (Place("20004", "Ajaccio"), Place("20033", "Bastia"), Place("20096", "Corte"))
OVERSEAS = (
    Place("97105", "Basse-Terre"),
    Place("97209", "Fort-de-France"),
    Place("97302", "Cayenne"),
    Place("97411", "Saint-Denis"),
    Place("97611", "Mamoudzou"),
    Place("98735", "Papeete"),
)
ABROAD = (
    Place("99352", "Algérie"),
    Place("99350", "Maroc"),
    Place("99351", "Tunisie"),
    Place("99139", "Portugal"),
    Place("99127", "Italie"),
    Place("99109", "Allemagne"),
    Place("99208", "Turquie"),
    Place("99341", "Sénégal"),
    Place("99243", "Viêt Nam"),
)
STREETS = (
    "rue de la République", "avenue du Général-Leclerc", "rue Saint-Epvre", "impasse des Mirabelliers", "rue des Quatre-Églises",
    "chemin de l'Étang", "place de l'Hôtel-de-Ville", "boulevard Lobau", "allée des Érables", "rue du Faubourg-Saint-Jean",
)  # fmt: skip
OCCUPATIONS = (
    "Retraité", "Agricultrice", "Chauffeur routier", "Aide-soignante", "Étudiant", "Institutrice", "Soudeur", "Sans profession",
    "Cadre commercial", "Employée de mairie", "Maçon", "Ingénieure",
)  # fmt: skip

DOCUMENT_TYPES = (
    DocType("ORDO_MED", "Ordonnance de médicaments", "ORDO", "57833-6", "I"),
    DocType("ORDO_BIO", "Ordonnance de biologie", "ORDO", "PRESC-BIO", "I"),
    DocType("DEM_IMG", "Demande d'examen d'imagerie", "ORDO", "55115-0", "I"),
    DocType("ORDO_KINE", "Ordonnance de kinésithérapie", "ORDO", "PRESC-KINE", "I"),
    DocType("ORDO_IDE", "Ordonnance de soins infirmiers", "ORDO", "PRESC-INF", "I"),
    DocType("ARRET_TRAV", "Avis d'arrêt de travail", "ADMIN", "PRESC-AAT", "I"),
    DocType("CERTIF", "Certificat médical", "CERTIF", "89601-9", "I"),
    DocType("DECL_AT", "Déclaration d'accident du travail", "CERTIF", "CERT_DECL", "I"),
    DocType("CERT_ENF", "Certificat de santé de l'enfant", "CERTIF", "59283-2", "I"),
    DocType("NOTE_VAC", "Note de vaccination", "CERTIF", "87273-9", "I"),
    DocType("CRT_ADR", "Courrier d'adressage", "COURRIER", "96349-6", "I"),
    DocType("CR_CONS", "Compte rendu de consultation", "COURRIER", "11488-4", "I"),
    DocType("LDL_ENT", "Lettre de liaison avant hospitalisation", "COURRIER", "18761-7", "I"),
    DocType("VSM", "Volet de synthèse médicale", "SYNTHESE", "SYNTH", "I"),
    DocType("DLU", "Document de liaison d'urgence", "SYNTHESE", "74207-2", "I"),
    DocType("FLUDT", "Fiche de liaison d'urgence, transfert", "SYNTHESE", "78341-5", "I"),
    DocType("PROT_ALD", "Protocole de soins ALD", "SYNTHESE", "PROT_ALD", "I"),
    DocType("PETITE_CHIR", "Compte rendu de petite chirurgie", "COURRIER", "34874-8", "I"),
    DocType("BIO_CAB", "Biologie délocalisée réalisée au cabinet", "BIO", "11502-2", "I"),
    DocType("QUEST", "Questionnaire adressé au patient", "PATIENT", "74465-6", "I"),
    DocType("FICHE_INT", "Fiche interne du secrétariat", "DIVERS", "", "I"),
    DocType("CR_BIO", "Compte rendu de biologie", "BIO", "11502-2", "E"),
    DocType("CR_IMG", "Compte rendu d'imagerie", "IMG", "18748-4", "E"),
    DocType("CR_SPE", "Courrier de spécialiste", "COURRIER", "11488-4", "E"),
    DocType("LDL_SOR", "Lettre de liaison de sortie", "HOPITAL", "11490-0", "E"),
    DocType("CR_HOSP", "Compte rendu d'hospitalisation", "HOPITAL", "34112-3", "E"),
    DocType("CR_URG", "Compte rendu de passage aux urgences", "HOPITAL", "15507-7", "E"),
    DocType("FLUDR", "Fiche de liaison d'urgence, retour", "HOPITAL", "60280-5", "E"),
    DocType("CR_OPE", "Compte rendu opératoire", "HOPITAL", "34874-8", "E"),
    DocType("CR_ACP", "Compte rendu d'anatomopathologie", "BIO", "60568-3", "E"),
    DocType("CR_GEN", "Compte rendu de génétique", "BIO", "51969-4", "E"),
    DocType("CR_ACC", "Compte rendu d'accouchement", "HOPITAL", "15508-5", "E"),
    DocType("CPA", "Consultation pré-anesthésique", "HOPITAL", "34749-2", "E"),
    DocType("OBS_IDE", "Observations infirmières", "COURRIER", "11506-3", "E"),
    DocType("ORDO_EXT", "Ordonnance extérieure", "ORDO", "57828-6", "E"),
    DocType("DOC_EXT", "Autre document reçu", "DIVERS", "", "E"),
    DocType("DEVIS", "Devis d'appareillage", "DIVERS", "", "E"),
    DocType("DIR_ANT", "Directives anticipées", "PATIENT", "EXPPAT_3", "P"),
    DocType("DOC_PAT", "Document apporté par le patient", "PATIENT", "EXPPAT_2", "P"),
    DocType("MUTUELLE", "Attestation de mutuelle", "ADMIN", "ATTEST-ASS-COMPL", "P"),
)
TYPES = {t.code: t for t in DOCUMENT_TYPES}

# CIM-10 code, label, nature of the heading (P problem, A history, C surgery, F family, T trauma), from which age.
PROBLEMS = (
    ("I10", "Hypertension essentielle (primitive)", "P", 40),
    ("E11.9", "Diabète sucré de type 2, sans complication", "P", 40),
    ("E78.0", "Hypercholestérolémie essentielle", "P", 35),
    ("J45.9", "Asthme, sans précision", "P", 4),
    ("J44.9", "Maladie pulmonaire obstructive chronique, sans précision", "P", 50),
    ("I48.9", "Fibrillation auriculaire, sans précision", "P", 60),
    ("E03.9", "Hypothyroïdie, sans précision", "P", 25),
    ("M17.9", "Gonarthrose, sans précision", "P", 50),
    ("M54.5", "Lombalgie basse", "P", 20),
    ("F32.9", "Épisode dépressif, sans précision", "P", 18),
    ("F41.1", "Anxiété généralisée", "P", 16),
    ("K21.9", "Reflux gastro-œsophagien sans œsophagite", "A", 25),
    ("G43.9", "Migraine, sans précision", "A", 12),
    ("L20.9", "Dermatite atopique, sans précision", "A", 0),
    ("H66.9", "Otite moyenne, sans précision", "A", 0),
    ("K35.8", "Appendicite aiguë opérée", "C", 8),
    ("K40.9", "Hernie inguinale opérée", "C", 18),
    ("H25.9", "Cataracte sénile opérée", "C", 62),
    ("S82.6", "Fracture de la malléole externe", "T", 6),
    ("S52.5", "Fracture de l'extrémité inférieure du radius", "T", 6),
    ("Z80.3", "Antécédents familiaux de tumeur maligne du sein", "F", 18),
    ("Z82.4", "Antécédents familiaux de cardiopathie ischémique", "F", 18),
)
DRUGS = (
    Drug("3400999000017", "CIP", "PARACÉTAMOL 1 g, comprimé", "1 comprimé 3 fois par jour si douleur", False),
    Drug("3400999000024", "CIP", "AMOXICILLINE 1 g, comprimé dispersible", "1 comprimé matin et soir", False, 2),
    Drug("3400999000031", "CIP", "METFORMINE 1000 mg, comprimé pelliculé", "1 comprimé matin et soir", True, 2),
    Drug("3400999000048", "CIP", "AMLODIPINE 5 mg, gélule", "1 gélule le matin", True, 1, "gélule"),
    Drug("3400999000055", "CIP", "RAMIPRIL 5 mg, comprimé sécable", "1 comprimé le soir", True, 1),
    Drug("3400999000062", "CIP", "ATORVASTATINE 20 mg, comprimé", "1 comprimé le soir", True, 1),
    Drug("H03AA01", "ATC", "Lévothyroxine sodique 75 µg", "1 comprimé à jeun", True, 1),
    Drug(
        "R03AC02",
        "ATC",
        "Salbutamol 100 µg, suspension pour inhalation",
        "2 bouffées si gêne",
        False,
        route="Voie inhalée",
    ),
    Drug("B01AF02", "ATC", "Apixaban 5 mg", "1 comprimé matin et soir", True, 2),
    Drug("3400999000079", "CIP", "OMÉPRAZOLE 20 mg, gélule gastrorésistante", "1 gélule le soir", True, 1, "gélule"),
    Drug("3400999000086", "CIP", "CÉTIRIZINE 10 mg, comprimé", "1 comprimé le soir", False, 1),
    Drug("A11CC05", "ATC", "Cholécalciférol 100 000 UI", "1 ampoule par trimestre", False),
)
ALLERGIES = (
    ("J01CA", "ATC", "Pénicillines", "Urticaire", 2),
    ("M01A", "ATC", "Anti-inflammatoires non stéroïdiens", "Œdème de Quincke", 3),
    (None, None, "Pollens de graminées", "Rhinite", 1),
    (None, None, "Arachide", "Anaphylaxie", 3),
    (None, None, "Latex", "Dermite de contact", None),
    (None, None, "Acariens", None, 1),
)
VACCINES = (
    ("J07CA02", "Diphtérie, tétanos, coqueluche, poliomyélite", 4),
    ("J07BD52", "Rougeole, oreillons, rubéole", 2),
    ("J07BB02", "Grippe saisonnière", 1),
    ("J07AL02", "Pneumocoque conjugué", 2),
    ("J07BN01", "Covid-19 à ARN messager", 3),
    ("J07BM03", "Papillomavirus humains", 2),
    ("J07AH09", "Méningocoque B", 3),
)
# Local code, label, unit, and value by age handled by the writer.
MEASURES = {
    "POIDS": ("Poids", "kg"),
    "TAILLE": ("Taille", "cm"),
    "TAS": ("Tension artérielle systolique", "mmHg"),
    "TAD": ("Tension artérielle diastolique", "mmHg"),
    "FC": ("Fréquence cardiaque", "bpm"),
    "TEMP": ("Température", "°C"),
    "SAT": ("Saturation en oxygène", "%"),
    "PC": ("Périmètre crânien", "cm"),
}
ANALYTES = (
    Analyte(
        "718-7",
        "Hémoglobine [Masse/Volume] Sang ; Numérique",
        "g/dL",
        12.0,
        16.0,
        1,
        13.8,
        1.3,
        "HÉMATOLOGIE",
        "Sang",
        "Hémogramme",
    ),
    Analyte(
        "6690-2",
        "Leucocytes [Nombre/Volume] Sang ; Numérique",
        "10*9/L",
        4.0,
        10.0,
        2,
        6.8,
        1.7,
        "HÉMATOLOGIE",
        "Sang",
        "Hémogramme",
    ),
    Analyte(
        "777-3",
        "Plaquettes [Nombre/Volume] Sang ; Numérique",
        "10*9/L",
        150,
        400,
        0,
        255,
        55,
        "HÉMATOLOGIE",
        "Sang",
        "Hémogramme",
    ),
    Analyte(
        "2345-7",
        "Glucose [Masse/Volume] Sérum/Plasma ; Numérique",
        "g/L",
        0.70,
        1.10,
        2,
        1.02,
        0.22,
        method="Hexokinase",
    ),
    Analyte(
        "4548-4", "Hémoglobine A1c/Hémoglobine totale Sang ; Numérique", "%", 4.0, 6.0, 1, 6.4, 0.9, specimen="Sang"
    ),
    Analyte("14682-9", "Créatinine [Moles/Volume] Sérum/Plasma ; Numérique", "umol/L", 50, 100, 0, 78, 18),
    Analyte("2160-0", "Créatinine [Masse/Volume] Sérum/Plasma ; Numérique", "mg/L", 5.0, 11.0, 1, 8.6, 1.9),
    Analyte(
        "3016-3", "Thyréostimuline [Arbitraire/Volume] Sérum/Plasma ; Numérique", "m[IU]/L", 0.27, 4.20, 2, 2.1, 1.1
    ),
    Analyte("1988-5", "Protéine C réactive [Masse/Volume] Sérum/Plasma ; Numérique", "mg/L", 0, 5, 1, 3.9, 4.0),
    Analyte("2823-3", "Potassium [Moles/Volume] Sérum/Plasma ; Numérique", "mmol/L", 3.5, 5.1, 1, 4.2, 0.4),
    Analyte("13457-7", "Cholestérol LDL [Masse/Volume] Sérum/Plasma ; Numérique", "g/L", 0.5, 1.6, 2, 1.2, 0.3),
    Analyte("2276-4", "Ferritine [Masse/Volume] Sérum/Plasma ; Numérique", "ug/L", 15, 200, 0, 95, 60),
)
REASONS = (
    "Renouvellement de traitement", "Fièvre et toux", "Douleur lombaire", "Suivi du diabète", "Certificat de sport",
    "Vaccination", "Fatigue", "Contrôle tensionnel", "Douleurs abdominales", "Éruption cutanée", "Suivi de l'enfant",
    "Résultats d'examens", "Entorse de la cheville", "Anxiété, sommeil", "Angine",
)  # fmt: skip
NOTES = (
    "Examen clinique sans particularité. Auscultation cardio-pulmonaire normale. Pas de signe de gravité.",
    "Bonne observance. Pas d'effet indésirable signalé. Revoir avec les résultats de la biologie.",
    "Douleur mécanique, pas de signe neurologique. Repos relatif, antalgiques, kinésithérapie à discuter.",
    "Gorge érythémateuse, TROD négatif. Traitement symptomatique, consignes de surveillance données.",
    "Poids stable. Conseils hygiéno-diététiques rappelés. Prochain contrôle dans trois mois.",
    "Patient fatigué, sommeil perturbé depuis trois semaines. Écoute, arrêt court, nouvelle consultation prévue.",
)
PARAGRAPHS = (
    "Cher confrère, je vous adresse ce patient que je suis régulièrement et dont vous trouverez ci-joint la synthèse.",
    "L'interrogatoire ne retrouve pas d'antécédent notable en dehors de ceux connus ; l'état général est conservé.",
    "L'examen clinique est sans particularité, la tension artérielle est équilibrée sous traitement.",
    "Le bilan biologique récent est joint ; il ne montre pas d'anomalie qui modifie la conduite à tenir.",
    "Je propose de poursuivre le traitement actuel et de revoir le patient dans un délai de trois mois.",
    "Les signes qui doivent conduire à consulter sans délai ont été expliqués et compris.",
    "Conclusion : pas d'argument pour une complication ; surveillance clinique et biologique habituelle.",
    "Fait à la demande de l'intéressé et remis en main propre pour faire valoir ce que de droit.",
)
OBJECTION_REASONS = ("Le patient ne souhaite pas", "Demande écrite du patient", None)
WITHHELD_REASONS = (
    "Document de travail, non définitif",
    "Information à délivrer d'abord en consultation",
    "Secret demandé par le patient mineur",
)
