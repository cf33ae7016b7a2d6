"""The local DMP: of the SOAP route the services `repository` (ITI-41), `registry` (ITI-18, ITI-57) and `patients` (TD0.2), under `/fhir`
those of the other (`fhir`), on one registry, plus `/control`. The service of `insi` stands beside it when a directory of identities is
given.

This module receives requests, asks the modules that know, and plays the troubles of the plan. Written from the sheet
dmp-transactions alone, so that the project's client meets a second reading of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path

from transvase.sandbox import (
    authority,
    existence,
    fhir,
    finding,
    insi,
    metadata,
    multipart,
    query,
    rules,
    server,
    soap,
    vihf,
)
from transvase.sandbox.finding import Finding
from transvase.sandbox.insi import Insi
from transvase.sandbox.metadata import APPROVED, DEPRECATED
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble, read_plan
from transvase.sandbox.registry import Registry
from transvase.sandbox.server import Answer, Refusal, Request
from transvase.sandbox.service import InThread

HOST = "127.0.0.1"
SERVICES = "/si-dmp-server/v2/services"
FEED = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
EXISTENCE = "urn:hl7-org:v3:PRPA_IN201307UV02"

_PAGE = b"<!DOCTYPE html><html><head><title>Proxy</title></head><body><h1>Service indisponible</h1></body></html>\n"
_SOAP = "application/soap+xml"


class Dmp:
    """The handler of the services of both routes and of `/control`.

    `plan` gives the trouble of the nth submission received (from 1), by either route. `require_vihf` refuses SOAP requests without
    assertion, `token` FHIR requests that do not bear it."""

    def __init__(
        self,
        registry: Registry,
        clock: datetime,
        plan: Mapping[int, Misbehaviour] | None = None,
        *,
        require_vihf: bool = False,
        token: str = "",
        beside: Insi | None = None,
    ) -> None:
        self._registry = registry
        self._fhir = fhir.Fhir(registry, clock, token)
        self.insi = beside
        self._clock = clock
        self._plan = dict(plan or {})
        self._require_vihf = require_vihf
        self._counts: Counter[str] = Counter()
        self._services = {
            f"{SERVICES}/repository": self._repository,
            f"{SERVICES}/registry": self._registry_service,
            f"{SERVICES}/patients": self._patients,
        }

    async def handle(self, request: Request) -> Answer | None:
        """Answer a request; None closes the connection. Raises `Refusal` for what is not even SOAP."""
        if self.insi is not None and request.path in (insi.PATH, insi.CONTROL):
            return await self.insi.handle(request)
        if request.path in ("/control", "/control/state"):
            return self._control(request)
        if f"{request.path.partition('?')[0]}/".startswith(f"{fhir.PATH}/"):
            return await self._in_fhir(request)
        service = self._services.get(request.path)
        if service is None:
            raise Refusal(404, "There is no service at this path.")
        if request.method != "POST":
            raise Refusal(405, "A service takes POST only.", (("Allow", "POST"),))
        trouble = self._next() if request.path.endswith("/repository") else None
        if trouble is not None and trouble.trouble in _UNREGISTERED:
            return _UNREGISTERED[trouble.trouble](trouble)
        try:
            answer = service(request, trouble)
        except soap.Fault as problem:
            self._counts["refused"] += request.path.endswith("/repository")
            return Answer(problem.status, f"{_SOAP}; charset=UTF-8", soap.fault(problem))
        # Whatever an answer tells is on the disk before it leaves.
        await self._registry.settled()
        return await _troubled(answer, trouble)

    async def _in_fhir(self, request: Request) -> Answer | None:
        feeds = self._fhir.submits(request)
        trouble = self._next() if feeds else None
        if trouble is not None and trouble.trouble is Trouble.FAULT:
            return self._fhir.named(request, fhir.failing())
        if trouble is not None and trouble.trouble in _UNREGISTERED:
            return _UNREGISTERED[trouble.trouble](trouble)
        answer, refused = self._fhir.answer(request, trouble)
        if feeds:
            self._counts["refused" if refused else "accepted"] += 1
        await self._registry.settled()
        return await _troubled(answer, trouble)

    def _next(self) -> Misbehaviour | None:
        """The trouble of the submission that has come."""
        self._counts["received"] += 1
        return self._plan.pop(self._counts["received"], None)

    # The services.

    def _repository(self, request: Request, trouble: Misbehaviour | None) -> Answer:
        kind, parameters = _content_type(request)
        if kind != "multipart/related":
            raise Refusal(415, "Content-Type is not multipart/related.")
        for name, due in (("type", "application/xop+xml"), ("start-info", _SOAP), ("action", FEED)):
            if parameters.get(name) != due:
                raise Refusal(400, f"Parameter {name} of Content-Type is not the one due.")
        try:
            package = multipart.read(parameters, request.body)
            root_kind, root_parameters = multipart.media_type(package.root.headers.get("content-type", ""))
        except multipart.Unreadable as problem:
            raise Refusal(400, f"The multipart body is refused: {problem}.") from None
        charset = root_parameters.get("charset", "").lower()
        if (root_kind, root_parameters.get("type"), charset) != ("application/xop+xml", _SOAP, "utf-8"):
            raise Refusal(400, "Content-Type of the root part is not application/xop+xml, UTF-8, application/soap+xml.")
        envelope = soap.read(package.root.data, _url(request), (FEED,))
        token = self._token(envelope)
        self._registry.meet(envelope.message_id, envelope.digest)
        attachments = {identifier: part.data for identifier, part in package.others.items()}
        submission = metadata.read(envelope.body, attachments)
        if token is not None:
            patient = submission.package.identifiers.get(metadata.SET_PATIENT, "")
            vihf.check(token, patient, rules.institutions(submission))
        checked = rules.check(submission)
        part = trouble is not None and trouble.trouble is Trouble.PARTIAL
        try:
            findings = self._registry.submit(
                envelope.message_id, rules.beginning(submission) if part else submission, checked
            )
        except OSError:
            raise soap.Fault("The registry cannot write its state file.", "Receiver") from None
        accepted = all(one.warning for one in findings)
        self._counts["accepted" if accepted else "refused"] += 1
        partial = accepted and part
        if partial:
            findings.append(Finding(finding.EXTRA, "Some metadata were not kept.", "RegistryObjectList", warning=True))
        return _soap(f"{FEED}Response", envelope, query.response(findings, partial=partial))

    def _registry_service(self, request: Request, trouble: Misbehaviour | None) -> Answer:
        envelope, token = self._single(request, QUERY, UPDATE)
        if envelope.action == UPDATE:
            submission = metadata.read_update(envelope.body)
            if token is not None:
                patient = submission.package.identifiers.get(metadata.SET_PATIENT, "")
                vihf.check(token, patient, rules.institutions(submission))
            try:
                structure = token.structure if token else request.structure
                findings = self._registry.delete(envelope.message_id, submission, structure)
            except OSError:
                raise soap.Fault("The registry cannot write its state file.", "Receiver") from None
            return _soap(f"{UPDATE}-Response", envelope, query.response(findings))
        return _soap(f"{QUERY}Response", envelope, query.answer(envelope.body, self._registry))

    def _patients(self, request: Request, _: Misbehaviour | None) -> Answer:
        envelope, _token = self._single(request, EXISTENCE)
        body = existence.answer(envelope.body, self._registry, self._clock)
        return _soap("urn:hl7-org:v3:PRPA_IN201308UV02", envelope, body)

    def _single(self, request: Request, *actions: str) -> tuple[soap.Envelope, vihf.Token | None]:
        """The envelope of a request that is one XML part, and its token."""
        kind, parameters = _content_type(request)
        if kind != _SOAP or parameters.get("charset", "utf-8").lower() != "utf-8":
            raise Refusal(415, f"Content-Type is not {_SOAP} in UTF-8.")
        if parameters.get("action", actions[0]) not in actions:
            raise Refusal(400, "Parameter action of Content-Type is not the one due.")
        envelope = soap.read(request.body, _url(request), actions)
        token = self._token(envelope)
        self._registry.meet(envelope.message_id, envelope.digest)
        return envelope, token

    def _token(self, envelope: soap.Envelope) -> vihf.Token | None:
        if envelope.security is not None:
            return vihf.read(envelope.security)
        if self._require_vihf:
            raise soap.Fault("Header Security with the VIHF is missing.")
        return None

    # Control.

    def _control(self, request: Request) -> Answer:
        if (request.method, request.path) == ("GET", "/control/state"):
            return _json(200, self._state())
        if (request.method, request.path) != ("POST", "/control"):
            raise Refusal(405, "Control takes POST /control and GET /control/state.")
        try:
            self._plan = read_plan(json.loads(request.body), self._counts["received"])
        except UnicodeDecodeError:
            return _json(400, {"error": "the message is not UTF-8"})
        except json.JSONDecodeError:
            return _json(400, {"error": "the message is not JSON"})
        except ValueError as problem:
            return _json(400, {"error": str(problem)})
        return _json(200, {"plan": len(self._plan)})

    def _state(self) -> dict[str, object]:
        documents = self._registry.documents()
        statuses = Counter(document.status for document in documents)
        return {
            "documents": [document._asdict() for document in documents],
            "counts": {
                "received": self._counts["received"],
                "accepted": self._counts["accepted"],
                "refused": self._counts["refused"],
                "submission_sets": self._registry.submission_sets,
                "documents": len(documents),
                "approved": statuses[APPROVED],
                "deprecated": statuses[DEPRECATED],
            },
        }


_UNREGISTERED: dict[Trouble, Callable[[Misbehaviour], Answer | None]] = {
    Trouble.HTTP_500: lambda _: Answer(500, "text/plain; charset=UTF-8", b"Internal Server Error\n"),
    Trouble.FAULT: lambda _: Answer(
        500, f"{_SOAP}; charset=UTF-8", soap.fault(soap.Fault("The service is unavailable.", "Receiver"))
    ),
    Trouble.CUT: lambda _: None,
    Trouble.HTML_200: lambda _: Answer(200, "text/html", _PAGE),
    Trouble.HTML_502: lambda _: Answer(502, "text/html", _PAGE),
    Trouble.OVERLOADED: lambda t: Answer(
        503, "text/plain; charset=UTF-8", b"Service Unavailable\n", (("Retry-After", str(int(t.seconds))),)
    ),
}


async def _troubled(answer: Answer, trouble: Misbehaviour | None) -> Answer | None:
    if trouble is None:
        return answer
    if trouble.trouble is Trouble.SLOW:
        await asyncio.sleep(trouble.seconds)
    if trouble.trouble is Trouble.CUT_AFTER:
        return None
    return answer._replace(copies=2) if trouble.trouble is Trouble.DUPLICATE_ANSWER else answer


def _content_type(request: Request) -> tuple[str, dict[str, str]]:
    try:
        return multipart.media_type(request.headers.get("content-type", ""))
    except multipart.Unreadable as problem:
        raise Refusal(400, f"Content-Type is refused: {problem}.") from None


def _url(request: Request) -> str:
    return f"https://{request.headers['host']}{request.path}"


def _soap(action: str, envelope: soap.Envelope, body: str) -> Answer:
    media_type = f'{_SOAP}; charset=UTF-8; action="{action}"'
    return Answer(200, media_type, soap.answer(action, envelope.message_id, body))


def _json(status: int, value: object) -> Answer:
    return Answer(status, "application/json", json.dumps(value).encode())


@contextlib.asynccontextmanager
async def _serving(dmp: Dmp, registry: Registry, keys: authority.Authority, port: int) -> AsyncIterator[int]:
    try:
        context = server.context(keys)
        if dmp.insi is not None:
            dmp.insi.trust(context)
        async with server.listening(dmp.handle, context, HOST, port) as chosen:
            yield chosen
        await registry.settled()
    finally:
        registry.close()


def serve(
    folder: Path,
    patients: Path,
    port: int,
    clock: datetime,
    ready: Callable[[str], None],
    *,
    structure: str = authority.STRUCTURE,
    identities: Path | None = None,
) -> None:
    """Serve the local DMP on 127.0.0.1 until interrupted (`KeyboardInterrupt`, passed on).

    `folder` holds the certificates and `registry.jsonl`, reused when they exist. `patients` is the CSV of `Registry`.
    `port` 0 lets the system choose. `ready` receives the URL of the services once connections are accepted. `structure` is
    the Struct_IdNat of the client certificate. With `identities`, a CSV of `insi.Person`, INSi is served too, its certificates in
    `folder / "insi"`. Raises `OSError` (port taken, folder) and `ValueError` (damaged file)."""
    keys = authority.open_or_create(folder, clock, structure=structure)
    # Before the registry, which holds an open file.
    beside = Insi(identities, folder / "insi", clock, structure=structure) if identities else None
    registry = Registry(folder / "registry.jsonl", patients)
    dmp = Dmp(registry, clock, beside=beside)

    async def main() -> None:
        async with _serving(dmp, registry, keys, port) as chosen:
            ready(_services(chosen))
            await asyncio.Event().wait()

    asyncio.run(main())


def _services(port: int) -> str:
    return f"https://{HOST}:{port}{SERVICES}"


class Sandbox(InThread[int]):
    """A local DMP in a thread, as a context manager: `with Sandbox(folder, patients, clock) as sandbox: sandbox.url`.

    `url` is that of the SOAP services (add `/repository`...), `fhir_url` that of the FHIR ones, `origin` that of the server
    (`/control`), `port` its port, `authority` the PEM files, `insi` the service beside when there are `identities` (at `origin` +
    `/insi`). The state file is `folder / "registry.jsonl"`: a new Sandbox on the same folder goes on."""

    def __init__(
        self,
        folder: Path,
        patients: Path,
        clock: datetime,
        plan: Mapping[int, Misbehaviour] | None = None,
        *,
        structure: str = authority.STRUCTURE,
        require_vihf: bool = False,
        token: str = "",
        hostile: bool = False,
        identities: Path | None = None,
        insi_plan: Mapping[int, Misbehaviour] | None = None,
    ) -> None:
        super().__init__("dmp", 0)
        self.authority = authority.open_or_create(folder, clock, structure=structure, hostile=hostile)
        self.insi = Insi(identities, folder / "insi", clock, insi_plan, structure=structure) if identities else None
        self._registry = Registry(folder / "registry.jsonl", patients)
        self._dmp = Dmp(self._registry, clock, plan, require_vihf=require_vihf, token=token, beside=self.insi)

    @property
    def origin(self) -> str:
        """`https://127.0.0.1:port`."""
        return f"https://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the SOAP services, without a final slash."""
        return _services(self.port)

    @property
    def fhir_url(self) -> str:
        """The base address of the FHIR services."""
        return f"{self.origin}{fhir.PATH}"

    def _listening(self) -> contextlib.AbstractAsyncContextManager[int]:
        return _serving(self._dmp, self._registry, self.authority, self.port)
