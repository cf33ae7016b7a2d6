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
        # The document, as FHIR words it (sheet pdsm-fhir.md, 1; the issue types of OperationOutcome).
        Cause(
            "FhirDuplicate",
            "document",
            "Le DMP tient déjà ce document : il est interrogé, rien à faire.",
            "The DMP holds this document already: it is asked, nothing to do.",
        ),
        Cause(
            "FhirConflict",
            "document",
            "Le DMP a vu ce document changer entre-temps : il est interrogé, rien à faire.",
            "The DMP saw this document change meanwhile: it is asked, nothing to do.",
        ),
        Cause(
            "FhirCode",
            "document",
            "Le DMP n'admet pas un code du document : le cabinet corrige son paramétrage, puis `feed retry`.",
            "The DMP does not accept a code of the document: the practice mends its mapping, then `feed retry`.",
        ),
        Cause(
            "FhirTooLong",
            "document",
            "Le document est trop gros pour le DMP : le cabinet le réduit, ou `feed skip`.",
            "The document is too large for the DMP: the practice reduces it, or `feed skip`.",
        ),
        Cause(
            "FhirBusinessRule",
            "document",
            "Le DMP refuse le document par une de ses règles : comparez avec ses messages d'exploitation, puis `feed retry`.",
            "The DMP refuses the document by a rule of its own: see its operating notices, then `feed retry`.",
        ),
        Cause(
            "FhirPrecondition",
            "document",
            "La version à remplacer a changé au DMP depuis qu'il a été interrogé : `feed retry`.",
            "The version to replace changed in the DMP since it was asked: `feed retry`.",
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
        # FHIR: every document alike, as far as the answer tells.
        Cause(
            "FhirInvalid",
            "service",
            "Le DMP refuse la forme du message FHIR : vérifiez [feed] fhir_publish et [practice] ; sinon signalez-le, c'est un défaut.",
            "The DMP refuses the form of the FHIR message: check [feed] fhir_publish and [practice]; else report it, this is a defect.",
        ),
        Cause(
            "FhirNotSupported",
            "service",
            'Le DMP ne sert pas cette opération FHIR : vérifiez [feed] url et fhir_publish, ou revenez à route = "soap".',
            'The DMP does not serve this FHIR operation: check [feed] url and fhir_publish, or return to route = "soap".',
        ),
        Cause(
            "FhirNotFound",
            "service",
            "Le DMP ne trouve pas l'adresse, le patient ou la version à remplacer : vérifiez [feed] url, puis l'identité.",
            "The DMP does not find the address, the patient or the version to replace: check [feed] url, then the identity.",
        ),
        Cause(
            "FhirForbidden",
            "service",
            "Le DMP refuse l'accès : droit de la structure, ou opposition du patient ; vérifiez, puis `feed retry`.",
            "The DMP denies access: the structure's right, or the patient's objection; check, then `feed retry`.",
        ),
        Cause(
            "FhirRefused",
            "service",
            "Le DMP refuse sans motif connu : voyez ses messages d'exploitation, puis `feed retry`.",
            "The DMP refuses for no known reason: see its operating notices, then `feed retry`.",
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
        Cause(
            "TokenRefused",
            "caller",
            "Le DMP refuse le jeton d'accès, ou en veut un : vérifiez [feed] token_file et le programme qui le renouvelle.",
            "The DMP refuses the access token, or wants one: check [feed] token_file and the program that renews it.",
        ),
        # Messages: the recipient, as SMTP says it (sheet xdm-mssante.md, 3).
        Cause(
            "MssMailboxUnknown",
            "document",
            "La boîte MSSanté n'existe pas ou est fermée : le cabinet corrige l'adresse, ou le patient ouvre Mon espace santé ; puis "
            "`mss retry`.",
            "The MSSanté mailbox does not exist or is closed: the practice corrects the address, or the patient opens Mon espace santé; "
            "then `mss retry`.",
        ),
        Cause(
            "MssMailboxFull",
            "document",
            "La boîte MSSanté du destinataire est pleine : `mss retry` plus tard, ou `mss skip`.",
            "The recipient's MSSanté mailbox is full: `mss retry` later, or `mss skip`.",
        ),
        Cause(
            "MssMailboxBusy",
            "document",
            "La boîte MSSanté du destinataire est indisponible : relancez plus tard.",
            "The recipient's MSSanté mailbox is not available: run again later.",
        ),
        Cause(
            "MssRejected",
            "document",
            "L'opérateur du destinataire refuse nos messages : appelez-le, puis `mss retry`.",
            "The recipient's operator refuses our messages: call it, then `mss retry`.",
        ),
        Cause(
            "MssTooLarge",
            "document",
            "Le message dépasse la taille admise : le cabinet réduit le document, ou `mss skip`.",
            "The message is above the size accepted: the practice reduces the document, or `mss skip`.",
        ),
        Cause(
            "MssReturned",
            "document",
            "Le message est revenu sans motif connu : lisez la boîte, puis `mss retry`.",
            "The message came back for no known reason: read the mailbox, then `mss retry`.",
        ),
        # Messages: what the recipient's software answers when it cannot file the document.
        Cause(
            "Mdn900",
            "document",
            "Le destinataire tient déjà cette version ou une plus récente : `mss skip`.",
            "The recipient holds this version or a newer one already: `mss skip`.",
        ),
        Cause(
            "Mdn901",
            "document",
            "Le logiciel du destinataire n'admet pas cet auteur : appelez-le, puis `mss skip`.",
            "The recipient's software does not accept this author: call, then `mss skip`.",
        ),
        Cause(
            "Mdn902",
            "document",
            "Le destinataire ne connaît pas ce patient : vérifiez le correspondant désigné.",
            "The recipient does not know this patient: check the correspondent designated.",
        ),
        Cause(
            "Mdn903",
            "document",
            "Le logiciel du destinataire n'a pas trouvé l'INS : signalez-le, c'est un défaut.",
            "The recipient's software found no INS: report it, this is a defect.",
        ),
        Cause(
            "Mdn904",
            "document",
            "L'INS diffère chez le destinataire : vérifiez l'identité avec lui.",
            "The INS differs at the recipient's: check the identity with them.",
        ),
        Cause(
            "Mdn905",
            "document",
            "L'INS est incomplète pour le destinataire : vérifiez l'identité.",
            "The INS is incomplete for the recipient: check the identity.",
        ),
        Cause(
            "Mdn906",
            "document",
            "Le logiciel du destinataire n'a pas pu classer le document : appelez-le, puis `mss retry` ou `mss skip`.",
            "The recipient's software could not file the document: call, then `mss retry` or `mss skip`.",
        ),
        # Messages: every one alike, as far as the answer tells.
        Cause(
            "MssBusy",
            "service",
            "L'opérateur MSSanté est indisponible : relancez plus tard.",
            "The MSSanté operator is not available: run again later.",
        ),
        Cause(
            "MssUnreachable",
            "service",
            "L'opérateur MSSanté ne répond pas : vérifiez [mss] smtp et le réseau.",
            "The MSSanté operator does not answer: check [mss] smtp and the network.",
        ),
        Cause(
            "MssCut",
            "service",
            "La connexion s'est coupée avant la fin du message, qui n'est pas parti : relancez.",
            "The connection was cut before the end of the message, which did not leave: run again.",
        ),
        Cause(
            "MssContentRefused",
            "service",
            "L'opérateur MSSanté refuse le message : vérifiez [mss] address, product, et ses consignes.",
            "The MSSanté operator refuses the message: check [mss] address, product, and its notices.",
        ),
        # Messages: surely every one alike.
        Cause(
            "MssSenderRefused",
            "caller",
            "L'opérateur MSSanté refuse notre adresse : [mss] address doit être une boîte du certificat.",
            "The MSSanté operator refuses our address: [mss] address must be a mailbox of the certificate.",
        ),
        Cause(
            "MssAuthentication",
            "caller",
            "L'opérateur MSSanté refuse de nous reconnaître : vérifiez le certificat, ou [mss] token_file.",
            "The MSSanté operator refuses to know us: check the certificate, or [mss] token_file.",
        ),
        # Messages: kept here.
        Cause(
            "MssDoubt",
            "ours",
            "Le message est peut-être parti : demandez au destinataire, puis `mss retry` (il repart) ou `mss skip`.",
            "The message may have left: ask the recipient, then `mss retry` (it leaves again) or `mss skip`.",
        ),
        Cause(
            "MssNoRecipient",
            "ours",
            "Aucun correspondant n'est désigné pour ce patient : le cabinet en inscrit un dans son dossier.",
            "No correspondent is designated for this patient: the practice records one in the file.",
        ),
        Cause(
            "MssNoAddress",
            "ours",
            "Le correspondant n'a pas d'adresse MSSanté sûre : le cabinet complète sa fiche d'après l'annuaire.",
            "The correspondent has no sure MSSanté address: the practice completes it from the directory.",
        ),
        Cause(
            "MssAddressForm",
            "ours",
            "L'adresse du correspondant n'est pas de l'espace MSSanté : le cabinet la corrige.",
            "The correspondent's address is not of the MSSanté space: the practice corrects it.",
        ),
        Cause(
            "MssUnpublished",
            "ours",
            "L'adresse du correspondant n'est pas une de celles que l'annuaire publie pour lui : le cabinet la corrige.",
            "The correspondent's address is none of those that the directory publishes for them: the practice corrects it.",
        ),
        Cause(
            "MssPatientAddress",
            "ours",
            "Sans INS qualifiée, le patient n'a pas d'adresse : le cabinet qualifie l'identité.",
            "Without a qualified INS the patient has no address: the practice qualifies the identity.",
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
