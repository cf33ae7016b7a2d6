"""Verifying SIGN.XML (PORT-82), and the signature of a set manifest, of the same form: signature value, what it covers, the certificate
at the signing time, its authorities, its owner.

One shape is accepted, the one of `docs/reference/archive-format.md`: strict about what is referred to by which Id, so that nothing
unsigned passes for signed. Revocation and time-stamps need a network and are listed as not verified.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from transvase.formats.portability_manifest import Head
from transvase.formats.safe_xml import XmlRefused, element
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
from transvase.validators.archive_findings import Found, found

_RSA_BITS = 2048
# A chain of the IGC Santé has three certificates.
_LONGEST_CHAIN = 8
# National identifier of a structure with its prefix (sheet practitioner-identifiers, 3).
_NATIONAL = re.compile(r"[1-4][0-9][0-9A-Z]{7,15}")
# European form of an organisation's identifier (ETSI EN 319 412-1, 5.1.4); France gives the SIREN.
_EUROPEAN = re.compile(r"(?:NTR|VAT)FR-(?:[0-9]{2})?([0-9]{9})")


class _Refused(ValueError):
    """SIGN.XML is not of the accepted shape, or is false; the message is a key of `SIGNATURE_REFUSALS`."""


class Signed(NamedTuple):
    """What a signature that holds covers: SHA-256 in hexadecimal by member name, the exportId, the time it gives itself."""

    digests: dict[str, str]
    export_id: str
    time: datetime
    certificate: Any
    others: tuple[Any, ...]


def authorities(path: Path) -> tuple[Any, ...]:
    """Certificates of a PEM file. OSError or ValueError when it holds none."""
    from cryptography import x509

    return tuple(x509.load_pem_x509_certificates(path.read_bytes()))


def check(
    data: bytes, present: dict[str, str], head: Head, trusted: Sequence[Any] | None, unchecked: list[Found]
) -> Iterator[Found]:
    """What is wrong with a SIGN.XML. `present` maps MANIFEST.XML and each archive it lists to their SHA-256; `trusted` are the
    authorities that the chain must reach, None when nobody gave any. What cannot be verified is added to `unchecked`."""
    try:
        signed = read(data)
    except _Refused as refusal:
        yield found(f"ARC-SIGN-{str(refusal).upper()}")
        return
    for name in sorted(signed.digests.keys() | present.keys()):
        if name not in present:
            # Its name may be anything: shown only when the layout prescribes it.
            if re.fullmatch(r"PAT\d{5}\.ZIP|TRANSVERSE\.ZIP", name):
                yield found("ARC-SIGN-EXTRA", name=name)
            else:
                yield found("ARC-SIGN-EXTRA-OTHER")
        elif name not in signed.digests:
            yield found("ARC-SIGN-LEFT-OUT", name=name)
        elif signed.digests[name] != present[name]:
            yield found("ARC-SIGN-CHANGED", name=name)
    if signed.export_id != head.export_id:
        yield found("ARC-SIGN-EXPORT")
    yield from _certificate(signed)
    yield from _owner(signed.certificate, head, unchecked)
    if trusted is None:
        unchecked.append(found("ARC-NOT-CHAIN"))
    elif not _reaches(signed, trusted):
        yield found("ARC-SIGN-CHAIN")
    unchecked.append(found("ARC-NOT-REVOCATION"))


def check_set(
    data: bytes, sha256: str, head: Head, trusted: Sequence[Any] | None
) -> Generator[Found, None, Any | None]:
    """What is wrong with the signature of a set manifest, what cannot be verified included; the signer's certificate, None when the
    signature does not hold. `sha256` is that of the manifest, `head` gives the identifier of the set and the Struct_IdNat it names."""
    try:
        signed = read(data)
    except _Refused as refusal:
        yield found("ARC-SET-SIGN-INVALID", reason=str(refusal))
        return None
    # By content alone: a file may have been renamed on its way.
    if list(signed.digests.values()) != [sha256] or signed.export_id != head.export_id:
        yield found("ARC-SET-SIGN-CHANGED")
    for one in _certificate(signed):
        yield found("ARC-SET-SIGN-CERTIFICATE", reason=one.id.removeprefix("ARC-SIGN-").lower())
    unchecked: list[Found] = []
    if any(_owner(signed.certificate, head, unchecked)):
        yield found("ARC-SET-SIGN-OWNER")
    elif unchecked:
        yield found("ARC-SET-NOT-OWNER")
    if trusted is None:
        yield found("ARC-SET-NOT-CHAIN")
    elif not _reaches(signed, trusted):
        yield found("ARC-SET-SIGN-CHAIN")
    yield found("ARC-SET-NOT-REVOCATION")
    return signed.certificate


def signer(data: bytes) -> Any | None:
    """The certificate that a signature presents, whatever the signature is worth; None when none can be read."""
    try:
        node = element(data).find(f"{{{DS}}}KeyInfo")
        return None if node is None else _certificates(node)[0][0]
    except (XmlRefused, _Refused):
        return None


def read(data: bytes) -> Signed:
    """What a SIGN.XML covers, once its signature value and its two digests hold; `_Refused` otherwise."""
    try:
        root = element(data)
    except XmlRefused:
        raise _Refused("xml") from None
    if root.tag != f"{{{DS}}}Signature":
        raise _Refused("root")
    _unambiguous(root)
    parts = list(root.iterchildren())
    if [p.tag for p in parts] != [
        f"{{{DS}}}{n}" for n in ("SignedInfo", "SignatureValue", "KeyInfo", "Object", "Object")
    ]:
        raise _Refused("form")
    signed_info, value, key_info, first, second = parts
    properties = _only(_only(first, XADES, "QualifyingProperties"), XADES, "SignedProperties")
    listed = _only(second, DS, "Manifest")
    if _only(first, XADES, "QualifyingProperties").get("Target") != f"#{root.get('Id')}":
        raise _Refused("properties")
    certificates = _certificates(key_info)
    _signature(signed_info, _binary(value), certificates[0])
    references = {r.get("Type"): r for r in signed_info.iterchildren(f"{{{DS}}}Reference")}
    if len(list(signed_info)) != 4 or references.keys() != {MANIFEST, SIGNED_PROPERTIES}:
        raise _Refused("scope")
    for kind, part in ((MANIFEST, listed), (SIGNED_PROPERTIES, properties)):
        _digested(references[kind], part)
    signature = _only(properties, XADES, "SignedSignatureProperties")
    digest = signature.find(f"{{{XADES}}}SigningCertificateV2/{{{XADES}}}Cert/{{{XADES}}}CertDigest")
    if digest is None or _digest_of(digest) != hashlib.sha256(certificates[0][1]).digest():
        raise _Refused("certificate")
    return Signed(
        _list(listed), _export(properties, references[MANIFEST]), _time(signature), certificates[0][0],
        tuple(c for c, _ in certificates[1:]),
    )  # fmt: skip


def _unambiguous(root: Any) -> None:
    """Two elements under one Id could make a verifier digest one and read the other; a comment is not signed and cuts a text."""
    seen: set[str] = set()
    for node in root.iter():
        if not isinstance(node.tag, str):
            raise _Refused("note")
        for name in ("Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id"):
            if (value := node.get(name)) is not None:
                if value in seen:
                    raise _Refused("id-twice")
                seen.add(value)


def _only(parent: Any, namespace: str, name: str) -> Any:
    children = list(parent)
    found = [c for c in children if c.tag == f"{{{namespace}}}{name}"]
    if len(found) != 1 or (name != "SignedSignatureProperties" and len(children) != 1):
        raise _Refused("form")
    return found[0]


def _certificates(key_info: Any) -> list[tuple[Any, bytes]]:
    """(certificate, DER) of KeyInfo, the signer's first."""
    from cryptography import x509

    found = []
    for node in key_info.iterfind(f"{{{DS}}}X509Data/{{{DS}}}X509Certificate"):
        der = _binary(node)
        try:
            found.append((x509.load_der_x509_certificate(der), der))
        except (ValueError, x509.InvalidVersion):
            raise _Refused("certificate-unread") from None
        if len(found) > _LONGEST_CHAIN:
            raise _Refused("certificates")
    if not found:
        raise _Refused("no-certificate")
    return found


