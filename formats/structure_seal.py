"""A structure's seal for the DMP (ORG SIGN certificate and its key), and the XML-DSig vocabulary of what it signs.

The key is loaded once and used from any thread. What is signed belongs to `exporters`; the archive's own signature, with other
rules, to `exporters.seal`. Nothing is verified here: tests do it with another library.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pybase64

from transvase.errors import CertificateRefused, Said
from transvase.formats import safe_xml
from transvase.formats.xades import DS, RSA_SHA256, SHA256

C14N_WITH_COMMENTS = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"

Digest = Literal["sha1", "sha256"]
DIGEST_METHOD: dict[Digest, str] = {"sha1": f"{DS}sha1", "sha256": SHA256}
SIGNATURE_METHOD: dict[Digest, str] = {"sha1": f"{DS}rsa-sha1", "sha256": RSA_SHA256}


class Uncanonical(ValueError):
    """These bytes have no canonical XML form; the message says why without quoting them."""


class Seal(NamedTuple):
    """`subject` and `issuer` are RFC 2253 names, `serial` the certificate's number, `units` its OU values, among them the
    Struct_IdNat of the structure (sheet vihf, 5); `der` the certificate, `certificate` the same as KeyInfo holds it (base64)."""

    subject: str
    issuer: str
    serial: int
    units: tuple[str, ...]
    der: bytes
    certificate: str
    key: Any

    def sign(self, data: bytes, digest: Digest) -> str:
        """RSA PKCS#1 v1.5 signature of the bytes, base64; the same bytes always give the same signature."""
        return _base64(self.key.sign(data, *_scheme(digest)))

    def holds(self, certificate: Path) -> bool:
        """The PEM file begins with this seal's certificate."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        try:
            found = x509.load_pem_x509_certificates(certificate.read_bytes())
        except (OSError, ValueError):
            return False
        return found[0].public_bytes(Encoding.DER) == self.der


@cache
def _scheme(digest: Digest) -> tuple[Any, Any]:
    """Padding and digest of a signature."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    return PKCS1v15(), hashes.SHA1() if digest == "sha1" else hashes.SHA256()  # noqa: S303 - the public samples of the service


def load(certificate: Path, key: Path, password: bytes | None, now: datetime, service: Said) -> Seal:
    """The seal of two PEM files, valid at `now` (aware). CertificateRefused names what cannot be used."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
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
    der = found.public_bytes(Encoding.DER)
    return Seal(
        found.subject.rfc4514_string(names),
        found.issuer.rfc4514_string(names),
        found.serial_number,
        tuple(str(unit.value) for unit in units),
        der,
        _base64(der),
        private,
    )


def digest_value(data: bytes, digest: Digest) -> str:
    """Base64 of the digest of the bytes."""
    return digest_of((data,), digest)


def digest_of(parts: Iterable[bytes | memoryview], digest: Digest) -> str:
    """Base64 of the digest of bytes in pieces."""
    hashed = (hashlib.sha1 if digest == "sha1" else hashlib.sha256)(usedforsecurity=False)
    for part in parts:
        hashed.update(part)
    return _base64(hashed.digest())


def _base64(data: bytes) -> str:
    text: str = pybase64.b64encode(data).decode()
    return text


# Stands for the base64 of a document while the XML around it is made canonical: a private character, kept as it is.
_HERE = "\ue000".encode()
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n"


def canonical_digest(data: bytes, digest: Digest) -> str:
    """Base64 of the digest of a document's canonical form with comments. `Uncanonical` as `canonical`.

    The base64 of an embedded file, which no canonical form changes, does not pass through the parser: a document of a megabyte costs
    its digest and no more."""
    mark = data.find(b'representation="B64"')
    start = data.find(b">", mark) + 1
    end = data.find(b"<", start)
    # Only base64 between a `>` and a `<`: it is text of an element, since an attribute's value holds no `<`.
    if 0 <= mark < start < end and _is_base64(held := memoryview(data)[start:end]):
        before, after = data[:start], data[end:]
        with contextlib.suppress(Uncanonical):
            found = canonical(before + _HERE + after, with_comments=True).split(_HERE)
            # Written elsewhere too, as itself or as a reference, the private character tells no place.
            if len(found) == 2:
                return digest_of((found[0], held, found[1]), digest)
    return digest_of((canonical(data, with_comments=True),), digest)


def _is_base64(text: memoryview) -> bool:
    """No other character than those of base64 and line ends. Decoding says so five times faster than looking at each; not of
    text in lines."""
    try:
        pybase64.b64decode_as_bytearray(text, validate=True)
    except ValueError:
        return not bytes(text).translate(None, _BASE64)
    return True


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
