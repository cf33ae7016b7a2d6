"""The signature of a submission set: the XAdES document that travels in the set, and its document entry (sheet
dmp-transactions, 8; XAdES 1.1.1, IHE DSG manifest).

The documents themselves are not changed: the manifest holds the digest of each one's canonical form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from transvase.exporters.cda import level1
from transvase.formats.cda import Coded
from transvase.formats.structure_seal import (
    C14N_WITH_COMMENTS,
    DIGEST_METHOD,
    SIGNATURE_METHOD,
    Digest,
    Seal,
    canonical_digest,
    digest_of,
    digest_value,
)
from transvase.formats.xades import DS
from transvase.formats.xds import DocumentEntry, SubmissionSet
from transvase.formats.xml_text import attribute as q
from transvase.formats.xml_text import text as t
from transvase.model.clock import utc14
from transvase.model.codes.class_codes import CODES as CLASSES
from transvase.model.codes.confidentiality_codes import CODES as CONFIDENTIALITY
from transvase.model.codes.type_codes import CODES as TYPES

_XADES = "http://uri.etsi.org/01903/v1.1.1#"
# Prefixes, since libxml2 canonicalises a part under a default namespace wrongly, and verifiers are built on it.
_SCOPE = f' xmlns:ds="{DS}" xmlns:xad="{_XADES}"'
PURPOSE = "1.2.840.10065.1.12.1.14"
_CLASS = CLASSES["urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1"]
_TYPE = TYPES["E1762"]
_LEVELS = tuple(
    Coded(c.code, c.system, c.display)
    for c in map(CONFIDENTIALITY.__getitem__, ("N", "MASQUE_PS", "INVISIBLE_PATIENT"))
)


class Reference(NamedTuple):
    """A document of the set in the manifest: its uniqueId and the digest of its canonical form, base64."""

    unique_id: str
    digest: str


def reference(unique_id: str, data: bytes, digest: Digest, *, written: bool = False) -> Reference:
    """The manifest's line for a document's bytes, `written` when `exporters.cda.level1` gave them. `Uncanonical` when they are not XML
    that has a canonical form."""
    known = level1.canonical(data) if written else None
    return Reference(unique_id, digest_of(known, digest) if known else canonical_digest(data, digest))


def sign(
    unique_id: str,
    submission: SubmissionSet,
    references: Sequence[Reference],
    lead: DocumentEntry,
    instant: datetime,
    seal: Seal,
    digest: Digest,
) -> tuple[DocumentEntry, bytes]:
    """The entry and the bytes of the signature of a set. `unique_id` is its own, an OID; `lead` the document whose facility and
    practice setting it repeats; `instant` aware."""
    data = _document(unique_id, submission.unique_id, references, instant, seal, digest).encode()
    time = utc14(instant)
    entry = DocumentEntry(
        unique_id=unique_id,
        sha1=hashlib.sha1(data, usedforsecurity=False).hexdigest().upper(),
        size=len(data),
        creation_time=time,
        service_start_time=time,
        service_stop_time=time,
        language="art",
        title="Source",
        patient_id=submission.patient_id,
        source_patient_id=submission.patient_id,
        authors=submission.authors,
        class_code=Coded(_CLASS.code, _CLASS.system, _CLASS.display),
        type_code=Coded(_TYPE.code, _TYPE.system, _TYPE.display),
        format_code=Coded(DS, "URN", "Default Signature Style"),
        facility=lead.facility,
        practice_setting=lead.practice_setting,
        confidentiality=_LEVELS,
        event_codes=(Coded(PURPOSE, PURPOSE.rpartition(".1.14")[0], "Source"),),
    )
    return entry, data


def _document(
    unique_id: str, set_id: str, references: Sequence[Reference], instant: datetime, seal: Seal, digest: Digest
) -> str:
    method = f'<ds:DigestMethod Algorithm="{DIGEST_METHOD[digest]}"></ds:DigestMethod>'
    # The three signed parts are written in their canonical form, which declares the namespaces in force: these bytes are digested and
    # signed. In the document the root declares them.
    lines = f'<ds:Reference URI="urn:oid:{q(set_id)}">{method}<ds:DigestValue>AA==</ds:DigestValue></ds:Reference>'
    lines += "".join(
        f'<ds:Reference URI="urn:oid:{q(one.unique_id)}"><ds:Transforms><ds:Transform Algorithm="{C14N_WITH_COMMENTS}"></ds:Transform>'
        f"</ds:Transforms>{method}<ds:DigestValue>{one.digest}</ds:DigestValue></ds:Reference>"
        for one in references
    )
    manifest = f'<ds:Manifest{_SCOPE} Id="IHEManifest">{lines}</ds:Manifest>'
    stamp = instant.astimezone(UTC)
    properties = (
        f'<xad:SignedProperties{_SCOPE} Id="S0-SignedProperties"><xad:SignedSignatureProperties>'
        f"<xad:SigningTime>{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03d}Z</xad:SigningTime>"
        f'<xad:SigningCertificate><xad:Cert><xad:CertDigest><xad:DigestMethod Algorithm="{DIGEST_METHOD[digest]}">'
        f"</xad:DigestMethod><xad:DigestValue>{digest_value(seal.der, digest)}</xad:DigestValue></xad:CertDigest>"
        f"<xad:IssuerSerial><ds:X509IssuerName>{t(seal.issuer)}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{seal.serial}</ds:X509SerialNumber></xad:IssuerSerial></xad:Cert></xad:SigningCertificate>"
        "<xad:SignaturePolicyIdentifier><xad:SignaturePolicyImplied></xad:SignaturePolicyImplied></xad:SignaturePolicyIdentifier>"
        "</xad:SignedSignatureProperties><xad:SignedDataObjectProperties></xad:SignedDataObjectProperties></xad:SignedProperties>"
    )
    signed = (
        f'<ds:SignedInfo{_SCOPE}><ds:CanonicalizationMethod Algorithm="{C14N_WITH_COMMENTS}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{SIGNATURE_METHOD[digest]}"></ds:SignatureMethod>'
        f'<ds:Reference Type="{DS}Manifest" URI="#IHEManifest">{method}'
        f"<ds:DigestValue>{digest_value(manifest.encode(), digest)}</ds:DigestValue></ds:Reference>"
        f'<ds:Reference Type="{_XADES}SignedProperties" URI="#S0-SignedProperties">{method}'
        f"<ds:DigestValue>{digest_value(properties.encode(), digest)}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
    target = f'"#{q(unique_id)}"'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ds:Signature{_SCOPE} Id="{q(unique_id)}">{_inherited(signed)}'
        f"<ds:SignatureValue>{seal.sign(signed.encode(), digest)}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{seal.certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        f'<ds:Object><ds:SignatureProperties><ds:SignatureProperty Id="purposeOfSignature" Target={target}>{PURPOSE}'
        f"</ds:SignatureProperty></ds:SignatureProperties></ds:Object><ds:Object>{_inherited(manifest)}</ds:Object>"
        f"<ds:Object><xad:QualifyingProperties Target={target}>{_inherited(properties)}</xad:QualifyingProperties>"
        "</ds:Object></ds:Signature>"
    )


def _inherited(part: str) -> str:
    return part.replace(_SCOPE, "", 1)
