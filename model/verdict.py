"""Verdicts: what a rule says of a record for a destination. The catalogue holds each rule once: its sentence in French and
English, its source, what it does per destination, and where it stands when one reason must be chosen.

A verdict row holds the rule's identifier and the record's reference, never a value of the record.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import pyarrow as pa

Destination = Literal["portability", "dmp", "mss_pro", "mss_patient"]
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
_TRAITS = "RNIV et SEL-MP-043 (fiche ins-identity, section 4)"
_PRO = "CI-SIS structuration minimale v1.16.8 (fiche practitioner-identifiers, section {})"
_DIRECTORY = "Annuaire Santé (fiche practitioner-identifiers, section 6)"
_MSS = "Fiche xdm-mssante"
_MATRIX = "Fiche xdm-mssante, envoi au patient (matrice du volet HL7 v2 : les cas absents sont des erreurs)"
_QUALIFY = "Le cabinet : corriger l'identité puis la qualifier (INSi et pièce d'identité)."
_NUMBER = "Le cabinet : corriger l'identifiant national dans la fiche du professionnel."
_STRUCTURE = "Le cabinet : corriger l'identifiant de la structure, ou le donner dans les réglages."
_CARD = "Le cabinet : compléter la fiche du correspondant d'après l'annuaire."

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
            "OBJ-MSS",
            "Le patient s'est opposé à l'envoi par messagerie.",
            "The patient objects to the message.",
            _MSS + " (MSS/va1.20 et va1.22, de seconde main)",
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
            "VIS-ADULT",
            "Document invisible aux représentants légaux d'un patient majeur à la date de l'acte : cette restriction ne concerne que les mineurs.",
            "Invisible to the legal representatives of a patient of age on the day of the act: that restriction is for minors only.",
            "Fiche confidentiality-codes (INVISIBLE_REPRESENTANTS_LEGAUX)",
            "visibility",
            "Le médecin : retirer la restriction, ou le cabinet : corriger la date de naissance.",
        ),
        Rule(
            "VIS-MSS",
            "Les restrictions du document ou la connexion secrète excluent ce destinataire de messagerie.",
            "The restrictions of the document or the secret connection exclude this recipient of messages.",
            _MATRIX,
            "visibility",
            "Le médecin : lever la restriction le moment venu, ou remettre le document en main propre.",
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
            "RNIV-NAME-CHARACTER",
            "Un nom ou prénom de naissance porte un caractère sans équivalent (chiffre, signe).",
            "A birth name or given name holds a character without equivalent (digit, sign).",
            _TRAITS,
            "identity",
            "Le cabinet : corriger le nom d'après la pièce d'identité, puis interroger INSi.",
        ),
        Rule(
            "RNIV-DATE-PARTIAL",
            "La date de naissance est lunaire ou incomplète : la règle du RNIV n'a pas été appliquée.",
            "The birth date is lunar or incomplete: the rule of the RNIV was not applied.",
            _TRAITS + ", EXI ID 11 et 12",
            "identity",
            "Le cabinet : saisir la date fixée par la règle (01/MM, JJ/01 ou 31/12) et la signaler incertaine.",
        ),
        Rule(
            "RNIV-DATE-IMPOSSIBLE",
            "La date de naissance n'existe pas.",
            "The birth date does not exist.",
            _TRAITS,
            "identity",
            _QUALIFY,
        ),
        Rule(
            "RNIV-DATE-FUTURE",
            "La date de naissance est dans l'avenir.",
            "The birth date is in the future.",
            _TRAITS,
            "identity",
            _QUALIFY,
        ),
        Rule(
            "RNIV-PLACE-FORM",
            "Le code du lieu de naissance n'a pas la forme d'un code officiel géographique.",
            "The code of the place of birth has not the form of a COG code.",
            _TRAITS + ", COG",
            "identity",
            _QUALIFY,
        ),
        Rule(
            "STR-ID-EMPTY",
            "La structure n'a pas d'identifiant national (Struct_IdNat).",
            "The structure has no national identifier (Struct_IdNat).",
            _PRO.format(3),
            "author",
            _STRUCTURE,
        ),
        Rule(
            "STR-ID-FORM",
            "L'identifiant de la structure n'a pas la forme que son préfixe annonce.",
            "The identifier of the structure has not the form its prefix announces.",
            _PRO.format(3),
            "author",
            _STRUCTURE,
        ),
        Rule(
            "STR-ID-TEST",
            "L'identifiant de la structure est de ceux des jeux d'essai.",
            "The identifier of the structure is one of the test kits.",
            _PRO.format(1),
            "author",
            _STRUCTURE,
        ),
        Rule(
            "STR-ID-KEY",
            "La clé de l'identifiant de la structure est fausse.",
            "The key of the structure's identifier is wrong.",
            _PRO.format(1),
            "author",
            _STRUCTURE,
        ),
        Rule(
            "PRO-ID-EMPTY",
            "Le professionnel n'a pas d'identifiant national (PS_IdNat).",
            "The professional has no national identifier (PS_IdNat).",
            _PRO.format(4),
            "author",
            _NUMBER,
        ),
        Rule(
            "PRO-ID-PREFIX",
            "Le préfixe de l'identifiant n'est pas celui d'un PS_IdNat.",
            "The prefix of the identifier is not one of PS_IdNat.",
            _PRO.format(2),
            "author",
            _NUMBER,
        ),
        Rule(
            "PRO-ID-FORM",
            "L'identifiant du professionnel n'a pas la forme que son préfixe annonce.",
            "The identifier of the professional has not the form its prefix announces.",
            _PRO.format(2),
            "author",
            _NUMBER,
        ),
        Rule(
            "PRO-ID-TEST",
            "L'identifiant du professionnel est de ceux des jeux d'essai.",
            "The identifier of the professional is one of the test kits.",
            _PRO.format(1),
            "author",
            _NUMBER,
        ),
        Rule(
            "PRO-ID-KEY",
            "La clé de l'identifiant du professionnel est fausse.",
            "The key of the professional's identifier is wrong.",
            _PRO.format(1),
            "author",
            _NUMBER,
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
            "VIS-APART",
            "Document restreint : le patient le reçoit par un envoi à lui seul, séparé de l'alimentation du DMP.",
            "Restricted document: the patient gets it by a sending of their own, apart from the feeding.",
            _MATRIX,
            "",
            "Le cabinet : envoyer au patient séparément.",
        ),
        Rule(
            "VIS-AGE",
            "La date de naissance ne permet pas de dire si le patient était mineur : restriction laissée telle quelle.",
            "The birth date does not tell whether the patient was a minor: the restriction stays as it is.",
            "Fiche confidentiality-codes (INVISIBLE_REPRESENTANTS_LEGAUX)",
            "",
            "Le cabinet : compléter la date de naissance.",
        ),
        Rule(
            "VIS-NOBODY",
            "Masqué aux professionnels et invisible au patient : seuls l'auteur et le médecin traitant le liront. Refus du DMP non confirmé.",
            "Masked to professionals and invisible to the patient: only author and attending physician will read it. Whether the DMP refuses it: unconfirmed.",
            "JDV_J58 (1 à 4 codes), fiche dmp-transactions, section 4",
            "",
            "Le médecin : vérifier que c'est bien voulu.",
        ),
        Rule(
            "VIS-BOTH",
            "Invisible au patient et aux représentants légaux : la matrice MSSanté ne connaît pas ce cas ; pour le DMP, non confirmé par nos sources.",
            "Invisible to the patient and to the legal representatives: the MSSanté matrix has no such case; for the DMP, not confirmed by our sources.",
            "JDV_J58 (1 à 4 codes), fiche xdm-mssante (matrice)",
            "",
            "Le médecin : garder une seule des deux restrictions.",
        ),
        Rule(
            "VIS-SECRET",
            "Le mineur a demandé la connexion secrète, qui ne cache que l'accès : ses représentants légaux verront ce document.",
            "The minor asked for a secret connection, which hides the access only: the legal representatives will see this document.",
            "Fiche vihf, section 3 ; EX_0.1-1100 (de seconde main)",
            "",
            "Le médecin : décider avec le patient s'il faut le rendre invisible aux représentants légaux.",
        ),
        Rule(
            "VIS-SECRET-ADULT",
            "Connexion secrète demandée pour un patient majeur : elle n'est prévue que pour les mineurs.",
            "Secret connection asked for a patient of age: it is meant for minors only.",
            "Fiche vihf, section 3 ; EX_0.1-1100 (de seconde main)",
            "",
            "Le cabinet : retirer la demande de connexion secrète.",
        ),
        Rule(
            "OBJ-INCOMPLETE",
            "L'opposition est enregistrée sans auteur ou sans date : elle est respectée, mais ne se prouve pas.",
            "The objection has no author or no date: it is respected, but cannot be proved.",
            "Conception, section 4",
            "",
            "Le cabinet : compléter l'opposition.",
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
            "INSI-DIFFERS",
            "INSi donne une identité qui diffère de celle de la fiche.",
            "INSi gives an identity that differs from the record.",
            "Fiche insi, section 7",
            "",
            "Le cabinet : contrôler avec la pièce d'identité, puis corriger la fiche.",
        ),
        Rule(
            "INSI-NOT-FOUND",
            "INSi ne trouve pas cette identité.",
            "INSi does not find this identity.",
            "Fiche insi, section 4",
            "",
            "Le cabinet : vérifier nom, prénoms et date de naissance sur la pièce d'identité.",
        ),
        Rule(
            "PAT-DUPLICATE-INS",
            "Le même matricule INS est porté par plusieurs dossiers.",
            "The same matricule stands on several records.",
            "Fiche ins-identity, section 3",
            "identity",
            "Le cabinet : vérifier les dossiers, ne rien fusionner sans contrôle.",
        ),
        Rule(
            "RNIV-NAME-CASE",
            "Un trait venu d'INSi n'est pas écrit comme INSi l'écrit : capitales, sans accent ni ligature.",
            "A trait taken from INSi is not written as INSi writes it: capitals, no diacritic.",
            _TRAITS,
            "",
            "Le cabinet : reprendre les traits rendus par INSi.",
        ),
        Rule(
            "RNIV-NAME-SEPARATOR",
            "Espace, tiret ou apostrophe mal placé dans un nom ou prénom de naissance : INSi le refuse.",
            "Misplaced space, hyphen or apostrophe in a birth name or given name: INSi refuses it.",
            _TRAITS,
            "",
            "Le cabinet : corriger le nom, en gardant tirets et apostrophes.",
        ),
        Rule(
            "RNIV-USED-NAME",
            "Le nom ou prénom utilisé porte un caractère sans équivalent ou un séparateur mal placé.",
            "The name or given name in use holds a character without equivalent or a misplaced separator.",
            _TRAITS,
            "",
            "Le cabinet : corriger le nom utilisé ; il n'empêche rien.",
        ),
        Rule(
            "RNIV-FIRST-GIVEN",
            "Le premier prénom n'est pas le début de la liste des prénoms de naissance.",
            "The first given name is not the beginning of the list of birth given names.",
            _TRAITS + ", EXI ID 10",
            "",
            "Le cabinet : vérifier les prénoms sur la pièce d'identité.",
        ),
        Rule(
            "RNIV-DATE-UNFLAGGED",
            "Date de naissance lunaire ou incomplète sans le signalement « incertaine ».",
            "Lunar or incomplete birth date without the flag.",
            _TRAITS + ", EXI ID 11 et 12",
            "",
            "Le cabinet : signaler la date incertaine.",
        ),
        Rule(
            "RNIV-DATE-RULE",
            "Date de naissance signalée incertaine, sans aucune des formes de la règle (01/MM, JJ/01, 31/12).",
            "Birth date flagged uncertain, in none of the forms of the rule.",
            _TRAITS + ", EXI ID 11 et 12",
            "",
            "Le cabinet : vérifier la date ou retirer le signalement.",
        ),
        Rule(
            "RNIV-DEATH",
            "La date de décès est antérieure à la date de naissance.",
            "The date of death is before the date of birth.",
            _TRAITS,
            "",
            "Le cabinet : corriger celle des deux dates qui est fausse.",
        ),
        Rule(
            "RNIV-PLACE-DATE",
            "Le code du lieu de naissance n'était pas en vigueur à la naissance, d'après la table fournie.",
            "The code of the place of birth was not in force at the birth, by the table given.",
            _TRAITS + ", COG",
            "",
            "Le cabinet : reprendre le code valide à la date de naissance.",
        ),
        Rule(
            "PAT-TRAITS-TWO-INS",
            "Deux dossiers ont les mêmes traits stricts et deux matricules.",
            "Two records have the same strict traits and two matricules.",
            "Fiche ins-identity, sections 1 (historique) et 3 (homonyme)",
            "",
            "Le cabinet : comparer les dossiers ; signaler l'homonymie si ce sont deux personnes, ne rien fusionner sans contrôle.",
        ),
        Rule(
            "PAT-TRAITS-NO-INS",
            "Deux dossiers ont les mêmes traits stricts et l'un au moins n'a pas de matricule.",
            "Two records have the same strict traits and one at least has no matricule.",
            "Fiche ins-identity, section 3 (homonyme)",
            "",
            "Le cabinet : comparer les dossiers ; signaler l'homonymie si ce sont deux personnes, ne rien fusionner sans contrôle.",
        ),
        Rule(
            "STR-ID-TECHNICAL",
            "L'identifiant de la structure n'a pas de préfixe : un numéro technique est admis, mais rien ne le vérifie.",
            "The structure's identifier has no prefix: a technical number is allowed, but nothing checks it.",
            _PRO.format(3),
            "",
            _STRUCTURE,
        ),
        Rule(
            "COR-COORDINATES",
            "Le correspondant n'a ni adresse MSSanté ni téléphone.",
            "The correspondent has neither an MSSanté address nor a telephone.",
            "Modèle canonique",
            "",
            _CARD,
        ),
        Rule(
            "COR-BY-NAME",
            "Le correspondant n'est reconnu dans l'annuaire que par son nom, sa profession et sa commune.",
            "The correspondent is known in the directory by name, profession and city only.",
            _DIRECTORY,
            "",
            _CARD,
        ),
        Rule(
            "COR-AMBIGUOUS",
            "Plusieurs professionnels de l'annuaire peuvent être ce correspondant, ou un seul mais sur trop peu d'éléments.",
            "Several professionals of the directory may be this correspondent, or one on too little.",
            _DIRECTORY,
            "",
            _CARD,
        ),
        Rule(
            "COR-NOT-FOUND",
            "Le correspondant n'est pas dans l'annuaire.",
            "The correspondent is not in the directory.",
            _DIRECTORY,
            "",
            _CARD,
        ),
        Rule(
            "COR-MAILBOX",
            "L'adresse MSSanté du correspondant n'est pas une de celles publiées pour lui.",
            "The correspondent's MSSanté address is not one of those published for them.",
            _DIRECTORY,
            "",
            _CARD,
        ),
    )
}


class Policy(NamedTuple):
    """What an environment accepts for the DMP: OIDs of the matricule, whether a wrong key blocks, and whether test identifiers of
    professionals and structures, which break the rules on purpose, are only reported."""

    oids: tuple[str, ...]
    key_blocks: bool
    test_identifiers: bool


# The DMP test platform takes official test identities, many of which carry wrong keys (fiche ins-identity, section 8);
# our sandbox is as strict as production.
POLICIES: dict[str, Policy] = {
    "production": Policy(("1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9"), True, False),
    "test": Policy(("1.2.250.1.213.1.4.10",), False, True),
    "sandbox": Policy(("1.2.250.1.213.1.4.10",), True, True),
}
