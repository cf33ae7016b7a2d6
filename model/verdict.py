"""Verdicts: what a rule says of a record for a destination. The catalogue holds each rule once: its sentence in French and
English, its source, what it does per destination, and where it stands when one reason must be chosen.

A verdict row holds the rule's identifier and the record's reference, never a value of the record.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import pyarrow as pa

Destination = Literal["portability", "dmp"]
BLOCK, WARNING = "block", "warning"

VERDICT_SCHEMA = pa.schema(
    [
        pa.field("slot", pa.int16()),
        pa.field("patient", pa.string()),
        pa.field("record_table", pa.string()),
        pa.field("record_key", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("destination", pa.string()),
        pa.field("severity", pa.string()),
        pa.field("evidence", pa.string()),
    ]
)


class Rule(NamedTuple):
    """A rule of the catalogue. `outcome` is the member of `model.outcome.Outcome` that a blocked document ends with;
    `unblock` says in French who can do what. The order of the catalogue is the order in which one reason is chosen."""

    id: str
    sentence_fr: str
    sentence: str
    source: str
    outcome: str
    unblock: str


_INS = "Référentiel INS (fiche ins-identity, section 1)"
_RNIV = "RNIV, EXI SI 07 et suivantes (fiche ins-identity, section 3)"
_QUALIFY = "Le cabinet : corriger l'identité puis la qualifier (INSi et pièce d'identité)."

CATALOGUE: dict[str, Rule] = {
    r.id: r
    for r in (
        Rule(
            "DOC-ORPHAN",
            "Le document n'appartient à aucun patient connu.",
            "The document belongs to no known patient.",
            "Modèle canonique",
            "orphan",
            "Le cabinet : rattacher le document à un patient.",
        ),
        Rule(
            "DOC-DUPLICATE",
            "La ligne répète un autre document à l'identique.",
            "The row repeats another document exactly.",
            "Modèle canonique",
            "duplicate",
            "Personne : le premier exemplaire suit son cours.",
        ),
        Rule(
            "DOC-PATIENT",
            "Le document vient du patient.",
            "The document comes from the patient.",
            "Arrêté du 26/04/2022, article 1 (documents produits)",
            "not_produced",
            "Personne : non dû par le cabinet.",
        ),
        Rule(
            "DOC-RECEIVED",
            "Le document a été reçu : son producteur doit l'alimenter.",
            "The document was received: its author feeds it.",
            "Arrêté du 26/04/2022, article 1 (documents produits)",
            "not_produced",
            "Personne : non dû par le cabinet.",
        ),
        Rule(
            "DOC-FED",
            "Un logiciel précédent a déjà alimenté ce document.",
            "A former software already fed this document.",
            "Conception, section 6",
            "adopted",
            "Personne : repris au registre des envois.",
        ),
        Rule(
            "DOC-FED-DELETED",
            "Le document a été alimenté puis supprimé du DMP.",
            "The document was fed, then deleted from the DMP.",
            "Conception, section 6",
            "withdrawn",
            "Le médecin : décider s'il doit être alimenté à nouveau.",
        ),
        Rule(
            "OBL-NONE",
            "Le type de document n'est pas sur la liste réglementaire.",
            "The type is not on the mandated list.",
            "Arrêté du 26/04/2022 modifié, annexe I",
            "not_mandated",
            "Personne : alimentation non obligatoire.",
        ),
        Rule(
            "OBL-BEFORE",
            "L'acte est antérieur à l'entrée en vigueur de l'obligation.",
            "The act is older than the obligation.",
            "Arrêté du 26/04/2022 modifié, annexe I",
            "before_obligation",
            "L'opérateur : choisir d'alimenter l'historique.",
        ),
        Rule(
            "OBL-EXCLUDED",
            "Une exclusion de l'arrêté s'applique.",
            "An exclusion of the arrêté applies.",
            "Arrêté du 26/04/2022 modifié, annexe I",
            "excluded",
            "Personne : non dû.",
        ),
        Rule(
            "OBL-UNDECIDABLE",
            "Les données ne permettent pas de dire si une exclusion s'applique : l'obligation est présumée.",
            "The data do not tell whether an exclusion applies: the obligation is presumed.",
            "Arrêté du 26/04/2022 modifié, annexe I",
            "",
            "Le cabinet : renseigner le fait indiqué.",
        ),
        Rule(
            "OBL-UNCONFIRMED",
            "La date d'effet de cette obligation n'est pas confirmée par nos sources.",
            "The effective date of this obligation is not confirmed by our sources.",
            "Fiche mandated-documents",
            "",
            "Le responsable conformité : vérifier le texte sur Légifrance.",
        ),
        Rule(
            "OBJ-DMP",
            "Le patient s'est opposé à l'alimentation.",
            "The patient objects to the feeding.",
            "CSP R.1111-46 (non lu, réserve de l'article 1)",
            "objection",
            "Le patient : lever son opposition.",
        ),
        Rule(
            "DOC-WITHHELD",
            "Le professionnel a décidé de ne pas transmettre ce document.",
            "The professional withheld the document.",
            "Conception, section 4",
            "withheld",
            "Le médecin : revenir sur sa décision.",
        ),
        Rule(
            "DOC-TYPE-UNMAPPED",
            "Le type local n'a pas d'équivalent national.",
            "The local type has no national equivalent.",
            "JDV_J07",
            "type_unmapped",
            "L'éditeur ou le cabinet : compléter la table de correspondance.",
        ),
        Rule(
            "DOC-TYPE-UNKNOWN",
            "Le code de type n'est pas dans le jeu de valeurs en vigueur.",
            "The type code is not in the value set.",
            "JDV_J07",
            "type_unmapped",
            "L'éditeur : corriger la table de correspondance.",
        ),
        Rule(
            "DOC-UNKNOWN-HISTORY",
            "Rien ne dit si un logiciel précédent a alimenté ce document.",
            "Nothing says whether it was fed before.",
            "Conception, section 6",
            "unknown_history",
            "L'opérateur : fixer une date de reprise.",
        ),
        Rule(
            "DOC-ABSENT",
            "Le logiciel ne conserve aucun contenu pour ce document.",
            "The software holds no body.",
            "Modèle canonique",
            "no_content",
            "Le cabinet : retrouver le document.",
        ),
        Rule(
            "DOC-EMPTY",
            "Le contenu du document est vide.",
            "The body is empty.",
            "Modèle canonique",
            "no_content",
            "Le cabinet : retrouver le document.",
        ),
        Rule(
            "DOC-CORRUPT",
            "Le contenu du document est illisible.",
            "The body is damaged.",
            "Modèle canonique",
            "corrupt",
            "Le cabinet : retrouver une copie saine.",
        ),
        Rule(
            "DOC-FORMAT",
            "Le contenu n'est pas d'une nature que l'on sache présenter.",
            "The nature of the body is not known.",
            "Modèle canonique",
            "corrupt",
            "L'éditeur : dire de quel format il s'agit.",
        ),
        Rule(
            "DOC-DATE",
            "La date de l'acte est absente ou impossible.",
            "The date of the act is missing or impossible.",
            "Modèle canonique",
            "date_invalid",
            "Le cabinet : corriger la date.",
        ),
        Rule(
            "DOC-FUTURE",
            "La date de l'acte est dans l'avenir.",
            "The act is in the future.",
            "Modèle canonique",
            "date_invalid",
            "Le cabinet : corriger la date.",
        ),
        Rule(
            "RNIV-FICTITIOUS",
            "Identité fictive : statut forcé à provisoire.",
            "Fictitious identity.",
            _RNIV,
            "identity",
            _QUALIFY,
        ),
        Rule(
            "RNIV-DOUBTFUL",
            "Identité douteuse : statut forcé à provisoire.",
            "Doubtful identity.",
            _RNIV,
            "identity",
            _QUALIFY,
        ),
        Rule("INS-EMPTY", "Aucun matricule INS.", "No matricule.", _INS, "identity", _QUALIFY),
        Rule(
            "INS-NOT_CANONICAL",
            "Matricule INS écrit avec séparateurs ou minuscules.",
            "Matricule not canonical.",
            _INS,
            "identity",
            _QUALIFY,
        ),
        Rule(
            "INS-LENGTH",
            "Le matricule INS n'a pas 15 caractères.",
            "Matricule not 15 characters long.",
            _INS,
            "identity",
            _QUALIFY,
        ),
        Rule(
            "INS-CHARSET",
            "Caractère interdit dans le matricule INS.",
            "Forbidden character in the matricule.",
            _INS,
            "identity",
            _QUALIFY,
        ),
        Rule(
            "INS-SEX",
            "Premier chiffre du matricule INS impossible.",
            "Impossible first digit.",
            _INS,
            "identity",
            _QUALIFY,
        ),
        Rule("INS-MONTH", "Mois du matricule INS impossible.", "Impossible month.", _INS, "identity", _QUALIFY),
        Rule(
            "INS-PLACE",
            "Département du matricule INS impossible.",
            "Impossible department.",
            _INS,
            "identity",
            _QUALIFY,
        ),
        Rule(
            "INS-ORDER",
            "Numéro d'ordre du matricule INS impossible.",
            "Impossible order number.",
            _INS,
            "identity",
            _QUALIFY,
        ),
        Rule(
            "INS-FILLER",
            "Matricule INS de remplissage.",
            "Filler matricule.",
            _INS + ", section 7",
            "identity",
            _QUALIFY,
        ),
        Rule(
            "INS-KEY_RANGE",
            "Clé du matricule INS hors de 01 à 97.",
            "Key outside 01 to 97.",
            _INS,
            "identity",
            _QUALIFY,
        ),
        Rule("INS-KEY_MISMATCH", "Clé du matricule INS fausse.", "Wrong key.", _INS, "identity", _QUALIFY),
        Rule(
            "INS-OID",
            "L'OID du matricule n'est pas admis dans cet environnement.",
            "OID not allowed in this environment.",
            _INS + ", section 2",
            "identity",
            _QUALIFY,
        ),
        Rule("RNIV-STATUS", "Identité non qualifiée.", "Identity not qualified.", _RNIV, "identity", _QUALIFY),
        Rule(
            "RNIV-TRAIT",
            "Un trait strict manque.",
            "A strict trait is missing.",
            _RNIV + ", section 4",
            "identity",
            _QUALIFY,
        ),
        Rule(
            "DMP-NONE",
            "Le patient n'a pas de DMP actif.",
            "The patient has no active DMP.",
            "Fiche dmp-transactions, section 3",
            "no_dmp",
            "Le patient : ouvrir Mon espace santé.",
        ),
        Rule(
            "DOC-MASKED",
            "Document transmis avec une restriction de visibilité.",
            "Sent with a visibility restriction.",
            "Fiche confidentiality-codes",
            "",
            "Le médecin : lever la restriction le moment venu.",
        ),
        Rule(
            "CDA-TRAITS",
            "L'en-tête CDA ne peut être écrit (prénom ou date de naissance absents) : le document sort tel quel.",
            "The CDA header cannot be written: the document leaves as it came.",
            "Fiche cda-header-ci-sis, section 2",
            "identity",
            _QUALIFY,
        ),
        Rule(
            "PAT-DUPLICATE-INS",
            "Le même matricule INS est porté par plusieurs dossiers.",
            "The same matricule stands on several records.",
            "Fiche ins-identity, section 3",
            "identity",
            "Le cabinet : vérifier les dossiers, ne rien fusionner sans contrôle.",
        ),
    )
}


class Policy(NamedTuple):
    """What an environment accepts for the DMP: OIDs of the matricule, and whether a wrong key blocks."""

    oids: tuple[str, ...]
    key_blocks: bool


# The DMP test platform takes official test identities, many of which carry wrong keys (fiche ins-identity, section 8);
# our sandbox is as strict as production.
POLICIES: dict[str, Policy] = {
    "production": Policy(("1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9"), True),
    "test": Policy(("1.2.250.1.213.1.4.10",), False),
    "sandbox": Policy(("1.2.250.1.213.1.4.10",), True),
}
