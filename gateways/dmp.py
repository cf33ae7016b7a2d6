"""Client of the DMP's SOAP services (ITI-41, ITI-18, TD0.2) over mutual TLS. Bytes in, outcome out; no state but the connection.

Every way a call may end is a value of a closed list: what the registry surely did, or that nobody knows. Texts of the server are
not kept, since they may quote a record.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from lxml import etree

from transvase.errors import CertificateRefused, Said
from transvase.formats import safe_xml, xml_texts
from transvase.gateways.connection import Connection

Kind = Literal["accepted", "refused", "doubt", "not_sent", "overloaded"]
Existence = Literal["active", "closed", "none", "unknown"]

_SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
_WSA = "{http://www.w3.org/2005/08/addressing}"
_STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
_HL7 = "{urn:hl7-org:v3}"
_RS = "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}"
_PATIENT = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
_UNIQUE = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
# Doubts that a service at work gives: it knows the document, or took it in part. The others may be an outage.
AT_WORK = frozenset(
    {
        "XDSDuplicateUniqueIdInRegistry",
        "XDSNonIdenticalHash",
        "PartialSuccess",
        "DuplicateMessageID",
        "FhirDuplicate",
        "FhirConflict",
    }
)
# Our code for the answer to another message.
STALE = "stale"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,60}")
# The registry may hold what we sent: asked by uniqueId rather than believed refused.
_DOUBTFUL = {
    "XDSDuplicateUniqueIdInRegistry",
    "XDSNonIdenticalHash",
    "XDSRepositoryBusy",
    "XDSRegistryBusy",
    "XDSRepositoryError",
    "XDSRegistryError",
    "DuplicateMessageID",
    "FhirDuplicate",
    "FhirConflict",
}


# Refusals that the service words instead of coding (sheet dmp-transactions.md, 11), and our codes for them.
_WORDED = {
    "aucune spécialité": "SpecialtyMissing",
    "aucun authorinstitution": "DocumentMismatch",
    "structure introuvable": "StructureUnknown",
    "ps et structure non liés": "StructureUnknown",
}
# Refusals of who asks, whatever the document: nothing was taken, and nothing else will be.
OF_CALLER = frozenset({"DMPInvalidCertificate", "StructureUnknown", "TokenRefused"})

DMP = Said("le DMP", "the DMP")


class Answer(NamedTuple):
    """`code` is the registry's error code when it has the form of one, else ours; `retry_after` seconds asked for, or 0."""

    kind: Kind
    code: str = ""
    retry_after: float = 0.0


class Entry(NamedTuple):
    """What the registry holds under a uniqueId."""

    unique_id: str
    entry_uuid: str
    sha1: str
    status: str
    # CX under which it stands: what the record says now may be another.
    patient: str = ""


class Found(NamedTuple):
    """The answer of a query: `ok` is false when the registry did not answer, and then nothing is known."""

    ok: bool
    entries: dict[str, Entry]
    code: str = ""


class Reference(NamedTuple):
    """The answer of TD3.1b: entryUUIDs held under one uniqueId. `ok` is false when the registry did not answer."""

    ok: bool
    entry_uuids: tuple[str, ...] = ()
    code: str = ""


