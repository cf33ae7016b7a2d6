"""An audit message of the access journal (DICOM PS3.15, A.5, which continues RFC 3881; IHE ATNA): who exported, imported, verified,
fed, asked INSi or decided, when and with what outcome, written from the two records of a run. How it travels belongs to
`gateways.audit_repository`.

Counts, references and digests only: the message names no patient, as the record it comes from.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from transvase.formats.xml_text import attribute

_DCM = "DCM"


class _Event(NamedTuple):
    """A code of DICOM's audit events, its display, the action (C, R, U, D, E), the IHE transaction that it is, if any, and the service
    that it speaks to."""

    code: str
    display: str
    action: str
    transaction: tuple[str, str] | None = None
    service: str = ""


# What is an access to records, by a run's command, whole or its first word, or by a job of Dagster; the rest judges and reports what was
# read. A request that is registered opens no record yet: `request run` does. None: what the first word says does not hold.
_EVENTS: dict[str, _Event | None] = {
    "extract": _Event("110107", "Import", "C"),
    "import": _Event("110107", "Import", "C"),
    "verify": _Event("110112", "Query", "E"),
    "export": _Event("110106", "Export", "R"),
    "request": _Event("110106", "Export", "R"),
    "request new": None,
    "request acknowledge": None,
    "request cancel": None,
    "feed": _Event("110106", "Export", "R", ("ITI-41", "Provide and Register Document Set-b"), "DMP"),
    # What an operator decides about documents: nothing leaves by it.
    "feed retry": _Event("110110", "Patient Record", "U"),
    "feed skip": _Event("110110", "Patient Record", "U"),
    "feed delete": _Event("110106", "Export", "D", ("ITI-57", "Update Document Set"), "DMP"),
    "mss": _Event("110106", "Export", "R", ("ITI-32", "Distribute Document Set on Media"), "MSSanté"),
    "messages": _Event("110106", "Export", "R", ("ITI-32", "Distribute Document Set on Media"), "MSSanté"),
    "mss retry": _Event("110110", "Patient Record", "U"),
    "mss skip": _Event("110110", "Patient Record", "U"),
    "mss receive": _Event("110107", "Import", "C"),
    "nightly": _Event("110106", "Export", "R", ("ITI-41", "Provide and Register Document Set-b"), "DMP"),
    "insi": _Event("110112", "Query", "E", None, "INSi"),
    "demo": _Event("110106", "Export", "R"),
    "everything": _Event("110106", "Export", "R"),
}


def message(opening: dict[str, Any], closing: dict[str, Any], digest: str) -> str | None:
    """The message of a run; None for one that is no access to records. `digest` is the SHA-256 of the closing record."""
    words = str(opening["command"]).split() or [""]
    name = words[1] if words[0] == "dagster" and len(words) > 1 else words[0]
    event = _EVENTS.get(" ".join(words[:2]), _EVENTS.get(name))
    if (closing.get("noted") or {}).get("annex"):
        # The one output of the audit that names patients.
        event = _Event("110106", "Export", "R")
    if event is None:
        return None
    software = opening["software"]
    kind = (
        f'<EventTypeCode csd-code="{event.transaction[0]}" codeSystemName="IHE Transactions" '
        f'originalText="{event.transaction[1]}"/>'
        if event.transaction
        else ""
    )
    destination = ("110152", "Destination Role ID") if event.service else ("110154", "Destination Media")
    leaves = event.code == "110106" or event.service
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<AuditMessage><EventIdentification EventActionCode="{event.action}" EventDateTime="{attribute(closing["at"])}" '
        f'EventOutcomeIndicator="{_outcome(closing)}">'
        f'<EventID csd-code="{event.code}" codeSystemName="{_DCM}" originalText="{event.display}"/>{kind}</EventIdentification>'
        + _participant(opening["operator"] or "-", True, ("110153", "Source Role ID"))
        + _participant(f"Transvase {software['version']}", False, ("110150", "Application"))
        + (_participant(_destination(event, opening), False, destination) if leaves else "")
        + f'<AuditSourceIdentification AuditSourceID="{attribute(opening["host_role"] or "transvase")}">'
        '<AuditSourceTypeCode csd-code="4"/></AuditSourceIdentification>'
        + _object(digest, "run-record", [("number", closing["number"]), *_counts(closing)])
        + _archive(closing)
        + "</AuditMessage>"
    )


def _outcome(closing: dict[str, Any]) -> int:
    """0 success, 4 something to look at, 8 failed, 12 broken off (RFC 3881, 5.1.4)."""
    if closing["outcome"] == "done":
        return 4 if closing["exit_code"] else 0
    return 8 if closing["outcome"] == "failed" else 12


def _destination(event: _Event, opening: dict[str, Any]) -> str:
    return f"{event.service} {opening['environment']}" if event.service else "PORTABILITE"


def _participant(user: str, requestor: bool, role: tuple[str, str]) -> str:
    return (
        f'<ActiveParticipant UserID="{attribute(user)}" UserIsRequestor="{str(requestor).lower()}">'
        f'<RoleIDCode csd-code="{role[0]}" codeSystemName="{_DCM}" originalText="{role[1]}"/></ActiveParticipant>'
    )


def _object(ident: str, kind: str, details: list[tuple[str, Any]]) -> str:
    """A system object (type 2) in the role of a report (3)."""
    told = "".join(
        f'<ParticipantObjectDetail type="{attribute(name)}" value="{base64.b64encode(str(value).encode()).decode()}"/>'
        for name, value in details
    )
    return (
        f'<ParticipantObjectIdentification ParticipantObjectID="{attribute(ident)}" ParticipantObjectTypeCode="2" '
        f'ParticipantObjectTypeCodeRole="3"><ParticipantObjectIDTypeCode csd-code="{kind}" codeSystemName="Transvase" '
        f'originalText="{kind}"/>{told}</ParticipantObjectIdentification>'
    )


def _counts(closing: dict[str, Any]) -> list[tuple[str, Any]]:
    """What was read and what moved in the ledger, where the record tells it."""
    inputs, sent = closing.get("inputs") or {}, closing.get("sent") or {}
    rows = inputs.get("rows") if inputs.get("written") else None
    found = [("patients read", rows["patient"]), ("documents read", rows["document"])] if rows else []
    return found + [(f"ledger {m['event']} {m['code']}".rstrip(), m["count"]) for m in sent.get("moved", ())]


def _archive(closing: dict[str, Any]) -> str:
    noted = closing.get("noted") or {}
    facts = (closing.get("archive") or {}).get("facts") or noted.get("verified") or noted.get("imported") or {}
    if "sha256" not in facts:
        return ""
    counts = [(name, facts[name]) for name in ("size", "patients", "documents") if name in facts]
    return _object(facts["sha256"], "archive-sha256", counts)
