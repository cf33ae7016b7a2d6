"""A structure's seal (ORG SIGN certificate and its key) and the XML-DSig vocabulary of what it signs: algorithms, digests, KeyInfo.

The key is loaded once and used from any thread. What is signed belongs to `exporters`; verifying is not done here, so that tests
verify with another library.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pybase64

from transvase.errors import CertificateRefused, Said
from transvase.formats import safe_xml

DS = "http://www.w3.org/2000/09/xmldsig#"
C14N_WITH_COMMENTS = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

Digest = Literal["sha1", "sha256"]
DIGEST_METHOD: dict[Digest, str] = {"sha1": f"{DS}sha1", "sha256": "http://www.w3.org/2001/04/xmlenc#sha256"}
SIGNATURE_METHOD: dict[Digest, str] = {
    "sha1": f"{DS}rsa-sha1",
    "sha256": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
}


class Uncanonical(ValueError):
    """These bytes have no canonical XML form; the message says why without quoting them."""


class Seal(NamedTuple):
    """`subject` and `issuer` are RFC 2253 names, `serial` the certificate's number, `units` its OU values, among them the
    Struct_IdNat of the structure (sheet vihf, 5); `der` the certificate."""

    subject: str
    issuer: str
    serial: int
    units: tuple[str, ...]
    der: bytes
    key: Any

    @property
    def certificate(self) -> str:
        """The certificate as KeyInfo holds it: base64 of DER."""
        return pybase64.b64encode(self.der).decode()

    def sign(self, data: bytes, digest: Digest) -> str:
        """RSA PKCS#1 v1.5 signature of the bytes, base64; the same bytes always give the same signature."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        method = hashes.SHA1() if digest == "sha1" else hashes.SHA256()  # noqa: S303 - the public samples of the service
        return pybase64.b64encode(self.key.sign(data, PKCS1v15(), method)).decode()


def load(certificate: Path, key: Path, password: bytes | None, now: datetime, service: Said) -> Seal:
    """The seal of two PEM files, valid at `now` (aware). CertificateRefused names what cannot be used."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509.oid import NameOID

    def refused(fr: str, en: str) -> CertificateRefused:
        return CertificateRefused(service=service, reason=Said(fr, en))

    try:
        found = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except (OSError, ValueError):
        raise refused(
            f"le certificat du cachet {certificate.name} n'est pas lisible",
            f"seal certificate {certificate.name} cannot be read",
        ) from None
    try:
        data = key.read_bytes()
        # A password for a key that has none is an error of the library; the TLS key may be the one that has it.
        protected = b"ENCRYPTED" in data
        private = load_pem_private_key(data, (password or b"") if protected else None)
    except (OSError, ValueError, TypeError):
        raise refused(
            f"la clé du cachet {key.name} est illisible, ou son mot de passe est faux",
            f"seal key {key.name} cannot be read, or its password is wrong",
        ) from None
    if not isinstance(private, RSAPrivateKey) or private.public_key() != found.public_key():
        raise refused(
            f"{key.name} n'est pas la clé RSA du cachet {certificate.name}",
            f"{key.name} is not the RSA key of seal {certificate.name}",
        )
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise refused(
            f"le cachet {certificate.name} n'est pas valide à cette date",
            f"seal {certificate.name} is not valid at this date",
        )
    # Without these two names the library prints OIDs, where the public kit prints letters (sheet vihf, 2).
    names = {NameOID.GIVEN_NAME: "GN", NameOID.SURNAME: "SN"}
    units = found.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    from cryptography.hazmat.primitives.serialization import Encoding

    return Seal(
        found.subject.rfc4514_string(names),
        found.issuer.rfc4514_string(names),
        found.serial_number,
        tuple(str(unit.value) for unit in units),
        found.public_bytes(Encoding.DER),
        private,
    )


def digest_value(data: bytes, digest: Digest) -> str:
    """Base64 of the digest of the bytes."""
    return pybase64.b64encode(hashlib.new(digest, data, usedforsecurity=False).digest()).decode()


def canonical(data: bytes, *, exclusive: bool = False, with_comments: bool = False) -> bytes:
    """Canonical form of a whole document. `Uncanonical` when it is not XML we read, or when C14N is not defined for it."""
    from lxml import etree

    try:
        tree = safe_xml.element(data).getroottree()
        octets: bytes = etree.tostring(tree, method="c14n", exclusive=exclusive, with_comments=with_comments)
    except safe_xml.XmlRefused as refusal:
        raise Uncanonical(f"no canonical form: {refusal}") from None
    except (etree.LxmlError, ValueError):
        # A relative namespace name, for one.
        raise Uncanonical("no canonical form is defined for this document") from None
    return octets
