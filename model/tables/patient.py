"""Canonical table `patient`."""

from __future__ import annotations

from transvase.model.columns import KEY
from transvase.model.table import Column, Kind, Table

PATIENT = Table(
    "patient",
    "One row per person known to the practice.",
    "Une ligne par personne connue du cabinet.",
    (
        KEY,
        Column(
            "ins",
            Kind.TEXT,
            "National matricule with its key, 15 characters.",
            "Matricule INS avec sa clé, 15 caractères.",
        ),
        Column(
            "ins_oid", Kind.TEXT, "OID of the assigning authority of the matricule.", "OID de l'autorité d'affectation."
        ),
        Column(
            "former_ins",
            Kind.TEXT,
            "Former matricules, kept for the documents sent under them: matricule, OID, first and last day, separated by commas, one a line.",
            "Anciens matricules : matricule, OID, premier et dernier jour.",
        ),
        Column(
            "insi_confirmed", Kind.FLAG, "The identity was obtained from INSi.", "Identité obtenue du téléservice INSi."
        ),
        Column("insi_date", Kind.DATE, "Day of the INSi call.", "Date de l'appel INSi."),
        Column(
            "document_checked",
            Kind.FLAG,
            "Checked against a high-trust identity document.",
            "Identité contrôlée sur pièce à haut niveau de confiance.",
        ),
        Column("homonym", Kind.FLAG, "RNIV attribute homonyme.", "Attribut homonyme."),
        Column(
            "doubtful",
            Kind.FLAG,
            "RNIV attribute douteux: forces the status provisoire.",
            "Attribut identité douteuse.",
        ),
        Column(
            "fictitious",
            Kind.FLAG,
            "RNIV attribute fictif: forces the status provisoire.",
            "Attribut identité fictive.",
        ),
        Column("birth_family", Kind.TEXT, "Birth name.", "Nom de naissance.", required=True),
        Column("birth_given", Kind.TEXT, "Birth given names, in order, separated by spaces.", "Prénoms de naissance."),
        Column("birth_first_given", Kind.TEXT, "First birth given name.", "Premier prénom de naissance."),
        Column("used_family", Kind.TEXT, "Name in use.", "Nom utilisé."),
        Column("used_given", Kind.TEXT, "Given name in use.", "Prénom utilisé."),
        Column("sex", Kind.TEXT, "Administrative sex.", "Sexe administratif.", values=("F", "M", "UN")),
        Column("birth_date", Kind.DATE, "Date of birth, with its precision.", "Date de naissance."),
        Column(
            "birth_date_uncertain",
            Kind.FLAG,
            "The date follows the RNIV rules for unknown dates.",
            "Date de naissance incertaine ou fictive.",
        ),
        Column(
            "birth_place_code",
            Kind.TEXT,
            "COG code of the place of birth, valid at the birth date.",
            "Code COG du lieu de naissance.",
        ),
        Column("birth_place", Kind.TEXT, "Name of the place of birth.", "Lieu de naissance."),
        Column("address", Kind.TEXT, "Street.", "Voie."),
        Column("postal_code", Kind.TEXT, "Postal code.", "Code postal."),
        Column("city", Kind.TEXT, "City.", "Commune."),
        Column("country", Kind.TEXT, "Country.", "Pays."),
        Column("phone", Kind.TEXT, "Telephone.", "Téléphone."),
        Column("mobile", Kind.TEXT, "Mobile telephone.", "Téléphone mobile."),
        Column("email", Kind.TEXT, "E-mail.", "Courriel."),
        Column("death_date", Kind.DATE, "Date of death.", "Date de décès."),
        Column(
            "attending",
            Kind.TEXT,
            "Attending physician (médecin traitant) when of this practice.",
            "Médecin traitant lorsqu'il est du cabinet.",
            references="practitioner",
        ),
        Column(
            "dmp",
            Kind.TEXT,
            "What the practice knows of the patient's DMP.",
            "Existence du DMP connue du cabinet.",
            values=("active", "none", "closed", "unknown"),
        ),
        Column("dmp_checked", Kind.DATE, "Day of that knowledge.", "Date de cette connaissance."),
        Column("created", Kind.DATE, "Day the record was opened.", "Date d'ouverture du dossier."),
        Column(
            "important",
            Kind.TEXT,
            "Free-text warning shown at the top of the record.",
            "Mention importante du dossier.",
        ),
        Column("occupation", Kind.TEXT, "Occupation.", "Profession."),
        Column(
            "sensitive_connection",
            Kind.FLAG,
            "The patient asked for a secret connection (connexion secrète).",
            "Connexion secrète demandée.",
        ),
    ),
)
