"""The closed list of what may happen to a document of the practice with the DMP. Every document ends with exactly one, so
that the report's totals add up to the input, to the unit."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """`group` is one of fed, pending, exempt, blocked, refused; labels in French and English."""

    id: str
    group: str
    label_fr: str
    label: str


OUTCOMES: dict[str, Outcome] = {
    o.id: o
    for o in (
        Outcome("registered", "fed", "Alimenté par Transvase", "Fed"),
        Outcome("adopted", "fed", "Déjà alimenté par le logiciel précédent", "Fed by the former software"),
        Outcome("to_send", "pending", "À alimenter, pas encore envoyé", "To be sent"),
        Outcome("in_doubt", "pending", "Envoyé sans réponse certaine, à vérifier", "In doubt, to be asked"),
        Outcome("refused", "refused", "Refusé par le DMP", "Refused by the DMP"),
        Outcome("not_produced", "exempt", "Reçu ou déposé par le patient", "Not produced here"),
        Outcome("not_mandated", "exempt", "Type hors liste réglementaire", "Type not mandated"),
        Outcome("before_obligation", "exempt", "Antérieur à l'obligation", "Before the obligation"),
        Outcome("excluded", "exempt", "Exclusion de l'arrêté", "Excluded by the arrêté"),
        Outcome("duplicate", "exempt", "Doublon exact", "Exact duplicate"),
        Outcome("withdrawn", "exempt", "Supprimé du DMP auparavant", "Deleted from the DMP before"),
        Outcome("objection", "exempt", "Opposition du patient", "Objection of the patient"),
        Outcome("withheld", "exempt", "Retenu par le professionnel", "Withheld by the professional"),
        Outcome("no_dmp", "exempt", "Patient sans DMP actif", "No active DMP"),
        Outcome("orphan", "blocked", "Sans patient connu", "No known patient"),
        Outcome("type_unmapped", "blocked", "Type sans équivalent national", "Type unmapped"),
        Outcome("unknown_history", "blocked", "Historique d'alimentation inconnu", "Unknown history"),
        Outcome("no_content", "blocked", "Contenu vide ou absent", "No content"),
        Outcome("corrupt", "blocked", "Contenu illisible", "Damaged content"),
        Outcome("date_invalid", "blocked", "Date de l'acte invalide", "Invalid date"),
        Outcome(
            "visibility", "blocked", "Restriction de visibilité impossible", "Impossible restriction of visibility"
        ),
        Outcome(
            "author",
            "blocked",
            "Identifiant de l'auteur ou de la structure invalide",
            "Author or structure not identified",
        ),
        Outcome("identity", "blocked", "Identité non qualifiée ou invalide", "Identity not qualified"),
    )
}

GROUPS = {
    "fed": ("Alimentés", "Fed"),
    "pending": ("En attente", "Pending"),
    "refused": ("Refusés", "Refused"),
    "blocked": ("Bloqués", "Blocked"),
    "exempt": ("Non dus", "Not due"),
}
