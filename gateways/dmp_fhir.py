"""Client of the DMP's FHIR services (ITI-65, ITI-105, ITI-67, TD0.2 as a search of Patient) over mutual TLS: the outcomes are those of
the SOAP client, told from HTTP statuses, Bundles and OperationOutcomes (sheet pdsm-fhir.md, 1 to 5).

No server of the DMP is announced for this route, nor its security: the token is whatever another program keeps in a file. Texts of the
server are not kept, since they may quote a record.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from transvase.errors import Said, SettingsInvalid
from transvase.gateways.connection import Connection, Reply
from transvase.gateways.dmp import (
    DMP,
    OF_CALLER,
    STALE,
    Answer,
    Entry,
    Existence,
    Found,
    Reference,
    doubtful,
    waits,
    worded,
)

MEDIA_TYPE = "application/fhir+json"
_READ_TYPES = (MEDIA_TYPE, "application/json")
_FORM = "application/x-www-form-urlencoded"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
# RFC 6750, b64token: nothing that a header could not bear.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_OK = re.compile(r"20[0-9](\s.*)?", re.DOTALL)
# Codes of IHE and of the DMP in `issue.details`, told from those of other systems by their form.
_NAMED = re.compile(r"(?:XDS|DMP)[A-Za-z0-9]{2,60}|InvalidDocumentContent")
_PARTIAL = re.compile(r"Partial[A-Za-z]{2,60}")

# FHIR R4, value set issue-type: our code for each; what is not here tells nothing of the cause.
_ISSUES = {
    **dict.fromkeys(("invalid", "structure", "required", "value", "invariant", "extension"), "FhirInvalid"),
    **dict.fromkeys(("login", "expired", "unknown"), "TokenRefused"),
    **dict.fromkeys(("security", "forbidden", "suppressed"), "FhirForbidden"),
    **dict.fromkeys(("not-found", "deleted"), "FhirNotFound"),
    **dict.fromkeys(("business-rule", "processing"), "FhirBusinessRule"),
    **dict.fromkeys(("conflict", "multiple-matches", "lock-error"), "FhirConflict"),
    "code-invalid": "FhirCode",
    "too-long": "FhirTooLong",
    "duplicate": "FhirDuplicate",
    "not-supported": "FhirNotSupported",
}
# What a status alone says, of a service that answers in FHIR.
_STATUSES = {
    400: "FhirInvalid",
    403: "FhirForbidden",
    404: "FhirNotFound",
    405: "FhirNotSupported",
    406: "FhirNotSupported",
    410: "FhirNotFound",
    412: "FhirPrecondition",
    413: "FhirTooLong",
    415: "FhirNotSupported",
    422: "FhirBusinessRule",
}


def access_token(file: Path) -> str:
    """The first line of a file, as it is now. SettingsInvalid when it holds no token; the message says nothing of what it holds."""
    what = Said("ce fichier ne contient pas de jeton d'accès", "this file holds no access token")
    try:
        with file.open(encoding="ascii") as lines:
            found = lines.readline().strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid(name="feed.token_file", file=file.name, what=what) from None
    if not _TOKEN.fullmatch(found):
        raise SettingsInvalid(name="feed.token_file", file=file.name, what=what)
    return found


class DmpFhir:
    """One connection to the services under a base address, reused as long as the answers name their request; not shared between
    threads. `token` gives the access token of each request, or an empty text for none; with `simplified` documents leave by ITI-105,
    else by ITI-65."""

    def __init__(
        self,
        url: str,
        context: ssl.SSLContext,
        timeout: float,
        token: Callable[[], str] = str,
        *,
        simplified: bool = False,
    ) -> None:
        self._line = Connection(url, context, timeout, DMP)
        self._token = token
        self.simplified = simplified
        self.base = url

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def submit(self, parts: Iterable[bytes], length: int, message_id: str, unique_id: str, entries: int) -> Answer:
        """Send a transaction Bundle of so many `entries`, or with `simplified` a DocumentReference, of the document `unique_id` as FHIR
        writes it (system|value). `message_id` is `urn:uuid:…`. CertificateRefused when TLS refuses us or the server's certificate."""
        target = "/DocumentReference" if self.simplified else ""
        reply, failure = self._exchange("POST", target, message_id, MEDIA_TYPE, parts, length)
        if failure:
            return Answer("not_sent" if failure == "unreachable" else "doubt", failure)
        if self.simplified:
            return read_created(reply.status, reply.headers, reply.body, unique_id)
        return read_transaction(reply.status, reply.headers, reply.body, entries)

    def query(self, form: str, message_id: str, identifier: str, unique_id: str) -> Found:
        """Ask ITI-67 for one document under its `identifier` (system|value), by POST so that no matricule stands in an address; what is
        found stands under `unique_id`."""
        found = self._search(form, message_id, identifier)
        return Found(False, {}, found) if isinstance(found, str) else _found(found, unique_id)

    def reference(self, form: str, message_id: str, identifier: str) -> Reference:
        """Ask ITI-67 (TD3.1b) for the logical id of one document; several when the registry holds several."""
        found = self._search(form, message_id, identifier)
        if isinstance(found, str):
            return Reference(False, (), found)
        return Reference(True, tuple(dict.fromkeys(str(one["id"]) for one in found)))

    def exists(self, query: str, message_id: str, identifier: str) -> Existence:
        """TD0.2: search the Patient of an identifier (system|value). `unknown` when nothing was answered."""
        reply, failure = self._exchange("GET", f"/Patient?{query}", message_id)
        return "unknown" if failure else read_existence(reply.status, reply.headers, reply.body, identifier)

    def _search(self, form: str, message_id: str, identifier: str) -> list[dict[str, Any]] | str:
        data = form.encode()
        reply, failure = self._exchange("POST", "/DocumentReference/_search", message_id, _FORM, (data,), len(data))
        return failure or matching(reply.status, reply.headers, reply.body, identifier)

    def _exchange(
        self,
        method: str,
        target: str,
        message_id: str,
        content_type: str = "",
        parts: Iterable[bytes] = (),
        length: int | None = None,
    ) -> tuple[Reply, str]:
        """The answer to this very request, or our code for why there is none."""
        own = message_id.rsplit(":", 1)[-1]
        headers = {"Accept": MEDIA_TYPE, "X-Request-Id": own}
        if content_type:
            headers["Content-Type"] = content_type
        if token := self._token():
            headers["Authorization"] = f"Bearer {token}"
        reply = self._line.request(method, target, headers, parts, length)
        if reply.failure:
            return reply, reply.failure
        # FHIR R4, "Custom Headers": the server repeats the client's number. One that does not gets a connection for each request, since
        # an answer written twice would else be taken for that of the next one.
        named = (reply.headers.get("x-correlation-id"), reply.headers.get("x-request-id"))
        if own not in named:
            self.close()
            if not reply.fresh:
                return reply, STALE
        return reply, ""