def _signature(signed_info: Any, value: bytes, certificate: tuple[Any, bytes]) -> None:
    """The signature value over the canonical form of SignedInfo."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    method = _algorithm(signed_info, "SignatureMethod")
    if _algorithm(signed_info, "CanonicalizationMethod") != EXCLUSIVE_C14N:
        raise _Refused("canonical")
    data = _canonical(signed_info)
    try:
        key = certificate[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise _Refused("key") from None
    try:
        if method == RSA_SHA256 and isinstance(key, rsa.RSAPublicKey) and key.key_size >= _RSA_BITS:
            key.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
        elif method == ECDSA_SHA256 and isinstance(key, ec.EllipticCurvePublicKey):
            half = (key.curve.key_size + 7) // 8
            if len(value) != 2 * half:
                raise InvalidSignature
            r, s = int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
        else:
            raise _Refused("algorithm")
    except InvalidSignature:
        raise _Refused("value") from None


def _digested(reference: Any, part: Any) -> None:
    """The digest of a part of the document under the Id that the reference names."""
    transforms = [t.get("Algorithm") for t in reference.iterfind(f"{{{DS}}}Transforms/{{{DS}}}Transform")]
    if reference.get("URI") != f"#{part.get('Id')}" or transforms != [EXCLUSIVE_C14N]:
        raise _Refused("form")
    if any(len(t) for t in reference.iterfind(f"{{{DS}}}Transforms/{{{DS}}}Transform")):
        raise _Refused("canonical")
    if _digest_of(reference) != hashlib.sha256(_canonical(part)).digest():
        raise _Refused("content")


def _list(manifest: Any) -> dict[str, str]:
    """Name to SHA-256 of the members signed."""
    found: dict[str, str] = {}
    for reference in manifest.iterchildren():
        name = reference.get("URI")
        if reference.tag != f"{{{DS}}}Reference" or not name or name in found or len(reference) != 2:
            raise _Refused("list")
        found[name] = _digest_of(reference).hex()
    return found


def _export(properties: Any, reference: Any) -> str:
    """The exportId that the list of archives is tied to."""
    path = f"{{{XADES}}}SignedDataObjectProperties/{{{XADES}}}DataObjectFormat"
    for node in properties.iterfind(path):
        if node.get("ObjectReference") == f"#{reference.get('Id')}":
            value: str = node.findtext(f"{{{XADES}}}ObjectIdentifier/{{{XADES}}}Identifier") or ""
            if value.startswith(EXPORT):
                return value[len(EXPORT) :]
    raise _Refused("no-export")


def _time(properties: Any) -> datetime:
    try:
        found = datetime.fromisoformat(properties.findtext(f"{{{XADES}}}SigningTime") or "")
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise _Refused("no-time")
    return found


def _canonical(node: Any) -> bytes:
    from lxml import etree

    try:
        data: bytes = etree.tostring(node, method="c14n", exclusive=True, with_comments=False, with_tail=False)
    except (etree.LxmlError, ValueError):
        raise _Refused("uncanonical") from None
    return data


def _algorithm(node: Any, name: str) -> str:
    found = node.find(f"{{{DS}}}{name}")
    # A parameter inside (a list of prefixes) would change what is digested.
    if found is None or len(found):
        raise _Refused("form")
    return str(found.get("Algorithm"))


def _digest_of(node: Any) -> bytes:
    if _algorithm(node, "DigestMethod") != SHA256:
        raise _Refused("digest")
    return _binary(node.find(f"{{{DS}}}DigestValue"))


def _binary(node: Any) -> bytes:
    if node is None or len(node):
        raise _Refused("form")
    text = "".join((node.text or "").split())
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _Refused("base64") from None
    # The last character may have bits that mean nothing: one spelling only, so that no byte can change unseen.
    if base64.b64encode(value).decode() != text:
        raise _Refused("base64")
    return value


def _certificate(signed: Signed) -> Iterator[Found]:
    """The signer's certificate at the signing time: in its dates, and made for signing."""
    from cryptography import x509

    own = signed.certificate
    if not own.not_valid_before_utc <= signed.time <= own.not_valid_after_utc:
        yield found("ARC-SIGN-DATES")
    try:
        usage = own.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    except ValueError:
        yield found("ARC-SIGN-EXTENSIONS")
        return
    if not (usage.digital_signature or usage.content_commitment):
        yield found("ARC-SIGN-USE")


