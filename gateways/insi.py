"""Client of INSi over mutual TLS: bytes of one request in, what the service said of one patient out (sheet insi, sections 4 to 6).

One connection per call: calls are few, and none meets the answer to another. Every way a call may end is a value of a closed list;
texts of the server are not kept, since they may quote a record. Nothing is tried again here: the sheet says to stop at a technical error
and to come back later, which is for the operator to do.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from lxml import etree

from transvase.errors import CertificateRefused, Said
from transvase.formats import safe_xml
from transvase.gateways import dmp
from transvase.gateways.connection import refusal

# found/none/several: CodeCR 00, 01, 02. incomplete: 00 without an OID, a key or a strict trait. refused: this request. caller: whoever
# asks, so every request. later: a technical error of the service, or no answer. unreadable: not an answer of INSi.
Kind = Literal["found", "none", "several", "incomplete", "refused", "caller", "later", "unreadable"]

INSI = Said("INSi", "INSi")
# A human triggers each call, or a program does: the only two names that the service takes (section 5, desir_560).
MANUAL, AUTOMATIC = "INSI-MANU", "INSI-AUTO"
# The documented faults, and whom they are about. Full list not published.
FAULTS: dict[str, Kind] = {"insi_101": "later", "insi_102": "later", "desir_550": "caller", "desir_560": "caller"}
LABELS = {"00": "OK", "01": "Aucune identite trouvee", "02": "Plusieurs identites trouvees"}

_SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
_SIRAM = "{urn:siram}"
_RESULT = "{http://www.cnamts.fr/INSiResultat}"
_NUMBER = re.compile(r"[0-9]{6}[A-Za-z0-9][0-9]{6}")
_FORMS = {"Sexe": re.compile(r"[A-Z]"), "DateNaissance": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")}
_TRAITS = ("NomNaissance", "ListePrenom", "Prenom", "Sexe", "DateNaissance", "LieuNaissance")
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_CODE = re.compile(r"[a-z]{2,12}_[0-9]{1,4}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# A peer that closes without a word refuses no certificate: that comes as an alert.
_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# The public samples are under 2 kB.
_MOST = 1_000_000
_LONGEST = 200


class Matricule(NamedTuple):
    """A matricule under its authority. `key` may be empty, `since` and `until` (AAAA-MM-JJ) too: an interval is not assumed valid."""

    number: str
    key: str
    oid: str
    since: str = ""
    until: str = ""

    @property
    def ins(self) -> str:
        """The 15 characters that are stored."""
        return self.number + self.key


class Identity(NamedTuple):
    """The identity that INSi gives, as it writes it. `given` are the given names separated by spaces; `birth_date` is AAAA-MM-JJ and may be
    no day of the calendar; `birth_place` a COG code; `former` the matricules it had, the active one perhaps among them."""

    active: Matricule
    former: tuple[Matricule, ...]
    family: str
    given: str
    first_given: str
    sex: str
    birth_date: str
    birth_place: str


class Answer(NamedTuple):
    """`code` is CodeCR, the code of a documented form of a fault, or ours (`timeout`, `cut`, `unreachable`, `HTTP503`...)."""

    kind: Kind
    code: str
    identity: Identity | None = None

    @property
    def label(self) -> str:
        """The official label of CodeCR; empty for the rest. What the server wrote there is not kept."""
        return LABELS.get(self.code, "")


class Certificate(NamedTuple):
    """What a client certificate says: its CN and its OU, which the messages repeat as Emetteur. Empty when it has none."""

    name: str
    unit: str


def certificate(path: Path) -> Certificate:
    """The names in a PEM certificate. CertificateRefused when it cannot be read."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        subject = x509.load_pem_x509_certificate(path.read_bytes()).subject
    except (OSError, ValueError):
        raise CertificateRefused(
            service=INSI, reason=Said(f"{path.name} est inutilisable", f"{path.name} cannot be used")
        ) from None

    def first(name: x509.ObjectIdentifier) -> str:
        return next((str(a.value) for a in subject.get_attributes_for_oid(name)), "")

    return Certificate(first(NameOID.COMMON_NAME), first(NameOID.ORGANIZATIONAL_UNIT_NAME))


