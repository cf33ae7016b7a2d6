"""What `verify` may say of an archive: the catalogue of findings, each with its severity, both sentences, its source and who can act.

A finding that was met is an identifier and facts: names that the layout prescribes, ranks and counts, never a value of a record. Meeting
them belongs to `archive`, `archive_patient` and `seal`; laying out the report belongs to the command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from transvase.formats.xdm import DEFECTS, REFUSALS, Defect, XdmRefused

# block: the archive cannot be relied on; info: what did not arrive, and where it went; unchecked: what nobody looked at.
Severity = Literal["block", "warning", "info", "unchecked"]


class Finding(NamedTuple):
    """A line of the catalogue. In a sentence, `[one|several]` is chosen by the fact `count`. `act_fr` and `act` say who does what,
    and are empty when there is nothing to do."""

    id: str
    severity: Severity
    fr: str
    en: str
    source: str
    act_fr: str
    act: str


class Found(NamedTuple):
    """A finding that was met. `facts` hold the place (`archive`, `subset`, `document`, `entry`) and what the sentence needs."""

    id: str
    facts: dict[str, int | str]

    @property
    def severity(self) -> Severity:
        """Severity by the catalogue."""
        return FINDINGS[self.id].severity

    def sentence(self, language: str) -> str:
        """The finding in one sentence, French (`fr`) or English, after the place where it was met."""
        finding = FINDINGS[self.id]
        facts = self.facts
        count = facts.get("count", 1)
        several = isinstance(count, int) and (count > 1 if language == "fr" else count != 1)
        text = _NUMBER.sub(lambda m: m[2] if several else m[1], finding.fr if language == "fr" else finding.en)
        # Some sentences name the entry in their own words.
        place = _place({k: v for k, v in facts.items() if f"{{{k}}}" not in text}, language)
        joined = (" : " if language == "fr" else ": ").join([*place, text.format(**facts)])
        return joined[:1].upper() + joined[1:]


_NUMBER = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")


def _place(facts: dict[str, int | str], language: str) -> Iterator[str]:
    if archive := facts.get("archive"):
        yield str(archive)
    if document := facts.get("document"):
        yield f"{facts['subset']}, document {document}" if facts.get("subset") else f"document {document}"
    elif subset := facts.get("subset"):
        yield str(subset)
    elif entry := facts.get("entry"):
        yield f"{'entrée' if language == 'fr' else 'entry'} {entry}"


def found(which: str, archive: str = "", /, **facts: int | str) -> Found:
    """A finding of this catalogue, in an inner archive when `archive` names it; empty places are left out."""
    met: dict[str, int | str] = {"archive": archive} if archive else {}
    met.update((k, v) for k, v in facts.items() if v or k == "count")
    return Found(FINDINGS[which].id, met)


def of_defect(defect: Defect, archive: str = "") -> Found:
    """What `formats.xdm` says of an archive's layout, metadata and digests."""
    facts = {k: v for k, v in defect.facts.items() if k != "reason"}
    # An entry is named by its rank in the whole ZIP.
    subset = "" if defect.entry else defect.subset
    name = f"ARC-XDM-{defect.kind.upper()}"
    return found(name, archive, subset=subset, document=defect.document, entry=defect.entry, **facts)


def of_refusal(refusal: XdmRefused, archive: str = "") -> Found:
    """Why a ZIP was not opened."""
    return found(f"ARC-ZIP-{refusal.kind.upper()}", archive, **refusal.facts)


_AGAIN = ("L'émetteur : envoyer une copie intacte.", "The issuer: send an intact copy.")
_MAKE = (
    "L'éditeur qui a produit l'archive : la corriger et la refaire.",
    "The vendor who made the archive: mend it and make it again.",
)
# Nobody has anything to do: to be known when importing.
_KNOW = ("", "")
_SIGNER = (
    "L'émetteur : signer de nouveau avec le bon certificat.",
    "The issuer: sign again with the right certificate.",
)
_DIGEST = (
    "Vous : demander à l'émetteur l'empreinte SHA-256 de l'archive.",
    "You: ask the issuer for the SHA-256 of the archive.",
)
_TOOL = (
    "Vous : passer les PDF dans un outil de contrôle PDF/A si vous y tenez.",
    "You: run a PDF/A checker on the PDFs if it matters.",
)
_SCHEMA = (
    "Vous : relancer avec --schema CDA_extended.xsd (CI-SIS).",
    "You: run again with --schema CDA_extended.xsd (CI-SIS).",
)
_CI_SIS = (
    "Vous : passer les CDA dans les schématrons du CI-SIS.",
    "You: run the Schematrons of CI-SIS on the CDA documents.",
)
_AUTHORITY = (
    "Vous : relancer avec --authority et les certificats de l'IGC Santé.",
    "You: run again with --authority and the certificates of the IGC Santé.",
)
_REVOKED = (
    "Vous : consulter la liste de révocation de l'IGC Santé.",
    "You: look up the revocation list of the IGC Santé.",
)
_CONTACT = (
    "Vous : demander au Contact Portabilité de l'archive, s'il le faut.",
    "You: ask the archive's portability contact, if need be.",
)

