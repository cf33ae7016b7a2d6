"""A detached CMS signature (RFC 5652) of some bytes, in DER: what `openssl cms -verify` reads. One signer, SHA-256, no signed
attributes, so that an RSA key gives the same bytes for the same data. Keys are read by `exporters.seal`; whether the certificate
reaches an authority is asked of `validators.seal`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_DATA = bytes.fromhex("06092a864886f70d010701")
_SHA256 = bytes.fromhex("0609608648016503040201")
# Signature algorithms that a signer of this module may have used, by the content of their OID.
_RSA = {bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06092a864886f70d01010b")}
_ECDSA = {bytes.fromhex("06082a8648ce3d040302")}
_SEQUENCE, _SET, _OCTETS, _FIRST = 0x30, 0x31, 0x04, 0xA0
_ONE = b"\x02\x01\x01"


class CmsRefused(ValueError):
    """Not a signature of the accepted form, or a false one."""


class Signed(NamedTuple):
    """A signature that holds: the certificate of its key, and the others that came with it."""

    certificate: Any
    others: tuple[Any, ...]


def sign(data: bytes, key: Any, chain: Sequence[bytes]) -> bytes:
    """The signature of `data` by a key; `chain` holds the DER of its certificate, then of those of its authorities."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    own, *others = [x509.load_der_x509_certificate(der) for der in chain]
    how = {"rsa_padding": padding.PKCS1v15()} if isinstance(key, rsa.RSAPrivateKey) else {}
    builder = pkcs7.PKCS7SignatureBuilder().set_data(data).add_signer(own, key, hashes.SHA256(), **how)
    for other in others:
        builder = builder.add_certificate(other)
    # Binary: nothing of the data is rewritten before it is hashed.
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes]
    return builder.sign(Encoding.DER, options)


def verify(signature: bytes, data: bytes) -> Signed:
    """Who signed `data`, once the signature holds; `CmsRefused` otherwise."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    try:
        certificates, issuer_and_serial, algorithm, value = _read(signature)
        found = [x509.load_der_x509_certificate(der) for der in certificates]
        own = [c for c in found if _named(c) == issuer_and_serial]
        if len(own) != 1:
            raise CmsRefused("certificate")
        key = own[0].public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048 and algorithm in _RSA:
            key.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
            key.verify(value, data, ec.ECDSA(hashes.SHA256()))
        else:
            raise CmsRefused("algorithm")
    except InvalidSignature:
        raise CmsRefused("value") from None
    except (ValueError, TypeError, IndexError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise CmsRefused("form") from None
    return Signed(own[0], tuple(c for c in found if c is not own[0]))


def _read(signature: bytes) -> tuple[list[bytes], bytes, bytes, bytes]:
    """(certificates, issuerAndSerialNumber, OID of the signature algorithm, all in DER, signature value) of the one signer."""
    kind, content = _parts(_inside(signature, _SEQUENCE), 2)
    if kind != _SIGNED_DATA:
        raise CmsRefused("form")
    (signed,) = _parts(_inside(content, _FIRST), 1)
    version, digests, encapsulated, certificates, signers = _parts(_inside(signed, _SEQUENCE), 5)
    (digest,) = _parts(_inside(digests, _SET), 1)
    if version != _ONE or _elements(_inside(digest, _SEQUENCE))[0] != _SHA256:
        raise CmsRefused("form")
    # Detached: the type of the content, not the content.
    if _parts(_inside(encapsulated, _SEQUENCE), 1) != [_DATA]:
        raise CmsRefused("form")
    (signer,) = _parts(_inside(signers, _SET), 1)
    # Five parts: neither signed nor unsigned attributes.
    version, named, hashing, algorithm, value = _parts(_inside(signer, _SEQUENCE), 5)
    if version != _ONE or _elements(_inside(hashing, _SEQUENCE))[0] != _SHA256:
        raise CmsRefused("form")
    listed = _elements(_inside(certificates, _FIRST))
    return listed, named, _elements(_inside(algorithm, _SEQUENCE))[0], _inside(value, _OCTETS)


def _named(certificate: Any) -> bytes:
    """issuerAndSerialNumber of a certificate, in DER, read from its signed part."""
    parts = _elements(_inside(certificate.tbs_certificate_bytes, _SEQUENCE))
    if parts[0][0] == _FIRST:
        parts = parts[1:]
    body = parts[2] + parts[0]
    size = len(body)
    length = (
        bytes([size])
        if size < 0x80
        else bytes([0x80 + (size.bit_length() + 7) // 8]) + size.to_bytes((size.bit_length() + 7) // 8, "big")
    )
    return bytes([_SEQUENCE]) + length + body


def _elements(data: bytes) -> list[bytes]:
    """The elements of a DER content, each with its head."""
    found, at = [], 0
    while at < len(data):
        _, end = _bounds(data, at)
        found.append(data[at:end])
        at = end
    return found


def _bounds(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` begins and ends. DER: definite lengths in their shortest form."""
    first = data[at + 1]
    start, size = at + 2, first
    if first >= 0x80:
        count = first - 0x80
        size = int.from_bytes(data[start : start + count], "big")
        if not 1 <= count <= 4 or size < 0x80 or size.bit_length() <= 8 * (count - 1):
            raise CmsRefused("form")
        start += count
    if start + size > len(data):
        raise CmsRefused("form")
    return start, start + size


def _inside(element: bytes, tag: int) -> bytes:
    start, end = _bounds(element, 0)
    if element[0] != tag or end != len(element):
        raise CmsRefused("form")
    return element[start:]


def _parts(content: bytes, count: int) -> list[bytes]:
    found = _elements(content)
    if len(found) != count:
        raise CmsRefused("form")
    return found
