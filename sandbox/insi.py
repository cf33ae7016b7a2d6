"""The local INSi: search by traits in a directory of test identities, on the path `/insi` (sheet insi, 1 to 6), and its `/control/insi`.

Strict on what the sheet says: contexts, addressing, one patient a call, a certificate named INSI-MANU or INSI-AUTO, no security header.
Where a faulty request has no documented code the fault has none. Matching is ours, the sheet does not tell it: every trait sent must be
that of the person, a given name may be any of the person's.
"""

from __future__ import annotations

import asyncio
import csv
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from transvase.sandbox import authority, forms, markup, multipart
from transvase.sandbox.misbehaviour import Misbehaviour, Trouble, read_plan
from transvase.sandbox.server import Answer, Refusal, Request
from transvase.sandbox.soap import ADDRESSING, SECURITY, SOAP

PATH, CONTROL = "/insi", "/control/insi"
AUTHORISATION = "BAC-A-SABLE-1"
"""The only authorisation number (IDAM) that this service knows."""
NAMES = ("INSI-MANU", "INSI-AUTO")
ACTION = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"

_BAM, _LPS = "urn:siram:bam:ctxbam", "urn:siram:lps:ctxlps"
_REQUEST, _RESULT = "http://www.cnamts.fr/INSiRecSans", "http://www.cnamts.fr/INSiResultat"
_MEDIA = "application/soap+xml"
_COLUMNS = ("ins", "oid", "family", "given", "first_given", "sex", "birth_date", "birth_place", "former")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_TRAITS = {
    "NomNaissance": re.compile(r"'?[A-Z]+(?:(?:--|[-' ])[A-Z]+)*"),
    "Prenom": re.compile(r"'?[A-Z]+(?:[-' ][A-Z]+)*"),
    "Sexe": re.compile(r"[FM]"),
    "DateNaissance": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "LieuNaissance": re.compile(r"[0-9][0-9AB][0-9]{3}"),
}
_LABELS = {"00": "OK", "01": "Aucune identite trouvee", "02": "Plusieurs identites trouvees"}
_PAGE = b"<!DOCTYPE html><html><head><title>Proxy</title></head><body><h1>Service indisponible</h1></body></html>\n"


class Person(NamedTuple):
    """A line of the directory. `given` are the given names separated by spaces, `former` matricules separated by spaces."""

    ins: str
    oid: str
    family: str
    given: str
    first_given: str
    sex: str
    birth_date: str
    birth_place: str
    former: str

    def answers_to(self, given: str) -> bool:
        """`given` is the whole list, the first given name, or one of the list."""
        return given in (self.given, self.first_given, *self.given.split())