def read_transaction(status: int, headers: Mapping[str, str], body: bytes, entries: int) -> Answer:
    """Outcome of an ITI-65 of so many entries: transaction-response, OperationOutcome, or what a proxy said.

    A transaction is taken whole or not at all (sheet, 1): a response that says otherwise is a doubt."""
    resource = _resource(headers, body)
    if refusal := _refusal(status, headers, resource):
        return refusal
    if resource.get("resourceType") != "Bundle" or resource.get("type") != "transaction-response":
        return Answer("doubt", "unreadable")
    said = [_dict(_dict(e).get("response")) for e in _list(resource.get("entry"))]
    outcomes = [_dict(one.get("outcome")) for one in said]
    whole = len(said) == entries and all(_OK.fullmatch(str(one.get("status", ""))) for one in said)
    if not whole or any(_codes(o)[0] or _partial(o) for o in outcomes):
        return Answer("doubt", "PartialSuccess")
    return Answer("accepted")


def read_created(status: int, headers: Mapping[str, str], body: bytes, unique_id: str) -> Answer:
    """Outcome of an ITI-105: 201 with the document created, OperationOutcome, or what a proxy said. `unique_id` is system|value."""
    resource = _resource(headers, body)
    if refusal := _refusal(status, headers, resource):
        return refusal
    if status != 201 or resource.get("resourceType") != "DocumentReference":
        return Answer("doubt", "unreadable")
    return Answer("accepted") if unique_id in _identifiers(resource) else Answer("doubt", STALE)


def _found(held: list[dict[str, Any]], unique_id: str) -> Found:
    if not held:
        return Found(True, {})
    # Of several, the one in force.
    one = next((h for h in held if h.get("status") == "current"), held[0])
    attachment = _dict(_dict(next(iter(_list(one.get("content"))), {})).get("attachment"))
    state = {"current": "Approved", "superseded": "Deprecated"}.get(str(one.get("status")), "")
    return Found(True, {unique_id: Entry(unique_id, str(one["id"]), _sha1(attachment.get("hash")), state)})


def read_existence(status: int, headers: Mapping[str, str], body: bytes, identifier: str) -> Existence:
    """Answer of a TD0.2: no Patient is no DMP; `active` of the one found says whether it is open (sheet, 4)."""
    found = _searched(status, headers, body, "Patient")
    if isinstance(found, str):
        return "unknown"
    if not found:
        return "none"
    if len(found) > 1 or identifier not in _identifiers(found[0]):
        return "unknown"
    active = found[0].get("active")
    if not isinstance(active, bool):
        return "unknown"
    return "active" if active else "closed"


