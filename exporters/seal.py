"""SIGN.XML (PORT-80, PORT-81): a detached XAdES-BES signature of MANIFEST.XML and of every inner archive, tied to the exportId. The
signature of a set manifest has the same form and covers that one file.

SignedInfo stays small whatever the practice: it refers to a ds:Manifest that lists the archives. The text is written in its own
canonical form, so it is hashed as it passes and never held. Both algorithms are deterministic: same key and export, same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from transvase.errors import Said, SettingsInvalid
from transvase.formats.xades import (
    DS,
    ECDSA_SHA256,
    EXCLUSIVE_C14N,
    EXPORT,
    MANIFEST,
    RSA_SHA256,
    SHA256,
    SIGNED_PROPERTIES,
    XADES,
)
from transvase.formats.xml_text import attribute

# Below this an RSA key is refused by the RGS and by every verifier.
_RSA_BITS = 2048
_FILE = "transvase.toml"


class Signer(NamedTuple):
    """A key and its certificate, checked together. `chain` holds the DER of the certificate, then of those that came with it."""

    key: Any
    chain: tuple[bytes, ...]
    method: str
    subject: str
    not_before: datetime
    not_after: datetime


def load(key: str, certificate: str, password: bytes | None) -> Signer | None:
    """The signer of two PEM files; None when neither is set. The certificate's file may go on with those of its authorities.

    SettingsInvalid names the file that is missing, unreadable, or does not go with the other."""
    if not key and not certificate:
        return None
    for name, path in (("signing_key", key), ("signing_certificate", certificate)):
        if not path:
            raise _wrong(name, "il manque, l'autre moitié de la paire est donnée", "missing while the other one is set")
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    try:
        data = _read("signing_key", key)
        # A password for a key that has none is an error of the library; the DMP's key may be the one that has it.
        private: Any = load_pem_private_key(data, (password or b"") if b"ENCRYPTED" in data else None)
    except (TypeError, ValueError):
        raise _wrong(
            "signing_key",
            "clé PEM illisible, ou TRANSVASE_KEY_PASSWORD ne l'ouvre pas",
            "unreadable PEM key, or TRANSVASE_KEY_PASSWORD does not open it",
        ) from None
    try:
        found = x509.load_pem_x509_certificates(_read("signing_certificate", certificate))
    except ValueError:
        raise _wrong("signing_certificate", "certificat PEM illisible", "unreadable PEM certificate") from None
    own = found[0]
    if own.public_key() != private.public_key():
        raise _wrong(
            "signing_certificate", "ce n'est pas celui de la clé de signature", "it is not that of the signing key"
        )
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= _RSA_BITS:
        method = RSA_SHA256
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        method = ECDSA_SHA256
    else:
        raise _wrong(
            "signing_key",
            f"clé RSA d'au moins {_RSA_BITS} bits ou clé elliptique attendue",
            f"an RSA key of at least {_RSA_BITS} bits or an elliptic one is expected",
        )
    return Signer(
        private,
        tuple(c.public_bytes(Encoding.DER) for c in found),
        method,
        own.subject.rfc4514_string(),
        own.not_valid_before_utc,
        own.not_valid_after_utc,
    )


def usable(signer: Signer, clock: datetime) -> Signer:
    """The signer; SettingsInvalid when its certificate is not valid at the export's clock: nobody could verify the signature."""
    if not signer.not_before <= clock <= signer.not_after:
        raise _wrong(
            "signing_certificate",
            "il n'est pas valide à la date de l'export",
            "it is not valid at the date of the export",
        )
    return signer