def _owner(certificate: Any, head: Head, unchecked: list[Found]) -> Iterator[Found]:
    """The structure of the certificate against the author of the manifest. Certificates of the IGC Santé hold the Struct_IdNat as
    OU; one that holds no national identifier can only be compared by name, and then a difference proves nothing."""
    from cryptography.x509.oid import NameOID

    def values(oid: Any) -> list[str]:
        return [str(a.value).strip() for a in certificate.subject.get_attributes_for_oid(oid)]

    held = values(NameOID.ORGANIZATIONAL_UNIT_NAME) + values(NameOID.SERIAL_NUMBER)
    national = [v for v in held if _NATIONAL.fullmatch(v)]
    sirens = [m[1] for v in values(NameOID.ORGANIZATION_IDENTIFIER) if (m := _EUROPEAN.fullmatch(v))]
    author = head.author_id
    if author and (author in held or (author[0] in "23" and author[1:10] in sirens)):
        return
    comparable = national or (sirens and author[:1] in ("2", "3"))
    if comparable and _NATIONAL.fullmatch(author):
        yield found("ARC-SIGN-OWNER")
    elif not head.author_name or head.author_name.casefold() not in {
        v.casefold() for v in values(NameOID.ORGANIZATION_NAME)
    }:
        unchecked.append(found("ARC-NOT-OWNER"))