def tls(certificate: Path, key: Path, authority: Path, password: bytes | None) -> ssl.SSLContext:
    """A context for mutual TLS 1.2 or newer, trusting only `authority`. CertificateRefused names what cannot be used."""
    try:
        context = ssl.create_default_context(cafile=str(authority))
    except (OSError, ssl.SSLError):
        raise CertificateRefused(
            service=DMP,
            reason=Said(
                f"le fichier d'autorité {authority.name} n'est pas lisible",
                f"authority file {authority.name} cannot be read",
            ),
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A password callback, even an empty one, keeps OpenSSL from asking on the terminal.
        context.load_cert_chain(certificate, key, password or b"")
    except (OSError, ssl.SSLError):
        raise CertificateRefused(
            service=DMP,
            reason=Said(
                f"{certificate.name} ou sa clé est inutilisable", f"{certificate.name} or its key cannot be used"
            ),
        ) from None
    return context


class Dmp:
    """One connection to the services, reused; not shared between threads."""

    def __init__(self, url: str, context: ssl.SSLContext, timeout: float) -> None:
        self._line = Connection(url, context, timeout, DMP)
        self.base = url

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def submit(self, content_type: str, parts: Iterable[bytes], length: int, message_id: str) -> Answer:
        """Send an ITI-41 message whose MessageID is `message_id`. CertificateRefused when TLS refuses us or the server's certificate."""
        status, headers, body, failure = self._post("repository", content_type, parts, length)
        if failure:
            return Answer("not_sent" if failure == "unreachable" else "doubt", failure)
        answer = read_answer(status, headers, body, message_id)
        if answer.code == STALE:
            self.close()
        return answer

    def update(self, content_type: str, parts: Iterable[bytes], length: int, message_id: str) -> Answer:
        """Send an ITI-57, a change of metadata, whose MessageID is `message_id`."""
        status, headers, body, failure = self._post("registry", content_type, parts, length)
        if failure:
            return Answer("not_sent" if failure == "unreachable" else "doubt", failure)
        answer = read_answer(status, headers, body, message_id)
        if answer.code == STALE:
            self.close()
        return answer

    def exists(self, content_type: str, parts: Iterable[bytes], length: int, message_id: str) -> Existence:
        """Send a TD0.2 whose MessageID is `message_id`: what is known of the patient's DMP, `unknown` when nothing was answered."""
        status, _, body, failure = self._post("patients", content_type, parts, length)
        return "unknown" if failure or status != 200 else read_existence(body, message_id)

    def query(self, content_type: str, parts: Iterable[bytes], length: int, message_id: str) -> Found:
        """Send an ITI-18 query by uniqueId whose MessageID is `message_id`."""
        status, _, body, failure = self._post("registry", content_type, parts, length)
        if failure or status != 200:
            return Found(False, {}, failure or f"HTTP{status}")
        found = read_found(body, message_id)
        if found.code == STALE:
            self.close()
        return found

    def reference(self, content_type: str, parts: Iterable[bytes], length: int, message_id: str) -> Reference:
        """Send a TD3.1b, the query by one uniqueId that asks for references, whose MessageID is `message_id`."""
        status, _, body, failure = self._post("registry", content_type, parts, length)
        if failure or status != 200:
            return Reference(False, (), failure or f"HTTP{status}")
        found = read_reference(body, message_id)
        if found.code == STALE:
            self.close()
        return found

    def _post(
        self, service: str, content_type: str, parts: Iterable[bytes], length: int
    ) -> tuple[int, Mapping[str, str], bytes, str]:
        """(status, headers, body, failure), as in `Reply`."""
        reply = self._line.request("POST", f"/{service}", {"Content-Type": content_type}, parts, length)
        return reply.status, reply.headers, reply.body, reply.failure


def doubtful(code: str) -> bool:
    """The registry may hold what was sent, although it answers with this code."""
    return code in _DOUBTFUL


def worded(text: str) -> str:
    """Our code for a refusal that the service words instead of coding; empty for another text."""
    said = text.strip().lower()
    return next((ours for words, ours in _WORDED.items() if said.startswith(words)), "")


def waits(headers: Mapping[str, str]) -> float:
    """Seconds that an overloaded service asks to wait, or 0; a date is no number of seconds."""
    wait = headers.get("retry-after", "")
    return float(wait) if wait.isascii() and wait.isdigit() else 0.0


def _root(body: bytes) -> etree._Element | None:
    """The XML of an answer: the first part of a multipart one, or the whole."""
    start = body.find(b"<", body.find(b"\r\n\r\n") if body.lstrip().startswith(b"--") else 0)
    if start < 0:
        return None
    if body.lstrip().startswith(b"--"):
        body = body[start : body.rfind(b">") + 1]
    try:
        root: etree._Element = safe_xml.element(body)
    except safe_xml.XmlRefused:
        return None
    return root


def _code(value: str | None) -> str:
    short = (value or "").rsplit(":", 1)[-1]
    return short if _CODE.fullmatch(short) else "unknown"


def _of_another(root: etree._Element, message_id: str) -> bool:
    """The answer says that it relates to another message: a server or a proxy wrote one twice on this connection."""
    related = _related(root).strip()
    return bool(message_id and related) and related != message_id


def _related(root: etree._Element) -> str:
    # Finds what `.//` would, four times faster.
    return next((node.text or "" for node in root.iterdescendants(f"{_WSA}RelatesTo")), "")


def read_answer(status: int, headers: Mapping[str, str], body: bytes, message_id: str = "") -> Answer:
    """Outcome of an ITI-41 answer: Success, Failure, PartialSuccess, SOAP fault, multipart, or a page of a proxy.

    With `message_id`, the answer to another message tells nothing of this one."""
    if status in (429, 503):
        return Answer("overloaded", f"HTTP{status}", waits(headers))
    if (found := xml_texts.apart(body)) and (related := _accepted(found[0])) is not None:
        related = related.translate(found[1]).strip()
        return Answer("doubt", STALE) if message_id and related and related != message_id else Answer("accepted")
    root = _root(body)
    if root is None:
        return Answer("doubt", "unreadable")
    if _of_another(root, message_id):
        return Answer("doubt", STALE)
    return _outcome(root)


@lru_cache(maxsize=64)
def _accepted(pieces: tuple[bytes, ...]) -> str | None:
    """Of a success of which only the texts are missing, what it relates to; None for any other answer. A registry writes the same each
    time."""
    root = _root(xml_texts.marked(pieces))
    return _related(root) if root is not None and _outcome(root).kind == "accepted" else None


def _outcome(root: etree._Element) -> Answer:
    fault = next(root.iterdescendants(f"{_SOAP}Fault"), None)
    if fault is not None:
        values = [_code(v.text) for v in fault.iter(f"{_SOAP}Value")]
        # Sender: our message is wrong and was not taken. Receiver: the server failed, perhaps after taking it.
        code = worded(fault.findtext(f"{_SOAP}Reason/{_SOAP}Text") or "") or (values[-1] if values else "")
        if values[:1] != ["Sender"] or doubtful(code):
            return Answer("doubt", code or "unknown")
        return Answer("not_sent" if code in OF_CALLER else "refused", code)
    response = next(root.iter(f"{_RS}RegistryResponse"), None)
    if response is None:
        return Answer("doubt", "unreadable")
    codes = [_code(e.get("errorCode")) for e in response.iter(f"{_RS}RegistryError")]
    state = response.get("status", "")
    if state == _STATUS + "Success":
        return Answer("accepted")
    if state != _STATUS + "Failure":
        return Answer("doubt", "PartialSuccess" if state.endswith("PartialSuccess") else "unknown")
    if not codes or any(map(doubtful, codes)):
        return Answer("doubt", codes[0] if codes else "unknown")
    return Answer("refused", codes[0])


def read_existence(body: bytes, message_id: str = "") -> Existence:
    """The answer of a TD0.2 (PRPA_IN201308UV02). With `message_id`, the answer to another message tells nothing."""
    root = _root(body)
    if root is None or _of_another(root, message_id):
        return "unknown"
    answer = next(root.iter(f"{_HL7}PRPA_IN201308UV02"), None)
    if answer is None or _coded(answer, "acknowledgement", "typeCode") != "AA":
        return "unknown"
    found = _coded(answer, "controlActProcess", "queryAck", "queryResponseCode")
    if found == "NF":
        return "none"
    states = {s.get("code", "") for p in answer.iter(f"{_HL7}patient") for s in p.iterchildren(f"{_HL7}statusCode")}
    if found != "OK" or len(states) != 1:
        return "unknown"
    known: dict[str, Existence] = {"active": "active", "terminated": "closed"}
    return known.get(states.pop(), "unknown")


def _coded(node: etree._Element, *path: str) -> str:
    element = node.find("/".join(_HL7 + name for name in path))
    return "" if element is None else element.get("code", "")


def _query_answer(body: bytes, message_id: str) -> etree._Element | str:
    """The successful answer of an ITI-18, or our code for why there is none."""
    root = _root(body)
    if root is None:
        return "unreadable"
    if _of_another(root, message_id):
        return STALE
    response = next(
        (n for n in root.iter() if isinstance(n.tag, str) and etree.QName(n).localname == "AdhocQueryResponse"), None
    )
    if response is None or response.get("status") != _STATUS + "Success":
        return "Failure"
    return response


def read_reference(body: bytes, message_id: str = "") -> Reference:
    """entryUUIDs of an ITI-18 answer, references or whole entries. With `message_id`, the answer to another message tells nothing."""
    response = _query_answer(body, message_id)
    if isinstance(response, str):
        return Reference(False, (), response)
    held = [n.get("id", "") for kind in ("ObjectRef", "ExtrinsicObject") for n in response.iter(f"{_RIM}{kind}")]
    return Reference(True, tuple(dict.fromkeys(i for i in held if i.startswith("urn:uuid:"))))


def read_found(body: bytes, message_id: str = "") -> Found:
    """Entries of an ITI-18 answer by uniqueId. With `message_id`, the answer to another message tells nothing."""
    response = _query_answer(body, message_id)
    if isinstance(response, str):
        return Found(False, {}, response)
    entries = {}
    for node in response.iter(f"{_RIM}ExtrinsicObject"):
        named = {i.get("identificationScheme"): i.get("value", "") for i in node.iter(f"{_RIM}ExternalIdentifier")}
        unique = named.get(_UNIQUE, "")
        sha1 = ""
        for slot in node.iter(f"{_RIM}Slot"):
            if slot.get("name") == "hash":
                value = next(slot.iter(f"{_RIM}Value"), None)
                sha1 = (value.text or "").strip().lower() if value is not None else ""
        if unique:
            status = node.get("status", "").rsplit(":", 1)[-1]
            entries[unique] = Entry(unique, node.get("id", ""), sha1, status, named.get(_PATIENT, ""))
    return Found(True, entries)
