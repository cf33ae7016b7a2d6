"""The local DMP, FHIR route: ITI-65, ITI-105, ITI-67 by identifier and the search of Patient, on the registry of the SOAP route.

Requests in, answers out; the shapes are in `fhir_shapes`, the reading in `fhir_metadata`, the rules in `rules`. Written from the sheet
pdsm-fhir alone, so that the project's client meets a second reading of it. Where the sheet is silent the sandbox chooses and says so.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from transvase.sandbox import finding, forms, metadata, multipart, rules
from transvase.sandbox.fhir_metadata import (
    CONFIDENTIALITY,
    SYSTEMS,
    URI,
    Json,
    Unreadable,
    parse,
    read_bundle,
    read_simplified,
    unique_id,
)
from transvase.sandbox.finding import Finding
from transvase.sandbox.metadata import APPROVED, Submission
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble
from transvase.sandbox.registry import Document, Registry
from transvase.sandbox.server import Answer, Request

PATH = "/fhir"
MEDIA_TYPE = "application/fhir+json"
_NAMESPACE = uuid.UUID("b7f2a1de-3b0e-5c0b-8d5a-4a1a6f0f9c11")
# HTTP status and issue type of each refusal; what is not here is 422, invalid. IHE gives the codes, not these (sheet, 1).
_STATUSES = {
    finding.DUPLICATE: (409, "duplicate"),
    finding.OTHER_HASH: (409, "conflict"),
    finding.DEPRECATED: (409, "conflict"),
    finding.UNKNOWN_PATIENT: (404, "not-found"),
    finding.REPLACE: (422, "business-rule"),
    finding.PATIENT_DIFFERS: (422, "business-rule"),
}
_SEARCH = frozenset({"patient.identifier", "identifier", "status"})
_STATES = {"current": APPROVED, "superseded": metadata.DEPRECATED}
_URIS = {oid: uri for uri, oid in SYSTEMS.items()}
_PLACES = {"RegistryPackage": "List", "ExtrinsicObject": "DocumentReference"}


class Refused(Exception):
    """A request refused with an OperationOutcome: status, issue type, one sentence that quotes nothing, headers."""

    def __init__(self, status: int, kind: str, what: str, *headers: tuple[str, str]) -> None:
        super().__init__(what)
        self.answer = _json(status, outcome([(kind, what, "", "")]))._replace(headers=headers)


class Fhir:
    """The services under `/fhir`. With a `token` every request must bear it; whoever asks, the structure of the client certificate is
    the one that keeps the documents."""

    def __init__(self, registry: Registry, clock: datetime, token: str = "") -> None:
        self._registry, self._clock, self._token = registry, clock, token

    @staticmethod
    def submits(request: Request) -> bool:
        """Whether a request feeds a document, which troubles are for."""
        return request.method == "POST" and request.path.rstrip("/") in (PATH, f"{PATH}/DocumentReference")

    def answer(self, request: Request, trouble: Misbehaviour | None) -> tuple[Answer, bool]:
        """The answer, and whether it refuses."""
        try:
            answer, refused = self._answered(request, trouble), False
        except Refused as problem:
            answer, refused = problem.answer, True
        except Unreadable as problem:
            rows = [(p.type, p.what, "", p.where) for p in problem.problems[:20]]
            status = 400 if not problem.problems[0].where else 422
            answer, refused = _json(status, outcome(rows)), True
        except _Conflict as problem:
            answer, refused = problem.answer, True
        return self.named(request, answer), refused

    @staticmethod
    def named(request: Request, answer: Answer) -> Answer:
        """The answer with the number that the client gave its request (FHIR R4, "Custom Headers")."""
        number = request.headers.get("x-request-id", "")
        return answer._replace(headers=(*answer.headers, ("X-Request-Id", number))) if number else answer

    def _answered(self, request: Request, trouble: Misbehaviour | None) -> Answer:
        if self._token and request.headers.get("authorization") != f"Bearer {self._token}":
            raise Refused(
                401, "login", "The access token is missing or not the one due.", ("WWW-Authenticate", "Bearer")
            )
        path, _, query = request.path.partition("?")
        served: dict[tuple[str, str], Callable[[], Answer]] = {
            ("POST", PATH): lambda: self._provided(request, trouble),
            ("POST", f"{PATH}/DocumentReference"): lambda: self._published(request, trouble),
            ("GET", f"{PATH}/DocumentReference"): lambda: self._documents(query),
            ("POST", f"{PATH}/DocumentReference/_search"): lambda: self._documents(_form(request, query)),
            ("GET", f"{PATH}/Patient"): lambda: self._patients(query),
        }
        service = served.get((request.method, path.rstrip("/")))
        if service is None:
            if any(known == path.rstrip("/") for _, known in served):
                raise Refused(405, "not-supported", "This interaction is not served here.")
            raise Refused(404, "not-found", "There is no service at this path.")
        accepted = request.headers.get("accept", "*/*")
        if not any(kind in accepted for kind in (MEDIA_TYPE, "application/json", "*/*")):
            raise Refused(406, "not-supported", f"Only {MEDIA_TYPE} is given.")
        return service()

    # Feeding.

    def _provided(self, request: Request, trouble: Misbehaviour | None) -> Answer:
        bundle = _resource(request, "Bundle")
        submission, kinds, custodian = read_bundle(bundle)
        self._registered(request, submission, custodian)
        documents = iter(submission.entries)
        rows: list[Json] = []
        for rank, kind in enumerate(kinds):
            if kind == "Parameters":
                url = bundle["entry"][rank]["request"]["url"]
                response: Json = {"status": "200 OK", "location": f"{url}/_history/2"}
            elif kind == "DocumentReference":
                held = self._held(next(documents).identifiers[metadata.ENTRY_UNIQUE])
                response = {"status": "201 Created", "location": f"DocumentReference/{_id(held)}/_history/1"}
                if trouble is not None and trouble.trouble is Trouble.PARTIAL:
                    said = ("incomplete", "Something asked for was left out.", "PartialAppendContentNotProcessed", "")
                    response["outcome"] = outcome([said], "warning")
            else:
                made = uuid.uuid5(_NAMESPACE, f"{kind} {bundle['entry'][rank]['fullUrl']}")
                response = {"status": "201 Created", "location": f"{kind}/{made}/_history/1"}
            rows.append({"response": {**response, "lastModified": self._now}})
        return _json(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": rows})

    def _published(self, request: Request, trouble: Misbehaviour | None) -> Answer:
        submission, custodian = read_simplified(_resource(request, "DocumentReference"))
        self._registered(request, submission, custodian)
        if trouble is not None and trouble.trouble is Trouble.PARTIAL:
            said = ("incomplete", "Something asked for was left out.", "PartialAppendContentNotProcessed", "")
            return _json(201, outcome([said], "warning"))
        held = self._held(submission.entries[0].identifiers[metadata.ENTRY_UNIQUE])
        location = (f"https://{request.headers['host']}{PATH}/DocumentReference/{_id(held)}/_history/1",)
        return _json(201, self._reference(held))._replace(headers=(("Location", *location), ("ETag", 'W/"1"')))

    def _registered(self, request: Request, submission: Submission, custodian: str) -> None:
        """Register a submission of the structure whose certificate opened the connection. Raises `Refused`, `_Conflict`."""
        if custodian.rpartition("^")[2] != request.structure:
            # The words are those of the SOAP service; FHIR has none (sheet dmp-transactions, 11).
            raise Refused(403, "forbidden", "Structure introuvable ou Inactive : the certificate is of another one.")
        if request.structure not in rules.institutions(submission):
            raise Refused(403, "forbidden", "Aucun AuthorInstitution ne correspond à la structure du certificat")
        number = f"fhir {submission.package.identifiers[metadata.SET_UNIQUE]}"
        try:
            findings = self._registry.submit(number, submission, rules.check(submission))
        except OSError:
            raise Refused(500, "exception", "The registry cannot write its state file.") from None
        if errors := [one for one in findings if not one.warning]:
            raise _Conflict(errors)

    def _held(self, unique: str) -> Document:
        held = self._registry.by_unique_id(unique)
        assert held is not None
        return held

    # Questions.

    def _documents(self, query: str) -> Answer:
        asked = _parameters(query, _SEARCH)
        if set(asked) != _SEARCH:
            # MHD wants patient and status; a search by identifier is the only one that a feeder may make (TD3.1b).
            raise Refused(400, "required", "patient.identifier, status and identifier are due.")
        patient = _token(asked["patient.identifier"])
        states = asked["status"].split(",")
        if not set(states) <= set(_STATES) or len(set(states)) != len(states):
            raise Refused(400, "value", "status is not current, superseded, or both.")
        system, value = _token(asked["identifier"])
        held = self._registry.by_unique_id(unique_id({"system": system, "value": value}))
        found = []
        if held is not None and held.status in {_STATES[s] for s in states} and _cx(*patient) == held.patient:
            found.append(self._reference(held))
        return _json(200, _searchset(found))

    def _patients(self, query: str) -> Answer:
        asked = _parameters(query, frozenset({"identifier"}))
        if not asked:
            raise Refused(400, "required", "identifier is due.")
        system, number = _token(asked["identifier"])
        oid = system.removeprefix("urn:oid:")
        if problem := forms.ins_problem(number, oid):
            raise Refused(400, "value", f"identifier is refused: {problem}.")
        state = self._registry.patient_state(number, oid)
        resource = {
            "resourceType": "Patient",
            "id": str(uuid.uuid5(_NAMESPACE, f"{oid} {number}")),
            "identifier": [{"system": system, "value": number}],
            "active": state == "active",
        }
        return _json(200, _searchset([] if state == "none" else [resource]))

    def _reference(self, held: Document) -> Json:
        """A registered document, without what names anybody, which the registry does not keep."""
        root, _, extension = held.unique_id.partition("^")
        master = {"system": f"urn:oid:{root}", "value": extension} if extension else None
        number, oid, _ = forms.cx(held.patient) or ("", "", "")
        state = "current" if held.status == APPROVED else "superseded"
        return {
            "resourceType": "DocumentReference",
            "id": _id(held),
            "meta": {"versionId": str(held.version), "lastUpdated": self._now},
            "masterIdentifier": {"use": "usual", **(master or {"system": URI, "value": f"urn:oid:{root}"})},
            "identifier": [{"use": "official", "system": URI, "value": held.lid}],
            "status": state,
            "type": _concept(held.type_code, held.type_system),
            "category": [_concept(held.class_code, held.class_system)],
            "subject": {"identifier": {"system": f"urn:oid:{oid}", "value": number}},
            "securityLabel": [_concept(code, system) for code, system in held.confidentiality],
            "content": [
                {
                    "attachment": {
                        "contentType": held.mime_type,
                        "url": f"Binary/{uuid.uuid5(_NAMESPACE, held.unique_id)}",
                        "size": held.size,
                        "hash": base64.b64encode(bytes.fromhex(held.hash)).decode(),
                    }
                }
            ],
        }

    @property
    def _now(self) -> str:
        return self._clock.isoformat(timespec="milliseconds")


class _Conflict(Exception):
    """A submission that the rules or the registry refuse."""

    def __init__(self, errors: list[Finding]) -> None:
        super().__init__(errors[0].what)
        rows = []
        for one in errors[:20]:
            _, kind = _STATUSES.get(one.code, (422, "invalid"))
            place, bracket, rest = one.where.partition("[")
            rows.append((kind, one.what, one.code, f"{_PLACES.get(place, place)}{bracket}{rest}"))
        self.answer = _json(_STATUSES.get(errors[0].code, (422, ""))[0], outcome(rows))


def outcome(rows: Iterable[tuple[str, str, str, str]], severity: str = "error") -> Json:
    """An OperationOutcome of issues (type, sentence, IHE code or empty, path or empty)."""
    issues: list[Json] = []
    for kind, what, code, where in rows:
        issue: Json = {"severity": severity, "code": kind, "diagnostics": what}
        if code:
            issue["details"] = {"coding": [{"code": code}]}
        if where:
            issue["expression"] = [where]
        issues.append(issue)
    return {"resourceType": "OperationOutcome", "issue": issues}


def failing() -> Answer:
    """A server that fails, in FHIR."""
    return _json(500, outcome([("exception", "The service is unavailable.", "", "")]))


def _resource(request: Request, kind: str) -> Json:
    media, parameters = _content_type(request)
    if media not in (MEDIA_TYPE, "application/json") or parameters.get("charset", "utf-8").lower() != "utf-8":
        raise Refused(415, "not-supported", f"Content-Type is not {MEDIA_TYPE} in UTF-8.")
    resource = parse(request.body)
    if resource["resourceType"] != kind:
        raise Refused(400, "structure", f"The body is not a {kind}.")
    return resource


def _content_type(request: Request) -> tuple[str, dict[str, str]]:
    try:
        return multipart.media_type(request.headers.get("content-type", ""))
    except multipart.Unreadable:
        raise Refused(415, "not-supported", "Content-Type is missing or malformed.") from None


def _form(request: Request, query: str) -> str:
    if _content_type(request)[0] != "application/x-www-form-urlencoded" or query:
        raise Refused(415, "not-supported", "Parameters of _search stand in a form.")
    try:
        return request.body.decode("ascii")
    except UnicodeDecodeError:
        raise Refused(400, "structure", "The form is not ASCII.") from None


def _parameters(query: str, known: frozenset[str]) -> dict[str, str]:
    """Strict handling: a parameter that is not understood is refused rather than ignored."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise Refused(400, "structure", "The parameters are malformed.") from None
    asked = dict(pairs)
    if len(asked) != len(pairs) or not set(asked) <= known:
        raise Refused(400, "not-supported", "A parameter is repeated, or not served here.")
    return asked


def _token(value: str) -> tuple[str, str]:
    system, bar, rest = value.partition("|")
    if not bar or not system or not rest or "," in rest:
        raise Refused(400, "value", "A token is not one system|value.")
    return system, rest


def _cx(system: str, number: str) -> str:
    return f"{number}^^^&{system.removeprefix('urn:oid:')}&ISO^NH"


def _id(held: Document) -> str:
    return held.entry_uuid.removeprefix("urn:uuid:")


def _concept(code: str, system: str) -> Json:
    uri = CONFIDENTIALITY if code == "N" else _URIS.get(system, f"urn:oid:{system}")
    return {"coding": [{"system": uri, "code": code}]}


def _searchset(found: list[Json]) -> Json:
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
    if found:
        # FHIR has no empty list.
        bundle["entry"] = [{"resource": one, "search": {"mode": "match"}} for one in found]
    return bundle


def _json(status: int, value: Any) -> Answer:
    return Answer(status, f"{MEDIA_TYPE}; charset=UTF-8", json.dumps(value).encode())