def read_directory(path: Path) -> list[Person]:
    """The identities of a CSV file whose header is that of `Person`. Raises `ValueError` naming the line that cannot be taken.

    Only test identities: another OID means that somebody points real data at the sandbox."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        if tuple(next(rows, ())) != _COLUMNS:
            raise ValueError(f"The header of {path.name} is not {','.join(_COLUMNS)}.")
        people = []
        for number, row in enumerate(rows, 2):
            person = Person(*row) if len(row) == len(_COLUMNS) else None
            if person is None or forms.ins_problem(person.ins, person.oid) or not person.birth_date:
                raise ValueError(f"Line {number} of {path.name} is not a test identity.")
            people.append(person)
    return people


class Certificates(NamedTuple):
    """The PEM files of an authority of its own, as INSi has certificates of its own: `automatic` is INSI-AUTO, `manual` INSI-MANU."""

    ca: Path
    automatic: Path
    automatic_key: Path
    manual: Path
    manual_key: Path


def certificates(folder: Path, clock: datetime, structure: str) -> Certificates:
    """Those in `folder`, written first when they are not there yet."""
    names = ("ca.pem", "insi-auto.pem", "insi-auto.key", "insi-manu.pem", "insi-manu.key")
    paths = Certificates(*(folder / name for name in names))
    if not paths.ca.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        root = authority.Issuer("Autorite jetable INSi", clock)
        organisation = ("Cabinet du bac a sable", structure)
        client = ExtendedKeyUsageOID.CLIENT_AUTH
        root.issue(paths.automatic, paths.automatic_key, "INSI-AUTO", organisation, client)
        root.issue(paths.manual, paths.manual_key, "INSI-MANU", organisation, client)
        authority.write(paths.ca, root.certificate.public_bytes(serialization.Encoding.PEM))
    return paths


class _Fault(Exception):
    """A SOAP fault: `code` is Sender or Receiver; `siram` and `error` are documented codes, empty where there is none."""

    def __init__(self, reason: str, code: str = "Sender", siram: str = "", error: str = "") -> None:
        super().__init__(reason)
        self.reason, self.code, self.siram, self.error = reason, code, siram, error


_UNREAD: dict[Trouble | None, Answer] = {
    Trouble.HTML_200: Answer(200, "text/html", _PAGE),
    Trouble.HTML_502: Answer(502, "text/html", _PAGE),
    Trouble.HTTP_500: Answer(500, "text/plain; charset=UTF-8", b"Internal Server Error\n"),
    Trouble.OVERLOADED: Answer(503, "text/plain; charset=UTF-8", b"Service Unavailable\n", (("Retry-After", "1"),)),
}
"""Troubles that are answered without reading the request."""


class Insi:
    """The handler of `/insi` and `/control/insi`. `plan` gives the trouble of the nth call received (from 1): FAULT is `insi_102`, PARTIAL
    a code 00 without the place of birth."""

    def __init__(
        self,
        directory: Path,
        folder: Path,
        clock: datetime,
        plan: Mapping[int, Misbehaviour] | None = None,
        *,
        structure: str = authority.STRUCTURE,
    ) -> None:
        self.certificates = certificates(folder, clock, structure)
        self._people = read_directory(directory)
        self._plan = dict(plan or {})
        self._met: set[str] = set()
        self.received = 0

    def trust(self, context: ssl.SSLContext) -> None:
        """Let the clients of this service connect."""
        context.load_verify_locations(self.certificates.ca)

    async def handle(self, request: Request) -> Answer | None:
        """Answer a request; None closes the connection. Raises `Refusal` for what is not even SOAP."""
        if request.path == CONTROL:
            return self._control(request)
        if request.method != "POST":
            raise Refusal(405, "A service takes POST only.", (("Allow", "POST"),))
        self.received += 1
        trouble = self._plan.pop(self.received, None)
        planned = trouble.trouble if trouble is not None else None
        if planned is Trouble.CUT:
            return None
        if planned in _UNREAD:
            return _UNREAD[planned]
        try:
            answer = Answer(200, f'{_MEDIA}; charset=UTF-8; action="{ACTION}Response"', self._answer(request, planned))
        except _Fault as problem:
            answer = Answer(500, f"{_MEDIA}; charset=UTF-8", _fault(problem))
        if trouble is not None and planned is Trouble.SLOW:
            await asyncio.sleep(trouble.seconds)
        if planned is Trouble.CUT_AFTER:
            return None
        return answer._replace(copies=2) if planned is Trouble.DUPLICATE_ANSWER else answer

    def _control(self, request: Request) -> Answer:
        if request.method != "POST":
            return _json(200, {"received": self.received})
        try:
            self._plan = read_plan(json.loads(request.body), self.received)
        except ValueError:
            return _json(400, {"error": "the message is not a plan in JSON"})
        return _json(200, {"plan": len(self._plan)})

    def _answer(self, request: Request, planned: Trouble | None) -> bytes:
        try:
            kind, parameters = multipart.media_type(request.headers.get("content-type", ""))
        except multipart.Unreadable as problem:
            raise Refusal(400, f"Content-Type is refused: {problem}.") from None
        if kind != _MEDIA or parameters.get("charset", "utf-8").lower() != "utf-8":
            raise Refusal(415, f"Content-Type is not {_MEDIA} in UTF-8.")
        if parameters.get("action", ACTION) != ACTION:
            raise Refusal(400, "Parameter action of Content-Type is not the one due.")
        try:
            root = markup.parse(request.body, bare=True)
        except markup.Malformed as problem:
            raise _Fault(f"The envelope is refused: {problem}.") from None
        header, body = _envelope(root)
        self._header(header, request)
        search = _search(body)
        if request.name not in NAMES:
            raise _Fault("Vous ne disposez pas des droits suffisants pour accéder à ce service", error="desir_560")
        if planned is Trouble.FAULT:
            raise _Fault("Erreur technique de la recherche.", "Receiver", "siram_40", "insi_102")
        return _result([p for p in self._people if _matches(p, search)], partial=planned is Trouble.PARTIAL)

    def _header(self, header: markup.Element, request: Request) -> None:
        blocks: dict[tuple[str, str], markup.Element] = {}
        for block in markup.elements(header):
            if markup.parts(block) in blocks:
                raise _Fault("A header is repeated.")
            blocks[markup.parts(block)] = block
        due = {(_BAM, "ContexteBAM"), (_LPS, "ContexteLPS"), (ADDRESSING, "Action"), (ADDRESSING, "MessageID")}
        if (SECURITY, "Security") in blocks:
            raise _Fault("There is no security header with the certificate of an organisation.")
        if set(blocks) != due:
            raise _Fault("The headers are not ContexteBAM, ContexteLPS, Action and MessageID.")
        if markup.text(blocks[ADDRESSING, "Action"]) != ACTION:
            raise _Fault("Action is not the one of this operation.")
        bam, lps = blocks[_BAM, "ContexteBAM"], blocks[_LPS, "ContexteLPS"]
        if bam.get("Version") != "01_02" or bam.get("Nature", "CTXBAM") != "CTXBAM":
            raise _Fault("ContexteBAM has not its version.")
        if (lps.get("Nature"), lps.get("Version")) != ("CTXLPS", "01_00"):
            raise _Fault("ContexteLPS has not its nature and version.")
        cover = _context(bam, _BAM, request.structure, "COUVERTURE")
        software = _context(lps, _LPS, request.structure, "LPS")
        about = _children(software, _LPS, ("IDAM", "Version", "Instance", "Nom"))
        if about["IDAM"].get("R") != "4" or not _UUID.fullmatch(markup.text(about["Instance"])):
            raise _Fault("LPS lacks IDAM/@R or the UUID of the installation.")
        if not markup.text(about["Version"]) or not markup.text(about["Nom"]):
            raise _Fault("LPS lacks its version or its name.")
        if markup.text(cover) or len(cover):
            raise _Fault("COUVERTURE is not empty although there is no card.")
        message_id = markup.text(blocks[ADDRESSING, "MessageID"])
        if not message_id.startswith("uuid:") or not _UUID.fullmatch(message_id[5:]) or message_id in self._met:
            raise _Fault("MessageID is not uuid: and a UUID, or came before.")
        self._met.add(message_id)
        if markup.text(about["IDAM"]) != AUTHORISATION:
            raise _Fault(
                "L'accès par ce progiciel au service n'est pas autorisé.", siram="siram_100", error="desir_550"
            )


def _envelope(root: markup.Element) -> tuple[markup.Element, markup.Element]:
    """Header, and the only element of the body."""
    children = list(markup.elements(root))
    if markup.parts(root) != (SOAP, "Envelope") or [markup.parts(c) for c in children] != [
        (SOAP, "Header"),
        (SOAP, "Body"),
    ]:
        raise _Fault("The message is not a SOAP 1.2 Envelope with one Header and one Body.")
    content = list(markup.elements(children[1]))
    if len(content) != 1 or markup.parts(content[0]) != (_REQUEST, "RECSANSVITALE"):
        raise _Fault("Body does not hold exactly one RECSANSVITALE: one patient a call.")
    return children[0], content[0]


def _children(parent: markup.Element, namespace: str, names: tuple[str, ...]) -> dict[str, markup.Element]:
    """The children, which are these once each in this order."""
    found = list(markup.elements(parent))
    if [markup.parts(child) for child in found] != [(namespace, name) for name in names]:
        raise _Fault(f"{markup.parts(parent)[1]} does not hold {', '.join(names)}.")
    return dict(zip(names, found, strict=True))


def _context(context: markup.Element, namespace: str, structure: str, last: str) -> markup.Element:
    """The last child of a context whose first three are right."""
    parts = _children(context, namespace, ("Id", "Temps", "Emetteur", last))
    if not _UUID.fullmatch(markup.text(parts["Id"])) or not _INSTANT.fullmatch(markup.text(parts["Temps"])):
        raise _Fault("Id of a context is not a UUID, or Temps not a UTC instant with milliseconds.")
    if not structure or markup.text(parts["Emetteur"]) != structure:
        raise _Fault("Emetteur is not the OU of the certificate.")
    return parts[last]


def _search(body: markup.Element) -> dict[str, str]:
    found = [(markup.parts(child), child) for child in markup.elements(body)]
    names = [name for (namespace, name), _ in found if namespace == _REQUEST]
    due = list(_TRAITS)
    if len(names) != len(found) or names not in (due, due[:-1]):
        raise _Fault("RECSANSVITALE does not hold the traits, each once and in order.")
    search = {name: child.text or "" for (_, name), child in found}
    if any(len(child) for _, child in found):
        raise _Fault("A trait is not a text.")
    for name, value in search.items():
        if not _TRAITS[name].fullmatch(value):
            raise _Fault(f"{name} is not of the form due.")
    return search


def _matches(person: Person, search: dict[str, str]) -> bool:
    return (
        person.family == search["NomNaissance"]
        and person.answers_to(search["Prenom"])
        and (person.sex, person.birth_date) == (search["Sexe"], search["DateNaissance"])
        and search.get("LieuNaissance", person.birth_place) == person.birth_place
    )


def _result(people: list[Person], *, partial: bool) -> bytes:
    code = {0: "01", 1: "00"}.get(len(people), "02")
    individual = (
        "".join(_individual(people[0]._replace(birth_place="") if partial else people[0])) if code == "00" else ""
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap={quoteattr(SOAP)}><S:Body xmlns:S={quoteattr(SOAP)}>'
        f"<RESULTAT xmlns={quoteattr(_RESULT)}><CR><CodeCR>{code}</CodeCR><LibelleCR>{_LABELS[code]}</LibelleCR></CR>"
        f"{individual}</RESULTAT></S:Body></soap:Envelope>"
    ).encode()


def _individual(person: Person) -> Iterator[str]:
    def matricule(name: str, ins: str) -> str:
        return (
            f"<{name}><IdIndividu><NumIdentifiant>{escape(ins[:13])}</NumIdentifiant><Cle>{escape(ins[13:])}</Cle></IdIndividu>"
            f"<OID>{person.oid}</OID></{name}>"
        )

    yield f"<INDIVIDU>{matricule('INSACTIF', person.ins)}"
    yield from (matricule("INSHISTO", ins) for ins in person.former.split())
    yield (
        f"<TIQ><NomNaissance>{escape(person.family)}</NomNaissance><Prenom>{escape(person.first_given)}</Prenom>"
        f"<ListePrenom>{escape(person.given)}</ListePrenom><Sexe>{escape(person.sex)}</Sexe>"
        f"<DateNaissance>{escape(person.birth_date)}</DateNaissance><LieuNaissance>{escape(person.birth_place)}</LieuNaissance></TIQ>"
        "</INDIVIDU>"
    )


def _fault(problem: _Fault) -> bytes:
    subcode = f"<soap:Subcode><soap:Value>soap:{problem.siram}</soap:Value></soap:Subcode>" if problem.siram else ""
    detail = ""
    if problem.error:
        detail = (
            f'<soap:Detail><siram:Erreur xmlns:siram="urn:siram" code="{problem.error}" severite="erreur">'
            f"{escape(problem.reason)}</siram:Erreur></soap:Detail>"
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap={quoteattr(SOAP)}><soap:Body><soap:Fault><soap:Code>'
        f"<soap:Value>soap:{problem.code}</soap:Value>{subcode}</soap:Code><soap:Reason>"
        f'<soap:Text xml:lang="fr">{escape(problem.reason)}</soap:Text></soap:Reason>{detail}</soap:Fault></soap:Body></soap:Envelope>'
    ).encode()


def _json(status: int, value: object) -> Answer:
    return Answer(status, "application/json", json.dumps(value).encode())