_D = "Guide portabilité, {} (fiche portability-requirements, D)"
_E = "Guide portabilité, {} (fiche portability-requirements, E)"
_F = "Guide portabilité, {} (fiche portability-requirements, F)"
_G = "Guide portabilité, {} (fiche portability-requirements, G)"
_XDM = "IHE XDM, ITI-32 (fiche xdm-mssante, 1)"
_METADATA = "IHE XDM, METADATA.XML (fiche xdm-mssante, 2)"
_OURS = "Forme de l'archive de Transvase (archive-format)"
_SET = "Fichier d'ensemble PA….SET.JSON (docs/how-to/receiving-vendor) ; PORT-46"
_SET_SIGN = "Signature du fichier d'ensemble PA….SET.SIGN.XML (docs/how-to/receiving-vendor), comme PORT-82"
_ZIP = "Lecture sûre d'un ZIP (PKWARE APPNOTE)"
_SIGN = "RFC 3275 (XML-DSig), ETSI EN 319 132-1 (XAdES), PORT-82"
_RFC5280 = "RFC 5280 (certificats), PORT-80"

_REFUSALS_FR = {
    "unreadable": "le fichier n'est pas un ZIP lisible",
    "entries": "elle contient plus de {most} entrées",
    "total": "elle se déploie sur plus de {most} octets",
    "ratio-all": "elle est comprimée plus de {most} fois",
    "character": "l'entrée {entry} a un caractère interdit dans son chemin",
    "path": "l'entrée {entry} a un chemin absolu, vide ou qui sort de l'archive",
    "twice": "l'entrée {entry} a le nom d'une entrée précédente",
    "encrypted": "l'entrée {entry} est chiffrée",
    "method": "l'entrée {entry} est comprimée autrement que par « deflate »",
    "link": "l'entrée {entry} est un lien symbolique",
    "large": "l'entrée {entry} se déploie sur plus de {most} octets",
    "ratio": "l'entrée {entry} est comprimée plus de {most} fois",
}

# Kind of a defect: severity, French. What the layout asks for and a reader can do without is a warning.
_DEFECTS_FR: dict[str, tuple[Severity, str, str]] = {
    "root-file": ("block", "{name} manque à la racine ; une archive XDM le demande.", _XDM),
    "no-subset": ("block", "IHE_XDM ne contient aucun lot de soumission ; SUBSET01 est attendu.", _XDM),
    "name": (
        "warning",
        "son nom n'a pas la forme 8.3 de l'ISO 9660 niveau 1 (A-Z, 0-9, souligné).",
        _XDM + ", PORT-48",
    ),
    "direct": ("warning", "un fichier est posé directement dans IHE_XDM ; sa place est dans un lot.", _XDM),
    "subset-name": ("warning", "un lot de soumission ne s'appelle pas SUBSETnn.", _XDM),
    "no-metadata": ("block", "METADATA.XML manque.", _METADATA),
    "metadata": (
        "block",
        "METADATA.XML est refusé : XML illisible, ou pas exactement un lot de soumission.",
        _METADATA,
    ),
    "no-document": ("block", "les métadonnées ne décrivent aucun document.", _METADATA),
    "set-id": ("block", "le lot de soumission n'a pas d'uniqueId.", _METADATA),
    "document-id": ("block", "il n'a pas d'uniqueId.", _METADATA),
    "same-id": ("block", "son uniqueId est celui d'un document précédent.", _METADATA),
    "member": ("block", "aucune association HasMember ne le rattache au lot.", _METADATA),
    "patient": ("block", "son patientId est absent ou n'est pas celui du lot.", _METADATA),
    "uri": ("block", "son URI ne désigne aucun fichier du lot.", _METADATA + ", PORT-73"),
    "same-file": ("block", "son URI désigne METADATA.XML ou le fichier d'un document précédent.", _METADATA),
    "unread": ("block", "son fichier est abîmé, ou n'a pas la longueur annoncée.", _METADATA),
    "size": ("block", "sa taille n'est pas celle du fichier.", _METADATA + ", PORT-73"),
    "hash": ("block", "son empreinte SHA-1 n'est pas celle du fichier.", _METADATA + ", PORT-72"),
    "undescribed": ("block", "ce fichier d'un lot n'est pas décrit par les métadonnées.", _METADATA),
}

# Why a SIGN.XML is refused before what it covers is compared: French, English.
SIGNATURE_REFUSALS = {
    "large": ("il est trop grand", "it is too large"),
    "damaged": ("il est abîmé", "it is damaged"),
    "xml": ("ce n'est pas un XML accepté", "it is not XML that is accepted"),
    "root": ("sa racine n'est pas une signature", "its root is not a signature"),
    "form": ("il n'a pas la forme que ce programme vérifie", "it is not of the form that this program verifies"),
    "properties": ("ses propriétés sont celles d'une autre signature", "its properties are those of another signature"),
    "scope": (
        "il ne signe pas exactement une liste d'archives et ses propres propriétés",
        "it does not sign exactly a list of archives and its own properties",
    ),
    "certificate": ("son certificat n'est pas celui qu'il annonce", "its certificate is not the one that it says"),
    "note": ("il contient un commentaire ou une instruction", "it holds a comment or an instruction"),
    "id-twice": ("un Id y figure deux fois", "an Id stands twice in it"),
    "certificate-unread": ("un de ses certificats ne peut être lu", "a certificate in it cannot be read"),
    "certificates": ("il porte trop de certificats", "it carries too many certificates"),
    "no-certificate": ("il ne porte aucun certificat", "it carries no certificate"),
    "canonical": (
        "il emploie une autre forme canonique que l'exclusive",
        "it uses another canonical form than the exclusive one",
    ),
    "key": ("la clé de son certificat ne peut être lue", "the key of its certificate cannot be read"),
    "algorithm": (
        "son algorithme de signature n'est pas admis pour la clé de son certificat",
        "its signature algorithm is not accepted for the key of its certificate",
    ),
    "value": (
        "la valeur de signature ne se vérifie pas avec son certificat",
        "the signature value does not verify with its certificate",
    ),
    "content": ("son contenu a changé après la signature", "its content changed after signing"),
    "list": (
        "sa liste d'archives n'a pas la forme que ce programme vérifie",
        "its list of archives is not of the form that this program verifies",
    ),
    "no-export": ("il ne nomme aucun export", "it names no export"),
    "no-time": ("il ne donne pas d'heure de signature", "it gives no signing time"),
    "uncanonical": ("une de ses parties n'a pas de forme canonique", "a part of it has no canonical form"),
    "digest": ("il emploie une autre empreinte que SHA-256", "it uses another digest than SHA-256"),
    "base64": ("une de ses valeurs n'est pas en base64", "a value in it is not base64"),
}

