"""Reading the XAdES signature of a submission set: what it refers to (sheet dmp-transactions, 8).

The digests of the manifest are computed again from the bytes received. The signature value and its certificate are not
verified: the sandbox trusts no chain, and which algorithms the service accepts is not public.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from transvase.sandbox import markup

FORMAT = "http://www.w3.org/2000/09/xmldsig#"
_WITH_COMMENTS = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
_DIGESTS = {
    "http://www.w3.org/2000/09/xmldsig#sha1": "sha1",
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
}


def problems(data: bytes, unique_id: str, submission_id: str, documents: dict[str, bytes]) -> list[str]:
    """What is wrong with a signature document, each as the end of a sentence. `documents` are bytes by uniqueId."""
    try:
        root = markup.parse(data)
    except markup.Malformed as problem:
        return [str(problem)]
    if markup.parts(root) != (FORMAT, "Signature"):
        return ["the root is not a Signature"]
    found: list[str] = []
    if root.get("Id") != unique_id:
        found.append("Signature/@Id is not its uniqueId")
    signed = [reference.get("URI") for reference in root.iterfind(f"{{{FORMAT}}}SignedInfo/{{{FORMAT}}}Reference")]
    if "#IHEManifest" not in signed or len(signed) != 2:
        found.append("SignedInfo does not refer to IHEManifest and to the signed properties")
    if not markup.text(root.find(f"{{{FORMAT}}}SignatureValue")):
        found.append("SignatureValue is missing")
    manifests = [one for one in root.iter(f"{{{FORMAT}}}Manifest") if one.get("Id") == "IHEManifest"]
    if len(manifests) != 1:
        return [*found, "there is not exactly one manifest IHEManifest"]
    references = manifests[0].findall(f"{{{FORMAT}}}Reference")
    due = [f"urn:oid:{submission_id}", *(f"urn:oid:{identifier}" for identifier in documents)]
    uris = [reference.get("URI", "") for reference in references]
    if uris[:1] != due[:1] or sorted(uris[1:]) != sorted(due[1:]):
        return [*found, "the manifest does not refer to the submission set, then to each document"]
    if _digest_value(references[0]) != b"\x00":
        found.append("the digest of the submission set in the manifest is not AA==")
    for reference in references[1:]:
        data_signed = documents[reference.get("URI").removeprefix("urn:oid:")]
        if _digest_value(reference) != _digest(reference, data_signed):
            found.append("a digest of the manifest is not that of the canonical document")
    return found


def _digest_value(reference: markup.Element) -> bytes:
    try:
        return base64.b64decode("".join(markup.text(reference.find(f"{{{FORMAT}}}DigestValue")).split()), validate=True)
    except binascii.Error:
        return b""


def _digest(reference: markup.Element, data: bytes) -> bytes | None:
    """The digest a reference should hold; None when its method is unknown or its transform is not the one due."""
    method = reference.find(f"{{{FORMAT}}}DigestMethod")
    name = None if method is None else _DIGESTS.get(method.get("Algorithm", ""))
    path = f"{{{FORMAT}}}Transforms/{{{FORMAT}}}Transform"
    transforms = [transform.get("Algorithm") for transform in reference.iterfind(path)]
    if name is None or transforms != [_WITH_COMMENTS]:
        return None
    try:
        octets = markup.canonical_with_comments(markup.parse(data))
    except markup.Malformed:
        return None
    return hashlib.new(name, octets, usedforsecurity=False).digest()
