"""Identifiers derived from the record, never random: the same document has the same uniqueId in every run, archive and submission.

All stand under the practice's own OID; the arcs below it are part of the archive format and never change.
"""

from __future__ import annotations

import hashlib
import re
import uuid

# Arcs under the practice's OID. 1 to 3 number patients, professionals and outside authors by their local key.
DOCUMENTS, SUBMISSIONS, SYNTHESES, TRANSMISSIONS = 9, 7, 8, 6
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")


def is_oid(value: str | None) -> bool:
    """A legal OID of at most 64 characters, the limit of XDS."""
    return bool(value) and len(value or "") <= 64 and _OID.fullmatch(value or "") is not None


def arc(*parts: str) -> int:
    """A number of 63 bits derived from a key: two of a practice's million documents collide once in ten million practices."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def uuid5(namespace: uuid.UUID, name: str) -> str:
    """The text of `uuid.uuid5` (RFC 9562, 5.5), five times faster: documents have several each."""
    h = hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:32]}"


def under(practice_oid: str, *arcs: object) -> str:
    """An OID of at most 64 characters for these arcs under the practice's: the arcs themselves, or under a long OID the UUID that
    derives from them (2.25, ITU-T X.667)."""
    whole = ".".join(map(str, (practice_oid, *arcs)))
    return whole if len(whole) <= 64 else f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, whole).int}"


def set_id(practice_oid: str, document: str) -> str:
    """setId of a document: common to its versions."""
    return under(practice_oid, DOCUMENTS, arc("document", document))


def unique_id(practice_oid: str, document: str, version: int, fed_as: str | None = None) -> str:
    """uniqueId of a version; the one under which a former software fed it when that is known and legal."""
    if fed_as and is_oid(fed_as):
        return fed_as
    return under(practice_oid, DOCUMENTS, arc("document", document), version)