def tls(certificate_: Path, key: Path, authority: Path, password: bytes | None) -> ssl.SSLContext:
    """A context for mutual TLS 1.2 or newer, trusting only `authority`. CertificateRefused names what cannot be used."""
    try:
        return dmp.tls(certificate_, key, authority, password)
    except CertificateRefused as error:
        raise CertificateRefused(service=INSI, reason=error.facts["reason"]) from None


class Insi:
    """The service at an address. `timeout` (seconds) bounds the connection, then the whole exchange down to its last byte."""

    def __init__(self, url: str, context: ssl.SSLContext, timeout: float) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 443, parts.path or "/"
        self._context = context
        self._timeout = timeout

    def ask(self, content_type: str, parts: Iterable[bytes]) -> Answer:
        """Send one request. CertificateRefused when TLS refuses us or the server's certificate."""
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._context)
        expired = threading.Event()
        try:
            self._connect(connection)
            # The socket's own limit starts again with every byte: a server that drips would hold us for ever.
            watch = threading.Timer(self._timeout, _stop, (connection.sock, expired))
            watch.daemon = True
            watch.start()
            try:
                return self._exchange(connection, content_type, b"".join(parts))
            finally:
                watch.cancel()
        except _Failed as failure:
            if expired.is_set():
                return Answer("later", "timeout")
            if failure.code == "cut" and (reason := refusal(self._host, self._port, self._context)):
                raise CertificateRefused(service=INSI, reason=reason) from None
            return Answer("later", failure.code)
        finally:
            connection.close()

    def _connect(self, connection: http.client.HTTPSConnection) -> None:
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise CertificateRefused(
                service=INSI,
                reason=Said(
                    f"certificat du serveur : {error.verify_message}", f"server certificate: {error.verify_message}"
                ),
            ) from None
        except _ENDED:
            raise _Failed("unreachable") from None
        except ssl.SSLError as error:
            raise _refused(error) from None
        except OSError:
            raise _Failed("unreachable") from None

    def _exchange(self, connection: http.client.HTTPSConnection, content_type: str, body: bytes) -> Answer:
        version = connection.sock.version()
        try:
            connection.request("POST", self._path, body, {"Content-Type": content_type, "Accept-Encoding": "identity"})
        except ssl.SSLError as error:
            # TLS 1.3 ends the handshake before the server has looked at our certificate: it hangs up on the first bytes.
            if not isinstance(error, _ENDED) or version == "TLSv1.3":
                raise _refused(error) from None
            raise _Failed("cut") from None
        except OSError:
            # A server that refuses early answers and closes; its answer may still be read.
            pass
        try:
            response = connection.getresponse()
            data = response.read(_MOST + 1)
        except ssl.SSLError as error:
            if not isinstance(error, _ENDED):
                raise _refused(error) from None
            raise _Failed("cut") from None
        except TimeoutError:
            raise _Failed("timeout") from None
        except (OSError, http.client.HTTPException, ValueError):
            raise _Failed("cut") from None
        declared = response.getheader("Content-Length") or ""
        if declared.isascii() and declared.isdigit() and len(data) < min(int(declared), _MOST + 1):
            raise _Failed("cut")
        return Answer("unreadable", "size") if len(data) > _MOST else read_answer(response.status, data)


