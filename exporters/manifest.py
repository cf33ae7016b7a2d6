"""MANIFEST.XML of the outer archive (PORT-60 to PORT-65). The guide models the elements and publishes no namespace: this one and its
schema are ours, and the schema travels in DOCUMENTATION."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from transvase.formats.portability_manifest import NAMESPACE
from transvase.formats.xml_text import text as t
from transvase.model.request import EVERYTHING, Scope

# Namespace of export identifiers: one export of one practice at one clock has one identifier.
_EXPORTS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:transvase:export")
_FIRST_FIELDS = 8


class Inner(NamedTuple):
    """An inner ZIP: name, patient identifier in CX form (empty for the transverse one), size in bytes, SHA-256 in hexadecimal."""

    name: str
    patient_id: str
    size: int
    sha256: str


def export_id(practice_oid: str, clock: datetime, scope: Scope) -> str:
    """exportId, a UUID derived from who exports, when and what."""
    # What a scope came to say later is left out where it says nothing: identifiers of former exports stay.
    fields = tuple(scope) if scope.active_since or scope.after else tuple(scope)[:_FIRST_FIELDS]
    what = "MASSIF" if scope == EVERYTHING else repr(fields)
    return str(uuid.uuid5(_EXPORTS, f"{practice_oid} {clock.isoformat()} {what}"))


def _period(scope: Scope) -> str:
    """Bounds of a targeted export (PORT-23), in local time of the practice."""
    start = f"  <exportStartTime>{scope.start}T00:00:00</exportStartTime>\n" if scope.start else ""
    return start + (f"  <exportEndTime>{scope.end}T23:59:59</exportEndTime>\n" if scope.end else "")


def manifest(
    practice: Any,
    contact: dict[str, str],
    software: str,
    identifier: str,
    scope: Scope,
    status: str,
    archives: Iterable[Inner],
    patients: int,
    comment: str = "",
) -> Iterator[bytes]:
    """The manifest in chunks, so that a hundred thousand patients do not stand in memory. `identifier` is the
    exportId; `status` COMPLETE, PARTIAL or SAMPLE;
    `comment` becomes the element `comments` when there is one."""
    struct = practice.struct_idnat or practice.key
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Manifest xmlns="{NAMESPACE}">\n'
        f"  <exportId>{identifier}</exportId>\n  <exportType>{scope.kind}</exportType>\n"
        f"{_period(scope)}"
        f"  <exportStatus>{status}</exportStatus>\n"
        f"{f'  <comments>{t(comment)}</comments>{chr(10)}' if comment else ''}"
        f"  <author>\n    <vendor><name>{t(practice.name)}</name><structIdNat>{t(struct)}</structIdNat>"
        f"<institution>{t(practice.name)}^^^^^&amp;1.2.250.1.71.4.2.2&amp;ISO^IDNST^^^{t(struct)}</institution>"
        f"<contact><name>{t(contact.get('name', ''))}</name><email>{t(contact.get('email', ''))}</email>"
        f"<phone>{t(contact.get('phone', ''))}</phone></contact></vendor>\n"
        f"    <system>{t(struct)}/transvase^Transvase^{t(software)}^^^^^^&amp;1.2.250.1.71.4.2.1&amp;ISO^U^^^RI</system>\n  </author>\n"
        f"  <statistics><patientArchiveCount>{patients}</patientArchiveCount>"
        "<transverseArchiveCount>1</transverseArchiveCount></statistics>\n  <Archives>\n"
    ).encode()
    for inner in archives:
        identity = f"<patientId>{t(inner.patient_id)}</patientId>" if inner.patient_id else ""
        yield (
            f"    <Archive><archiveid>{inner.name}</archiveid><type>{'PATIENT' if inner.patient_id else 'TRANSVERSE'}</type>{identity}"
            f"<size>{inner.size}</size><hash>{inner.sha256}</hash></Archive>\n"
        ).encode()
    yield b"  </Archives>\n</Manifest>\n"