def _reaches(signed: Signed, trusted: Sequence[Any]) -> bool:
    return reaches(signed.certificate, signed.others, signed.time, trusted)


def reaches(certificate: Any, others: Sequence[Any], time: datetime, trusted: Sequence[Any]) -> bool:
    """Whether a signer's certificate reaches an authority at an instant, by way of the certificates that came with it."""
    # Each certificate is visited once, nearest first, so that certificates that sign each other in circles end.
    waiting = [certificate]
    known = list(waiting)
    depth = 0
    while waiting:
        if any(certificate == anchor for certificate in waiting for anchor in trusted):
            return True
        nearer, waiting = waiting, []
        for issuer in (*trusted, *others):
            if issuer not in known and any(_issued(c, issuer, time, depth) for c in nearer):
                known.append(issuer)
                waiting.append(issuer)
        depth += 1
    return False


def _issued(certificate: Any, issuer: Any, time: datetime, depth: int) -> bool:
    """Whether an authority, valid at that time, may issue certificates and issued this one; `depth` counts the authorities between
    this one and the signer."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if issuer.subject != certificate.issuer or not issuer.not_valid_before_utc <= time <= issuer.not_valid_after_utc:
        return False
    understood = {x509.BasicConstraints.oid, x509.KeyUsage.oid}
    try:
        if any(e.critical and e.oid not in understood for e in issuer.extensions):
            return False
        limits = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not limits.ca or (limits.path_length is not None and limits.path_length < depth):
            return False
        if not issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign:
            return False
    except (x509.ExtensionNotFound, ValueError):
        # ValueError: extensions that the library cannot read.
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True