class _Failed(Exception):
    """The call ended without an answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _refused(error: ssl.SSLError) -> CertificateRefused:
    return CertificateRefused(service=INSI, reason=(error.reason or "TLS failure").lower().replace("_", " "))


def _stop(connected: socket.socket, expired: threading.Event) -> None:
    expired.set()
    with contextlib.suppress(OSError):
        # Not the method of an SSLSocket, which also takes its TLS state from under the thread that reads.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def read_answer(status: int, body: bytes) -> Answer:
    """What an HTTP answer says: RESULTAT, SOAP fault, or a page of a proxy. Strict: what contradicts itself is unreadable."""
    if status in (429, 503):
        return Answer("later", f"HTTP{status}")
    try:
        root = safe_xml.element(body)
    except safe_xml.XmlRefused:
        return Answer("unreadable", f"HTTP{status}")
    bodies = root.findall(f"{_SOAP}Body") if root.tag == f"{_SOAP}Envelope" else []
    content = list(bodies[0].iterchildren(etree.Element)) if len(bodies) == 1 else []
    if len(content) != 1:
        return Answer("unreadable", f"HTTP{status}")
    if content[0].tag == f"{_SOAP}Fault":
        return _fault(content[0])
    if status != 200 or content[0].tag != f"{_RESULT}RESULTAT":
        return Answer("unreadable", f"HTTP{status}")
    try:
        return _result(content[0])
    except _Malformed:
        return Answer("unreadable", "RESULTAT")


def _fault(fault: etree._Element) -> Answer:
    found = next(fault.iter(f"{_SIRAM}Erreur"), None)
    values = [(v.text or "").strip().rsplit(":", 1)[-1] for v in fault.iter(f"{_SOAP}Value")]
    told = [
        code for code in ("" if found is None else found.get("code", ""), *reversed(values)) if _CODE.fullmatch(code)
    ]
    kind = next((FAULTS[code] for code in told if code in FAULTS), None)
    sender = values[:1] == ["Sender"]
    return Answer(kind or ("refused" if sender else "later"), told[0] if told else "Sender" if sender else "Receiver")


class _Malformed(ValueError):
    """The answer is not one of the documented forms."""


def _result(result: etree._Element) -> Answer:
    code = _text(_one(_one(result, "CR"), "CodeCR"))
    individuals = result.findall(f"{_RESULT}INDIVIDU")
    if code in ("01", "02") and not individuals:
        return Answer("none" if code == "01" else "several", code)
    if code != "00" or len(individuals) != 1:
        # 03 is mentioned nowhere with its meaning (sheet ins-identity, 5): nothing may be concluded from it.
        raise _Malformed
    (individual,) = individuals
    active = _matricule(_one(individual, "INSACTIF"))
    former = tuple(map(_matricule, individual.findall(f"{_RESULT}INSHISTO")))
    tiq = _one(individual, "TIQ")
    values = {name: _optional(tiq, name) for name in _TRAITS}
    for name, form in _FORMS.items():
        if values[name] and not form.fullmatch(values[name]):
            raise _Malformed
    identity = Identity(active, former, *values.values())
    # The first given name alone is optional in an answer: the list begins with it.
    whole = (
        active.key
        and active.oid
        and all(v for n, v in identity._asdict().items() if n not in ("former", "first_given"))
    )
    return Answer("found", code, identity) if whole else Answer("incomplete", code)


def _matricule(holder: etree._Element) -> Matricule:
    who = _one(holder, "IdIndividu")
    number, key = _text(_one(who, "NumIdentifiant")).upper(), _optional(who, "Cle")
    oid = _optional(holder, "OID")
    if not _NUMBER.fullmatch(number) or not re.fullmatch(r"([0-9]{2})?", key) or (oid and not _OID.fullmatch(oid)):
        raise _Malformed
    since, until = (
        day if _DAY.fullmatch(day) else "" for day in (_optional(holder, n) for n in ("DateDeb", "DateFin"))
    )
    return Matricule(number, key, oid, since, until)


def _one(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(f"{_RESULT}{name}")
    if len(found) != 1:
        raise _Malformed
    return found[0]


def _optional(parent: etree._Element, name: str) -> str:
    return _text(_one(parent, name)) if parent.find(f"{_RESULT}{name}") is not None else ""


def _text(element: etree._Element) -> str:
    text = (element.text or "").strip()
    # A comment inside a value would cut it.
    if len(text) > _LONGEST or len(element):
        raise _Malformed
    return text