def seal(
    signer: Signer,
    export_id: str,
    clock: datetime,
    manifest_sha256: str,
    archives: Callable[[], Iterable[tuple[str, str]]],
    name: str = "MANIFEST.XML",
) -> Iterator[bytes]:
    """SIGN.XML in chunks. `archives()` gives (name, SHA-256 in hexadecimal) of each inner archive and is called twice, since the
    digest of the list stands before it; `clock`, aware, is the signing time; `name` is that of the manifest."""
    digest = hashlib.sha256()
    for chunk in _manifest(name, manifest_sha256, archives()):
        digest.update(chunk)
    properties = _properties(signer, export_id, clock)
    signed = _signed_info(signer.method, digest.digest(), hashlib.sha256(properties).digest())
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ds:Signature xmlns:ds="{DS}" Id="signature">\n'.encode()
        + signed
        + f"\n<ds:SignatureValue>{_b64(_sign(signer, signed))}</ds:SignatureValue>\n<ds:KeyInfo><ds:X509Data>\n".encode()
    )
    for certificate in signer.chain:
        yield f"<ds:X509Certificate>{_b64(certificate)}</ds:X509Certificate>\n".encode()
    yield f'</ds:X509Data></ds:KeyInfo>\n<ds:Object><xades:QualifyingProperties xmlns:xades="{XADES}" Target="#signature">'.encode()
    yield properties
    yield b"</xades:QualifyingProperties></ds:Object>\n<ds:Object>"
    yield from _manifest(name, manifest_sha256, archives())
    yield b"</ds:Object>\n</ds:Signature>\n"


def _manifest(name: str, manifest_sha256: str, archives: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    """The list of what is signed, in exclusive canonical form: namespaces where they are used, no empty-element tag."""
    yield f'<ds:Manifest xmlns:ds="{DS}" Id="archives">\n'.encode() + _reference(name, manifest_sha256)
    for archive, sha256 in archives:
        yield _reference(archive, sha256)
    yield b"</ds:Manifest>"


def _reference(name: str, sha256: str) -> bytes:
    return (
        f'<ds:Reference URI="{attribute(name)}"><ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue>{_b64(bytes.fromhex(sha256))}</ds:DigestValue></ds:Reference>\n"
    ).encode()


def _properties(signer: Signer, export_id: str, clock: datetime) -> bytes:
    """SignedProperties in exclusive canonical form: when, with which certificate, for which export."""
    certificate = hashlib.sha256(signer.chain[0]).digest()
    return (
        f'<xades:SignedProperties xmlns:xades="{XADES}" Id="properties"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{clock.isoformat(timespec='seconds')}</xades:SigningTime>"
        "<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{SHA256}"></ds:DigestMethod>'
        f'<ds:DigestValue xmlns:ds="{DS}">{_b64(certificate)}</ds:DigestValue>'
        "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties>"
        '<xades:SignedDataObjectProperties><xades:DataObjectFormat ObjectReference="#list"><xades:ObjectIdentifier>'
        f"<xades:Identifier>{EXPORT}{export_id}</xades:Identifier></xades:ObjectIdentifier></xades:DataObjectFormat>"
        "</xades:SignedDataObjectProperties></xades:SignedProperties>"
    ).encode()


def _signed_info(method: str, listed: bytes, properties: bytes) -> bytes:
    """SignedInfo in exclusive canonical form."""
    parts = [
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>'
    ]
    for opening, digest in (
        (f'Id="list" Type="{MANIFEST}" URI="#archives"', listed),
        (f'Type="{SIGNED_PROPERTIES}" URI="#properties"', properties),
    ):
        parts.append(
            f'<ds:Reference {opening}><ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE_C14N}"></ds:Transform></ds:Transforms>'
            f'<ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod><ds:DigestValue>{_b64(digest)}</ds:DigestValue></ds:Reference>'
        )
    return "".join((*parts, "</ds:SignedInfo>")).encode()


def _sign(signer: Signer, data: bytes) -> bytes:
    """The signature value as XML-DSig writes it: PKCS#1 v1.5, or r and s side by side."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    if signer.method == RSA_SHA256:
        value: bytes = signer.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return value
    r, s = decode_dss_signature(signer.key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    length = (signer.key.curve.key_size + 7) // 8
    return r.to_bytes(length, "big") + s.to_bytes(length, "big")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        raise _wrong(name, "le fichier ne peut pas être lu", "the file cannot be read") from None


def _wrong(name: str, french: str, english: str) -> SettingsInvalid:
    return SettingsInvalid(name=f"export.{name}", file=_FILE, what=Said(french, english))
