"""What each code of an outcome means: whom it concerns, and what the operator is told (sheet dmp-transactions.md, 11; IHE ITI TF-3, 4.2.4).

Data, and the one question asked of it: may the next document fare better? Deciding what to do belongs to the feeder.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

# document: the next one may pass. patient: those of other patients may. service: every document meets the same, as far as the code
# tells. caller: surely every one does. ours: kept here, nothing was sent.
Scope = Literal["document", "patient", "service", "caller", "ours"]


class Cause(NamedTuple):
    """A code, whom it concerns, and one sentence in French and English: what is wrong, then who can do what."""

    code: str
    scope: Scope
    french: str
    english: str

    def sentence(self, language: str) -> str:
        """The sentence in French (`fr`) or English."""
        return self.french if language == "fr" else self.english


CAUSES: dict[str, Cause] = {
    c.code: c
    for c in (
        # The document.
        Cause(
            "XDSDuplicateUniqueIdInRegistry",
            "document",
            "Le DMP tient déjà ce document : il est interrogé, rien à faire.",
            "The DMP holds this document already: it is asked, nothing to do.",
        ),
        Cause(
            "XDSDuplicateUniqueIdInMessage",
            "document",
            "Le même identifiant deux fois dans un envoi : signalez-le, c'est un défaut.",
            "The same identifier twice in a submission: report it, this is a defect.",
        ),
        Cause(
            "XDSNonIdenticalHash",
            "document",
            "Le DMP tient un autre contenu sous cet identifiant : comparez avec le DMP, puis `feed retry` ou `feed skip`.",
            "The DMP holds another content under this identifier: compare, then `feed retry` or `feed skip`.",
        ),
        Cause(
            "XDSDocumentUniqueIdError",
            "document",
            "L'identifiant du document n'est pas admis : signalez-le, c'est un défaut.",
            "The document's identifier is not accepted: report it, this is a defect.",
        ),
        Cause(
            "XDSMissingDocument",
            "document",
            "Le DMP n'a pas reçu le contenu annoncé : `feed retry`.",
            "The DMP did not receive the content announced: `feed retry`.",
        ),
        Cause(
            "XDSMissingDocumentMetadata",
            "document",
            "Le DMP n'a pas reçu la fiche d'un contenu : `feed retry`.",
            "The DMP did not receive the entry of a content: `feed retry`.",
        ),
        Cause(
            "InvalidDocumentContent",
            "document",
            "Le DMP refuse le contenu du document : le cabinet le corrige, ou `feed skip`.",
            "The DMP refuses the document's content: the practice mends it, or `feed skip`.",
        ),
        Cause(
            "XDSReplaceFailed",
            "document",
            "Le DMP refuse de remplacer la version précédente : vérifiez celle-ci au DMP, puis `feed retry`.",
            "The DMP refuses to replace the former version: look at it in the DMP, then `feed retry`.",
        ),
        Cause(
            "XDSRegistryDeprecatedDocumentError",
            "document",
            "La version à remplacer l'a déjà été par un autre envoi : comparez avec le DMP, puis `feed skip`.",
            "The version to replace was replaced by another submission: compare with the DMP, then `feed skip`.",
        ),
        Cause(
            "SpecialtyMissing",
            "document",
            "Le signataire n'a pas de spécialité connue : le cabinet complète sa fiche, puis `feed retry`.",
            "The signatory has no known specialty: the practice completes it, then `feed retry`.",
        ),
        Cause(
            "DocumentMismatch",
            "document",
            "L'identité, la structure ou l'identifiant du document ne sont pas ceux de l'envoi : le cabinet corrige, puis `feed retry`.",
            "Identity, structure or identifier of the document are not those of the submission: the practice mends it, then `feed retry`.",
        ),
        # The patient.
        Cause(
            "XDSUnknownPatientId",
            "patient",
            "Le patient n'a pas de DMP : au patient d'ouvrir Mon espace santé, puis `feed retry`.",
            "The patient has no DMP: the patient opens Mon espace santé, then `feed retry`.",
        ),
        Cause(
            "XDSPatientIdDoesNotMatch",
            "patient",
            "Le DMP tient ce document, ou celui qu'il remplace, pour un autre patient : vérifiez l'identité.",
            "The DMP holds this document, or the one it replaces, for another patient: check the identity.",
        ),
        Cause(
            "DMPAccessDeniedByRightsService",
            "patient",
            "Le DMP refuse l'accès : opposition du patient ou droit de la structure ; vérifiez avec lui, puis `feed retry`.",
            "The DMP denies access: the patient's objection, or the structure's right; check, then `feed retry`.",
        ),
        Cause(
            "DMPNone",
            "patient",
            "Le patient n'a pas de DMP : au patient d'ouvrir Mon espace santé, puis `feed retry`.",
            "The patient has no DMP: the patient opens Mon espace santé, then `feed retry`.",
        ),
        Cause(
            "DMPClosed",
            "patient",
            "Le DMP du patient est fermé : au patient de le rouvrir, puis `feed retry`.",
            "The patient's DMP is closed: the patient opens it again, then `feed retry`.",
        ),
        # Every document alike, as far as the code tells.
        Cause(
            "XDSRegistryMetadataError",
            "service",
            "Le DMP refuse les métadonnées : vérifiez [practice] (structure, type de structure) et le paramétrage des types.",
            "The DMP refuses the metadata: check [practice] (structure, kind of structure) and the mapping of types.",
        ),
        Cause(
            "XDSRepositoryMetadataError",
            "service",
            "Le DMP refuse l'empreinte ou la taille annoncées : un intermédiaire modifie-t-il les messages ?",
            "The DMP refuses the digest or size announced: does an intermediary change the messages?",
        ),
        Cause(
            "XDSUnknownRepositoryId",
            "service",
            "Le DMP ne connaît pas l'entrepôt désigné : vérifiez [feed] url.",
            "The DMP does not know the repository named: check [feed] url.",
        ),
        Cause(
            "XDSRegistryOutOfResources",
            "service",
            "Le DMP n'a plus de ressources : relancez plus tard.",
            "The DMP is out of resources: run again later.",
        ),
        Cause(
            "XDSRepositoryOutOfResources",
            "service",
            "Le DMP n'a plus de ressources : relancez plus tard.",
            "The DMP is out of resources: run again later.",
        ),
        Cause(
            "XDSRegistryNotAvailable",
            "service",
            "Le registre du DMP est indisponible : relancez plus tard.",
            "The DMP's registry is not available: run again later.",
        ),
        Cause(
            "Sender",
            "service",
            "Le DMP refuse le message sans dire pourquoi : vérifiez le cachet, l'adresse et la version du logiciel.",
            "The DMP refuses the message without saying why: check the seal, the address and the software's version.",
        ),
        Cause(
            "unknown",
            "service",
            "Le DMP refuse avec un code illisible : voyez ses messages d'exploitation.",
            "The DMP refuses with an unreadable code: see its operating notices.",
        ),
        # Surely every document alike.
        Cause(
            "DMPInvalidCertificate",
            "caller",
            "Le DMP refuse le certificat qui signe : [feed] seal_certificate doit être le cachet (ORG SIGN) de la structure.",
            "The DMP refuses the signing certificate: [feed] seal_certificate must be the structure's seal (ORG SIGN).",
        ),
        Cause(
            "StructureUnknown",
            "caller",
            "Le DMP ne connaît pas la structure : vérifiez [practice] struct_idnat et le certificat.",
            "The DMP does not know the structure: check [practice] struct_idnat and the certificate.",
        ),
        # Kept here.
        Cause(
            "absent",
            "ours",
            "Essayé en vain plusieurs fois, le DMP ne le tient pas : `feed retry`, ou `feed skip`.",
            "Tried in vain several times, the DMP does not hold it: `feed retry`, or `feed skip`.",
        ),
        Cause(
            "VersionMissing",
            "ours",
            "Une version intermédiaire n'a pas pu partir : comparez avec le DMP, puis `feed skip`.",
            "A version in between could not leave: compare with the DMP, then `feed skip`.",
        ),
        Cause(
            "ReplacedAbsent",
            "ours",
            "La version à remplacer n'est plus au DMP (supprimée ?) : le médecin décide, puis `feed skip`.",
            "The version to replace is no longer in the DMP (deleted?): the doctor decides, then `feed skip`.",
        ),
        Cause(
            "ReplacedAmbiguous",
            "ours",
            "Le DMP tient plusieurs fiches de la version à remplacer : voyez avec lui, puis `feed retry`.",
            "The DMP holds several entries of the version to replace: ask it, then `feed retry`.",
        ),
        Cause(
            "ReplacedMismatch",
            "ours",
            "Le document dit remplacer un autre que la version tenue par le DMP : l'éditeur corrige, ou `feed skip`.",
            "The document says it replaces another than the version that the DMP holds: the vendor mends it, or `feed skip`.",
        ),
    )
}


def of(code: str) -> Cause:
    """The cause of a code. One that nobody listed may be every document's: nothing says that it is this one's."""
    return CAUSES.get(code) or Cause(
        code,
        "service",
        f"Refus {code} : voyez les messages d'exploitation du DMP, puis `feed retry`.",
        f"Refusal {code}: see the DMP's operating notices, then `feed retry`.",
    )


def common(code: str) -> bool:
    """The code may be that of every document: several in a row say so."""
    return of(code).scope in ("service", "caller")