FINDINGS: dict[str, Finding] = {
    f.id: f
    for f in (
        # -- The file -------------------------------------------------------------------------------------------------------
        Finding(
            "ARC-NAME",
            "block",
            "le nom de l'archive n'a pas la forme PAaaaammjjThhmmss.ZIP.",
            "the archive's name is not of the form PAaaaammjjThhmmss.ZIP.",
            _D.format("modèle d'archive"),
            *_MAKE,
        ),
        Finding(
            "ARC-DIGEST",
            "block",
            "l'empreinte SHA-256 du fichier n'est pas celle livrée à côté.",
            "the file's SHA-256 differs from the one delivered beside it.",
            _OURS,
            *_AGAIN,
        ),
        Finding(
            "ARC-READ",
            "block",
            "l'archive ne peut être lue ({error}).",
            "the archive cannot be read ({error}).",
            "Système de fichiers",
            "Vous : vérifier les droits et le support.",
            "You: check rights and medium.",
        ),
        Finding(
            "ARC-KIND",
            "block",
            "ce ZIP n'est ni une archive de portabilité (MANIFEST.XML) ni une archive IHE XDM (IHE_XDM).",
            "this ZIP is neither a portability archive (MANIFEST.XML) nor an IHE XDM archive (IHE_XDM).",
            _D.format("modèle d'archive"),
            *_MAKE,
        ),
        *(
            Finding(
                f"ARC-ZIP-{kind.upper()}",
                "block",
                f"l'archive n'est pas ouverte : {_REFUSALS_FR[kind]}.",
                f"the archive is refused: {english}.",
                _ZIP,
                *_AGAIN,
            )
            for kind, english in REFUSALS.items()
        ),
        # -- The outer layout -------------------------------------------------------------------------------------------------
        Finding(
            "ARC-TWICE",
            "block",
            "l'archive contient deux fois le même nom.",
            "the archive holds the same name twice.",
            _ZIP,
            *_MAKE,
        ),
        Finding(
            "ARC-LAYOUT",
            "block",
            "son nom n'est pas prévu par la structure.",
            "it has a name that the layout does not know.",
            _D.format("modèle d'archive"),
            *_MAKE,
        ),
        Finding(
            "ARC-LAYOUT-OTHER",
            "warning",
            "son nom n'est pas prévu par la structure ; son contenu n'a pas été examiné.",
            "it has a name that the layout does not know; its content was not examined.",
            _D.format("modèle d'archive"),
            *_MAKE,
        ),
        Finding("ARC-MISSING", "block", "{name} manque.", "{name} is missing.", _D.format("modèle d'archive"), *_MAKE),
        Finding("ARC-DAMAGED", "block", "elle est abîmée.", "it is damaged.", _ZIP, *_AGAIN),
        Finding("ARC-COMMENT", "block", "le ZIP porte un commentaire.", "the ZIP carries a comment.", _OURS, *_AGAIN),
        Finding(
            "ARC-GAP",
            "block",
            "des octets étrangers se trouvent avant elle.",
            "Bytes stand between the members before it.",
            _OURS,
            *_AGAIN,
        ),
        Finding(
            "ARC-GAP-END",
            "block",
            "des octets étrangers se trouvent entre la dernière entrée et le répertoire.",
            "Bytes stand between the last member and the directory.",
            _OURS,
            *_AGAIN,
        ),
        Finding(
            "ARC-RECORD",
            "block",
            "son enregistrement n'est pas celui que Transvase écrit pour elle.",
            "Its record is not the one that Transvase writes for it.",
            _OURS,
            *_AGAIN,
        ),
        Finding(
            "ARC-TAIL",
            "block",
            "des octets étrangers se trouvent après le répertoire.",
            "Bytes stand after the directory.",
            _OURS,
            *_AGAIN,
        ),
        Finding(
            "ARC-COMPRESSED",
            "block",
            "c'est une archive, et elle est comprimée ; elle doit être rangée telle quelle.",
            "it is an archive and is compressed; it must be stored.",
            _OURS,
            *_AGAIN,
        ),
        Finding(
            "ARC-FORM-OTHER",
            "unchecked",
            "Le ZIP n'est pas de la forme de Transvase : des octets étrangers entre ses entrées passeraient inaperçus.",
            "The ZIP is not of Transvase's form: foreign bytes between its entries would go unseen.",
            _OURS,
            *_DIGEST,
        ),
        Finding(
            "ARC-README",
            "warning",
            "README.TXT n'est pas en ASCII à sept bits avec des fins de ligne CRLF.",
            "README.TXT is not in seven-bit ASCII with CRLF line ends.",
            _D.format("PORT-54"),
            *_MAKE,
        ),
        # -- MANIFEST.XML -----------------------------------------------------------------------------------------------------
        Finding(
            "ARC-MANIFEST",
            "block",
            "MANIFEST.XML ne peut être lu ({error}).",
            "MANIFEST.XML cannot be read ({error}).",
            _E.format("PORT-63"),
            *_MAKE,
        ),
        Finding(
            "ARC-MANIFEST-COUNTS",
            "block",
            "MANIFEST.XML annonce d'autres nombres que ceux qu'il énumère.",
            "MANIFEST.XML announces other counts than it lists.",
            _E.format("PORT-63"),
            *_MAKE,
        ),
        Finding(
            "ARC-MANIFEST-TWICE",
            "block",
            "MANIFEST.XML l'énumère deux fois.",
            "MANIFEST.XML lists it twice.",
            _E.format("PORT-63"),
            *_MAKE,
        ),
        Finding(
            "ARC-UNLISTED",
            "block",
            "{name} est présent mais pas dans MANIFEST.XML.",
            "{name} is present but not in MANIFEST.XML.",
            _E.format("PORT-63"),
            *_AGAIN,
        ),
        Finding(
            "ARC-OPTIONAL",
            "block",
            "{name}, partie facultative, n'est pas ce qu'en dit MANIFEST.XML ; sans ce dossier, l'archive vaut toujours.",
            "{name}, an optional part, is not what MANIFEST.XML says of it; without that folder the archive still stands.",
            _OURS,
            "Le destinataire : ne pas ouvrir ce dossier, le retirer ou demander une copie intacte.",
            "The receiver: do not open that folder, take it away or ask for an intact copy.",
        ),
        Finding(
            "ARC-LISTED-ABSENT",
            "block",
            "{name} est dans MANIFEST.XML mais pas dans l'archive.",
            "{name} is in MANIFEST.XML but not in the archive.",
            _E.format("PORT-63"),
            *_AGAIN,
        ),
        Finding(
            "ARC-NO-PATIENT-ID",
            "block",
            "MANIFEST.XML ne donne pas de patientId (PORT-60).",
            "MANIFEST.XML gives no patientId (PORT-60).",
            _E.format("PORT-60"),
            *_MAKE,
        ),
        Finding(
            "ARC-TRANSVERSE-PATIENT-ID",
            "block",
            "MANIFEST.XML donne un patientId à une archive transverse (PORT-60).",
            "MANIFEST.XML gives a patientId to a transverse archive (PORT-60).",
            _E.format("PORT-60"),
            *_MAKE,
        ),
        Finding(
            "ARC-PATIENT-ID",
            "block",
            "son patientId dans MANIFEST.XML n'est pas celui de ses métadonnées.",
            "its patientId in MANIFEST.XML is not the one of its metadata.",
            _E.format("PORT-61") + ", PORT-74",
            *_MAKE,
        ),
        Finding(
            "ARC-SIZE",
            "block",
            "sa taille n'est pas celle de MANIFEST.XML.",
            "its size differs from MANIFEST.XML.",
            _E.format("PORT-62"),
            *_AGAIN,
        ),
        Finding(
            "ARC-HASH",
            "block",
            "son empreinte SHA-256 n'est pas celle de MANIFEST.XML.",
            "its SHA-256 differs from MANIFEST.XML.",
            _E.format("PORT-62"),
            *_AGAIN,
        ),
        # -- SIGN.XML ---------------------------------------------------------------------------------------------------------
        Finding(
            "ARC-SIGN-MISSING",
            "block",
            "SIGN.XML manque : l'archive n'est pas signée, et une autorité a été donnée.",
            "SIGN.XML is missing: the archive is not signed, and an authority was given.",
            _G.format("PORT-80"),
            "L'émetteur : signer l'archive.",
            "The issuer: sign the archive.",
        ),
        *(
            Finding(
                f"ARC-SIGN-{kind.upper()}", "block", f"SIGN.XML : {french}.", f"SIGN.XML: {english}.", _SIGN, *_AGAIN
            )
            for kind, (french, english) in SIGNATURE_REFUSALS.items()
        ),
        Finding(
            "ARC-SIGN-EXTRA",
            "block",
            "SIGN.XML : {name} est signé mais pas dans MANIFEST.XML.",
            "SIGN.XML: {name} is signed but not in MANIFEST.XML.",
            _G.format("PORT-81"),
            *_AGAIN,
        ),
        Finding(
            "ARC-SIGN-EXTRA-OTHER",
            "block",
            "SIGN.XML : une entrée est signée mais pas dans MANIFEST.XML.",
            "SIGN.XML: a member is signed but not in MANIFEST.XML.",
            _G.format("PORT-81"),
            *_AGAIN,
        ),
        Finding(
            "ARC-SIGN-LEFT-OUT",
            "block",
            "SIGN.XML : {name} n'est pas signé.",
            "SIGN.XML: {name} is not signed.",
            _G.format("PORT-81"),
            *_AGAIN,
        ),
        Finding(
            "ARC-SIGN-CHANGED",
            "block",
            "SIGN.XML : {name} a changé après la signature.",
            "SIGN.XML: {name} changed after signing.",
            _G.format("PORT-82"),
            *_AGAIN,
        ),
        Finding(
            "ARC-SIGN-EXPORT",
            "block",
            "SIGN.XML : il a été fait pour un autre export que celui de MANIFEST.XML.",
            "SIGN.XML: it was made for another export than that of MANIFEST.XML.",
            _G.format("PORT-81"),
            *_AGAIN,
        ),
        Finding(
            "ARC-SIGN-DATES",
            "block",
            "SIGN.XML : son certificat n'était pas valide au moment de la signature.",
            "SIGN.XML: its certificate was not valid at the signing time.",
            _RFC5280,
            *_SIGNER,
        ),
        Finding(
            "ARC-SIGN-EXTENSIONS",
            "block",
            "SIGN.XML : les extensions de son certificat ne peuvent être lues.",
            "SIGN.XML: the extensions of its certificate cannot be read.",
            _RFC5280,
            *_SIGNER,
        ),
        Finding(
            "ARC-SIGN-USE",
            "block",
            "SIGN.XML : son certificat n'est pas fait pour signer.",
            "SIGN.XML: its certificate is not one for signatures.",
            _RFC5280,
            *_SIGNER,
        ),
        Finding(
            "ARC-SIGN-OWNER",
            "block",
            "SIGN.XML : son certificat est celui d'une autre structure que l'auteur de MANIFEST.XML.",
            "SIGN.XML: its certificate is that of another structure than the author of MANIFEST.XML.",
            _G.format("PORT-82"),
            *_SIGNER,
        ),
        Finding(
            "ARC-SIGN-CHAIN",
            "block",
            "SIGN.XML : son certificat ne vient pas des autorités données.",
            "SIGN.XML: its certificate does not come from the authorities given.",
            _RFC5280,
            *_SIGNER,
        ),
        # -- Patient and XDM archives -----------------------------------------------------------------------------------------
        *(
            Finding(
                f"ARC-XDM-{kind.upper()}",
                severity,
                french,
                "METADATA.XML is refused: unreadable XML, or not exactly one submission set."
                if kind == "metadata"
                else DEFECTS[kind],
                source,
                *(_MAKE if severity == "warning" or kind in ("member", "patient") else _AGAIN),
            )
            for kind, (severity, french, source) in _DEFECTS_FR.items()
        ),
        Finding(
            "ARC-CDA-UNREADABLE",
            "block",
            "ce document n'est pas un CDA lisible.",
            "this document is not a readable CDA.",
            _F.format("PORT-52"),
            *_MAKE,
        ),
        Finding(
            "ARC-CDA-UNREADABLE-OTHER",
            "warning",
            "ce document n'est pas un CDA lisible ; ses métadonnées n'ont pu lui être comparées.",
            "this document is not a readable CDA; its metadata could not be compared with it.",
            _METADATA,
            *_MAKE,
        ),
        Finding(
            "ARC-CDA-SCHEMA",
            "block",
            "ce CDA n'est pas valide selon le schéma donné.",
            "this CDA is not valid against the schema given.",
            "CI-SIS, CDA_extended.xsd",
            *_MAKE,
        ),
        Finding(
            "ARC-CDA-SCHEMA-CARRIED",
            "warning",
            "ce CDA, repris tel qu'il a été reçu, n'est pas valide selon le schéma donné.",
            "this CDA, carried as it was received, is not valid against the schema given.",
            "CI-SIS, CDA_extended.xsd ; PORT-37",
            *_KNOW,
        ),
        Finding(
            "ARC-META-DIFFERS",
            "block",
            "{attribute} dans les métadonnées n'est pas ce que dit l'en-tête du CDA.",
            "{attribute} in the metadata is not what the header of the CDA says.",
            _F.format("PORT-70"),
            *_MAKE,
        ),
        Finding(
            "ARC-META-CARRIED",
            "warning",
            "{attribute} dans les métadonnées n'est pas ce que dit l'en-tête de ce CDA, repris tel qu'il a été reçu.",
            "{attribute} in the metadata is not what the header says of this CDA, carried as it was received.",
            _F.format("PORT-70") + ", PORT-37",
            *_KNOW,
        ),
        Finding(
            "ARC-META-UNDERIVED",
            "warning",
            "l'en-tête du CDA ne permet pas d'en déduire {attribute} : les métadonnées n'ont pu lui être comparées.",
            "the header of the CDA does not give {attribute}: the metadata could not be compared with it.",
            _F.format("PORT-70"),
            *_KNOW,
        ),
        Finding(
            "ARC-STYLESHEET",
            "warning",
            "[{count} document demande|{count} documents demandent] une feuille de style qui n'est pas dans l'archive.",
            "[{count} document asks|{count} documents ask] for a stylesheet that is not in the archive.",
            "CI-SIS structuration minimale, 3.9 (fiche xdm-mssante, 1)",
            *_KNOW,
        ),
        Finding(
            "ARC-LINK-README",
            "warning",
            "INDEX.HTM ne renvoie pas à README.TXT.",
            "INDEX.HTM has no link to README.TXT.",
            _D.format("PORT-53"),
            *_MAKE,
        ),
        Finding(
            "ARC-LINK-BROKEN",
            "warning",
            "[{count} lien|{count} liens] d'INDEX.HTM ne [mène|mènent] à aucune entrée de l'archive.",
            "[{count} link|{count} links] of INDEX.HTM [leads|lead] to no entry of the archive.",
            _XDM,
            *_MAKE,
        ),
        Finding(
            "ARC-LINK-OUTSIDE",
            "warning",
            "[{count} lien|{count} liens] d'INDEX.HTM [mène|mènent] hors de l'archive.",
            "[{count} link|{count} links] of INDEX.HTM [leads|lead] out of the archive.",
            _XDM,
            *_MAKE,
        ),
        Finding("ARC-ENTRY-DAMAGED", "block", "elle est abîmée.", "it is damaged.", _ZIP, *_AGAIN),
        Finding(
            "ARC-PDF-MISSING",
            "block",
            "[{count} document n'a|{count} documents n'ont] pas de copie lisible dans PDF.",
            "[{count} document has|{count} documents have] no readable copy in PDF.",
            _D.format("PORT-51"),
            *_MAKE,
        ),
        Finding(
            "ARC-PDF-STRAY",
            "warning",
            "[{count} fichier de PDF n'est la copie|{count} fichiers de PDF ne sont la copie] d'aucun document.",
            "[{count} file of PDF is|{count} files of PDF are] the copy of no document.",
            _D.format("PORT-51"),
            *_MAKE,
        ),
        Finding(
            "ARC-PDF-AMBIGUOUS",
            "warning",
            "le nom ne dit pas de quel document [{count} copie lisible est|{count} copies lisibles sont] la copie.",
            "the name does not tell of which document [{count} readable copy is|{count} readable copies are] the copy.",
            _D.format("PORT-50") + ", PORT-51",
            *_MAKE,
        ),
        Finding(
            "ARC-PDF-CONTENT",
            "block",
            "aucune copie lisible à son nom n'est le PDF que ce document contient.",
            "no readable copy under its name is the PDF that this document holds.",
            _D.format("PORT-51"),
            *_MAKE,
        ),
        Finding(
            "ARC-PDF-UNDECLARED",
            "warning",
            "[{count} copie lisible ne se déclare|{count} copies lisibles ne se déclarent] pas PDF/A-1.",
            "[{count} readable copy does not declare itself|{count} readable copies do not declare themselves] PDF/A-1.",
            "ISO 19005-1, 6.7.11 ; PORT-38",
            *_KNOW,
        ),
        Finding(
            "ARC-ORIGINAL-STRAY",
            "warning",
            "[{count} fichier d'ORIGINAUX ne porte|{count} fichiers d'ORIGINAUX ne portent] le numéro d'aucun document.",
            "[{count} file of ORIGINAUX bears|{count} files of ORIGINAUX bear] the number of no document.",
            _OURS,
            *_MAKE,
        ),
        Finding("ARC-DATA-MISSING", "block", "DONNEES.JSON manque.", "DONNEES.JSON is missing.", _OURS, *_MAKE),
        Finding(
            "ARC-DATA-UNREADABLE",
            "block",
            "DONNEES.JSON n'est pas lisible.",
            "DONNEES.JSON is not readable.",
            _OURS,
            *_MAKE,
        ),
        Finding(
            "ARC-DATA-LINES",
            "block",
            "DONNEES.JSON et les métadonnées ne nomment pas les mêmes documents.",
            "DONNEES.JSON and the metadata do not name the same documents.",
            _OURS,
            *_MAKE,
        ),
        # -- What did not arrive, and where it went ---------------------------------------------------------------------------
        Finding(
            "ARC-GONE-ABSENT",
            "info",
            "[{count} version de document|{count} versions de documents] sans contenu dans le logiciel quitté : "
            "[sa fiche est|leurs fiches sont] dans DONNEES.JSON (absent).",
            "[{count} version of a document|{count} versions of documents] without content in the former software: "
            "[its row is|their rows are] in DONNEES.JSON (absent).",
            _OURS,
            *_CONTACT,
        ),
        Finding(
            "ARC-GONE-REPEATED",
            "info",
            "[{count} version de document répète|{count} versions de documents répètent] un autre CDA à l'identique : DONNEES.JSON dit lequel (repeated).",
            "[{count} version of a document repeats|{count} versions of documents repeat] another CDA exactly: DONNEES.JSON says which (repeated).",
            _OURS,
            *_KNOW,
        ),
        Finding(
            "ARC-GONE-PLAIN",
            "info",
            "[{count} document|{count} documents] sans CDA, faute de traits du patient suffisants : [son PDF tient sa|leurs PDF tiennent leur] place dans IHE_XDM.",
            "[{count} document|{count} documents] without CDA, for lack of the patient's traits: "
            "[its PDF stands in its|their PDFs stand in their] place in IHE_XDM.",
            _OURS,
            *_KNOW,
        ),
        Finding(
            "ARC-GONE-OPTIONAL",
            "info",
            "[{count} partie facultative annoncée a été retirée|{count} parties facultatives annoncées ont été retirées] : rien n'y manque "
            "au reste.",
            "[{count} optional part that is announced was|{count} optional parts that are announced were] taken away: the rest lacks nothing.",
            _OURS,
            *_KNOW,
        ),
        Finding(
            "ARC-GONE-ORPHAN-ROWS",
            "info",
            "[{count} enregistrement|{count} enregistrements] de patients inconnus : dans TRANSVERSE/ORPHELIN.",
            "[{count} record|{count} records] of unknown patients: in TRANSVERSE/ORPHELIN.",
            _OURS,
            *_CONTACT,
        ),
        Finding(
            "ARC-GONE-ORPHAN-BODIES",
            "info",
            "[{count} contenu|{count} contenus] de documents de patients inconnus : dans TRANSVERSE/ORPHELIN.",
            "[{count} content|{count} contents] of documents of unknown patients: in TRANSVERSE/ORPHELIN.",
            _OURS,
            *_CONTACT,
        ),
        Finding(
            "ARC-GONE-NOT-STATED",
            "info",
            "L'archive ne le dit pas (elle n'a pas de DONNEES.JSON).",
            "The archive does not say (it has no DONNEES.JSON).",
            _OURS,
            *_KNOW,
        ),
        # -- What was not checked, and why ------------------------------------------------------------------------------------
        Finding(
            "ARC-NOT-DIGEST",
            "unchecked",
            "Aucune empreinte du fichier entier n'accompagne l'archive : un changement hors des archives internes peut passer inaperçu.",
            "No digest of the whole file stands beside the archive: a change outside the inner archives may go unseen.",
            _OURS,
            *_DIGEST,
        ),
        Finding(
            "ARC-NOT-SIGNED",
            "unchecked",
            "L'archive n'est pas signée (pas de SIGN.XML) : l'émetteur n'est pas prouvé.",
            "The archive is not signed (no SIGN.XML): the issuer is not proved.",
            _G.format("PORT-82"),
            "L'émetteur : signer l'archive.",
            "The issuer: sign the archive.",
        ),
        Finding(
            "ARC-NOT-ISSUER",
            "unchecked",
            "Une archive IHE XDM n'est pas signée : l'émetteur n'est pas prouvé, ni l'absence de changement.",
            "An IHE XDM archive is not signed: neither the issuer nor the absence of change is proved.",
            _XDM,
            "Vous : vous fier au canal par lequel elle est arrivée (MSSanté).",
            "You: rely on the channel by which it came (MSSanté).",
        ),
        Finding(
            "ARC-NOT-CHAIN",
            "unchecked",
            "SIGN.XML : aucune autorité n'a été donnée (--authority), rien ne prouve qui a délivré le certificat.",
            "SIGN.XML: no authority was given (--authority), who issued the certificate is not proved.",
            _G.format("PORT-82"),
            *_AUTHORITY,
        ),
        Finding(
            "ARC-NOT-OWNER",
            "unchecked",
            "SIGN.XML : son certificat et l'auteur de MANIFEST.XML n'ont rien qui puisse être comparé.",
            "SIGN.XML: its certificate and the author of MANIFEST.XML hold nothing that can be compared.",
            _G.format("PORT-82"),
            "Vous : comparer vous-même le titulaire du certificat à l'émetteur.",
            "You: compare the certificate's owner with the issuer yourself.",
        ),
        Finding(
            "ARC-NOT-REVOCATION",
            "unchecked",
            "SIGN.XML : la révocation du certificat, et l'heure de signature, que seul l'émetteur affirme.",
            "SIGN.XML: revocation of the certificate; the signing time, which is the issuer's word.",
            "RFC 5280, 6.3",
            *_REVOKED,
        ),
        Finding(
            "ARC-NOT-SCHEMA",
            "unchecked",
            "Les CDA n'ont pas été comparés au schéma (--schema).",
            "The CDA documents were not checked against a schema (--schema).",
            "CI-SIS, CDA_extended.xsd",
            *_SCHEMA,
        ),
        Finding(
            "ARC-NOT-MODELS",
            "unchecked",
            "Les règles propres à chaque modèle de CDA (schématrons) et les jeux de valeurs.",
            "The rules of each CDA model (Schematrons) and the value sets.",
            "CI-SIS, schématrons",
            *_CI_SIS,
        ),
        Finding(
            "ARC-NOT-PDFA",
            "unchecked",
            "La conformité PDF/A-1 du contenu des copies lisibles : seule leur déclaration a été lue.",
            "PDF/A-1 conformity of the content of the readable copies: only their declaration was read.",
            "ISO 19005-1 ; PORT-38",
            *_TOOL,
        ),
        Finding(
            "ARC-NOT-PAIRS",
            "unchecked",
            "Les copies lisibles ne suivent pas la règle de nommage : "
            "[{count} copie n'a pas été rapprochée de son document|{count} copies n'ont pas été rapprochées de leurs documents].",
            "The readable copies do not follow the naming rule: "
            "[{count} copy was not matched with its document|{count} copies were not matched with their documents].",
            _D.format("PORT-50"),
            *_KNOW,
        ),
        Finding(
            "ARC-NOT-DATA",
            "unchecked",
            "[DONNEES.JSON de {count} archive, trop grand, n'a pas été lu|Les DONNEES.JSON de {count} archives, trop grands, n'ont pas été lus].",
            "DONNEES.JSON of {count} [archive is|archives are] too large and [was|were] not read.",
            _OURS,
            *_KNOW,
        ),
        Finding(
            "ARC-NOT-TRANSVERSE",
            "unchecked",
            "Le contenu des fichiers transverses : seule leur intégrité a été vérifiée.",
            "The content of the transverse files: only their integrity was checked.",
            _D.format("modèle d'archive"),
            *_KNOW,
        ),
        Finding(
            "ARC-SET-MISSING",
            "block",
            "{name} manque à l'ensemble.",
            "{name} is missing from the set.",
            _SET,
            "L'émetteur : envoyer les archives qui manquent.",
            "The issuer: send the archives that are missing.",
        ),
        Finding(
            "ARC-SET-CHANGED",
            "block",
            "{name} n'est pas l'archive de l'ensemble : sa taille ou son empreinte diffère ; elle n'est pas ouverte.",
            "{name} is not the archive of the set: its size or its digest differs; it is not opened.",
            _SET,
            *_AGAIN,
        ),
        Finding(
            "ARC-SET-FOREIGN",
            "block",
            "une archive du dossier n'est pas de l'ensemble : {name}.",
            "an archive of the folder is not of the set: {name}.",
            _SET,
            "Vous : la retirer du dossier ; si elle en est, demander à l'émetteur le fichier d'ensemble qui la nomme.",
            "You: take it out of the folder; if it belongs there, ask the issuer for the set manifest that names it.",
        ),
        Finding(
            "ARC-SET-REPEATED",
            "block",
            "une archive de l'ensemble est là deux fois : {name}.",
            "an archive of the set is there twice: {name}.",
            _SET,
            "Vous : retirer la copie du dossier.",
            "You: take the copy out of the folder.",
        ),
        Finding(
            "ARC-SET-LISTED-TWICE",
            "block",
            "le fichier d'ensemble nomme deux fois une archive.",
            "the set manifest names an archive twice.",
            _SET,
            *_MAKE,
        ),
        Finding(
            "ARC-SET-TOTALS",
            "block",
            "les totaux du fichier d'ensemble ne sont pas la somme de ses archives.",
            "the totals of the set manifest are not the sum of its archives.",
            _SET,
            *_MAKE,
        ),
        Finding(
            "ARC-SET-TWICE",
            "block",
            "[{count} dossier est listé|{count} dossiers sont listés] deux fois par le fichier d'ensemble.",
            "[{count} dossier is|{count} dossiers are] listed twice by the set manifest.",
            _SET,
            *_MAKE,
        ),
        Finding(
            "ARC-SET-DOSSIERS",
            "block",
            "les dossiers de {name} ne sont pas ceux que dit le fichier d'ensemble.",
            "the dossiers of {name} are not those that the set manifest tells.",
            _SET,
            *_MAKE,
        ),
        Finding(
            "ARC-SET-COUNTS",
            "block",
            "les lignes et cellules des dossiers de {name} ne sont pas celles que dit le fichier d'ensemble.",
            "the rows and cells of the dossiers of {name} are not those that the set manifest tells.",
            _SET,
            *_MAKE,
        ),
        Finding(
            "ARC-SET-PATIENT-TWICE",
            "block",
            "[{count} patient est|{count} patients sont] dans deux archives de l'ensemble.",
            "[{count} patient stands|{count} patients stand] in two archives of the set.",
            _SET,
            *_MAKE,
        ),
        Finding(
            "ARC-SET-SIGN-MISSING",
            "block",
            "la signature du fichier d'ensemble manque (PA….SET.SIGN.XML), et ses archives sont signées ou une autorité a été donnée.",
            "the signature of the set manifest is missing (PA….SET.SIGN.XML), and its archives are signed or an authority was given.",
            _SET_SIGN,
            "L'émetteur : envoyer la signature de l'ensemble.",
            "The issuer: send the signature of the set.",
        ),
        Finding(
            "ARC-SET-SIGN-INVALID",
            "block",
            "la signature du fichier d'ensemble ne se vérifie pas ({reason}).",
            "the signature of the set manifest does not verify ({reason}).",
            _SET_SIGN,
            *_AGAIN,
        ),
        Finding(
            "ARC-SET-SIGN-CHANGED",
            "block",
            "le fichier d'ensemble a changé après la signature, ou la signature est celle d'un autre.",
            "the set manifest changed after signing, or the signature is that of another one.",
            _SET_SIGN,
            *_AGAIN,
        ),
        Finding(
            "ARC-SET-SIGN-CERTIFICATE",
            "block",
            "le certificat qui signe le fichier d'ensemble ne pouvait signer à cette heure ({reason}).",
            "the certificate that signs the set manifest could not sign at that time ({reason}).",
            _RFC5280,
            *_SIGNER,
        ),
        Finding(
            "ARC-SET-SIGN-OWNER",
            "block",
            "le fichier d'ensemble est signé par une autre structure que celle qu'il nomme.",
            "the set manifest is signed by another structure than the one it names.",
            _SET_SIGN,
            *_SIGNER,
        ),
        Finding(
            "ARC-SET-SIGN-CHAIN",
            "block",
            "le certificat qui signe le fichier d'ensemble ne vient pas des autorités données.",
            "the certificate that signs the set manifest does not come from the authorities given.",
            _RFC5280,
            *_SIGNER,
        ),
        Finding(
            "ARC-SET-SIGN-SIGNER",
            "block",
            "{name} est signée avec un autre certificat que le fichier d'ensemble.",
            "{name} is signed with another certificate than the set manifest.",
            _SET_SIGN,
            *_SIGNER,
        ),
        Finding(
            "ARC-SET-REST",
            "info",
            "Remise {delivery} sur {of} : les autres patients sont à remettre le {day}.",
            "Delivery {delivery} of {of}: the other patients are due on {day}.",
            "PORT-08",
            *_KNOW,
        ),
        Finding(
            "ARC-SET-NOT-SIGNED",
            "unchecked",
            "Le fichier d'ensemble n'est pas signé : rien ne prouve qui l'a fait, ni qu'aucune archive n'en a été ôtée.",
            "The set manifest is not signed: neither who made it nor that no archive was taken out of it is proved.",
            _SET_SIGN,
            "L'émetteur : signer l'export.",
            "The issuer: sign the export.",
        ),
        Finding(
            "ARC-SET-NOT-CHAIN",
            "unchecked",
            "Signature de l'ensemble : aucune autorité n'a été donnée (--authority), rien ne prouve qui a délivré le certificat.",
            "Signature of the set: no authority was given (--authority), who issued the certificate is not proved.",
            _SET_SIGN,
            *_AUTHORITY,
        ),
        Finding(
            "ARC-SET-NOT-OWNER",
            "unchecked",
            "Signature de l'ensemble : son certificat et la structure nommée n'ont rien qui puisse être comparé.",
            "Signature of the set: its certificate and the structure that is named hold nothing that can be compared.",
            _SET_SIGN,
            "Vous : comparer vous-même le titulaire du certificat à l'émetteur.",
            "You: compare the certificate's owner with the issuer yourself.",
        ),
        Finding(
            "ARC-SET-NOT-REVOCATION",
            "unchecked",
            "Signature de l'ensemble : la révocation du certificat, et l'heure de signature, que seul l'émetteur affirme.",
            "Signature of the set: revocation of the certificate; the signing time, which is the issuer's word.",
            "RFC 5280, 6.3",
            *_REVOKED,
        ),
        Finding(
            "ARC-SET-CLOSED",
            "unchecked",
            "[{count} archive chiffrée n'a pas été ouverte|{count} archives chiffrées n'ont pas été ouvertes] (--key) : seule leur empreinte a été comparée.",
            "[{count} encrypted archive was|{count} encrypted archives were] not opened (--key): only the digest was compared.",
            _SET,
            "Vous : relancer avec --key et votre clé.",
            "You: run again with --key and your key.",
        ),
    )
}