def matching(status: int, headers: Mapping[str, str], body: bytes, identifier: str) -> list[dict[str, Any]] | str:
    """The DocumentReferences of an ITI-67 answer that bear an identifier (system|value), or our code for why nothing is known."""
    found = _searched(status, headers, body, "DocumentReference")
    if isinstance(found, str):
        return found
    # A server may ignore what it does not understand of a question: only what bears the identifier answers it.
    held = [one for one in found if identifier in _identifiers(one)]
    return held if all(_ID.fullmatch(str(one.get("id", ""))) for one in held) else "unreadable"


def _searched(status: int, headers: Mapping[str, str], body: bytes, kind: str) -> list[dict[str, Any]] | str:
    """The resources of a kind in a complete searchset, or our code for why there is none."""
    resource = _resource(headers, body)
    if status != 200:
        return (refusal.code if (refusal := _refusal(status, headers, resource)) else "") or f"HTTP{status}"
    if resource.get("resourceType") != "Bundle" or resource.get("type") != "searchset":
        return "unreadable"
    entries = [_dict(e) for e in _list(resource.get("entry"))]
    matches = [e for e in entries if _dict(e.get("search")).get("mode", "match") == "match"]
    found = [_dict(e.get("resource")) for e in matches]
    found = [one for one in found if one.get("resourceType") == kind]
    total = resource.get("total")
    more = any(_dict(link).get("relation") == "next" for link in _list(resource.get("link")))
    # Absent from a page is not absent from the registry.
    if more or (isinstance(total, int) and total != len(found)):
        return "Paged"
    return found


def _refusal(status: int, headers: Mapping[str, str], resource: dict[str, Any]) -> Answer | None:
    """What an answer that is no success means; None for a success."""
    if status in (200, 201):
        return Answer("doubt", "unreadable") if not resource else _of_outcome(resource)
    if status in (429, 503):
        return Answer("overloaded", f"HTTP{status}", waits(headers))
    # Whoever answers these two has not let the request pass, be it a proxy or the service.
    if status == 401:
        return Answer("not_sent", "TokenRefused")
    if status == 413:
        return Answer("refused", "FhirTooLong")
    if resource.get("resourceType") != "OperationOutcome":
        return Answer("doubt", "unreadable")
    codes, said = _codes(resource)
    # A conflict is a refusal only with a reason of IHE's list: a target replaced meanwhile, for one.
    certain = 400 <= status < 500 and status not in (408, 425) and (status != 409 or any(map(_NAMED.fullmatch, codes)))
    if not certain or any(map(doubtful, codes)):
        return Answer("doubt", (codes or [f"HTTP{status}"])[0])
    code = said or (codes or [_STATUSES.get(status, "FhirRefused")])[0]
    return Answer("not_sent" if code in OF_CALLER else "refused", code)


def _of_outcome(resource: dict[str, Any]) -> Answer | None:
    """An OperationOutcome under a status of success: nobody knows what it means."""
    return Answer("doubt", "unreadable") if resource.get("resourceType") == "OperationOutcome" else None


def _codes(outcome: dict[str, Any]) -> tuple[list[str], str]:
    """Codes of the errors of an OperationOutcome (those of IHE before the issue types), and our code for one that is worded."""
    named: list[str] = []
    typed: list[str] = []
    said = ""
    for issue in map(_dict, _list(outcome.get("issue"))):
        if issue.get("severity") not in ("error", "fatal"):
            continue
        details = _dict(issue.get("details"))
        codes = [str(_dict(c).get("code", "")) for c in _list(details.get("coding"))]
        named += [c for c in codes if _NAMED.fullmatch(c)]
        typed.append(_ISSUES.get(str(issue.get("code")), "FhirRefused"))
        said = said or worded(str(details.get("text", ""))) or worded(str(issue.get("diagnostics", "")))
    return named or typed, said


def _partial(outcome: dict[str, Any]) -> bool:
    """A warning that something asked for was left out (sheet, 1)."""
    details = [_dict(_dict(i).get("details")) for i in _list(outcome.get("issue"))]
    return any(_PARTIAL.fullmatch(str(_dict(c).get("code", ""))) for d in details for c in _list(d.get("coding")))


def _resource(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The FHIR resource of an answer; empty when it holds none that can be read."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() not in _READ_TYPES:
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) and isinstance(value.get("resourceType"), str) else {}


def _identifiers(resource: dict[str, Any]) -> set[str]:
    """Identifiers of a resource as system|value."""
    every = [resource.get("masterIdentifier"), *_list(resource.get("identifier"))]
    return {f"{i.get('system', '')}|{i.get('value', '')}" for i in map(_dict, every) if i}


def _sha1(value: object) -> str:
    """Lower-case hexadecimal of a hash in base64; empty when it is not one of SHA-1, so that nothing is concluded from it."""
    try:
        raw = base64.b64decode(str(value or ""), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == 20 else ""


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
