"""The signature of a submission set: the XAdES document that travels in the set, and its document entry (sheet
dmp-transactions, 8; XAdES 1.1.1, IHE DSG manifest).

The documents themselves are not changed: the manifest holds the digest of each one's canonical form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from transvase.formats.cda import Coded
from transvase.formats.seal import (
    C14N_WITH_COMMENTS,
    DIGEST_METHOD,
    DS,
    SIGNATURE_METHOD,
    Digest,
    Seal,
    canonical,
    digest_value,
)
from transvase.formats.xds import DocumentEntry, SubmissionSet
from transvase.formats.xml_text import attribute as q
from transvase.formats.xml_text import text as t
from transvase.model.clock import utc14
from transvase.model.codes.class_codes import CODES as CLASSES
from transvase.model.codes.confidentiality_codes import CODES as CONFIDENTIALITY
from transvase.model.codes.type_codes import CODES as TYPES

_XADES = "http://uri.etsi.org/01903/v1.1.1#"
PURPOSE = "1.2.840.10065.1.12.1.14"
_CLASS = CLASSES["urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1"]
_TYPE = TYPES["E1762"]
_LEVELS = tuple(
    Coded(c.code, c.system, c.display) for c in map(CONFIDENTIALITY.__getitem__, ("N", "MASQUE_PS", "INVISIBLE_PATIENT"))
)


class Reference(NamedTuple):
    """A document of the set in the manifest: its uniqueId and the digest of its canonical form, base64."""

    unique_id: str
    digest: str


def reference(unique_id: str, data: bytes, digest: Digest) -> Reference:
    """The manifest's line for a document's bytes. `Uncanonical` when they are not XML that has a canonical form."""
    return Reference(unique_id, digest_value(canonical(data, with_comments=True), digest))


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
    method = f'<DigestMethod Algorithm="{DIGEST_METHOD[digest]}"></DigestMethod>'
    # The three signed parts are written in their canonical form (each begins with the namespace in force), so that their own
    # bytes are what is digested and signed.
    lines = f'<Reference URI="urn:oid:{q(set_id)}">{method}<DigestValue>AA==</DigestValue></Reference>'
    lines += "".join(
        f'<Reference URI="urn:oid:{q(one.unique_id)}"><Transforms><Transform Algorithm="{C14N_WITH_COMMENTS}"></Transform>'
        f"</Transforms>{method}<DigestValue>{one.digest}</DigestValue></Reference>"
        for one in references
    )
    manifest = f'<Manifest xmlns="{DS}" Id="IHEManifest">{lines}</Manifest>'
    stamp = instant.astimezone(UTC)
    properties = (
        f'<SignedProperties xmlns="{_XADES}" Id="S0-SignedProperties"><SignedSignatureProperties>'
        f"<SigningTime>{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03d}Z</SigningTime>"
        f"<SigningCertificate><Cert><CertDigest>{method}<DigestValue>{digest_value(seal.der, digest)}</DigestValue></CertDigest>"
        f'<IssuerSerial><X509IssuerName xmlns="{DS}">{t(seal.issuer)}</X509IssuerName>'
        f'<X509SerialNumber xmlns="{DS}">{seal.serial}</X509SerialNumber></IssuerSerial></Cert></SigningCertificate>'
        "<SignaturePolicyIdentifier><SignaturePolicyImplied></SignaturePolicyImplied></SignaturePolicyIdentifier>"
        "</SignedSignatureProperties><SignedDataObjectProperties></SignedDataObjectProperties></SignedProperties>"
    )
    signed = (
        f'<SignedInfo xmlns="{DS}"><CanonicalizationMethod Algorithm="{C14N_WITH_COMMENTS}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{SIGNATURE_METHOD[digest]}"></SignatureMethod>'
        f'<Reference Type="{DS}Manifest" URI="#IHEManifest">{method}'
        f"<DigestValue>{digest_value(manifest.encode(), digest)}</DigestValue></Reference>"
        f'<Reference Type="{_XADES}SignedProperties" URI="#S0-SignedProperties">{method}'
        f"<DigestValue>{digest_value(properties.encode(), digest)}</DigestValue></Reference></SignedInfo>"
    )
    target = f'"#{q(unique_id)}"'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Signature xmlns="{DS}" Id="{q(unique_id)}">{signed}'
        f"<SignatureValue>{seal.sign(signed.encode(), digest)}</SignatureValue>"
        f"<KeyInfo><X509Data><X509Certificate>{seal.certificate}</X509Certificate></X509Data></KeyInfo>"
        f'<Object><SignatureProperties><SignatureProperty Id="purposeOfSignature" Target={target}>{PURPOSE}'
        f"</SignatureProperty></SignatureProperties></Object><Object>{manifest}</Object>"
        f'<Object><QualifyingProperties xmlns="{_XADES}" Target={target}>{properties}</QualifyingProperties></Object>'
        "</Signature>"
    )
